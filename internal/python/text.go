package python

import (
	"math"
	"strings"
	"unicode/utf8"
)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlnum(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isSpace tells what Python's str.strip and the \s of its regular expressions
// take for white space: four control characters more than unicode.IsSpace.
func isSpace(r rune) bool {
	switch {
	case r <= 0x20:
		return r == ' ' || 0x09 <= r && r <= 0x0d || 0x1c <= r && r <= 0x1f
	case r < 0x80:
		return false
	case r == 0x85, r == 0xa0, r == 0x1680, 0x2000 <= r && r <= 0x200a:
		return true
	}
	return r == 0x2028 || r == 0x2029 || r == 0x202f || r == 0x205f || r == 0x3000
}

// trimSpace is Python's str.strip.
func trimSpace(s string) string {
	if s == "" || !edge(s[0]) && !edge(s[len(s)-1]) {
		return s
	}
	return strings.TrimFunc(s, isSpace)
}

// edge tells whether a string that begins or ends with c may need trimming.
func edge(c byte) bool { return c <= ' ' || c >= utf8.RuneSelf }

// skipSpace returns the index of the first character of s at or after i that is
// no white space.
func skipSpace(s string, i int) int {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isSpace(r) {
			break
		}
		i += n
	}
	return i
}

// skipDigits returns the index of the first byte of s at or after i that is no
// digit.
func skipDigits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// trimZeros removes leading zeros from a run of digits, but not the last one.
func trimZeros(digits string) string {
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	if digits == "" {
		return "0"
	}
	return digits
}

// compareDigits compares two numbers written without leading zeros.
func compareDigits(a, b string) int {
	if len(a) != len(b) {
		if len(a) < len(b) {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

// increment returns the number after digits.
func increment(digits string) string {
	b := []byte(digits)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != '9' {
			b[i]++
			return string(b)
		}
		b[i] = '0'
	}
	return "1" + string(b)
}

// parseUint returns the number that digits are; the largest one if it does not
// fit, 0 if there are none.
func parseUint(digits string) uint64 {
	n := uint64(0)
	for i := 0; i < len(digits); i++ {
		d := uint64(digits[i] - '0')
		if n > (math.MaxUint64-d)/10 {
			return math.MaxUint64
		}
		n = n*10 + d
	}
	return n
}

// equalLower tells whether a and b are the same text in any case. It is Python's
// comparison of a.lower() and b.lower(); strings.EqualFold also takes the long s
// for an s.
func equalLower(a, b string) bool {
	lower := strings.ToLower(a)
	return lower == strings.ToLower(b)
}

// clip cuts foreign text to a length that is fit for an error message.
func clip(s string) string {
	const limit = 200
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
