package pysource

import (
	"bytes"
	"slices"
)

// Scan reads the text of a module. It never fails: of what is no Python, it says
// what looks like it.
func Scan(src []byte) *Facts { return scan(src, false) }

// ScanPackage is Scan for the __init__.py of a package: it says as well which names
// that has.
func ScanPackage(src []byte) *Facts { return scan(src, true) }

func scan(src []byte, binds bool) *Facts {
	s := scanner{src: bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")), binds: binds, blocks: make([]block, 0, 12), imports: make([]found, 0, 24)}
	s.file()
	f := &Facts{Imports: s.distinctImports(), Loads: s.distinctLoads()}
	if binds {
		f.Namespace = bytes.Contains(src, []byte("declare_namespace")) || bytes.Contains(src, []byte("extend_path"))
		f.Star = s.star
		f.Grafts = s.grafts || hasAny(src, "sys.modules", "meta_path", "__path__")
		f.Dynamic = s.dynamic || f.Grafts || hasAny(src, "__getattr__", "globals()", "exec(", "vars()", "locals()", "setattr(", "global_enum", "_convert_(")
		slices.Sort(s.bound)
		f.Binds = slices.Compact(s.bound)
	}
	return f
}

// hasAny tells whether one of the words stands anywhere in the text.
func hasAny(src []byte, words ...string) bool {
	for _, w := range words {
		if bytes.Contains(src, []byte(w)) {
			return true
		}
	}
	return false
}

// scanner is the state of one Scan.
type scanner struct {
	src     []byte
	pos     int
	binds   bool
	dynamic bool
	grafts  bool
	star    bool

	blocks []block // open compound statements, the innermost last
	last   block   // the one that a clause of the same indentation continues
	hasOld bool    // last is set

	tries   []try
	imports []found
	loads   []Load
	bound   []string
}

// found is an import, and what it was before the try statement around it made it optional.
type found struct {
	Import
	was Import // before the try statement around it was known to be one
}

// Classes of bytes that matter inside a statement.
const (
	plain = iota
	quote
	hash
	opening
	closing
	newline
	backslash
	semicolon
	colon
	equals
)

var classes = func() (c [256]byte) {
	for _, x := range []struct {
		chars string
		class byte
	}{{`"'`, quote}, {"#", hash}, {"([{", opening}, {")]}", closing}, {"\n\r", newline}, {`\`, backslash}, {";", semicolon}, {":", colon}, {"=", equals}} {
		for _, b := range []byte(x.chars) {
			c[b] = x.class
		}
	}
	return c
}()

// file reads all logical lines.
func (s *scanner) file() {
	for s.pos < len(s.src) {
		indent := s.indentation()
		if s.pos >= len(s.src) {
			return
		}
		switch s.src[s.pos] {
		case '\n', '\r':
			s.pos++
			continue
		case '#':
			s.comment()
			continue
		}
		s.dedent(indent)
		s.statements(indent)
	}
}

// indentation passes over the white space before a line and returns its width, tabs
// going to the next multiple of 8.
func (s *scanner) indentation() int {
	width := 0
	for s.pos < len(s.src) && s.src[s.pos] == ' ' {
		s.pos++
		width++
	}
	for ; s.pos < len(s.src); s.pos++ {
		switch s.src[s.pos] {
		case ' ':
			width++
		case '\t':
			width = width/8*8 + 8
		case '\f':
			width = 0
		default:
			return width
		}
	}
	return width
}

// comment goes to the end of the line.
func (s *scanner) comment() {
	if n := bytes.IndexByte(s.src[s.pos:], '\n'); n >= 0 {
		s.pos += n
	} else {
		s.pos = len(s.src)
	}
}

// statements reads the statements of one logical line.
func (s *scanner) statements(indent int) {
	for s.pos < len(s.src) {
		s.blank()
		if s.pos >= len(s.src) {
			return
		}
		switch s.src[s.pos] {
		case '\n', '\r':
			s.pos++
			return
		case '#':
			s.comment()
			return
		case ';':
			s.pos++
			continue
		}
		at := s.pos
		s.statement(indent)
		if s.pos == at { // a stray bracket or the like
			s.pos++
		}
	}
}

// blank passes over white space inside a line, and over joined lines.
func (s *scanner) blank() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\f':
			s.pos++
		case '\\':
			n := lineBreak(s.src[s.pos+1:])
			if n == 0 {
				return
			}
			s.pos += 1 + n
		default:
			return
		}
	}
}

// lineBreak returns the length of the line break that b begins with.
func lineBreak(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	case len(b) > 0 && b[0] == '\r':
		return 1
	}
	return 0
}

// word returns the identifier at the position without passing it.
func (s *scanner) word() []byte {
	rest := s.src[s.pos:]
	for i, c := range rest {
		if !words[c] {
			return rest[:i]
		}
	}
	return rest
}

func isWord(c byte) bool { return words[c] }

var words = func() (t [256]bool) {
	for c := range t {
		t[c] = c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
	}
	return t
}()

// expression goes to where the statement ends: before a line break outside brackets, a
// semicolon, or after a colon if the statement is a header.
func (s *scanner) expression(header bool) (colonAt int) {
	depth := 0
	src, i, start := s.src, s.pos, s.pos
	for i < len(src) {
		for i < len(src) && classes[src[i]] == plain {
			i++
		}
		if i >= len(src) {
			break
		}
		switch classes[src[i]] {
		case quote:
			i = stringEnd(src, i)
			continue
		case hash:
			if n := bytes.IndexByte(src[i:], '\n'); n >= 0 {
				i += n
				continue
			}
			i = len(src)
			continue
		case opening:
			depth++
			if src[i] == '(' && i > start {
				s.call(start, i)
			}
		case closing:
			depth = max(depth-1, 0)
		case newline:
			if depth == 0 {
				s.pos = i
				return -1
			}
		case backslash:
			i += max(lineBreak(src[i+1:]), 0)
		case semicolon:
			if depth == 0 {
				s.pos = i
				return -1
			}
		case colon:
			if header && depth == 0 && !(i+1 < len(src) && src[i+1] == '=') {
				s.pos = i + 1
				return i
			}
		}
		i++
	}
	s.pos = len(src)
	return -1
}

// stringEnd returns where the string literal whose first quote is at i ends.
func stringEnd(src []byte, i int) int {
	q := src[i]
	if i+2 < len(src) && src[i+1] == q && src[i+2] == q {
		return longStringEnd(src, i+3, q)
	}
	for i++; i < len(src); i++ {
		switch src[i] {
		case q:
			return i + 1
		case '\\':
			i += max(lineBreak(src[i+1:]), 1)
		case '\n':
			return i // not closed
		}
	}
	return len(src)
}

// longStringEnd looks for three quotes of which the first is not escaped.
func longStringEnd(src []byte, start int, q byte) int {
	for i := start; ; i++ {
		n := bytes.IndexByte(src[i:], q)
		if n < 0 {
			return len(src)
		}
		i += n
		escapes := 0
		for i-1-escapes >= start && src[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 && i+2 < len(src) && src[i+1] == q && src[i+2] == q {
			return i + 3
		}
	}
}
