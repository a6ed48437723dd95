package resolve

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// shelf is what exists of one package, in the order of its versions. The solver
// and those who fetch ahead of it share it.
type shelf struct {
	name     python.Name
	listings []listing
	versions []python.Version
	releases []atomic.Pointer[release]
	// narrow is set while only the version that stands in all development images
	// is known; the index was not asked.
	narrow bool
}

// listing is what one place, the index or a direct reference, says of a package.
type listing struct {
	project *Project
	url     string
	on      mask // the targets that take it from there
}

func newShelf(name python.Name, listings []listing) *shelf {
	s := &shelf{name: name, listings: listings}
	if len(listings) == 1 {
		s.versions = listings[0].project.Versions
	} else {
		for _, l := range listings {
			s.versions = append(s.versions, l.project.Versions...)
		}
		slices.SortStableFunc(s.versions, python.Version.Compare)
		s.versions = slices.CompactFunc(s.versions, func(a, b python.Version) bool { return a.Compare(b) == 0 })
	}
	s.releases = make([]atomic.Pointer[release], len(s.versions))
	return s
}

// find returns the index of a version, or -1.
func (s *shelf) find(v python.Version) int32 {
	i, ok := slices.BinarySearchFunc(s.versions, v, python.Version.Compare)
	if !ok {
		return -1
	}
	return int32(i)
}

// release returns what there is of a version, and how each target gets it.
func (s *shelf) release(p *policy, i int32) *release {
	if r := s.releases[i].Load(); r != nil {
		return r
	}
	r := &release{}
	list, on := s.artifacts(i)
	r.candidate = Candidate{Name: s.name, Version: s.versions[i], Artifacts: list}
	r.offers = make([]offer, len(p.targets))
	for t := range p.targets {
		r.offers[t] = p.offer(s.name, list, on, t, false)
		if r.offers[t].artifact == nil {
			if r.offers[t] = p.offer(s.name, list, on, t, true); r.offers[t].artifact != nil {
				r.outgrown |= maskOf(t)
			}
		} else {
			r.usable |= maskOf(t)
		}
		if r.offers[t].artifact != nil {
			if r.offers[t].artifact.Kind == Sdist {
				r.builds |= maskOf(t)
			}
			if r.offers[t].yanked {
				r.yanked |= maskOf(t)
			}
		}
	}
	if !s.releases[i].CompareAndSwap(nil, r) {
		return s.releases[i].Load()
	}
	return r
}

// artifacts returns the artifacts of a version and, if the listings differ
// between targets, the targets of each.
func (s *shelf) artifacts(i int32) ([]*Artifact, []mask) {
	if len(s.listings) == 1 {
		return s.listings[0].project.Artifacts(int(i)), nil
	}
	var list []*Artifact
	var on []mask
	for _, l := range s.listings {
		k, ok := slices.BinarySearchFunc(l.project.Versions, s.versions[i], python.Version.Compare)
		if !ok {
			continue
		}
		for _, a := range l.project.Artifacts(k) {
			list, on = append(list, a), append(on, l.on)
		}
	}
	return list, on
}

// release is one version that was looked at.
type release struct {
	candidate Candidate
	offers    []offer // one for each target
	usable    mask    // targets with an artifact
	outgrown  mask    // targets with an artifact for older Pythons only
	builds    mask    // of all these, those that need a build
	yanked    mask    // and those with nothing but yanked files

	asking   sync.Mutex
	answered bool
	answer   []*Needs // one for each target
	failure  error

	// The solver's own notes. What others fetched ahead is not in them, as it
	// depends on how fast they were.
	seen   bool // it was looked at
	needs  []*Needs
	err    error
	deps   map[python.Name][]dep // by extra
	looked bool                  // it was asked for ahead
}

// ask fetches what the version needs, once.
func (r *release) ask(ctx context.Context, src Source) ([]*Needs, error) {
	r.asking.Lock()
	defer r.asking.Unlock()
	if !r.answered {
		r.answer, r.failure = r.fetch(ctx, src)
		r.answered = !errors.Is(r.failure, ErrLater)
	}
	return r.answer, r.failure
}

// fetch reads the metadata of image files where a target takes those, as they
// cost nothing. One metadata stands for all other targets.
func (r *release) fetch(ctx context.Context, src Source) ([]*Needs, error) {
	needs := make([]*Needs, len(r.offers))
	var common *Needs
	for t := range r.offers {
		a := r.offers[t].artifact
		if a == nil || a.Kind != ImageFiles {
			continue
		}
		n, err := src.Requires(ctx, &r.candidate, a)
		if err != nil {
			return nil, err
		}
		needs[t] = n
		if common == nil {
			common = n
		}
	}
	for t := range needs {
		if needs[t] != nil || r.offers[t].artifact == nil {
			continue
		}
		if common == nil {
			var err error
			if common, err = r.speak(ctx, src); err != nil {
				return nil, err
			}
		}
		needs[t] = common
	}
	return needs, nil
}

// speak returns the metadata that stands for the version.
func (r *release) speak(ctx context.Context, src Source) (*Needs, error) {
	var first *Unusable
	for _, a := range r.speakers() {
		n, err := src.Requires(ctx, &r.candidate, a)
		if err == nil {
			return n, nil
		}
		var u *Unusable
		if !errors.As(err, &u) {
			return nil, err
		}
		if first == nil || first.Needs == nil && u.Needs != nil {
			first = u
		}
	}
	return nil, first
}

// speakers returns the artifacts whose metadata may stand for the version: a
// wheel that is used, else any wheel, else the source archive that is used.
func (r *release) speakers() []*Artifact {
	var source *Artifact
	for _, o := range r.offers {
		if o.artifact == nil {
			continue
		}
		if o.artifact.Kind == Wheel {
			return []*Artifact{o.artifact}
		}
		if source == nil {
			source = o.artifact
		}
	}
	var wheel *Artifact
	for _, a := range r.candidate.Artifacts {
		if a.Kind == Wheel && (wheel == nil || a.File < wheel.File) {
			wheel = a
		}
	}
	// A wheel for another platform comes first: reading it is cheaper than
	// reading a source archive, and it never needs a build.
	out := make([]*Artifact, 0, 2)
	if wheel != nil {
		out = append(out, wheel)
	}
	if source != nil {
		out = append(out, source)
	}
	return out
}
