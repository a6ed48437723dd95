package resolve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Solve picks versions and artifacts. The answer depends on the request and on
// what the source says, never on the order in which it says it. Requirements that
// can't be met give a *[NoSolution], a search without end an *[Exhausted].
func Solve(ctx context.Context, src Source, req Request) (*Resolution, error) {
	if n := len(req.Targets); n == 0 || n > maxTargets {
		return nil, fmt.Errorf("resolving for %d platforms, not 1 to %d", n, maxTargets)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := newFetcher(src, &req, newPolicy(&req))
	defer f.wait.Wait()
	defer cancel()
	s := &search{ctx: ctx, fetch: f, req: &req}
	if err := f.place(); err != nil {
		return nil, err
	}
	r, err := s.run()
	var none *NoSolution
	if errors.As(err, &none) {
		s.relax(none)
	}
	return r, err
}

// maxTargets is the number of bits of a mask, less one so that the mask of all
// targets can be computed by shifting.
const maxTargets = 63

// place notes where direct references say that packages come from.
func (f *fetcher) place() error {
	lists := [][]python.Requirement{f.req.Requirements, f.req.Constraints, f.req.Overrides}
	for _, list := range lists {
		for i := range list {
			r := &list[i]
			if r.URL == "" {
				continue
			}
			p := f.places[r.Name]
			if p == nil {
				p = &place{urls: make([]string, len(f.req.Targets))}
				f.places[r.Name] = p
			}
			for t := range f.req.Targets {
				ok, err := r.Marker.Eval(&f.req.Targets[t].Markers)
				if err != nil {
					return fmt.Errorf("%s: %w", origin(r), err)
				}
				if !ok {
					continue
				}
				if p.urls[t] != "" && p.urls[t] != r.URL {
					return &NoSolution{
						Story:   fmt.Sprintf("%s: %s is wanted from %s, but also from %s", origin(r), r.Name, python.ShowURL(r.URL), python.ShowURL(p.urls[t])),
						Targets: []string{f.req.Targets[t].Name},
					}
				}
				p.urls[t] = r.URL
			}
		}
	}
	return nil
}

// search runs solvers until one version of each package is found for all
// targets or, where that is impossible, with as few packages split as can be.
type search struct {
	ctx   context.Context //nolint:containedctx // lives as long as one call of Solve
	fetch *fetcher
	req   *Request
	stats Stats
	wide  map[python.Name]bool // kept from one setup to the next
	// outgrown are packages of which versions for older Pythons are accepted.
	outgrown map[python.Name]bool
}

func (s *search) run() (*Resolution, error) {
	s.wide = make(map[python.Name]bool)
	s.outgrown = make(map[python.Name]bool)
	aligned := s.newSetup()
	answer, dead, err := s.solve(aligned)
	if err != nil {
		return nil, err
	}
	if dead == nil {
		return answer.resolution(nil)
	}
	if len(s.req.Targets) == 1 {
		return nil, answer.noSolution(dead, s.req.Targets, len(s.req.Targets))
	}
	return s.split(answer, dead)
}

func (s *search) newSetup() *setup {
	return &setup{
		wide: s.wide, outgrown: s.outgrown,
		partial: make(map[python.Name]bool), groups: make(map[python.Name][]mask), guarded: make(map[python.Name]guardKind),
	}
}

// solve runs solvers on one setup until its shape is known.
func (s *search) solve(set *setup) (*solver, *clause, error) {
	var before attempt // the last proof, from a search that heeded less
	for round := 0; ; round++ {
		if round == maxPartial {
			set.allPartial = true
		}
		sv := newSolver(s.ctx, s.fetch, set, &s.stats)
		dead, err := sv.run()
		s.stats.Conflicts += sv.conflicts
		if errors.Is(err, errAgain) {
			s.stats.Restarts++
			continue
		}
		var end *Exhausted
		if errors.As(err, &end) && end.Steps == exactSteps && before.dead != nil {
			return before.solver, before.dead, nil
		}
		if err != nil || dead == nil {
			return sv, nil, err
		}
		if sv.inexact && len(sv.order) <= mostSpeakers && s.heed(set, sv, dead) {
			before = attempt{sv, dead}
			continue
		}
		if s.admitOutgrown(dead) {
			continue
		}
		return sv, dead, nil
	}
}

// maxPartial is the number of times that a search starts over since some package
// is wanted on some targets only, before all are treated as if they were.
const maxPartial = 6

// admitOutgrown admits, of the packages that a proof says are unusable, what is
// only taken if there is no other way: versions for older Pythons. It tells
// whether that makes a difference.
func (s *search) admitOutgrown(dead *clause) bool {
	more := false
	dead.leaves(func(cl *clause) {
		f := cl.fact
		if f.kind != factUnusable {
			return
		}
		if !s.outgrown[f.pkg.name] && f.pkg.any(cl, func(r *release) bool { return r.isOutgrown(s.req.Targets) }) {
			s.outgrown[f.pkg.name], more = true, true
		}
	})
	return more
}

// any tells whether ok holds for a release that a clause says is unusable.
func (p *pkg) any(cl *clause, ok func(*release) bool) bool {
	for _, sp := range cl.terms[0].set {
		for i := sp.lo; i < sp.hi; i++ {
			if r := p.releases[i].Load(); r != nil && ok(r) {
				return true
			}
		}
	}
	return false
}

// isOutgrown tells whether only an upper bound of Requires-Python, on the index
// or in the metadata, is against a release somewhere.
func (r *release) isOutgrown(targets []Target) bool {
	if r.outgrown != 0 {
		return true
	}
	for t, n := range r.needs {
		if n != nil && refusePython(n.RequiresPython, targets[t].Python) == outgrown {
			return true
		}
	}
	return false
}

// guessed returns the error behind guessed needs, nil if there are none.
func (r *release) guessed() *Unusable {
	var bad *Unusable
	if errors.As(r.err, &bad) && bad.Needs != nil {
		return bad
	}
	return nil
}

// split finds the fewest packages that must differ between targets.
func (s *search) split(aligned *solver, dead *clause) (*Resolution, error) {
	free := s.newSetup()
	free.split, free.allPartial = true, true
	apart, deadApart, err := s.solve(free)
	if err != nil {
		return nil, err
	}
	if deadApart != nil {
		return nil, s.explainApart(apart, deadApart)
	}
	first := attempt{aligned, dead}
	last := first
	var names []python.Name
	for {
		core := differing(apart, coreNames(last.dead, names))
		found, err := s.trySplits(names, core, &last)
		if err != nil {
			return nil, err
		}
		if found == nil && len(core) == 0 {
			return apart.resolution(nil) // cannot be: nothing but split packages is in the way
		}
		if found == nil {
			names = append(names, core...)
			a, err := s.with(names, nil)
			if err != nil {
				return nil, err
			}
			if a.dead != nil {
				last = a
				continue
			}
			found = a.solver
		}
		return s.shrink(found, first)
	}
}

// attempt is the outcome of a search: an answer, or the proof that there is none.
type attempt struct {
	solver *solver
	dead   *clause
}

// coreNames returns the packages that a proof speaks about, without those that
// are split already, in order of name.
func coreNames(dead *clause, without []python.Name) []python.Name {
	var out []python.Name
	add := func(p *pkg) {
		if p != nil && !slices.Contains(out, p.name) && !slices.Contains(without, p.name) {
			out = append(out, p.name)
		}
	}
	dead.facts(func(f *fact) {
		add(f.pkg)
		add(f.dep)
	})
	slices.Sort(out)
	return out
}

// differing puts the packages that differ between targets when each is solved
// alone in front, as splitting those is likely to be enough.
func differing(apart *solver, names []python.Name) []python.Name {
	slices.SortStableFunc(names, func(a, b python.Name) int {
		x, y := apart.differs(a), apart.differs(b)
		switch {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return names
}

func (s *solver) differs(name python.Name) bool {
	p := s.pkgs[name]
	if p == nil {
		return false
	}
	seen := int32(-1)
	for _, v := range p.groups {
		if i := s.nodes[v.node].chosen; i >= 0 {
			if seen >= 0 && i != seen {
				return true
			}
			seen = i
		}
	}
	return false
}

// trySplits tries to split one more package, each in turn. If none helps, last is
// the proof of that for the last one.
func (s *search) trySplits(names, core []python.Name, last *attempt) (found *solver, err error) {
	for _, name := range core {
		a, err := s.with(append(slices.Clip(names), name), nil)
		if err != nil {
			return nil, err
		}
		if a.dead == nil {
			return a.solver, nil
		}
		*last = a
	}
	return nil, nil
}

// with solves with the given packages split, fully or as groups say.
func (s *search) with(names []python.Name, groups map[python.Name][]mask) (attempt, error) {
	set := s.newSetup()
	set.allPartial = true
	for _, name := range names {
		set.groups[name] = groups[name]
		if set.groups[name] == nil {
			for t := range s.req.Targets {
				set.groups[name] = append(set.groups[name], maskOf(t))
			}
		}
	}
	sv, dead, err := s.solve(set)
	return attempt{sv, dead}, err
}

// shrink gives up splits that are not needed: whole packages first, then targets
// that can share a version. For those that stay, the proof that there is no
// answer without is the reason.
func (s *search) shrink(found *solver, first attempt) (*Resolution, error) {
	names := slices.Sorted(maps.Keys(found.setup.groups))
	why := make(map[python.Name]string)
	for i := 0; i < len(names); {
		without := slices.Delete(slices.Clone(names), i, i+1)
		less := first
		if len(without) > 0 {
			var err error
			if less, err = s.with(without, nil); err != nil {
				return nil, err
			}
		}
		if less.dead != nil {
			why[names[i]] = strings.Join(less.solver.story(less.dead), "; ")
			i++
			continue
		}
		found, names = less.solver, without
	}
	if len(s.req.Targets) == 2 {
		return found.resolution(why)
	}
	groups := make(map[python.Name][]mask)
	for _, name := range names {
		groups[name] = found.sameVersion(name)
		less, err := s.with(names, groups)
		if err != nil {
			return nil, err
		}
		if less.dead != nil {
			delete(groups, name)
			continue
		}
		found = less.solver
	}
	return found.resolution(why)
}

// sameVersion groups the targets by the version of a package they have; those
// that do not have it stay alone.
func (s *solver) sameVersion(name python.Name) []mask {
	var out []mask
	at := make(map[int32]int)
	for _, v := range s.pkgs[name].groups {
		i := s.nodes[v.node].chosen
		if k, ok := at[i]; ok && i >= 0 {
			out[k] |= v.on
			continue
		}
		at[i] = len(out)
		out = append(out, v.on)
	}
	return out
}

// explainApart tells for which targets there is no answer even alone, and why.
func (s *search) explainApart(apart *solver, dead *clause) error {
	var failing []Target
	var first *solver
	var why *clause
	for t := range s.req.Targets {
		alone := *s.req
		alone.Targets = s.req.Targets[t : t+1]
		alone.Options.Locked = lockedOn(s.req.Options.Locked, t)
		f := newFetcher(onTarget{s.fetch.src, t}, &alone, newPolicy(&alone))
		if err := f.place(); err != nil {
			return err
		}
		one := &search{ctx: s.ctx, fetch: f, req: &alone, wide: s.wide, outgrown: s.outgrown}
		sv, deadAlone, err := one.solve(one.newSetup())
		f.wait.Wait()
		if err != nil {
			return err
		}
		if deadAlone == nil {
			continue
		}
		failing = append(failing, s.req.Targets[t])
		if first == nil {
			first, why = sv, deadAlone
		}
	}
	if first == nil {
		return apart.noSolution(dead, s.req.Targets, len(s.req.Targets))
	}
	return first.noSolution(why, failing, len(s.req.Targets))
}

// lockedOn returns the preferences of one target, which becomes the only one.
func lockedOn(list []Preference, target int) []Preference {
	var out []Preference
	for _, l := range list {
		if l.Target == target || l.Target < 0 {
			l.Target = -1
			out = append(out, l)
		}
	}
	return out
}
