package python

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isWord tells what \w of Python's regular expressions matches.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || isAlnum(byte(r))
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.N, r))
}

// unquotePython returns the value of a string literal of Python, given without
// its quotes, which do not occur in it. It answers false if there is an error in
// an escape sequence. Escape sequences that Python does not know stay as they
// are.
func unquotePython(s string) (string, bool) {
	if strings.ContainsAny(s, "\n\r\x00") || strings.HasSuffix(s, `\`) && !evenBackslashes(s) {
		return "", false
	}
	if !strings.Contains(s, `\`) {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		text, n, ok := unescape(s[i+1:])
		if !ok {
			return "", false
		}
		b.WriteString(text)
		i += 1 + n
	}
	return b.String(), true
}

// evenBackslashes tells whether s ends in an even number of backslashes.
func evenBackslashes(s string) bool {
	return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 0
}

const simpleEscapes = "abfnrtv\\'\""

// unescape returns the value of the escape sequence that s, which is not empty,
// holds behind the backslash, and the length of it.
func unescape(s string) (value string, length int, ok bool) {
	if i := strings.IndexByte(simpleEscapes, s[0]); i >= 0 {
		return "\a\b\f\n\r\t\v\\'\""[i : i+1], 1, true
	}
	switch s[0] {
	case 'x':
		return unescapeHex(s, 2)
	case 'u':
		return unescapeHex(s, 4)
	case 'U':
		return unescapeHex(s, 8)
	case 'N':
		return "", 0, false // names of characters are not known here
	}
	n := 0
	for n < 3 && n < len(s) && '0' <= s[n] && s[n] <= '7' {
		n++
	}
	if n == 0 {
		return `\`, 0, true
	}
	code, _ := strconv.ParseUint(s[:n], 8, 32)
	return string(rune(code)), n, true
}

func unescapeHex(s string, digits int) (value string, length int, ok bool) {
	if len(s) < 1+digits {
		return "", 0, false
	}
	code, err := strconv.ParseUint(s[1:1+digits], 16, 32)
	if err != nil || code > unicode.MaxRune {
		return "", 0, false
	}
	return string(rune(code)), 1 + digits, true
}

// quotePython returns a string literal of Python that unquotePython reads back:
// in double quotes unless there is one in s, and as it is unless it cannot be.
func quotePython(s string) string {
	quote := `"`
	if strings.Contains(s, `"`) {
		quote = `'`
	}
	var b strings.Builder
	b.WriteString(quote)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && !staysBackslash(s[i+1:]):
			b.WriteString(`\\`)
		case c == '\n', c == '\r', c == 0, c == quote[0]:
			b.WriteString(`\x` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(quote)
	return b.String()
}

// staysBackslash tells whether a backslash followed by rest is no escape
// sequence.
func staysBackslash(rest string) bool {
	if rest == "" || rest[0] == '\n' || rest[0] == '\r' || rest[0] == 0 {
		return false
	}
	value, length, ok := unescape(rest)
	return ok && length == 0 && value == `\`
}
