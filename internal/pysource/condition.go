package pysource

import (
	"bytes"
	"strings"
)

// verdict is what is known of a condition on Linux with Python 3.
type verdict int8

const (
	unknown verdict = iota
	holds
	fails
)

// condition reads a clause of an if statement; "else" may also belong to a loop or
// a try statement, whose body it then continues.
func (s *scanner) condition(indent int, w []byte) {
	from := s.pos + len(w)
	at := s.expression(true)
	if at < 0 {
		return
	}
	b := block{indent: indent, kind: kindIf, try: -1}
	v := holds
	switch {
	case w[0] == 'i':
		v = judge(s.src[from:at])
	case !s.hasOld || s.last.kind == kindOther:
		b.kind, b.optional = kindOther, true
		s.push(b)
		return
	case s.last.kind != kindIf:
		s.push(s.elseOfTry(indent))
		return
	default:
		b.taken, b.open = s.last.taken, s.last.open
		if len(w) == len("elif") && w[2] == 'i' {
			v = judge(s.src[from:at])
		}
	}
	b.dead = b.taken || v == fails
	b.optional = b.dead || b.open || v == unknown
	b.taken = b.taken || v == holds
	b.open = b.open || v == unknown
	s.push(b)
}

// elseOfTry runs if the body did not fail, so its imports are needed only then.
func (s *scanner) elseOfTry(indent int) block {
	b := block{indent: indent, try: -1}
	if k := s.last.try; k >= 0 {
		t := &s.tries[k]
		b.optional = t.decided && !t.raised && t.end > t.start
	}
	return b
}

// judge decides the tests that are common at the top of modules.
func judge(text []byte) verdict {
	const long = 120
	if len(text) > long || !isTest(text) || bytes.ContainsAny(text, "\\#") {
		return unknown
	}
	words := strings.Fields(string(text))
	if len(words) == 0 {
		return unknown
	}
	if words[0] == "not" {
		switch judge([]byte(strings.Join(words[1:], " "))) {
		case holds:
			return fails
		case fails:
			return holds
		}
		return unknown
	}
	t := strings.Trim(strings.ReplaceAll(strings.Join(words, " "), `"`, "'"), "()")
	switch t {
	case "TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING", "False", "0", "PY2", "six.PY2":
		return fails
	case "True", "1", "PY3", "six.PY3":
		return holds
	}
	return judgeComparison(t)
}

// isTest rules out most conditions by how they begin.
func isTest(text []byte) bool {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '(') {
		text = text[1:]
	}
	if len(text) == 0 {
		return false
	}
	var begin []string
	switch text[0] {
	case 'n':
		if !bytes.HasPrefix(text, []byte("not ")) {
			return false
		}
		return isTest(text[len("not "):])
	case 's':
		begin = []string{"sys.platform", "six.PY"}
	case '_':
		begin = []string{"_sys.platform"}
	case 'o':
		begin = []string{"os.name"}
	case 'p':
		begin = []string{"platform.system()"}
	case 't':
		begin = []string{"typing.TYPE", "t.TYPE"}
	case 'T':
		begin = []string{"TYPE_CHECKING", "True"}
	case 'F':
		begin = []string{"False"}
	case 'P':
		begin = []string{"PY"}
	case '0', '1':
		return true
	}
	for _, b := range begin {
		if len(text) >= len(b) && string(text[:len(b)]) == b {
			return true
		}
	}
	return false
}

// judgeComparison decides comparisons of the platform with a literal.
func judgeComparison(t string) verdict {
	for _, left := range [...]string{"sys.platform", "os.name", "platform.system()", "_sys.platform"} {
		rest, ok := strings.CutPrefix(t, left)
		if !ok || strings.Contains(rest, " or ") || strings.Contains(rest, " and ") {
			continue
		}
		op, literal, ok := strings.Cut(strings.TrimSpace(rest), " ")
		literal = strings.TrimSpace(literal)
		if !ok || len(literal) < 2 || literal[0] != '\'' || literal[len(literal)-1] != '\'' {
			return unknown
		}
		literal = literal[1 : len(literal)-1]
		same := literal == "linux" || literal == "posix" || literal == "Linux"
		switch {
		case op == "==" && same, op == "!=" && !same:
			return holds
		case op == "==", op == "!=":
			return fails
		}
		return unknown
	}
	return unknown
}
