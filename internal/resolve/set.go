package resolve

import "math/bits"

// set is a set of versions of one package, as sorted, disjoint, non-adjacent
// spans of indexes into the package's ascending list of versions. Two equal sets
// have equal spans. A set is never changed once made.
//
// Indexes instead of versions make requirements equal that admit the same
// versions, and every operation a comparison of small integers.
type set []span

// span holds the indexes from lo up to, not including, hi.
type span struct{ lo, hi int32 }

func only(i int32) set { return set{{i, i + 1}} }

func full(n int32) set {
	if n == 0 {
		return nil
	}
	return set{{0, n}}
}

func (s set) has(i int32) bool {
	for _, p := range s {
		if i < p.hi {
			return i >= p.lo
		}
	}
	return false
}

func (s set) count() int {
	n := 0
	for _, p := range s {
		n += int(p.hi - p.lo)
	}
	return n
}

// single returns the index of a set of one.
func (s set) single() (int32, bool) {
	if len(s) == 1 && s[0].hi == s[0].lo+1 {
		return s[0].lo, true
	}
	return 0, false
}

func (s set) equal(t set) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// within tells whether s is a subset of t.
func (s set) within(t set) bool {
	j := 0
	for _, p := range s {
		for j < len(t) && t[j].hi < p.hi {
			j++
		}
		if j == len(t) || t[j].lo > p.lo {
			return false
		}
	}
	return true
}

// apart tells whether s and t have nothing in common.
func (s set) apart(t set) bool {
	for i, j := 0, 0; i < len(s) && j < len(t); {
		switch {
		case s[i].hi <= t[j].lo:
			i++
		case t[j].hi <= s[i].lo:
			j++
		default:
			return false
		}
	}
	return true
}

func (s set) intersect(t set) set {
	if s.within(t) {
		return s
	}
	if t.within(s) {
		return t
	}
	out := make(set, 0, max(len(s), len(t)))
	for i, j := 0, 0; i < len(s) && j < len(t); {
		if lo, hi := max(s[i].lo, t[j].lo), min(s[i].hi, t[j].hi); lo < hi {
			out = append(out, span{lo, hi})
		}
		if s[i].hi < t[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

func (s set) minus(t set) set {
	if s.apart(t) {
		return s
	}
	out := make(set, 0, len(s)+1)
	j := 0
	for _, p := range s {
		for j < len(t) && t[j].hi <= p.lo {
			j++
		}
		for k := j; k < len(t) && t[k].lo < p.hi; k++ {
			if p.lo < t[k].lo {
				out = append(out, span{p.lo, t[k].lo})
			}
			p.lo = t[k].hi
		}
		if p.lo < p.hi {
			out = append(out, p)
		}
	}
	return out
}

func (s set) union(t set) set {
	if s.within(t) {
		return t
	}
	if t.within(s) {
		return s
	}
	out := make(set, 0, len(s)+len(t))
	for i, j := 0, 0; i < len(s) || j < len(t); {
		var p span
		if j == len(t) || i < len(s) && s[i].lo <= t[j].lo {
			p = s[i]
			i++
		} else {
			p = t[j]
			j++
		}
		if n := len(out); n > 0 && p.lo <= out[n-1].hi {
			out[n-1].hi = max(out[n-1].hi, p.hi)
		} else {
			out = append(out, p)
		}
	}
	return out
}

// with returns s and i.
func (s set) with(i int32) set { return s.union(only(i)) }

// mask is a set of targets, one bit each.
type mask uint64

func maskOf(target int) mask { return 1 << target }

func (m mask) has(target int) bool { return m>>target&1 != 0 }

func (m mask) count() int { return bits.OnesCount64(uint64(m)) }

// targets returns the members in order.
func (m mask) targets() []int {
	out := make([]int, 0, m.count())
	for ; m != 0; m &= m - 1 {
		out = append(out, bits.TrailingZeros64(uint64(m)))
	}
	return out
}

// first returns the lowest member of a set that isn't empty.
func (m mask) first() int { return bits.TrailingZeros64(uint64(m)) }
