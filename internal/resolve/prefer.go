package resolve

import (
	"slices"
)

// preferred returns the versions that are taken before all others if they fit:
// first the pins of an earlier lock, then what stands in the development images.
// Within each, the version that more of the targets on have comes first, then
// the newer one.
func (f *fetcher) preferred(s *shelf, on mask) []int32 {
	votes := make(map[int32]mask)
	for _, l := range f.req.Options.Locked {
		if l.Name != s.name {
			continue
		}
		if i := s.find(l.Version); i >= 0 {
			if l.Target < 0 {
				votes[i] = on
			} else {
				votes[i] |= maskOf(l.Target) & on
			}
		}
	}
	out := ranked(votes)
	if f.req.Options.Prefer != PreferImage {
		return out
	}
	project := f.src.Installed(s.name)
	if project == nil {
		return out
	}
	clear(votes)
	for k, v := range project.Versions {
		i := s.find(v)
		if i < 0 || slices.Contains(out, i) {
			continue
		}
		for _, a := range project.Artifacts(k) {
			if a.Kind == ImageFiles {
				votes[i] |= maskOf(a.Target) & on
			}
		}
	}
	return append(out, ranked(votes)...)
}

func ranked(votes map[int32]mask) []int32 {
	out := make([]int32, 0, len(votes))
	for i, on := range votes {
		if on != 0 {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b int32) int {
		if c := votes[b].count() - votes[a].count(); c != 0 {
			return c
		}
		return int(b - a)
	})
	return out
}
