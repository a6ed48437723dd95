package python

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of markers: no published one has a tenth of it. packaging itself stops
// at a depth of some 300.
const (
	maxMarkerDepth = 100
	maxMarkerTerms = 10_000
)

// ParseMarker reads an environment marker. The error is a *SyntaxError.
func ParseMarker(s string) (*Marker, error) {
	p := parser{text: s}
	m, err := p.marker()
	if err != nil {
		return nil, err
	}
	if p.pos != len(s) {
		return nil, p.fail("end", p.pos, "end of marker expected")
	}
	return m, nil
}

// marker reads: list, and builds the Marker of it.
func (p *parser) marker() (*Marker, error) {
	m := &Marker{}
	if err := p.markerList(m, &m.root, 0); err != nil {
		return nil, err
	}
	return m, nil
}

// markerList reads: atom (("and" | "or") atom)*
func (p *parser) markerList(m *Marker, list *markerList, depth int) error {
	if depth > maxMarkerDepth {
		return p.fail("other", p.pos, fmt.Sprintf("parentheses nested deeper than %d", maxMarkerDepth))
	}
	atoms := make([]markerAtom, 0, 1)
	for {
		atom, err := p.markerAtom(m, depth)
		if err != nil {
			return err
		}
		atoms = append(atoms, atom)
		switch {
		case p.word("and"):
		case p.word("or"):
			list.alternatives = append(list.alternatives, atoms)
			atoms = make([]markerAtom, 0, 1)
		default:
			list.alternatives = append(list.alternatives, atoms)
			return nil
		}
	}
}

// markerAtom reads: term | "(" list ")"
func (p *parser) markerAtom(m *Marker, depth int) (markerAtom, error) {
	p.blanks()
	open := p.pos
	if !p.char('(') {
		t, err := p.markerTerm()
		if err != nil {
			return markerAtom{}, err
		}
		if p.terms++; p.terms > maxMarkerTerms {
			return markerAtom{}, p.fail("other", open, fmt.Sprintf("more than %d comparisons in a marker", maxMarkerTerms))
		}
		if t.fallible() {
			m.fallible = append(m.fallible, t)
		}
		m.hasExtra = m.hasExtra || t.variable == varExtra
		p.blanks()
		return markerAtom{term: t}, nil
	}
	p.blanks()
	var list markerList
	if err := p.markerList(m, &list, depth+1); err != nil {
		return markerAtom{}, err
	}
	p.blanks()
	if !p.char(')') {
		return markerAtom{}, p.fail("paren-close", open, "parenthesis is not closed")
	}
	p.blanks()
	return markerAtom{list: &list}, nil
}

// markerTerm reads: operand operator operand
func (p *parser) markerTerm() (*markerTerm, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	p.blanks()
	op, err := p.markerOp()
	if err != nil {
		return nil, err
	}
	p.blanks()
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	t := &markerTerm{left: left, right: right, op: op}
	t.compile()
	return t, nil
}

func (p *parser) operand() (operand, error) {
	if v, n := p.variable(); n > 0 {
		p.pos += n
		return operand{variable: v}, nil
	}
	rest := p.text[p.pos:]
	if rest == "" || rest[0] != '\'' && rest[0] != '"' {
		return operand{}, p.fail("marker-operand", p.pos, "marker variable or quoted string expected")
	}
	end := strings.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return operand{}, p.fail("marker-operand", p.pos, "marker variable or quoted string expected")
	}
	text, ok := unquotePython(rest[1 : 1+end])
	if !ok {
		return operand{}, p.fail("other", p.pos, "invalid quoted string")
	}
	p.pos += end + 2
	return operand{text: text}, nil
}

// variable returns the marker variable at the current position and the length
// of its name, which may be an old one such as os.name.
func (p *parser) variable() (variable, int) {
	rest := p.text[p.pos:]
	n := wordLength(rest)
	if n == 0 || !p.atBoundary() {
		return varNone, 0
	}
	if n < len(rest) && rest[n] == '.' && (rest[:n] == "os" || rest[:n] == "sys" || rest[:n] == "platform") {
		dotted := n + 1 + wordLength(rest[n+1:])
		switch v := variableNamed(rest[:n] + "_" + rest[n+1:dotted]); v {
		case varOSName, varSysPlatform, varPlatformVersion, varPlatformMachine, varPlatformPythonImplementation:
			if boundary(rest, dotted) {
				return v, dotted
			}
		}
		return varNone, 0
	}
	if !boundary(rest, n) {
		return varNone, 0
	}
	if rest[:n] == "python_implementation" {
		return varPlatformPythonImplementation, n
	}
	if v := variableNamed(rest[:n]); v != varNone {
		return v, n
	}
	return varNone, 0
}

