package resolve

// next returns the package to decide upon, nil if all are decided.
func (s *solver) next() *version {
	var best *version
	var bestRank rank
	for _, p := range s.order {
		for _, v := range p.groups {
			n := &s.nodes[v.node]
			if !n.required || n.chosen >= 0 {
				continue
			}
			r := v.rank
			if _, one := n.allowed.single(); one && r > rankSingle {
				r = rankSingle
			}
			if v.deferred {
				r = rankDeferred
			}
			if best == nil || r < bestRank {
				best, bestRank = v, r
			}
		}
	}
	return best
}

// choose returns the version of v that is tried next. If none can be, it adds
// the clause that says so, or puts v off until all others are decided.
func (s *solver) choose(v *version) (i int32, ok bool) {
	allowed := s.nodes[v.node].allowed
	on := s.present(v)
	for _, i := range v.prefer {
		if allowed.has(i) && s.usable(v.pkg, s.look(v.pkg, i))&on == on {
			return i, true
		}
	}
	c := chooser{s: s, v: v, on: on, best: -1}
	lowest := s.req.Options.Prefer == PreferLowest
	for k := range allowed {
		p := allowed[k]
		if !lowest {
			p = allowed[len(allowed)-1-k]
		}
		for d := range p.hi - p.lo {
			i := p.lo + d
			if !lowest {
				i = p.hi - 1 - d
			}
			if c.try(i) {
				return c.best, true
			}
		}
	}
	if c.best >= 0 {
		return c.best, true
	}
	if len(c.useless) > 0 {
		s.excludeAll(v, c.useless)
		return 0, false
	}
	s.putOff(v, c.guarded)
	return 0, false
}

// chooser goes through the versions of a package, best first.
type chooser struct {
	s       *solver
	v       *version
	on      mask
	best    int32 // the first one that can be taken
	useless []int32
	guarded []int32
}

// try looks at one version and tells whether the search is over.
func (c *chooser) try(i int32) bool {
	rel := c.s.look(c.v.pkg, i)
	if c.s.usable(c.v.pkg, rel)&c.on != c.on {
		c.useless = append(c.useless, i)
		return false
	}
	guarded := c.v.pkg.versions[i].IsPrerelease() && !c.s.req.Options.Pre || rel.yanked&c.on != 0
	if guarded && !c.s.admitted(c.v, i, rel) {
		c.guarded = append(c.guarded, i)
		return false
	}
	if c.best < 0 {
		c.best = i
	}
	if c.s.req.Options.Align == AlignWheels && rel.builds&c.on != 0 {
		return false
	}
	c.best = i
	return true
}

// excludeAll adds that versions of v can't be used where it is wanted so far.
func (s *solver) excludeAll(v *version, list []int32) {
	for _, i := range list {
		usable := s.usable(v.pkg, s.look(v.pkg, i))
		if !v.pkg.partial {
			s.exclude(v, nil, i)
			continue
		}
		for _, p := range v.presence {
			if p.extra == "" && p.on&^usable != 0 && s.nodes[p.node].required {
				s.exclude(v, p, i)
			}
		}
	}
}

// admitted tells whether the requirements so far admit version i, a pre-release
// or a yanked version. A pre-release is admitted if one of them names a
// pre-release, or if no final version fits them all (packaging's
// SpecifierSet.filter over the specifiers of all). A yanked version is admitted
// if one of them asks for exactly one version (PEP 592).
func (s *solver) admitted(v *version, i int32, rel *release) bool {
	namesPre, pinned := s.req.Options.Pre, false
	fitting := full(int32(len(v.pkg.versions)))
	for _, cl := range v.incoming {
		if !s.active(v, cl) {
			continue
		}
		namesPre = namesPre || cl.fact.namesPre
		pinned = pinned || cl.fact.pins
		fitting = fitting.intersect(cl.fact.admits)
	}
	if rel.yanked != 0 && !pinned {
		return false
	}
	return !v.pkg.versions[i].IsPrerelease() || namesPre || !s.hasFinal(v, fitting)
}

// active tells whether the version that a requirement of v comes from is chosen.
func (s *solver) active(v *version, cl *clause) bool {
	if cl.fact.kind == factConstraint {
		return true
	}
	for i := range cl.terms {
		t := &cl.terms[i]
		if t.node != v.node && s.nodes[t.node].verdict(t) != satisfied {
			return false
		}
	}
	return true
}

// hasFinal tells whether a final version in r can be used.
func (s *solver) hasFinal(v *version, r set) bool {
	on := s.present(v)
	for _, p := range r {
		for i := p.hi - 1; i >= p.lo; i-- {
			if !v.pkg.versions[i].IsPrerelease() && s.usable(v.pkg, s.look(v.pkg, i))&on == on {
				return true
			}
		}
	}
	return false
}

