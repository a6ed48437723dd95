package python

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeRequirements returns the text of a requirements file: by its byte order
// mark, by the encoding that a comment in the first two lines names (PEP 263), or
// as UTF-8.
func decodeRequirements(b []byte) (string, error) {
	s := string(b)
	switch {
	case strings.HasPrefix(s, "\xef\xbb\xbf"):
		return decodeAs("utf-8", s[3:])
	case strings.HasPrefix(s, "\xff\xfe\x00\x00"):
		return decodeAs("utf-32-le", s[4:])
	case strings.HasPrefix(s, "\x00\x00\xfe\xff"):
		return decodeAs("utf-32-be", s[4:])
	case strings.HasPrefix(s, "\xff\xfe"):
		return decodeAs("utf-16-le", s[2:])
	case strings.HasPrefix(s, "\xfe\xff"):
		return decodeAs("utf-16-be", s[2:])
	}
	lines := strings.SplitN(s, "\n", 3)
	for _, line := range lines[:min(2, len(lines))] {
		if strings.HasPrefix(line, "#") {
			if name := namedEncoding(line); name != "" {
				return decodeAs(name, s)
			}
		}
	}
	return decodeAs("utf-8", s)
}

// namedEncoding returns the name behind "coding:" or "coding=" in a comment.
func namedEncoding(line string) string {
	for rest := line; ; {
		_, after, ok := strings.Cut(rest, "coding")
		if !ok {
			return ""
		}
		rest = after
		if after == "" || after[0] != ':' && after[0] != '=' {
			continue
		}
		after = strings.TrimLeftFunc(after[1:], isSpace)
		end := 0
		for end < len(after) && (isAlnum(after[end]) || isSeparator(after[end])) {
			end++
		}
		if end > 0 {
			return after[:end]
		}
	}
}

func decodeAs(encoding, s string) (string, error) {
	switch strings.ToLower(strings.ReplaceAll(encoding, "_", "-")) {
	case "utf-8", "utf8", "utf-8-sig", "utf8-sig", "u8":
		if !utf8.ValidString(s) {
			return "", fmt.Errorf("file is not UTF-8")
		}
		return s, nil
	case "ascii", "us-ascii":
		for i := range len(s) {
			if s[i] >= utf8.RuneSelf {
				return "", fmt.Errorf("file is not ASCII")
			}
		}
		return s, nil
	case "latin-1", "latin1", "l1", "iso-8859-1", "iso8859-1", "8859":
		return decodeText([]byte(s)), nil
	case "utf-16-le", "utf-16le":
		return decodeUTF16(binary.LittleEndian, s)
	case "utf-16-be", "utf-16be":
		return decodeUTF16(binary.BigEndian, s)
	case "utf-32-le", "utf-32le":
		return decodeUTF32(binary.LittleEndian, s)
	case "utf-32-be", "utf-32be":
		return decodeUTF32(binary.BigEndian, s)
	}
	return "", fmt.Errorf("encoding %q is not supported", encoding)
}

func decodeUTF16(order binary.ByteOrder, s string) (string, error) {
	if len(s)%2 != 0 {
		return "", fmt.Errorf("file is not UTF-16")
	}
	units := make([]uint16, len(s)/2)
	for i := range units {
		units[i] = order.Uint16([]byte(s[2*i : 2*i+2]))
	}
	return string(utf16.Decode(units)), nil
}

func decodeUTF32(order binary.ByteOrder, s string) (string, error) {
	if len(s)%4 != 0 {
		return "", fmt.Errorf("file is not UTF-32")
	}
	var b strings.Builder
	for i := 0; i < len(s); i += 4 {
		code := order.Uint32([]byte(s[i : i+4]))
		if code > utf8.MaxRune {
			return "", fmt.Errorf("file is not UTF-32")
		}
		b.WriteRune(rune(code))
	}
	return b.String(), nil
}

// logicalLine is a line with those that continue it; number is that of the first
// one, 1-based.
type logicalLine struct {
	number int
	text   string
}