// wordLength returns how many letters, digits and underscores s begins with.
func wordLength(s string) int {
	n := 0
	for n < len(s) && (isAlnum(s[n]) || s[n] == '_') {
		n++
	}
	return n
}

func (p *parser) markerOp() (markerOp, error) {
	if p.word("in") {
		return opIn, nil
	}
	if p.word("not") {
		start := p.pos
		if p.blanks(); p.pos == start {
			return 0, p.fail("marker-op", p.pos, "white space expected after 'not'")
		}
		if !p.word("in") {
			return 0, p.fail("marker-op", p.pos, "'in' expected after 'not'")
		}
		return opNotIn, nil
	}
	op, n := scanOperator(p.text[p.pos:])
	if n == 0 {
		return 0, p.fail("marker-op", p.pos, "marker operator expected (<=, <, !=, ==, >=, >, ~=, ===, in, not in)")
	}
	p.pos += n
	return markerOp(op), nil
}

// compile works out what the term compares.
func (t *markerTerm) compile() {
	t.normalizeNames()
	other := &t.left
	if t.left.variable != varNone {
		t.variable, other = t.left.variable, &t.right
	} else {
		t.swapped = true
		// packaging looks the right operand up by its name, even if that is a
		// text; "a" == "os_name" is a comparison with the variable.
		if t.variable = t.right.variable; t.variable == varNone {
			t.variable = variableNamed(t.right.text)
		}
	}
	t.text = other.text
	if other.variable != varNone {
		t.text = variableNames[other.variable]
	}
	if t.variable.isVersion() && !t.swapped && t.op < opIn {
		if c, ok := parseSpecifier(t.op.String() + t.text); ok {
			t.clause = &c
		}
	}
	if t.variable.isSet() {
		t.text = string(NormalizeName(t.text))
	}
	t.undefined = t.findUndefined()
}

// normalizeNames brings names of extras and groups into normal form (PEP 685).
func (t *markerTerm) normalizeNames() {
	switch {
	case t.left.variable == varExtra && t.right.variable == varNone:
		t.right.text = string(NormalizeName(t.right.text))
	case t.left.variable == varNone && (t.right.variable == varExtra || t.right.variable.isSet()):
		t.left.text = string(NormalizeName(t.left.text))
	}
}

func (t *markerTerm) findUndefined() error {
	switch {
	case t.variable == varNone:
		return fmt.Errorf("%s: %q: %w", t, t.right.text, ErrUnknownVariable)
	case t.variable.isSet() && !t.swapped,
		t.op.needsVersion() && !t.variable.isVersion(),
		t.op.needsVersion() && !t.swapped && t.clause == nil:
		return fmt.Errorf("%s: %w", t, ErrUndefinedComparison)
	}
	return nil
}

// fallible tells whether there may be an environment in which the term cannot
// be evaluated.
func (t *markerTerm) fallible() bool {
	return t.undefined != nil || t.variable == varExtra || t.variable.isSet() ||
		t.swapped && t.op.needsVersion()
}

// String returns the marker in the form in which packaging writes it; "" for nil.
func (m *Marker) String() string {
	if m == nil {
		return ""
	}
	var b strings.Builder
	m.root.write(&b, true)
	return b.String()
}

// write writes the list, in parentheses unless it is the outermost or has only
// one atom.
func (l *markerList) write(b *strings.Builder, outermost bool) {
	if len(l.alternatives) == 1 && len(l.alternatives[0]) == 1 {
		l.alternatives[0][0].write(b, outermost)
		return
	}
	if !outermost {
		b.WriteByte('(')
	}
	for i, atoms := range l.alternatives {
		if i > 0 {
			b.WriteString(" or ")
		}
		for j := range atoms {
			if j > 0 {
				b.WriteString(" and ")
			}
			atoms[j].write(b, false)
		}
	}
	if !outermost {
		b.WriteByte(')')
	}
}

func (a *markerAtom) write(b *strings.Builder, outermost bool) {
	if a.list != nil {
		a.list.write(b, outermost)
	} else {
		b.WriteString(a.term.String())
	}
}

func (t *markerTerm) String() string {
	return t.left.String() + " " + t.op.String() + " " + t.right.String()
}

func (o operand) String() string {
	if o.variable != varNone {
		return variableNames[o.variable]
	}
	return quotePython(o.text)
}

// boundary tells whether s has a word boundary (\b of Python's regular
// expressions) at index i.
func boundary(s string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i:])
	return (i > 0 && isWord(before)) != (i < len(s) && isWord(after))
}
