package pypi

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds nesting; an index page has four levels.
const maxJSONDepth = 64

// scanner reads JSON (RFC 8259) from memory, front to back and without building
// values: a page of 2 MB takes encoding/json ten times as long. The first error
// ends all; it stays in err and every method does nothing from then on.
type scanner struct {
	b     []byte
	i     int
	depth int
	err   error
}

func (s *scanner) fail(what string) {
	if s.err == nil {
		s.err = fmt.Errorf("%s at byte %d", what, s.i)
		s.i = len(s.b)
	}
}

// peek returns the next byte that is no white space, or 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// take consumes c if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.err != nil {
		return false
	}
	s.i++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.take(c) {
		s.fail("expected " + strconv.QuoteRune(rune(c)))
	}
}

// enter counts a level of nesting.
func (s *scanner) enter() bool {
	if s.depth++; s.depth > maxJSONDepth {
		s.fail("nested too deeply")
	}
	return s.err == nil
}

// object reads an object and calls field with each key; field must consume the
// value. The key is valid only until the next call of the scanner.
func (s *scanner) object(field func(key []byte)) {
	s.expect('{')
	if !s.enter() {
		return
	}
	if !s.take('}') {
		for s.err == nil {
			key := s.str()
			s.expect(':')
			if s.err != nil {
				return
			}
			field(key)
			if s.take('}') {
				break
			}
			s.expect(',')
		}
	}
	s.depth--
}

// array reads an array and calls element for each; element must consume it.
func (s *scanner) array(element func()) {
	s.expect('[')
	if !s.enter() {
		return
	}
	if !s.take(']') {
		for s.err == nil {
			element()
			if s.take(']') {
				break
			}
			s.expect(',')
		}
	}
	s.depth--
}

// str reads a string. The result is part of the input if nothing in it is
// escaped.
func (s *scanner) str() []byte {
	s.expect('"')
	if s.err != nil {
		return nil
	}
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1]
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			s.fail("control character in a string")
			return nil
		}
		s.i++
	}
	s.fail("unfinished string")
	return nil
}

// escaped reads on where str met the first backslash.
func (s *scanner) escaped(start int) []byte {
	out := bytes.Clone(s.b[start:s.i])
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			return out
		case c < ' ':
			s.fail("control character in a string")
			return nil
		case c != '\\':
			out = append(out, c)
			continue
		}
		if s.i >= len(s.b) {
			break
		}
		c = s.b[s.i]
		s.i++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			out = utf8.AppendRune(out, s.unicode())
		default:
			s.fail("unknown escape")
			return nil
		}
	}
	s.fail("unfinished string")
	return nil
}

// unicode reads the digits of \u, and of a second \u if both are a surrogate
// pair; half a pair becomes U+FFFD.
func (s *scanner) unicode() rune {
	r := s.hex4()
	if !utf16.IsSurrogate(r) {
		return r
	}
	if s.i+1 < len(s.b) && s.b[s.i] == '\\' && s.b[s.i+1] == 'u' {
		back := s.i
		s.i += 2
		if pair := utf16.DecodeRune(r, s.hex4()); pair != utf8.RuneError {
			return pair
		}
		s.i = back
	}
	return utf8.RuneError
}

func (s *scanner) hex4() rune {
	if s.i+4 > len(s.b) {
		s.fail("unfinished escape")
		return 0
	}
	var r rune
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			s.fail("bad escape")
			return 0
		}
		r = r<<4 | rune(c)
	}
	s.i += 4
	return r
}

// skip consumes any value.
func (s *scanner) skip() {
	switch c := s.peek(); c {
	case '{':
		s.object(func([]byte) { s.skip() })
	case '[':
		s.array(s.skip)
	case '"':
		s.str()
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}

func (s *scanner) literal(word string) {
	if s.err != nil || !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		s.fail("expected " + word)
		return
	}
	s.i += len(word)
}

// number reads a number and returns its text.
func (s *scanner) number() []byte {
	s.peek()
	start := s.i
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	zero := s.i < len(s.b) && s.b[s.i] == '0'
	if n := s.digits(); n == 0 || zero && n > 1 {
		s.fail("expected a value")
		return nil
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if s.digits() == 0 {
			s.fail("bad number")
			return nil
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if s.digits() == 0 {
			s.fail("bad number")
			return nil
		}
	}
	return s.b[start:s.i]
}

func (s *scanner) digits() (n int) {
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
		n++
	}
	return n
}

// text reads a string, which shares the input's bytes, or consumes another value
// and says so.
func (s *scanner) text() (string, bool) {
	if s.peek() == '"' {
		b := s.str()
		return asString(b), s.err == nil
	}
	s.skip()
	return "", false
}

// textOrNull is text that takes null for "".
func (s *scanner) textOrNull() (string, bool) {
	if s.peek() == 'n' {
		s.literal("null")
		return "", s.err == nil
	}
	return s.text()
}

// end fails if anything but white space is left.
func (s *scanner) end() {
	if s.err == nil && (s.peek() != 0 || s.i < len(s.b)) {
		s.fail("something behind the end")
	}
}
