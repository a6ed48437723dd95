package python

import (
	"strconv"
	"strings"
)

// String tells r in the words of specifiers: ">=1.0,!=1.5,<2 or ==3.*". Where no
// specifier says it exactly, the nearest one is given; it is for people.
func (r Ranges) String() string {
	switch {
	case r.IsEmpty():
		return "no version"
	case r.IsAll():
		return "any version"
	}
	var parts, clauses []string
	finish := func(clause string) {
		if clause != "" {
			clauses = append(clauses, clause)
		}
		parts = append(parts, strings.Join(clauses, ","))
		clauses = nil
	}
	for i, iv := range r.list {
		if i > 0 {
			gap := interval{r.list[i-1].hi, iv.lo}
			if one := gap.name(); one != "" && iv.name() == "" && r.list[i-1].name() == "" {
				clauses = append(clauses, "!="+one)
				continue
			}
			finish(r.list[i-1].upperText())
		}
		if lower := iv.lowerText(); lower != "" {
			clauses = append(clauses, lower)
		}
	}
	finish(r.list[len(r.list)-1].upperText())
	return strings.Join(parts, " or ")
}

// name returns V if the interval holds the version V only (with or without local
// labels), V.* if it holds all versions whose release begins with V, and else "".
// The interval from the first version of all, 0.*, has no name: it is below 1.
func (i *interval) name() string {
	lo, hi := i.lo, i.hi
	if lo.long != nil {
		if hi.long != nil && !lo.after && hi.after && lo.long.compare(hi.long) == 0 {
			return lo.long.String()
		}
		return ""
	}
	if hi.long != nil || hi == lastCut || lo == firstCut || kindOf(lo.key) == kindEnd {
		return ""
	}
	v := keyVersion(lo.key)
	if sub := lo.key & 3; sub == subSelf && (hi == cutAfter(v) || hi == cutAfterLocals(v)) {
		return v.String()
	}
	const firstDev = suffixMask & (kindDev<<21 | subSelf)
	if lo.key&suffixMask == firstDev && hi.key&suffixMask == firstDev {
		return prefixName(lo.key, hi.key)
	}
	return ""
}

// prefixName returns V.* if lo is the release V and hi the one after V in its
// last number.
func prefixName(lo, hi uint64) string {
	text := ""
	for i := range uint32(4) {
		a, b := releaseOf(lo, i), releaseOf(hi, i)
		text += strconv.FormatUint(a, 10) + "."
		if a == b {
			continue
		}
		below := ^uint64(0) >> 16 >> (8 * i) &^ suffixMask
		if b == a+1 && lo&below == 0 && hi&below == 0 {
			return text + "*"
		}
		return ""
	}
	return ""
}

// keyVersion returns the version that sorts at key, with as few numbers in the
// release as it can have.
func keyVersion(key uint64) Version {
	digits := uint32(4)
	for digits > 1 && releaseOf(key, digits-1) == 0 {
		digits--
	}
	return Version{key: key ^ zeroKey, digits: digits}
}

// lowerText returns the clause that bounds the interval below.
func (i *interval) lowerText() string {
	if one := i.name(); one != "" {
		return "==" + one
	}
	c := i.lo
	switch {
	case c == firstCut:
		return ""
	case c.long != nil:
		return c.long.boundText(c.after, ">", ">=")
	}
	operator, v := c.neighbour()
	if operator == "<" {
		return ">=" + v.String()
	}
	return ">" + v.String()
}

// upperText returns the clause that bounds the interval above, "" if that is said
// by lowerText.
func (i *interval) upperText() string {
	c := i.hi
	switch {
	case c == lastCut, i.name() != "":
		return ""
	case c.long != nil:
		return c.long.boundText(c.after, "<=", "<")
	}
	operator, v := c.neighbour()
	// <V leaves out the pre-releases of V anyway.
	if operator == "<" && v.IsDevrelease() && numberOf(c.key) == 0 {
		v = v.Base()
	}
	return operator + v.String()
}

// neighbour returns the version that a place is named after, and the operator
// for the versions below the place: "<" if it is before that version.
func (c *cut) neighbour() (operator string, v Version) {
	kind, n := kindOf(c.key), numberOf(c.key)
	base := c.key &^ suffixMask
	switch sub := c.key & 3; {
	case kind == kindEnd, kind == kindPost && sub == subStart && n == 0:
		return "<=", keyVersion(base | zeroKey)
	case sub == subSelf:
		return "<", keyVersion(c.key)
	case sub == subStart && n > 0:
		return "<=", keyVersion(base | suffixKey(kind, n-1, subSelf))
	case sub == subStart:
		return "<", keyVersion(base | suffixKey(kind, 0, subSelf))
	}
	return "<=", keyVersion(base | suffixKey(kind, n, subSelf))
}

// boundText returns the clause for a place beside l.
func (l *longParts) boundText(after bool, behind, before string) string {
	if after || l.post == endPost {
		return behind + l.String()
	}
	return before + l.String()
}
