package pysource

import "bytes"

// atTop tells whether the statement belongs to the top level of the module.
func (s *scanner) atTop() bool {
	top := s.top()
	return top == nil || !top.inner
}

// bind notes a name that the module's top level defines.
func (s *scanner) bind(name []byte) {
	if s.binds && len(name) > 0 && s.atTop() {
		s.bound = append(s.bound, string(name))
	}
}

// bindAll notes all words of a list of targets; "global" makes names of the module
// wherever it stands.
func (s *scanner) bindAll(text []byte) {
	if !s.binds {
		return
	}
	for _, w := range bytes.FieldsFunc(text, func(r rune) bool { return r < 0x80 && !isWord(byte(r)) }) {
		s.bound = append(s.bound, string(w))
	}
}

// before returns what stands in front of a word.
func before(text []byte, word string) []byte {
	head, _, _ := bytes.Cut(text, []byte(word))
	return head
}

// simple reads a simple statement that begins with a word: an assignment, perhaps.
func (s *scanner) simple(w []byte) {
	from := s.pos
	s.expression(false)
	if !s.binds || !s.atTop() {
		return
	}
	// All words up to the last "=" that could be one of an assignment; too many
	// do no harm.
	text := s.src[min(from, s.pos):s.pos]
	if string(w) == "type" {
		s.bindAll(before(text[len(w):], "="))
	}
	if end := targets(text); end > 0 {
		s.bindAll(text[:end])
	} else if bytes.IndexByte(text, '(') > 0 && !isHarmless(w) {
		s.dynamic = true // a call may hand the module on, and get names set
		s.grafts = s.grafts || bytes.Contains(text, []byte("__name__"))
	}
}

// isHarmless tells statements that call without setting names of the module, by the
// word that they begin with.
func isHarmless(w []byte) bool {
	switch string(w) {
	case "warnings", "logging", "log", "logger", "_logger", "LOGGER", "print", "assert", "raise", "del", "__all__", "return", "pass":
		return true
	}
	return false
}

// targets returns the length of the part of a statement that is assigned to: up to the
// last "=" outside brackets and strings, or the first colon.
func targets(text []byte) int {
	depth, end := 0, 0
	for i := 0; i < len(text); i++ {
		switch classes[text[i]] {
		case quote:
			i = stringEnd(text, i) - 1
		case opening:
			depth++
		case closing:
			depth--
		case hash:
			return end
		case colon:
			if depth == 0 && end == 0 {
				return i
			}
		case equals:
			if depth != 0 {
				continue
			}
			if i+1 < len(text) && text[i+1] == '=' { // a comparison
				i++
				continue
			}
			end = i
		}
	}
	return end
}
