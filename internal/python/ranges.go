package python

import "slices"

// Ranges is a set of versions, as a sorted union of intervals. The zero value is
// the empty set. There is one Ranges for each set, whatever operations led to
// it.
//
// It speaks of versions as PEP 440 orders them and nothing else: pre-releases
// are in the set if they lie within, as whether to accept them is another
// question. Local versions are versions of their own: "1.0+a" lies between 1.0
// and 1.0.post0, and is in the ranges of ==1.0, <=1.0 and >=1.0, not in those
// of >1.0, !=1.0, ==1.0+b and Only(1.0).
//
// Two things of specifiers do not fit into a set of versions and are decided so:
// ===V is the one version V without further local labels, in whatever spelling
// (Specifiers.Contains, which sees the spelling, tells ===1.0 from ===1.0.0), and
// no version at all if V is none, as then nothing with a version can match.
type Ranges struct{ list []interval }

// interval holds the versions from lo to hi. It is never empty.
type interval struct{ lo, hi cut }

func (i *interval) contains(v *Version) bool {
	if v.long == nil && i.lo.long == nil && i.hi.long == nil {
		key := v.key ^ zeroKey
		return i.lo.key <= key && key < i.hi.key
	}
	return i.lo.isBefore(v) && !i.hi.isBefore(v)
}

// AllVersions returns the set of all versions.
func AllVersions() Ranges { return Ranges{[]interval{{firstCut, lastCut}}} }

// Only returns the set of v alone, without v with a local label.
func Only(v Version) Ranges { return between(cutBefore(v), cutAfter(v)) }

// AtLeast returns the set of v and all above.
func AtLeast(v Version) Ranges { return between(cutBefore(v), lastCut) }

// Below returns the set of all versions below v, pre-releases of v among them
// (unlike the specifier <v).
func Below(v Version) Ranges { return between(firstCut, cutBefore(v)) }

func between(lo, hi cut) Ranges {
	if lo.compare(&hi) >= 0 {
		return Ranges{}
	}
	return Ranges{[]interval{{lo, hi}}}
}

// without returns the versions of i that are in none of gaps, which it sorts.
func (i interval) without(gaps []interval) Ranges {
	slices.SortFunc(gaps, func(a, b interval) int { return a.lo.compare(&b.lo) })
	out := make([]interval, 0, len(gaps)+1)
	lo := i.lo
	for _, gap := range gaps {
		hi := gap.lo
		if hi.compare(&i.hi) > 0 {
			hi = i.hi
		}
		if lo.compare(&hi) < 0 {
			out = append(out, interval{lo, hi})
		}
		if lo.compare(&gap.hi) < 0 {
			lo = gap.hi
		}
	}
	if lo.compare(&i.hi) < 0 {
		out = append(out, interval{lo, i.hi})
	}
	return Ranges{out}
}

// IsEmpty tells whether no version is in r.
func (r Ranges) IsEmpty() bool { return len(r.list) == 0 }

// IsAll tells whether every version is in r.
func (r Ranges) IsAll() bool {
	return len(r.list) == 1 && r.list[0] == interval{firstCut, lastCut}
}

// Contains tells whether v is in r.
func (r Ranges) Contains(v Version) bool {
	for i := range r.list {
		if r.list[i].contains(&v) {
			return true
		}
	}
	return false
}

// Equal tells whether r and s are the same set.
func (r Ranges) Equal(s Ranges) bool {
	return slices.EqualFunc(r.list, s.list, func(a, b interval) bool {
		return a.lo.compare(&b.lo) == 0 && a.hi.compare(&b.hi) == 0
	})
}

// Complement returns the versions that are not in r.
func (r Ranges) Complement() Ranges {
	out := make([]interval, 0, len(r.list)+1)
	lo := firstCut
	for _, i := range r.list {
		if lo.compare(&i.lo) < 0 {
			out = append(out, interval{lo, i.lo})
		}
		lo = i.hi
	}
	if lo.compare(&lastCut) < 0 {
		out = append(out, interval{lo, lastCut})
	}
	return Ranges{out}
}

// Intersect returns the versions that are in both r and s.
func (r Ranges) Intersect(s Ranges) Ranges {
	if r.IsAll() {
		return s
	}
	if s.IsAll() {
		return r
	}
	var out []interval
	for i, j := 0, 0; i < len(r.list) && j < len(s.list); {
		a, b := &r.list[i], &s.list[j]
		lo, hi := a.lo, a.hi
		if lo.compare(&b.lo) < 0 {
			lo = b.lo
		}
		order := hi.compare(&b.hi)
		if order > 0 {
			hi = b.hi
		}
		if lo.compare(&hi) < 0 {
			out = append(out, interval{lo, hi})
		}
		if order <= 0 {
			i++
		}
		if order >= 0 {
			j++
		}
	}
	return Ranges{out}
}

// Union returns the versions that are in r or s.
func (r Ranges) Union(s Ranges) Ranges {
	if len(r.list) == 0 {
		return s
	}
	if len(s.list) == 0 {
		return r
	}
	out := make([]interval, 0, len(r.list)+len(s.list))
	for i, j := 0, 0; i < len(r.list) || j < len(s.list); {
		var next interval
		if j == len(s.list) || i < len(r.list) && r.list[i].lo.compare(&s.list[j].lo) <= 0 {
			next = r.list[i]
			i++
		} else {
			next = s.list[j]
			j++
		}
		if last := len(out) - 1; last >= 0 && next.lo.compare(&out[last].hi) <= 0 {
			if next.hi.compare(&out[last].hi) > 0 {
				out[last].hi = next.hi
			}
		} else {
			out = append(out, next)
		}
	}
	return Ranges{out}
}

// Difference returns the versions that are in r and not in s.
func (r Ranges) Difference(s Ranges) Ranges { return r.Intersect(s.Complement()) }

// IsSubset tells whether every version of r is in s.
func (r Ranges) IsSubset(s Ranges) bool { return r.Intersect(s).Equal(r) }

// IsDisjoint tells whether no version is in both r and s.
func (r Ranges) IsDisjoint(s Ranges) bool { return r.Intersect(s).IsEmpty() }
