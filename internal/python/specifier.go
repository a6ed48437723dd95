package python

import (
	"fmt"
	"slices"
	"strings"
)

// Specifiers is a set of version specifiers ("~=1.4,!=1.4.2"); the zero value
// admits everything.
type Specifiers struct{ list []Specifier }

// Specifier is one clause of a set, such as ~=1.4.
type Specifier struct {
	op       operator
	text     string // the version as written, with ".*" if it was there
	version  Version
	wildcard bool
	// The versions within the interval are admitted; with not, those outside.
	// Unused for ===.
	within interval
	not    bool
}

type operator uint8

const (
	opEqual operator = iota
	opNotEqual
	opCompatible
	opAtLeast
	opAtMost
	opAbove
	opBelow
	opIdentical
)

var operatorText = [...]string{"==", "!=", "~=", ">=", "<=", ">", "<", "==="}

// A set with more clauses than this is refused: no real one has a tenth of it,
// and hostile ones cost time for each version looked at.
const maxSpecifiers = 500

// maxSpecifiersLength bounds a set as text; the longest real ones are some 200
// bytes.
const maxSpecifiersLength = 100_000

// ParseSpecifiers reads a set as users write it. Empty clauses are skipped, so
// "" is the set that admits everything.
func ParseSpecifiers(s string) (Specifiers, error) {
	if len(s) > maxSpecifiersLength {
		return Specifiers{}, fmt.Errorf("version specifiers are longer than %d bytes", maxSpecifiersLength)
	}
	var out Specifiers
	for rest := s; rest != ""; {
		clause, after, _ := strings.Cut(rest, ",")
		rest = after
		if clause = trimSpace(clause); clause == "" {
			continue
		}
		spec, ok := parseSpecifier(clause)
		if !ok {
			return Specifiers{}, fmt.Errorf("%q is no version specifier", clip(clause))
		}
		if len(out.list) == maxSpecifiers {
			return Specifiers{}, fmt.Errorf("more than %d version specifiers", maxSpecifiers)
		}
		if out.list == nil {
			out.list = make([]Specifier, 0, min(maxSpecifiers, 1+strings.Count(s, ",")))
		}
		out.list = append(out.list, spec)
	}
	return out, nil
}

func parseSpecifier(clause string) (Specifier, bool) {
	var spec Specifier
	if end := spec.scan(clause, 0); end < 0 || end != len(clause) {
		return Specifier{}, false
	}
	return spec, true
}

// scan reads the longest clause that begins at i and returns where it ends, -1
// if there is none.
func (c *Specifier) scan(s string, i int) int {
	op, n := scanOperator(s[i:])
	if n == 0 {
		return -1
	}
	c.op = op
	return c.scanVersion(s, skipSpace(s, i+n))
}

// scanVersion reads what stands behind the operator, which c has already.
func (c *Specifier) scanVersion(s string, start int) int {
	if c.op == opIdentical {
		end := start
		for end < len(s) && s[end] != ';' && s[end] != ')' && skipSpace(s, end) == end {
			end++
		}
		c.text = s[start:end]
		c.version, _ = parseVersion(c.text)
		return end
	}
	var p versionParts
	exact := c.op == opEqual || c.op == opNotEqual
	end := p.scan(s, start, exact)
	if end < 0 || end-start > maxVersionLength || c.op == opCompatible && !strings.Contains(p.release, ".") {
		return -1
	}
	bare := p.pre == 0 && !p.hasPost && !p.hasDev && p.local == ""
	if exact && bare && strings.HasPrefix(s[end:], ".*") {
		c.wildcard = true
		end += 2
	}
	c.text = s[start:end]
	c.version = p.version()
	c.bound()
	return end
}

// scanOperator returns the operator at the beginning of s and its length, 0 if
// there is none.
func scanOperator(s string) (op operator, length int) {
	if s == "" {
		return 0, 0
	}
	hasEqual := len(s) > 1 && s[1] == '='
	switch c := s[0]; {
	case c == '=' && hasEqual && len(s) > 2 && s[2] == '=':
		return opIdentical, 3
	case c == '=' && hasEqual:
		return opEqual, 2
	case c == '!' && hasEqual:
		return opNotEqual, 2
	case c == '~' && hasEqual:
		return opCompatible, 2
	case c == '>' && hasEqual:
		return opAtLeast, 2
	case c == '<' && hasEqual:
		return opAtMost, 2
	case c == '>':
		return opAbove, 1
	case c == '<':
		return opBelow, 1
	}
	return 0, 0
}

// bound works out which versions the clause admits.
func (c *Specifier) bound() {
	v := c.version
	c.within = interval{firstCut, lastCut}
	switch c.op {
	case opNotEqual, opEqual:
		c.not = c.op == opNotEqual
		switch {
		case c.wildcard:
			c.within = interval{cutBeforeDev(v), cutNextPrefix(v, 0)}
		case v.Local() != "":
			c.within = interval{cutBefore(v), cutAfter(v)}
		default:
			c.within = interval{cutBefore(v), cutAfterLocals(v)}
		}
	case opCompatible:
		c.within = interval{cutBefore(v), cutNextPrefix(v, 1)}
	case opAtLeast:
		c.within.lo = cutBefore(v)
	case opAtMost:
		c.within.hi = cutAfterLocals(v)
	case opAbove:
		// PEP 440: >V admits neither V+local nor, unless V is a post-release
		// itself, the post-releases of V.
		if v.IsPostrelease() || v.IsDevrelease() {
			c.within.lo = cutAfterLocals(v)
		} else {
			c.within.lo = cutAfterPosts(v)
		}
	case opBelow:
		// PEP 440: <V does not admit pre-releases of V unless V is one.
		if v.IsPrerelease() {
			c.within.hi = cutBefore(v)
		} else if v.IsPostrelease() {
			c.within.hi = cutBeforeDevOf(v)
		} else {
			c.within.hi = cutBeforeDev(v)
		}
	}
}