// logicalLines joins lines that end with a backslash to the next one, removes
// comments and leaves out lines that are then empty.
func logicalLines(text string) []logicalLine {
	var out []logicalLine
	var joined strings.Builder
	first := 0
	add := func(number int, line string) {
		if line = trimSpace(stripComment(line)); line != "" {
			out = append(out, logicalLine{number, line})
		}
	}
	for number, line := range physicalLines(text) {
		comment := strings.HasPrefix(strings.TrimLeftFunc(line, isSpace), "#")
		if strings.HasSuffix(line, `\`) && !comment {
			if first == 0 {
				first = number
			}
			joined.WriteString(strings.Trim(line, `\`))
			continue
		}
		if first == 0 {
			add(number, line)
			continue
		}
		if comment {
			joined.WriteByte(' ') // or it would not be one any more
		}
		joined.WriteString(line)
		add(first, joined.String())
		joined.Reset()
		first = 0
	}
	if first != 0 {
		add(first, joined.String())
	}
	return out
}

// physicalLines returns the lines of text with their numbers, ended by what
// Python's str.splitlines takes for an end.
func physicalLines(text string) func(yield func(number int, line string) bool) {
	return func(yield func(int, string) bool) {
		for number := 1; text != ""; number++ {
			end := strings.IndexFunc(text, isLineEnd)
			if end < 0 {
				yield(number, text)
				return
			}
			line := text[:end]
			_, size := utf8.DecodeRuneInString(text[end:])
			if strings.HasPrefix(text[end:], "\r\n") {
				size = 2
			}
			text = text[end+size:]
			if !yield(number, line) {
				return
			}
		}
	}
}

func isLineEnd(r rune) bool {
	return '\n' <= r && r <= '\r' || 0x1c <= r && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}

// stripComment removes a comment: # at the beginning or behind white space, and
// that white space.
func stripComment(line string) string {
	for i := 0; i < len(line); i++ {
		if line[i] != '#' {
			continue
		}
		before := strings.TrimRightFunc(line[:i], isSpace)
		if i == 0 || len(before) < i {
			return before
		}
	}
	return line
}

// expandVariables replaces ${NAME}, where NAME has upper-case letters, digits and
// underscores only, by its value; if there is none, it stays.
func expandVariables(line string, environ func(string) (string, bool)) string {
	if environ == nil || !strings.Contains(line, "${") {
		return line
	}
	var b strings.Builder
	for line != "" {
		before, after, ok := strings.Cut(line, "${")
		b.WriteString(before)
		if !ok {
			break
		}
		line = after
		end := 0
		for end < len(after) && isVariableByte(after[end]) {
			end++
		}
		value := ""
		if end > 0 && end < len(after) && after[end] == '}' {
			value, _ = environ(after[:end])
		}
		if value == "" {
			b.WriteString("${")
			continue
		}
		b.WriteString(value)
		line = after[end+1:]
	}
	return b.String()
}

func isVariableByte(c byte) bool { return isDigit(c) || c == '_' || 'A' <= c && c <= 'Z' }

// splitOptions splits a line at the first word that begins with a hyphen.
func splitOptions(line string) (requirement, options string) {
	if strings.HasPrefix(line, "-") {
		return "", line
	}
	if i := strings.Index(line, " -"); i >= 0 {
		return trimSpace(line[:i]), line[i+1:]
	}
	return line, ""
}

// splitWords splits options into words as a POSIX shell does, with quotes and
// backslashes but nothing else.
func splitWords(s string) ([]string, error) {
	var out []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\r', '\n':
			if inWord {
				out = append(out, word.String())
				word.Reset()
				inWord = false
			}
		case '\\':
			if i++; i == len(s) {
				return nil, fmt.Errorf("nothing follows the backslash in %q", s)
			}
			word.WriteByte(s[i])
			inWord = true
		case '\'', '"':
			end, err := quotedWord(&word, s, i)
			if err != nil {
				return nil, err
			}
			i, inWord = end, true
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		out = append(out, word.String())
	}
	return out, nil
}

// quotedWord adds what is between the quote at i and the next one to word, and
// returns where that is.
func quotedWord(word *strings.Builder, s string, i int) (int, error) {
	quote := s[i]
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == quote:
			return i, nil
		case c == '\\' && quote == '"' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			word.WriteByte(s[i])
		default:
			word.WriteByte(c)
		}
	}
	return 0, fmt.Errorf("quotation is not closed in %q", s)
}
