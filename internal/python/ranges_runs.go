package python

import "sort"

// Runs returns where the versions of r lie in a list of versions in ascending
// order: pairs of the index of the first one and the index behind the last one,
// ascending and not touching each other.
func (r Ranges) Runs(sorted []Version) [][2]int32 {
	var out [][2]int32
	from := 0
	for i := range r.list {
		lo := from + sort.Search(len(sorted)-from, func(k int) bool { return r.list[i].lo.isBefore(&sorted[from+k]) })
		hi := lo + sort.Search(len(sorted)-lo, func(k int) bool { return r.list[i].hi.isBefore(&sorted[lo+k]) })
		if lo < hi {
			if n := len(out); n > 0 && out[n-1][1] == int32(lo) {
				out[n-1][1] = int32(hi)
			} else {
				out = append(out, [2]int32{int32(lo), int32(hi)})
			}
		}
		from = hi
	}
	return out
}
