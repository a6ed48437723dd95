package pysource

import "slices"

// maxNames bounds what one statement can import.
const maxNames = 10000

// importStatement reads "import a.b as c, d".
func (s *scanner) importStatement() {
	s.pos += len("import")
	if !s.atBreak() {
		s.simple([]byte("import"))
		return
	}
	for range maxNames {
		s.blank()
		module := s.dotted(false)
		if module == "" {
			break
		}
		s.add(Import{Module: module})
		s.blank()
		bound := []byte(module)
		if string(s.word()) == "as" {
			s.pos += len("as")
			s.blank()
			bound = s.word()
			s.pos += len(bound)
			s.blank()
		} else if i := slices.Index(bound, '.'); i >= 0 {
			bound = bound[:i]
		}
		s.bind(bound)
		if s.pos >= len(s.src) || s.src[s.pos] != ',' {
			break
		}
		s.pos++
	}
	s.expression(false)
}

// atBreak tells whether a keyword ends at the position.
func (s *scanner) atBreak() bool {
	if s.pos >= len(s.src) {
		return false
	}
	c := s.src[s.pos]
	return c == ' ' || c == '\t' || c == '\\' || c == '\f'
}

// dotted reads a dotted name; relative ones may have dots in front.
func (s *scanner) dotted(relative bool) string {
	start := s.pos
	spaced := false
	for relative && s.pos < len(s.src) && s.src[s.pos] == '.' {
		s.pos++
		at := s.pos
		s.blank()
		spaced = spaced || s.pos != at
	}
	if relative && string(s.word()) == "import" {
		return dots(s.src[start:s.pos])
	}
	for {
		s.pos += len(s.word())
		if s.pos+1 < len(s.src) && s.src[s.pos] == '.' && isWord(s.src[s.pos+1]) {
			s.pos++
			continue
		}
		break
	}
	if spaced {
		return string(slices.DeleteFunc(slices.Clone(s.src[start:s.pos]), func(c byte) bool { return c != '.' && !isWord(c) }))
	}
	return string(s.src[start:s.pos])
}

// dots keeps the dots of "from . import x".
func dots(b []byte) string {
	n := 0
	for _, c := range b {
		if c == '.' {
			n++
		}
	}
	const many = "...................."
	return many[:min(n, len(many))]
}

// fromStatement reads "from a import b as c, (d)".
func (s *scanner) fromStatement() {
	start := s.pos
	s.pos += len("from")
	if s.pos >= len(s.src) || !s.atBreak() && s.src[s.pos] != '.' {
		s.pos = start
		s.simple(s.word())
		return
	}
	s.blank()
	module := s.dotted(true)
	s.blank()
	if module == "" || string(s.word()) != "import" {
		s.expression(false)
		return
	}
	s.pos += len("import")
	s.add(Import{Module: module, Names: s.names(module == ".")})
	s.expression(false)
}

// names reads the names of a from statement, in brackets or not. A name that a package takes
// from itself is not defined by that.
func (s *scanner) names(own bool) []string {
	var out []string
	s.blank()
	inside := s.pos < len(s.src) && s.src[s.pos] == '('
	if inside {
		s.pos++
	}
	for range maxNames {
		s.gap(inside)
		if s.pos < len(s.src) && s.src[s.pos] == '*' {
			s.pos++
			s.star = s.star || s.atTop()
			return append(out, "*")
		}
		w := s.word()
		if len(w) == 0 {
			break
		}
		s.pos += len(w)
		out = append(out, string(w))
		s.gap(inside)
		renamed := string(s.word()) == "as"
		if renamed {
			s.pos += len("as")
			s.gap(inside)
			w = s.word()
			s.pos += len(w)
			s.gap(inside)
		}
		if !own || renamed {
			s.bind(w)
		}
		if s.pos >= len(s.src) || s.src[s.pos] != ',' {
			break
		}
		s.pos++
	}
	if inside && s.pos < len(s.src) && s.src[s.pos] == ')' {
		s.pos++
	}
	return out
}

// gap is blank, and inside brackets passes over line breaks and comments as well.
func (s *scanner) gap(inside bool) {
	for {
		s.blank()
		if !inside || s.pos >= len(s.src) {
			return
		}
		switch s.src[s.pos] {
		case '\n', '\r':
			s.pos++
		case '#':
			s.comment()
		default:
			return
		}
	}
}

// add notes an import with what its surroundings make of it.
func (s *scanner) add(i Import) {
	if top := s.top(); top != nil {
		if top.dead {
			return
		}
		i.Optional, i.Deferred = i.Optional || top.optional, i.Deferred || top.deferred
		if top.handles && !s.tries[top.try].nested && !i.Deferred {
			i.Fallback, i.Try = true, top.try+1
		}
	}
	s.imports = append(s.imports, found{Import: i})
}

// distinctImports leaves repetitions out, and puts the names of statements that are
// alike together.
func (s *scanner) distinctImports() []Import {
	type key struct {
		module                       string
		from                         bool
		optional, deferred, fallback bool
		try                          int
	}
	if len(s.imports) == 0 {
		return nil
	}
	var index map[key]int
	out := make([]Import, 0, len(s.imports))
	const few = 12 // below it, looking at each is faster than a map
	for _, f := range s.imports {
		i := f.Import
		k := key{i.Module, i.Names != nil, i.Optional, i.Deferred, i.Fallback, i.Try}
		at := -1
		if index == nil {
			at = slices.IndexFunc(out, func(o Import) bool {
				return key{o.Module, o.Names != nil, o.Optional, o.Deferred, o.Fallback, o.Try} == k
			})
		} else if n, ok := index[k]; ok {
			at = n
		}
		if at >= 0 {
			out[at].Names = union(out[at].Names, i.Names)
			continue
		}
		out = append(out, i)
		switch {
		case index != nil:
			index[k] = len(out) - 1
		case len(out) > few:
			index = map[key]int{}
			for n, o := range out {
				index[key{o.Module, o.Names != nil, o.Optional, o.Deferred, o.Fallback, o.Try}] = n
			}
		}
	}
	return out
}

// union adds names that are not there yet.
func union(a, b []string) []string {
	const few = 200 // beyond it, repetitions are kept rather than looked for
	for _, n := range b {
		if len(a) > few || !slices.Contains(a, n) {
			a = append(a, n)
		}
	}
	return a
}
