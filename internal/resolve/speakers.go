package resolve

import (
	"maps"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Who could admit a pre-release or yanked version is looked for in the versions
// that are taken first, in few enough packages to read the needs of all of them.
// pip never looks.
const (
	mostSpeakers = 20   // packages of a search
	mostVersions = 8    // of a package, for each requirement on it
	mostReleases = 320  // of all of them
	exactSteps   = 2000 // of the search that tries their versions
)

// guardKind is why a version is not taken unasked.
type guardKind uint8

const (
	guardPre guardKind = 1 << iota
	guardYanked
)

// guardKinds returns why the versions in g are not taken unasked.
func (s *solver) guardKinds(p *pkg, g set, on mask) guardKind {
	var k guardKind
	for _, sp := range g {
		for i := sp.lo; i < sp.hi; i++ {
			if p.versions[i].IsPrerelease() {
				k |= guardPre
			}
			if p.release(s.policy, i).yanked&on != 0 {
				k |= guardYanked
			}
		}
	}
	return k
}

// heed notes in a setup whose versions have a say in whether the guarded versions
// that a proof speaks of are taken. It tells whether a search that heeds them may
// come to another end.
func (s *search) heed(set *setup, sv *solver, dead *clause) bool {
	more := false
	dead.leaves(func(cl *clause) {
		if f := cl.fact; f.kind == factGuarded {
			old := set.guarded[f.pkg.name]
			if k := old | sv.guardKinds(f.pkg, f.admits, f.targets); k != old {
				set.guarded[f.pkg.name], more = k, true
			}
		}
	})
	if !more {
		return false
	}
	e := explorer{
		sv: sv, guarded: set.guarded, seen: make(map[exploring]bool), pkgs: make(map[python.Name]*pkg),
		into: make(map[python.Name][]python.Name), speaks: make(map[python.Name]bool),
	}
	e.explore()
	set.speakers, set.kin = e.reaching(), e.kin()
	return len(set.speakers) > 0
}

// explorer follows what versions need, chosen or not, to find those that could
// admit a guarded version.
type explorer struct {
	sv      *solver
	guarded map[python.Name]guardKind
	seen    map[exploring]bool
	todo    []exploring
	pkgs    map[python.Name]*pkg
	into    map[python.Name][]python.Name // of a package, those that need it
	speaks  map[python.Name]bool          // needs a guarded package in a way that may admit it
	count   int
}

// exploring is versions of a package, those of one requirement, with an extra or
// none.
type exploring struct {
	name  python.Name
	id    int
	extra python.Name
}

func (e *explorer) explore() {
	for i := range e.sv.req.Requirements {
		for _, r := range e.sv.overridden(&e.sv.req.Requirements[i]) {
			if on, err := e.sv.holds(r.Marker, ""); err == nil && on != 0 {
				e.want(r)
			}
		}
	}
	for len(e.todo) > 0 && e.sv.ctx.Err() == nil {
		todo := e.todo
		e.todo = nil
		var lists [][]int32
		for _, at := range todo {
			list := e.first(e.pkgs[at.name], at.id)
			if e.count += len(list); e.count > mostReleases {
				return
			}
			for _, i := range list {
				e.sv.fetch.lookAt(e.sv.ctx, e.pkgs[at.name].release(e.sv.policy, i))
			}
			lists = append(lists, list)
		}
		for k, at := range todo {
			for _, i := range lists[k] {
				e.follow(at, i)
			}
		}
	}
}

// want has the versions explored that r admits.
func (e *explorer) want(r *python.Requirement) {
	p := e.pkgs[r.Name]
	if p == nil {
		if r.URL != "" && e.sv.fetch.places[r.Name] == nil {
			return
		}
		p = e.sv.pkgs[r.Name]
		if p == nil || p.narrow {
			// Where nobody can be asked, nobody speaks.
			all, err := e.sv.fetch.shelf(e.sv.ctx, r.Name)
			if err == nil {
				p = &pkg{shelf: all, spans: make(map[span]int)}
			}
			if p == nil {
				return
			}
		}
		e.pkgs[r.Name] = p
	}
	id := p.admitted(r)
	for _, extra := range append([]python.Name{""}, r.Extras...) {
		if at := (exploring{r.Name, id, extra}); !e.seen[at] {
			e.seen[at] = true
			e.todo = append(e.todo, at)
		}
	}
}

// first returns the versions of a set that are looked at.
func (e *explorer) first(p *pkg, id int) []int32 {
	var out []int32
	admits := p.sets[id]
	use := func(i int32) {
		if !admits.has(i) || slices.Contains(out, i) || len(out) >= mostVersions {
			return
		}
		rel := p.release(e.sv.policy, i)
		if e.sv.usable(p, rel) == 0 {
			return
		}
		// What is taken because of a guarded version can't admit it.
		if len(e.guarded) == 1 && e.guarded[p.name] != 0 && (rel.yanked != 0 || p.versions[i].IsPrerelease()) {
			return
		}
		out = append(out, i)
	}
	for _, i := range e.sv.fetch.preferred(p.shelf, e.sv.all) {
		use(i)
	}
	n := int32(len(p.versions))
	for k := range n {
		if e.sv.req.Options.Prefer == PreferLowest {
			use(k)
		} else {
			use(n - 1 - k)
		}
	}
	return out
}

// follow notes what a version needs. One whose needs can't be told needs nothing.
func (e *explorer) follow(at exploring, i int32) {
	p := e.pkgs[at.name]
	deps, err := e.sv.needsOf(p, p.release(e.sv.policy, i), at.extra)
	if err != nil {
		return
	}
	for _, d := range deps {
		e.want(d.req)
		if k := e.guarded[d.req.Name]; k != 0 && d.req.Name != at.name && e.admits(d.req, k) {
			e.speaks[at.name] = true
		}
		if list := e.into[d.req.Name]; !slices.Contains(list, at.name) {
			e.into[d.req.Name] = append(list, at.name)
		}
	}
}

// admits tells whether a requirement may admit versions that are guarded in this
// way, see [solver.admitted].
func (e *explorer) admits(r *python.Requirement, k guardKind) bool {
	if k&guardPre != 0 {
		return true
	}
	return pins(r.Specifiers)
}

// reaching returns the packages that speak, and all that decide whether those are
// there and in which version.
func (e *explorer) reaching() map[python.Name]bool { return closure(e.speaks, e.into) }

// kin returns those that reaching returns, the guarded packages, and all that have
// anything to do with them.
func (e *explorer) kin() map[python.Name]bool {
	from := maps.Clone(e.speaks)
	for name := range e.guarded {
		from[name] = true
	}
	both := make(map[python.Name][]python.Name)
	for to, list := range e.into {
		for _, name := range list {
			both[to], both[name] = append(both[to], name), append(both[name], to)
		}
	}
	return closure(from, both)
}

// closure returns from and all that edges lead to.
func closure(from map[python.Name]bool, edges map[python.Name][]python.Name) map[python.Name]bool {
	out := maps.Clone(from)
	todo := slices.Collect(maps.Keys(from))
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, next := range edges[name] {
			if !out[next] {
				out[next] = true
				todo = append(todo, next)
			}
		}
	}
	return out
}
