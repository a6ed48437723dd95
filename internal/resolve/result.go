package resolve

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// resolution writes down what was found. why explains the splits, by name.
func (s *solver) resolution(why map[python.Name]string) (*Resolution, error) {
	b := builder{s: s, picks: make(map[pickKey]*Pick), wants: make(map[wantKey]*Want), seen: make(map[visit]bool)}
	for t := range s.req.Targets {
		b.walk(t)
	}
	r := &Resolution{Targets: s.req.Targets, Picks: b.sorted(), Stats: *s.stats}
	if s.req.Options.Complete {
		if err := s.complete(r.Picks); err != nil {
			return nil, err
		}
	}
	for k := range r.Picks {
		b.warnings = append(b.warnings, s.finish(r.Picks[k])...)
	}
	slices.Sort(b.warnings)
	r.Warnings = slices.Compact(b.warnings)
	r.Splits = splits(r.Picks, why)
	return r, nil
}

// builder walks from the request's requirements along what the chosen versions
// need, on one target after the other.
type builder struct {
	s        *solver
	picks    map[pickKey]*Pick
	wants    map[wantKey]*Want
	order    []wantKey
	seen     map[visit]bool
	todo     []visit
	warnings []string
}

type pickKey struct {
	name    python.Name
	version int32
}

type wantKey struct {
	parent *Pick
	to     *Pick
	req    *python.Requirement
}

// visit is a pick on a target, with one extra or none.
type visit struct {
	pick   *Pick
	pkg    *pkg
	index  int32
	target int
	extra  python.Name
}

func (b *builder) walk(target int) {
	for i := range b.s.req.Requirements {
		for _, r := range b.s.overridden(&b.s.req.Requirements[i]) {
			if on, err := b.s.holds(r.Marker, ""); err == nil && on.has(target) {
				b.want(nil, r, target)
			}
		}
	}
	for len(b.todo) > 0 {
		at := b.todo[len(b.todo)-1]
		b.todo = b.todo[:len(b.todo)-1]
		rel := at.pkg.release(b.s.policy, at.index)
		deps, err := b.s.needsOf(at.pkg, rel, at.extra)
		if err != nil {
			continue // the solver has asked already, and there was none
		}
		for _, d := range deps {
			if d.on.has(target) {
				b.want(at.pick, d.req, target)
			}
		}
	}
}

// want notes that a pick, or with a nil parent the request, wants r.
func (b *builder) want(parent *Pick, r *python.Requirement, target int) {
	p := b.s.pkgs[r.Name]
	if p == nil {
		return
	}
	index := b.s.chosenOn(p, target)
	if index < 0 {
		return
	}
	pick := b.pick(p, index)
	key := wantKey{parent, pick, r}
	w := b.wants[key]
	if w == nil {
		w = &Want{Requirement: *r, Parent: parent}
		b.wants[key] = w
		b.order = append(b.order, key)
	}
	if !slices.Contains(w.Targets, target) {
		w.Targets = append(w.Targets, target)
	}
	b.visit(visit{pick, p, index, target, ""})
	for _, extra := range r.Extras {
		b.visit(visit{pick, p, index, target, extra})
	}
}

func (b *builder) visit(v visit) {
	if b.seen[v] {
		return
	}
	b.seen[v] = true
	b.todo = append(b.todo, v)
	if v.extra == "" {
		rel := v.pkg.release(b.s.policy, v.index)
		v.pick.On = append(v.pick.On, Placed{Target: v.target, Artifact: rel.offers[v.target].artifact})
		return
	}
	on := &v.pick.On[len(v.pick.On)-1]
	i, _ := slices.BinarySearch(on.Extras, v.extra)
	on.Extras = slices.Insert(on.Extras, i, v.extra)
	// Old metadata uses extras in markers without naming them in a field.
	rel := v.pkg.release(b.s.policy, v.index)
	if list := rel.needs; list != nil && list[v.target] != nil && len(rel.deps[v.extra]) == 0 {
		if !slices.Contains(list[v.target].Extras, v.extra) {
			b.warnings = append(b.warnings, fmt.Sprintf("%s %s has no extra %q", v.pick.Name, v.pick.Version, v.extra))
		}
	}
}

// chosenOn returns the version of p chosen for a target, or -1.
func (s *solver) chosenOn(p *pkg, target int) int32 {
	for _, v := range p.groups {
		if v.on.has(target) {
			return s.nodes[v.node].chosen
		}
	}
	return -1
}

func (b *builder) pick(p *pkg, index int32) *Pick {
	key := pickKey{p.name, index}
	if pick := b.picks[key]; pick != nil {
		return pick
	}
	rel := p.release(b.s.policy, index)
	pick := &Pick{Name: p.name, Version: p.versions[index], Candidate: &rel.candidate, pkg: p, index: index}
	pick.Index = p.listings[0].project.Index
	pick.URL = p.listings[0].url
	if bad := rel.guessed(); bad != nil {
		pick.Guess = bad.Reason
	}
	if s := b.s; s.setup.outgrown[p.name] {
		for t := range s.req.Targets {
			if needs, ok := outgrows(rel, t, s.req.Targets[t].Python); ok {
				b.warnings = append(b.warnings, fmt.Sprintf("%s %s asks for Python %s, and %s has %s; nothing else fits, but pip and uv will refuse it there",
					p.name, pick.Version, needs, s.req.Targets[t].Name, s.req.Targets[t].Python))
			}
		}
	}
	b.picks[key] = pick
	return pick
}