// Operator returns the operator, such as "~=".
func (c *Specifier) Operator() string { return operatorText[c.op] }

// VersionText returns the version as written, with ".*" if that was there.
func (c *Specifier) VersionText() string { return c.text }

// String returns the clause without white space.
func (c *Specifier) String() string { return operatorText[c.op] + c.text }

// contains tells whether v is admitted by the clause, pre-release or not.
func (c *Specifier) contains(v *Version) bool {
	if c.op == opIdentical {
		return equalLower(c.text, v.String())
	}
	return c.within.contains(v) != c.not
}

// namesPrerelease tells whether the clause asks for a pre-release by name.
func (c *Specifier) namesPrerelease() bool {
	if c.op == opNotEqual || c.wildcard {
		return false
	}
	return c.version.IsPrerelease()
}

// All returns the clauses in the order in which they were written.
func (s Specifiers) All() []Specifier { return s.list }

// IsEmpty tells whether s has no clause, and so admits every version.
func (s Specifiers) IsEmpty() bool { return len(s.list) == 0 }

// String returns the clauses sorted, and of clauses that mean the same, such as
// ==1.0 and ==1.0.0, the first, as the packaging library does.
func (s Specifiers) String() string {
	list := slices.Clone(s.list)
	slices.SortStableFunc(list, func(a, b Specifier) int { return strings.Compare(a.String(), b.String()) })
	texts := make([]string, 0, len(list))
	for i := range list {
		if !slices.ContainsFunc(list[:i], list[i].same) {
			texts = append(texts, list[i].String())
		}
	}
	return strings.Join(texts, ",")
}

// same tells whether c and d are one clause in two spellings.
func (c *Specifier) same(d Specifier) bool {
	if c.op != d.op || c.wildcard || d.wildcard || c.op == opIdentical {
		return c.op == d.op && c.text == d.text
	}
	// For ~= the number of numbers matters.
	return c.version.Equal(d.version) && (c.op != opCompatible || c.version.String() == d.version.String())
}

// Contains tells whether v is admitted. A pre-release is admitted only if
// prereleases is true: the caller decides, it is never "unknown".
func (s Specifiers) Contains(v Version, prereleases bool) bool {
	if !prereleases && v.IsPrerelease() {
		return false
	}
	for i := range s.list {
		if !s.list[i].contains(&v) {
			return false
		}
	}
	return true
}

// ContainsText is Contains for a version as written. It differs for ===, which
// compares the text (in any case), and admits what is no version by === only.
func (s Specifiers) ContainsText(text string, prereleases bool) bool {
	v, ok := parseVersion(text)
	if ok && !prereleases && v.IsPrerelease() {
		return false
	}
	for i := range s.list {
		c := &s.list[i]
		if c.op == opIdentical {
			if !equalLower(c.text, text) {
				return false
			}
		} else if !ok || !c.contains(&v) {
			return false
		}
	}
	return true
}

// NamesPrerelease tells whether a specifier of the set names a pre-release
// (other than to exclude it), which by PEP 440 admits pre-releases.
func (s Specifiers) NamesPrerelease() bool {
	for i := range s.list {
		if s.list[i].namesPrerelease() {
			return true
		}
	}
	return false
}

// And returns the set with the clauses of both.
func (s Specifiers) And(t Specifiers) Specifiers {
	if len(s.list) == 0 {
		return t
	}
	return Specifiers{append(slices.Clip(s.list), t.list...)}
}

// Ranges returns the set of versions that s admits, pre-releases among them. See
// Ranges for === and local versions.
func (s Specifiers) Ranges() Ranges {
	within := interval{firstCut, lastCut}
	var gaps []interval
	for i := range s.list {
		switch c := &s.list[i]; {
		case c.op == opIdentical:
			return s.intersected()
		case c.not:
			gaps = append(gaps, c.within)
		default:
			if within.lo.compare(&c.within.lo) < 0 {
				within.lo = c.within.lo
			}
			if within.hi.compare(&c.within.hi) > 0 {
				within.hi = c.within.hi
			}
		}
	}
	return within.without(gaps)
}

// intersected is Ranges for sets with ===.
func (s Specifiers) intersected() Ranges {
	out := AllVersions()
	for i := range s.list {
		out = out.Intersect(s.list[i].ranges())
	}
	return out
}

func (c *Specifier) ranges() Ranges {
	if c.op == opIdentical {
		v, ok := parseVersion(c.text)
		if !ok || v.String() != strings.ToLower(c.text) {
			return Ranges{}
		}
		return Only(v)
	}
	r := between(c.within.lo, c.within.hi)
	if c.not {
		return r.Complement()
	}
	return r
}
