package pysource

import "bytes"

// block is a compound statement, or one clause of it, whose body is being read.
type block struct {
	indent   int // of the header
	kind     blockKind
	optional bool // imports in it need not succeed
	deferred bool // its body does not run at import
	dead     bool // its body does not run on Linux with Python 3
	inner    bool // not the top level of the module: a function or class
	try      int  // index of the try statement that it belongs to, -1 for none
	handles  bool // an except clause that catches the failure of an import
	taken    bool // a clause of this if statement is known to be taken
	open     bool // what the if statement tests is not known
}

type blockKind byte

const (
	kindOther blockKind = iota
	kindIf
	kindTry
	kindHandler
)

// try is a try statement.
type try struct {
	start, end int  // its imports
	decided    bool // a clause catches ImportError
	raised     bool // and raises again
	nested     bool // in code that need not run at all
}

// dedent closes the blocks that a line of this indentation is not part of. The one
// which has this indentation may be continued by the line.
func (s *scanner) dedent(indent int) {
	s.hasOld = false
	for len(s.blocks) > 0 {
		top := s.blocks[len(s.blocks)-1]
		if top.indent < indent {
			return
		}
		s.blocks = s.blocks[:len(s.blocks)-1]
		s.last, s.hasOld = top, top.indent == indent
	}
}

// maxBlocks is far above the 100 levels of indentation that Python admits.
const maxBlocks = 200

// push opens a block, which is in all that its surroundings are.
func (s *scanner) push(b block) {
	if outer := s.top(); outer != nil {
		b.optional = b.optional || outer.optional
		b.deferred = b.deferred || outer.deferred
		b.dead = b.dead || outer.dead
		b.inner = b.inner || outer.inner
	}
	if len(s.blocks) < maxBlocks {
		s.blocks = append(s.blocks, b)
	}
}

func (s *scanner) top() *block {
	if len(s.blocks) == 0 {
		return nil
	}
	return &s.blocks[len(s.blocks)-1]
}

// statement reads one simple statement, or the header of a compound one.
func (s *scanner) statement(indent int) {
	w := s.word()
	switch string(w) {
	case "import":
		s.importStatement()
		return
	case "from":
		s.fromStatement()
		return
	case "if", "elif", "else":
		s.condition(indent, w)
		return
	case "try", "except", "finally":
		s.tryClause(indent, w)
		return
	case "def", "class":
		s.definition(indent, w)
		return
	case "async":
		s.pos += len(w)
		s.blank()
		if string(s.word()) == "def" {
			s.definition(indent, s.word())
		} else {
			s.header(block{indent: indent, optional: true, try: -1})
		}
		return
	case "for", "while":
		from := s.pos + len(w)
		if at := s.header(block{indent: indent, optional: true, try: -1}); at >= 0 && w[0] == 'f' {
			s.bindAll(before(s.src[from:at], " in "))
		}
		return
	case "with":
		s.with(indent)
		return
	case "global":
		s.bindAll(s.rest())
		return
	case "raise":
		s.raise()
	}
	if len(w) > 0 {
		s.simple(w)
		return
	}
	if s.binds && s.pos < len(s.src) && (s.src[s.pos] == '(' || s.src[s.pos] == '[') && s.atTop() {
		s.dynamic = true // perhaps a tuple of targets
	}
	s.expression(false)
}

// header reads to the colon of a compound statement and opens its block; without a
// colon the word was none of a statement. It returns where the colon is, or -1.
func (s *scanner) header(b block) int {
	at := s.expression(true)
	if at >= 0 {
		s.push(b)
	}
	return at
}

// rest reads a simple statement and returns its text after the first word.
func (s *scanner) rest() []byte {
	from := s.pos + len(s.word())
	s.expression(false)
	return s.src[from:max(s.pos, from)]
}

func (s *scanner) definition(indent int, w []byte) {
	s.pos += len(w)
	s.blank()
	name := s.word()
	s.bind(name)
	if w[0] == 'c' {
		s.pos += len(name)
		s.header(block{indent: indent, inner: true, try: -1})
		return
	}
	s.pos += len(name)
	s.header(block{indent: indent, inner: true, optional: true, deferred: true, try: -1})
}

// with opens a block, whose imports are optional if it suppresses their failure.
func (s *scanner) with(indent int) {
	from := s.pos
	at := s.expression(true)
	if at < 0 {
		return
	}
	text := s.src[from:at]
	optional := bytes.Contains(text, []byte("suppress(")) && catchesImportError(text)
	s.push(block{indent: indent, optional: optional, try: -1})
	if _, names, ok := bytes.Cut(text, []byte(" as ")); ok {
		s.bindAll(names)
	}
}

// tryClause reads a clause of a try statement.
func (s *scanner) tryClause(indent int, w []byte) {
	from := s.pos + len(w)
	at := s.expression(true)
	if at < 0 {
		return
	}
	if w[0] == 't' {
		top := s.top()
		s.tries = append(s.tries, try{start: len(s.imports), end: -1, nested: top != nil && top.optional})
		s.push(block{indent: indent, kind: kindTry, try: len(s.tries) - 1})
		return
	}
	k := -1
	if s.hasOld && (s.last.kind == kindTry || s.last.kind == kindHandler) {
		k = s.last.try
	}
	if k < 0 || w[0] == 'f' {
		s.push(block{indent: indent, try: -1})
		return
	}
	t := &s.tries[k]
	if t.end < 0 {
		t.end = len(s.imports)
	}
	b := block{indent: indent, kind: kindHandler, try: k, optional: true}
	if !t.decided && catchesImportError(s.src[from:at]) {
		t.decided, b.handles = true, true
		for i := t.start; i < t.end; i++ {
			f := &s.imports[i]
			f.was = f.Import
			f.Optional, f.Fallback = true, false
			if f.Try == 0 {
				f.Try = k + 1
			}
		}
	}
	s.push(b)
}

// raise takes back that a clause makes imports optional, if all that it does with their
// failure is to tell it in other words.
func (s *scanner) raise() {
	top := s.top()
	if top == nil || !top.handles {
		return
	}
	t := &s.tries[top.try]
	t.raised = true
	for i := t.start; i < t.end; i++ {
		s.imports[i].Import = s.imports[i].was
	}
}

// catchesImportError reads what stands between "except" and the colon.
func catchesImportError(text []byte) bool {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return true
	}
	if i := bytes.Index(text, []byte(" as ")); i >= 0 {
		text = text[:i]
	}
	isWordByte := func(r rune) bool { return !(r < 0x80 && isWord(byte(r)) || r >= 0x80) }
	for _, w := range bytes.FieldsFunc(text, isWordByte) {
		switch string(w) {
		case "ImportError", "ModuleNotFoundError", "Exception", "BaseException":
			return true
		}
		if !isClassLike(w) {
			return true // a name for some tuple of exceptions
		}
	}
	return false
}

// isClassLike tells the name of a class, such as OSError and socket.error, from that of a variable.
func isClassLike(w []byte) bool {
	return bytes.ContainsFunc(w, func(r rune) bool { return r >= 'a' && r <= 'z' })
}