// outgrows returns the Requires-Python of a release if its upper bound is
// against the Python of a target.
func outgrows(rel *release, target int, have python.Version) (python.Specifiers, bool) {
	if a := rel.offers[target].artifact; a != nil && refusePython(a.RequiresPython, have) == outgrown {
		return a.RequiresPython, true
	}
	if n := rel.needs; n != nil && n[target] != nil && refusePython(n[target].RequiresPython, have) == outgrown {
		return n[target].RequiresPython, true
	}
	return python.Specifiers{}, false
}

// sorted returns the picks in order, with what each wants and who wants it.
func (b *builder) sorted() []*Pick {
	out := make([]*Pick, 0, len(b.picks))
	for _, p := range b.picks {
		out = append(out, p)
	}
	slices.SortFunc(out, comparePicks)
	for _, key := range b.order {
		w := b.wants[key]
		key.to.Wanted = append(key.to.Wanted, *w)
		if key.parent != nil {
			key.parent.Edges = append(key.parent.Edges, Edge{To: key.to, Requirement: w.Requirement, Targets: w.Targets})
		}
	}
	for _, p := range out {
		slices.SortStableFunc(p.Wanted, compareWants)
		slices.SortStableFunc(p.Edges, func(a, b Edge) int {
			return cmp.Or(comparePicks(a.To, b.To), cmp.Compare(a.Requirement.String(), b.Requirement.String()))
		})
	}
	return out
}

func comparePicks(a, b *Pick) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), a.Version.Compare(b.Version))
}

func compareWants(a, b Want) int {
	switch {
	case a.Parent == nil && b.Parent == nil:
		return cmp.Or(cmp.Compare(a.Requirement.Pos.File, b.Requirement.Pos.File), cmp.Compare(a.Requirement.Pos.Line, b.Requirement.Pos.Line))
	case a.Parent == nil:
		return -1
	case b.Parent == nil:
		return 1
	}
	return cmp.Or(comparePicks(a.Parent, b.Parent), cmp.Compare(a.Requirement.String(), b.Requirement.String()))
}

// splits lists the packages with more than one version.
func splits(picks []*Pick, why map[python.Name]string) []Split {
	var out []Split
	for i := 0; i < len(picks); {
		k := i + 1
		for k < len(picks) && picks[k].Name == picks[i].Name {
			k++
		}
		if k > i+1 {
			out = append(out, Split{Name: picks[i].Name, Picks: picks[i:k:k], Reason: why[picks[i].Name]})
		}
		i = k
	}
	return out
}

// finish adds to a pick what was passed over for it. It returns a warning if a
// better version was, only because nobody can tell what it needs, and one if the
// pick was yanked.
func (s *solver) finish(p *Pick) (warnings []string) {
	for k := range p.On {
		p.On[k].Refused = s.policy.refusedBefore(p.Candidate, p.On[k].Artifact, p.On[k].Target)
	}
	p.Files = s.files(p)
	p.Passed = s.passed(p)
	if yanked := p.Yanked(); yanked != "" {
		warnings = append(warnings, fmt.Sprintf("%s %s %s", p.Name, p.Version, yanked))
	}
	for _, o := range p.Passed {
		i := p.pkg.find(o.First)
		if rel := p.pkg.releases[i].Load(); rel != nil && rel.seen && rel.err != nil && o.Reason == rel.err.Error() {
			return append(warnings, fmt.Sprintf("%s %s would come before %s, but can't be used: %s", p.Name, o.First, p.Version, o.Reason))
		}
	}
	return warnings
}

// files returns what of a pick a lock should hold.
func (s *solver) files(p *Pick) []*Artifact {
	rank := make(map[*Artifact]int)
	var out []*Artifact
	for _, a := range p.Candidate.Artifacts {
		if a.Kind == ImageFiles {
			continue
		}
		for _, on := range p.On {
			r := s.policy.refuse(p.Name, a, on.Target)
			if r != fits && r != outgrown || a.Yanked && on.Artifact != a {
				continue
			}
			if old, ok := rank[a]; !ok {
				out = append(out, a)
				rank[a] = s.policy.rank(a, on.Target)
			} else {
				rank[a] = min(old, s.policy.rank(a, on.Target))
			}
		}
	}
	slices.SortFunc(out, func(a, b *Artifact) int {
		c := cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(rank[a], rank[b]))
		switch {
		case c != 0:
			return c
		case before(a, b):
			return -1
		case before(b, a):
			return 1
		}
		return 0
	})
	return out
}

// complete gives picks of which only the image's files are known what the index
// has of them.
func (s *solver) complete(picks []*Pick) error {
	errs := make([]error, len(picks))
	var wait sync.WaitGroup
	slots := make(chan struct{}, cap(s.fetch.slots))
	for k, p := range picks {
		if !p.pkg.narrow {
			continue
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			all, err := s.fetch.shelf(s.ctx, p.Name)
			if err != nil {
				errs[k] = err
				return
			}
			p.Index = all.listings[0].project.Index
			if i := all.find(p.Version); i >= 0 {
				c := all.release(s.policy, i).candidate
				p.Candidate = &c
			}
		}()
	}
	wait.Wait()
	return errors.Join(errs...)
}
