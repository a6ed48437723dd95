package pysource

import (
	"bytes"
	"slices"
)

// call looks at a call whose bracket is at i, in the statement that begins at start.
func (s *scanner) call(start, i int) {
	switch s.src[i-1] {
	case 'e', '_', 'y', 'L', 'n':
	default:
		return
	}
	from := i
	for from > start && isWord(s.src[from-1]) {
		from--
	}
	name := string(s.src[from:i])
	switch name {
	case "import_module", "__import__":
		s.importCall(start, i)
	case "find_library", "CDLL", "LoadLibrary", "dlopen":
		s.load(start, from, i, name)
	case "PyDLL":
		s.load(start, from, i, "CDLL")
	}
}

// importCall notes a module that is imported by name.
func (s *scanner) importCall(start, i int) {
	text, ok := s.literal(i + 1)
	if !ok || text == "" || !isModule(text) {
		return
	}
	s.add(Import{Module: text, Optional: true, Deferred: true})
}

// isModule tells whether text is a dotted name, perhaps with leading dots.
func isModule(text string) bool {
	for i := range len(text) {
		if !isWord(text[i]) && text[i] != '.' {
			return false
		}
	}
	return text[len(text)-1] != '.'
}

// load notes a library; definitions of functions of that name and what is for
// Windows are left out.
func (s *scanner) load(start, from, i int, name string) {
	if top := s.top(); top != nil && top.dead {
		return
	}
	head := bytes.TrimRight(s.src[start:from], " \t")
	for _, not := range [...]string{"windll.", "oledll.", "def", "class"} {
		if bytes.HasSuffix(head, []byte(not)) {
			return
		}
	}
	text, ok := s.literal(i + 1)
	if !ok && text == "None" { // the program itself
		return
	}
	lower := bytes.ToLower([]byte(text))
	if ok && (bytes.HasSuffix(lower, []byte(".dll")) || bytes.HasSuffix(lower, []byte(".dylib"))) {
		return
	}
	if !ok {
		text = ""
	}
	s.loads = append(s.loads, Load{Library: text, Call: name})
}

// maxLiteral bounds names of libraries and modules.
const maxLiteral = 4096

// literal returns the string that is the first argument of a call. If it is not a string
// and nothing else, ok is false and text the word that stands there.
func (s *scanner) literal(i int) (text string, ok bool) {
	save := s.pos
	defer func() { s.pos = save }()
	s.pos = i
	s.gap(true)
	prefix := s.word()
	if len(prefix) > 1 || len(prefix) == 1 && !slices.Contains([]byte("rRuUbB"), prefix[0]) {
		if len(prefix) > len("None") {
			return "", false
		}
		return string(prefix), false
	}
	at := s.pos + len(prefix)
	if at >= len(s.src) || classes[s.src[at]] != quote {
		return "", false
	}
	end := stringEnd(s.src, at)
	q := 1
	if end-at >= 6 && s.src[at+1] == s.src[at] && s.src[at+2] == s.src[at] {
		q = 3
	}
	if end-at < 2*q || end-at > maxLiteral {
		return "", false
	}
	body := s.src[at+q : end-q]
	s.pos = end
	s.gap(true)
	if s.pos >= len(s.src) || s.src[s.pos] != ')' && s.src[s.pos] != ',' || bytes.ContainsAny(body, "\\\n\x00") {
		return "", false
	}
	return string(body), true
}

// distinctLoads leaves repetitions out.
func (s *scanner) distinctLoads() []Load {
	const few = 200 // beyond it, repetitions are kept rather than looked for
	var out []Load
	for _, l := range s.loads {
		if len(out) > few || !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}
