package python

import (
	"slices"
	"strings"
)

// Requirement is a dependency as written, with its place.
type Requirement struct {
	Name       Name
	Extras     []Name // sorted, each once
	Specifiers Specifiers
	URL        string // direct reference, PEP 508 "name @ url"
	Marker     *Marker
	Pos        Pos
	// Hashes are those of --hash options, algorithm -> lower-case hex digests.
	Hashes map[string][]string
}

// ParseRequirement reads a requirement as users write it (PEP 508). The error is
// a *SyntaxError.
func ParseRequirement(s string) (Requirement, error) {
	p := parser{text: s}
	r, err := p.requirement()
	if err != nil || p.resplit == "" {
		return r, err
	}
	if r.Specifiers, err = ParseSpecifiers(p.resplit); err != nil {
		return Requirement{}, p.fail("specifier", strings.Index(s, p.resplit), err.Error())
	}
	return r, nil
}

// requirement reads: name extras? (specifiers | "@" url) (";" marker)?
func (p *parser) requirement() (Requirement, error) {
	p.blanks()
	name := p.identifier()
	if name == "" {
		return Requirement{}, p.fail("name", p.pos, "package name expected")
	}
	r := Requirement{Name: NormalizeName(name)}
	p.blanks()
	var err error
	if r.Extras, err = p.extras(); err != nil {
		return Requirement{}, err
	}
	p.blanks()
	start, kind, expected := p.pos, "end-or-marker", "semicolon or end expected"
	if p.char('@') {
		p.blanks()
		start, expected = p.pos, "blank and semicolon, or end expected after the URL"
		if r.URL = p.url(); r.URL == "" {
			return Requirement{}, p.fail("url", p.pos, "URL expected after @")
		}
	} else if r.Specifiers, err = p.specifiers(); err != nil {
		return Requirement{}, err
	} else if !r.Specifiers.IsEmpty() {
		kind, expected = "comma", "comma, semicolon or end expected after the version"
	}
	p.blanks()
	if p.pos == len(p.text) {
		return r, nil
	}
	if !p.char(';') {
		return Requirement{}, p.fail(kind, start, expected)
	}
	if r.Marker, err = p.marker(); err != nil {
		return Requirement{}, err
	}
	if p.pos != len(p.text) {
		return Requirement{}, p.fail("end", p.pos, "end of requirement expected")
	}
	return r, nil
}

// extras reads: ("[" (name ("," name)*)? "]")?
func (p *parser) extras() ([]Name, error) {
	open := p.pos
	if !p.char('[') {
		return nil, nil
	}
	p.blanks()
	var out []Name
	for extra := p.identifier(); extra != ""; {
		out = append(out, NormalizeName(extra))
		p.blanks()
		if !p.char(',') {
			if p.peekIdentifier() != "" {
				return nil, p.fail("comma", p.pos, "comma expected between extras")
			}
			break
		}
		p.blanks()
		if extra = p.identifier(); extra == "" {
			return nil, p.fail("extras-name", p.pos, "name of an extra expected after the comma")
		}
	}
	p.blanks()
	if !p.char(']') {
		return nil, p.fail("extras-close", open, "bracket around extras is not closed")
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// url reads up to the next blank.
func (p *parser) url() string {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] != ' ' && p.text[p.pos] != '\t' {
		p.pos++
	}
	return p.text[start:p.pos]
}

// specifiers reads: list | "(" list ")" where list is (clause ("," clause)*)?
func (p *parser) specifiers() (Specifiers, error) {
	open := p.pos
	parens := p.char('(')
	p.blanks()
	var out Specifiers
	first, resplit := p.pos, false
	for {
		start := p.pos
		var c Specifier
		end := c.scan(p.text, start)
		if end < 0 {
			break
		}
		p.pos = end
		if err := p.specifierTrail(&c, start); err != nil {
			return Specifiers{}, err
		}
		out.list = append(out.list, c)
		resplit = resplit || c.op == opIdentical && strings.Contains(c.text, ",")
		if len(out.list) > maxSpecifiers {
			return Specifiers{}, p.fail("specifier", start, "too many version specifiers")
		}
		p.blanks()
		if !p.char(',') {
			break
		}
		p.blanks()
	}
	p.blanks()
	if resplit {
		// === takes everything up to a blank, but a set is split at commas.
		p.resplit = p.text[first:p.pos]
	}
	if parens && !p.char(')') {
		return Specifiers{}, p.fail("paren-close", open, "parenthesis around version specifiers is not closed")
	}
	return out, nil
}

// specifierTrail refuses what looks like the rest of a version but is none
// behind this operator.
func (p *parser) specifierTrail(c *Specifier, start int) error {
	rest := p.text[p.pos:]
	switch {
	case strings.HasPrefix(rest, ".*"):
		if c.op == opEqual || c.op == opNotEqual {
			return p.fail("other", start, ".* cannot follow a pre-release, post-release, development or local version")
		}
		return p.fail("wildcard-op", start, ".* can only be used with == and !=")
	case len(rest) > 1 && rest[0] == '+' && (isDigit(rest[1]) || 'a' <= rest[1] && rest[1] <= 'z'):
		return p.fail("local-op", start, "a local version label can only be used with == and !=")
	}
	return nil
}

// String returns the requirement in normal form, without place and hashes, and as
// it may be shown: its URL is that of [ShowURL].
func (r Requirement) String() string {
	var b strings.Builder
	b.WriteString(string(r.Name))
	if len(r.Extras) > 0 {
		b.WriteByte('[')
		for i, e := range r.Extras {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(string(e))
		}
		b.WriteByte(']')
	}
	b.WriteString(r.Specifiers.String())
	if r.URL != "" {
		b.WriteString(" @ " + ShowURL(r.URL))
		if r.Marker != nil {
			b.WriteByte(' ')
		}
	}
	if r.Marker != nil {
		b.WriteString("; " + r.Marker.String())
	}
	return b.String()
}
