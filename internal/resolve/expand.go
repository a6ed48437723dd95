package resolve

import (
	"errors"
	"fmt"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// mergeKey names clauses that say the same about different versions of one
// package; they are kept as one.
type mergeKey struct {
	from, presence, to nodeID
	admits             int32
	flags              uint8
}

// roots adds what the request wants.
func (s *solver) roots() error {
	for i := range s.req.Requirements {
		s.fetch.look(s.ctx, &s.req.Requirements[i], s.setup.wide[s.req.Requirements[i].Name])
	}
	for i := range s.req.Requirements {
		for _, d := range s.overridden(&s.req.Requirements[i]) {
			on, err := s.holds(d.Marker, "")
			if err != nil {
				return fmt.Errorf("%s: %w", origin(d), err)
			}
			if on == 0 {
				continue
			}
			if err := s.need(nil, nil, -1, dep{d, on}); err != nil {
				return err
			}
		}
	}
	return nil
}

// overridden returns r, or what the overrides put in its place.
func (s *solver) overridden(r *python.Requirement) []*python.Requirement {
	var out []*python.Requirement
	found := false
	for i := range s.req.Overrides {
		o := &s.req.Overrides[i]
		if o.Name != r.Name {
			continue
		}
		found = true
		merged := *o
		merged.Extras = slices.Concat(o.Extras, r.Extras)
		slices.Sort(merged.Extras)
		merged.Extras = slices.Compact(merged.Extras)
		out = append(out, &merged)
	}
	if !found {
		return []*python.Requirement{r}
	}
	return out
}

// holds returns the targets on which a marker holds.
func (s *solver) holds(m *python.Marker, extra python.Name) (mask, error) {
	if m == nil {
		return s.all, nil
	}
	var on mask
	for t := range s.req.Targets {
		var ok bool
		var err error
		if extra == "" {
			ok, err = m.Eval(&s.req.Targets[t].Markers)
		} else {
			ok, err = m.Eval(&s.req.Targets[t].Markers, extra)
		}
		if err != nil {
			return 0, err
		}
		if ok {
			on |= maskOf(t)
		}
	}
	return on, nil
}

// follow adds what follows from assignments that were not looked at yet: a
// decided version whose package is now also wanted with an extra, or on more
// targets.
func (s *solver) follow() error {
	for s.done < len(s.trail) && len(s.queue) == 0 {
		a := &s.trail[s.done]
		p := s.info[a.node].presence
		if p != nil && !a.neg {
			if i := s.nodes[p.of.node].chosen; i >= 0 {
				if _, err := s.expandPresence(p, i); err != nil {
					return err
				}
			}
		}
		s.done++
	}
	return nil
}

// expand adds what version i of v needs. clear is false if that is already known
// to be impossible; propagation then excludes the version.
func (s *solver) expand(v *version, i int32) (clear bool, err error) {
	if !v.pkg.partial && !v.expanded.has(i) {
		if err := s.expandOn(v, nil, i, "", v.on); err != nil {
			return false, err
		}
		v.expanded.set(i)
	}
	for k := 0; k < len(v.presence); k++ {
		if p := v.presence[k]; s.nodes[p.node].required {
			if _, err := s.expandPresence(p, i); err != nil {
				return false, err
			}
		}
	}
	return s.clear(v, i), nil
}

func (s *solver) expandPresence(p *presence, i int32) (added bool, err error) {
	if p.expanded.has(i) {
		return false, nil
	}
	p.expanded.set(i)
	return true, s.expandOn(p.of, p, i, p.extra, p.on)
}

// expandOn adds what version i of v needs on some targets: its requirements
// without extras, or those that only the extra adds.
func (s *solver) expandOn(v *version, p *presence, i int32, extra python.Name, on mask) error {
	rel := s.look(v.pkg, i)
	if extra == "" && on&^s.usable(v.pkg, rel) != 0 {
		s.exclude(v, p, i)
		return nil
	}
	deps, err := s.needsOf(v.pkg, rel, extra)
	var bad *Unusable
	if errors.As(err, &bad) {
		s.exclude(v, p, i)
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range deps {
		if d.on&on != 0 {
			s.fetch.look(s.ctx, d.req, s.setup.wide[d.req.Name])
		}
	}
	for _, d := range deps {
		if d.on &= on; d.on == 0 {
			continue
		}
		if err := s.need(v, p, i, d); err != nil {
			return err
		}
	}
	return nil
}

// exclude adds that version i of v can't be used at all, or not where p says.
func (s *solver) exclude(v *version, p *presence, i int32) {
	cl := &v.unusable
	if p != nil {
		cl = &p.unusable
	}
	if *cl == nil {
		*cl = &clause{
			terms: []term{{node: v.node, set: only(i)}},
			fact:  &fact{kind: factUnusable, pkg: v.pkg, targets: v.on},
		}
		if p != nil {
			(*cl).fact.targets = p.on
			(*cl).terms = append((*cl).terms, term{node: p.node, set: full(1)})
		}
		s.add(*cl)
	} else {
		s.core.widen(*cl, i)
	}
	s.enqueue(v.node)
}

// need adds that version i of v, or with a nil v the request, needs d.
func (s *solver) need(v *version, p *presence, i int32, d dep) error {
	b, err := s.load(d.req)
	if err != nil {
		return err
	}
	kind := factNeeds
	if v == nil {
		kind = factWanted
	}
	f := &fact{kind: kind, dep: b, req: d.req, targets: d.on}
	if v != nil {
		f.pkg = v.pkg
		if p != nil {
			f.extra = p.extra
		}
	}
	if f.missing = s.misplaced(b, d); f.missing != "" {
		s.imply(v, p, i, nil, nil, f)
		return nil
	}
	id := b.admitted(d.req)
	f.admits = b.sets[id]
	if b.narrow && len(f.admits) == 0 {
		s.setup.wide[b.name] = true
		return errAgain
	}
	f.namesPre = d.req.Specifiers.NamesPrerelease()
	f.pins = pins(d.req.Specifiers)
	for _, g := range b.groups {
		on := d.on & g.on
		if on == 0 {
			continue
		}
		g.direct = g.direct || v == nil
		if !b.partial && on != g.on {
			s.setup.partial[b.name] = true
			return errAgain
		}
		s.imply(v, p, i, g, &term{node: g.node, set: f.admits}, f)
		if b.partial {
			s.imply(v, p, i, nil, &term{node: s.presence(g, "", on).node, set: full(1)}, f)
		}
		for _, extra := range d.req.Extras {
			s.imply(v, p, i, nil, &term{node: s.presence(g, extra, on).node, set: full(1)}, f)
		}
	}
	return nil
}

// misplaced returns why a direct reference of published metadata can't be
// followed: only the request may say where a package comes from.
func (s *solver) misplaced(b *pkg, d dep) string {
	if d.req.URL == "" {
		return ""
	}
	place := s.fetch.places[b.name]
	for _, t := range d.on.targets() {
		if place == nil || place.urls[t] != d.req.URL {
			return fmt.Sprintf("it asks for %s from %s, which only a requirements file may do", b.name, python.ShowURL(d.req.URL))
		}
	}
	return ""
}

// imply adds the clause "version i of v, wanted as p says, implies then". A nil
// then stands for "is impossible".
func (s *solver) imply(v *version, p *presence, i int32, g *version, then *term, f *fact) {
	key := mergeKey{from: -1, presence: -1, to: -1, admits: -1}
	var terms []term
	if v != nil {
		key.from = v.node
		terms = append(terms, term{node: v.node, set: only(i)})
	}
	if p != nil {
		key.presence = p.node
		terms = append(terms, term{node: p.node, set: full(1)})
	}
	if then != nil && len(then.set) > 0 {
		if v != nil && then.node == v.node {
			// It needs itself: in this version, or it is impossible.
			if then.set.has(i) {
				return
			}
		} else {
			key.to = then.node
			terms = append(terms, term{node: then.node, neg: true, set: then.set})
		}
	}
	if v != nil {
		key.flags = flags(f)
		if key.to < 0 {
			key.admits = -2 - int32(f.dep.seen)
		} else if g != nil {
			key.admits = int32(g.pkg.setID(then.set))
		}
		if cl := s.merged[key]; cl != nil {
			s.core.widen(cl, i)
			return
		}
	}
	cl := &clause{terms: terms, fact: f}
	if v != nil {
		s.merged[key] = cl
	}
	if len(terms) == 0 && s.dead == nil {
		s.dead = cl
	}
	s.add(cl)
	if g != nil && g != v {
		g.incoming = append(g.incoming, cl)
	}
	for k := range terms {
		s.enqueue(terms[k].node)
	}
}

func flags(f *fact) uint8 {
	var b uint8
	if f.namesPre {
		b |= 1
	}
	if f.pins {
		b |= 2
	}
	return b
}

// clear tells whether v can become version i without violating a clause at once.
func (s *solver) clear(v *version, i int32) bool {
	n := &s.nodes[v.node]
	with := state{required: true, allowed: only(i)}
	for k := len(n.watch) - 1; k >= 0; k-- {
		w := &n.watch[k]
		if i < w.own.lo || i >= w.own.hi || w.first >= 0 && w.first != v.node && s.nodes[w.first].outside(w.other) {
			continue
		}
		cl := w.cl
		violated := true
		for j := range cl.terms {
			t := &cl.terms[j]
			st := &s.nodes[t.node].state
			if t.node == v.node {
				st = &with
			}
			if st.verdict(t) != satisfied {
				violated = false
				break
			}
		}
		if violated {
			s.blame(v, cl)
			s.enqueue(v.node)
			return false
		}
	}
	return true
}

// ahead is after how many tried versions of a package more are asked for ahead.
const ahead = 4

// mostAhead is how many are asked for at most: enough to keep all requests busy
// that may be under way, few enough to be no loss when the search turns away.
const mostAhead = 48

// fetchAhead asks for the needs of the next n versions of v, from the one that is
// tried now. What is allowed at the moment is no bound: of packages released in
// lock step each version of one allows only its own of the other, and the next
// one's would wait for a round trip each.
func (s *solver) fetchAhead(v *version, n int) {
	allowed := s.nodes[v.node].allowed
	if len(allowed) == 0 {
		return
	}
	on := s.present(v)
	i, step := allowed[len(allowed)-1].hi-1, int32(-1)
	if s.req.Options.Prefer == PreferLowest {
		i, step = allowed[0].lo, 1
	}
	for n = min(n, mostAhead); n > 0 && i >= 0 && i < int32(len(v.pkg.versions)); n-- {
		if rel := v.pkg.release(s.policy, i); s.usable(v.pkg, rel)&on == on {
			s.fetch.lookAt(s.ctx, rel)
		}
		i += step
	}
}
