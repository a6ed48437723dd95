package resolve

import (
	"math/rand/v2"
	"testing"
)

// fromBools makes a set of one bool for each index.
func fromBools(b []bool) set {
	var out set
	for i, in := range b {
		if !in {
			continue
		}
		if n := len(out); n > 0 && out[n-1].hi == int32(i) {
			out[n-1].hi++
		} else {
			out = append(out, span{int32(i), int32(i) + 1})
		}
	}
	return out
}

func TestSetOperationsAgreeWithOneBoolForEachIndex(t *testing.T) {
	const n = 9
	r := rand.New(rand.NewPCG(1, 2))
	random := func() ([]bool, set) {
		b := make([]bool, n)
		for i := range b {
			b[i] = r.IntN(3) > 0
		}
		return b, fromBools(b)
	}
	for range 20000 {
		a, s := random()
		b, u := random()
		union, both, less := make([]bool, n), make([]bool, n), make([]bool, n)
		within, apart, count := true, true, 0
		for i := range n {
			union[i], both[i], less[i] = a[i] || b[i], a[i] && b[i], a[i] && !b[i]
			within = within && !less[i]
			apart = apart && !both[i]
			if a[i] {
				count++
			}
			if s.has(int32(i)) != a[i] {
				t.Fatalf("%v.has(%d) = %v", s, i, !a[i])
			}
		}
		if got := s.union(u); !got.equal(fromBools(union)) {
			t.Fatalf("%v union %v = %v", s, u, got)
		}
		if got := s.intersect(u); !got.equal(fromBools(both)) {
			t.Fatalf("%v intersect %v = %v", s, u, got)
		}
		if got := s.minus(u); !got.equal(fromBools(less)) {
			t.Fatalf("%v minus %v = %v", s, u, got)
		}
		if s.within(u) != within || s.apart(u) != apart || s.count() != count {
			t.Fatalf("%v against %v: within %v, apart %v, count %d", s, u, s.within(u), s.apart(u), s.count())
		}
	}
}