// putOff deals with a package of which only versions are left that nothing
// admits: it waits for the others, as they may admit one, and if there are none
// left, what is chosen so far is impossible.
func (s *solver) putOff(v *version, guarded []int32) {
	if !v.deferred {
		v.deferred = true
		return
	}
	var g set
	for _, i := range guarded {
		g = g.with(i)
	}
	cl := &clause{fact: &fact{kind: factGuarded, pkg: v.pkg, targets: s.present(v), admits: g}}
	cl.terms = append(cl.terms, term{node: v.node, set: s.nodes[v.node].allowed.intersect(g)})
	for _, in := range v.incoming {
		if in.fact.kind != factConstraint && s.active(v, in) {
			for _, t := range in.terms {
				if t.node != v.node && cl.find(t.node) < 0 {
					cl.terms = append(cl.terms, term{node: t.node, set: s.nodes[t.node].allowed.intersect(t.set)})
				}
			}
		}
	}
	if k := s.guardKinds(v.pkg, g, s.present(v)); s.setup.guarded[v.pkg.name]&k == k {
		s.addSpeakers(cl, v)
	} else {
		s.inexact = true
	}
	s.add(cl)
	s.enqueue(v.node)
	s.undefer()
}

// addSpeakers adds to a clause about v what was decided of those who could admit
// a version of v. If one of them waits itself, all its kin may have a part in that.
func (s *solver) addSpeakers(cl *clause, v *version) {
	parties := s.setup.speakers
	for name := range s.setup.speakers {
		if p := s.pkgs[name]; p != nil {
			for _, w := range p.groups {
				if n := &s.nodes[w.node]; w != v && n.required && n.chosen < 0 {
					parties = s.setup.kin
				}
			}
		}
	}
	for _, a := range s.trail {
		if a.cause != nil || !parties[s.info[a.node].version.pkg.name] {
			continue
		}
		if k := cl.find(a.node); k >= 0 {
			cl.terms[k].set = a.set
		} else {
			cl.terms = append(cl.terms, a.term)
		}
	}
}

func (s *solver) undefer() {
	for _, p := range s.order {
		for _, v := range p.groups {
			v.deferred = false
		}
	}
}

// rejections until a package is decided upon earlier, and what stands in its
// way later.
const rejections = 5

// blame counts that v could not get a version because of what cl speaks about.
func (s *solver) blame(v *version, cl *clause) {
	for i := range cl.terms {
		w := s.info[cl.terms[i].node].version
		if w == nil || w == v {
			continue
		}
		if w.direct && !v.direct {
			continue // what the user names is not put behind what it needs
		}
		v.rejected++
		w.blamed++
		if v.rejected == rejections && v.rank > rankEarly {
			v.rank = rankEarly
			s.behind = append(s.behind, w)
		}
		if w.blamed == rejections && w.rank == rankNormal {
			w.rank = rankLate
			s.behind = append(s.behind, w)
		}
	}
}

// blameViolated is blame for a clause that propagation found violated: the
// package that was assigned last could not get a version.
func (s *solver) blameViolated(cl *clause) {
	var last *version
	at := int32(-1)
	for i := range cl.terms {
		v := s.info[cl.terms[i].node].version
		if v == nil {
			continue
		}
		if h := s.nodes[v.node].history; len(h) > 0 && h[len(h)-1] > at {
			at, last = h[len(h)-1], v
		}
	}
	if last != nil {
		s.blame(last, cl)
	}
	s.undefer()
}

// yield undoes the decisions for packages that are to be decided upon later. It
// tells whether there were any.
func (s *solver) yield() bool {
	level := s.level
	for _, v := range s.behind {
		n := &s.nodes[v.node]
		if n.chosen >= 0 {
			at := n.history[len(n.history)-1]
			level = min(level, s.trail[at].level-1)
		}
	}
	s.behind = s.behind[:0]
	if level == s.level {
		return false
	}
	s.backjump(max(level, 0))
	return true
}

// widenInvolved notes the packages that a conflict involves of which the index
// was not asked.
func (s *solver) widenInvolved(cl *clause) {
	note := func(p *pkg) {
		if p != nil && p.narrow {
			s.setup.wide[p.name] = true
			s.widened = true
		}
	}
	for i := range cl.terms {
		if v := s.info[cl.terms[i].node].version; v != nil {
			note(v.pkg)
		}
	}
	if cl.fact != nil {
		note(cl.fact.pkg)
		note(cl.fact.dep)
	}
}
