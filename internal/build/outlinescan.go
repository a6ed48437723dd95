package build

import (
	"bytes"
	"strings"
)

// literal is a string in a setup.py or a meson.build, with what surrounds it.
type literal struct {
	text  string
	call  string // of which it is an argument, "pkgconfig.exists", also deep in a list; "" outside
	key   string // keyword, dictionary key or variable that it is given to: "libraries"
	first string // the first literal in the same brackets, "" for that itself
}

// maxDepth is how deep brackets may nest before what is in them is no longer looked at.
const maxDepth = 64

// frame is an open bracket.
type frame struct {
	call, key string
	base      string // what key is again after a comma
	first     string
}

// literals yields each string literal of a text in Python or in Meson's language, which
// has the same strings, comments and calls. It knows no more grammar than that, takes any
// text, and is linear in time.
func literals(src []byte, yield func(literal)) {
	s := literalScanner{src: src, yield: yield, frames: []frame{{}}}
	for s.at < len(s.src) {
		s.token()
	}
}

type literalScanner struct {
	src    []byte
	at     int
	yield  func(literal)
	frames []frame
	deeper int // brackets open beyond maxDepth

	word string // an identifier that was just read, "" after anything else
	last string // the literal that was just read
	prev byte   // the last character that counts
}

func (s *literalScanner) top() *frame { return &s.frames[len(s.frames)-1] }

// token reads one token.
func (s *literalScanner) token() {
	c := s.src[s.at]
	switch {
	case c == '#':
		if i := bytes.IndexByte(s.src[s.at:], '\n'); i >= 0 {
			s.at += i
		} else {
			s.at = len(s.src)
		}
		return
	case c == '\n' && len(s.frames) == 1:
		*s.top() = frame{}
		s.at++
		return
	case c == '\'' || c == '"':
		s.literal(c)
		return
	case isWordByte(c):
		s.identifier()
		return
	case c == ' ', c == '\t', c == '\r', c == '\n', c == '\\':
		s.at++
		return
	case c == '+' && s.at+1 < len(s.src) && s.src[s.at+1] == '=': // an assignment, too
		s.at++
		return
	}
	s.punctuation(c)
	s.at++
	s.word, s.prev = "", c
}

func (s *literalScanner) punctuation(c byte) {
	switch c {
	case '(', '[', '{':
		s.open(c)
	case ')', ']', '}':
		switch {
		case s.deeper > 0:
			s.deeper--
		case len(s.frames) > 1:
			s.frames = s.frames[:len(s.frames)-1]
		}
	case ',':
		s.top().key = s.top().base
	case '=':
		s.assign()
	case ':': // of a dictionary, or a keyword of Meson
		switch {
		case s.prev == '"':
			s.top().key = s.last
		case s.word != "":
			s.top().key = s.word
		}
	}
}

func (s *literalScanner) open(c byte) {
	if len(s.frames) >= maxDepth {
		s.deeper++
		return
	}
	f := *s.top()
	f.base, f.first = f.key, ""
	if c == '(' && s.word != "" {
		f = frame{call: s.word}
	}
	s.frames = append(s.frames, f)
}

// assign takes the word, or the literal of an index, before "=" or "+=" for a key.
func (s *literalScanner) assign() {
	if s.at+1 < len(s.src) && s.src[s.at+1] == '=' {
		return
	}
	switch {
	case s.word != "":
		s.top().key = s.word
	case s.prev == ']':
		s.top().key = s.last
	}
}

func (s *literalScanner) identifier() {
	start := s.at
	for s.at < len(s.src) && (isWordByte(s.src[s.at]) || s.src[s.at] == '.') {
		s.at++
	}
	word := string(s.src[start:s.at])
	if s.at < len(s.src) && (s.src[s.at] == '\'' || s.src[s.at] == '"') && len(word) <= 2 && strings.Trim(word, "rRbBuUfF") == "" {
		return // a prefix of the string
	}
	if s.prev == '.' && start > 1 && s.src[start-1] == '.' && s.src[start-2] == ']' {
		word = s.last + "." + word // settings['libraries'].append
	}
	s.word, s.prev = word, 'a'
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

// literal reads a string, with one or three quotes.
func (s *literalScanner) literal(q byte) {
	start, quotes := s.at, 1
	if bytes.HasPrefix(s.src[s.at:], []byte{q, q, q}) {
		quotes = 3
	}
	i := start + quotes
	for i < len(s.src) {
		switch {
		case s.src[i] == '\\':
			i++
		case s.src[i] == '\n' && quotes == 1:
			s.at, s.word, s.prev = i, "", '"' // not closed: Python takes it for an error
			return
		case s.src[i] == q && (quotes == 1 || bytes.HasPrefix(s.src[i:], []byte{q, q, q})):
			s.at = i + quotes
			s.emit(string(s.src[start+quotes : i]))
			return
		}
		i++
	}
	s.at, s.word, s.prev = len(s.src), "", '"'
}

func (s *literalScanner) emit(text string) {
	s.word, s.prev, s.last = "", '"', text
	if s.deeper > 0 {
		return
	}
	f := s.top()
	s.yield(literal{text: text, call: f.call, key: f.key, first: f.first})
	if f.first == "" {
		f.first = text
	}
}

// commands yields the commands of a CMakeLists.txt with their arguments.
func commands(src []byte, yield func(name string, args []string)) {
	for i := 0; i < len(src); {
		switch c := src[i]; {
		case c == '#':
			i = lineEnd(src, i)
		case isWordByte(c):
			start := i
			for i < len(src) && isWordByte(src[i]) {
				i++
			}
			name := strings.ToLower(string(src[start:i]))
			for i < len(src) && (src[i] == ' ' || src[i] == '\t') {
				i++
			}
			if i < len(src) && src[i] == '(' {
				var args []string
				args, i = arguments(src, i+1)
				yield(name, args)
			}
		default:
			i++
		}
	}
}

func lineEnd(src []byte, i int) int {
	if n := bytes.IndexByte(src[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(src)
}

// maxArguments is more than a command has that names anything of interest.
const maxArguments = 4096

// arguments reads up to the closing bracket, and returns the place after it.
func arguments(src []byte, i int) (args []string, end int) {
	depth := 1
	add := func(b []byte) {
		if len(args) < maxArguments {
			args = append(args, string(b))
		}
	}
	for i < len(src) {
		switch c := src[i]; {
		case c == '#':
			i = lineEnd(src, i)
		case c == '(':
			depth++
			i++
		case c == ')':
			i++
			if depth--; depth == 0 {
				return args, i
			}
		case c == '"':
			start := i + 1
			for i = start; i < len(src) && src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
			add(src[start:min(i, len(src))])
			i++
		case c <= ' ' || c == ';':
			i++
		default:
			start := i
			for i < len(src) && src[i] > ' ' && !bytes.ContainsRune([]byte(`()";#`), rune(src[i])) {
				i++
			}
			add(src[start:i])
		}
	}
	return args, len(src)
}
