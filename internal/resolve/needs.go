package resolve

import (
	"errors"
	"fmt"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// dep is a requirement of a version with the targets on which its marker holds.
type dep struct {
	req *python.Requirement
	on  mask
}

// needsOf returns what a release needs, with the targets of each line.
func (s *solver) needsOf(p *pkg, rel *release, extra python.Name) ([]dep, error) {
	if deps, ok := rel.deps[extra]; ok {
		return deps, nil
	}
	list, err := rel.ask(s.ctx, s.fetch.src)
	rel.needs, rel.err = list, err
	if err != nil {
		var bad *Unusable
		if !errors.As(err, &bad) || bad.Needs == nil {
			return nil, err
		}
		list = slices.Repeat([]*Needs{bad.Needs}, len(rel.offers))
		rel.needs = list
	}
	if err := s.checkPython(p, list); err != nil {
		return nil, err
	}
	var deps []dep
	for t := 0; t < len(list); t++ {
		if list[t] == nil {
			continue
		}
		on := maskOf(t)
		for u := t + 1; u < len(list); u++ {
			if list[u] == list[t] {
				on |= maskOf(u)
			}
		}
		if on.first() < t || t > 0 && slices.Contains(list[:t], list[t]) {
			continue
		}
		if deps, err = s.readNeeds(deps, list[t], extra, on); err != nil {
			return nil, err
		}
	}
	if rel.deps == nil {
		rel.deps = make(map[python.Name][]dep)
	}
	rel.deps[extra] = deps
	return deps, nil
}

// checkPython refuses a release whose metadata asks for another Python; the
// index may not have told.
func (s *solver) checkPython(p *pkg, list []*Needs) error {
	for t, n := range list {
		if n == nil {
			continue
		}
		have := s.req.Targets[t].Python
		if r := refusePython(n.RequiresPython, have); r == wrongPython || r == outgrown && !s.setup.outgrown[p.name] {
			return &Unusable{Reason: fmt.Sprintf("needs Python %s, %s has %s", n.RequiresPython, s.req.Targets[t].Name, have)}
		}
	}
	return nil
}

// readNeeds appends the lines of n that hold on some of the targets on.
func (s *solver) readNeeds(deps []dep, n *Needs, extra python.Name, on mask) ([]dep, error) {
	for k := range n.Requires {
		r := &n.Requires[k]
		if extra != "" && !r.Marker.MentionsExtra() {
			continue
		}
		holds, err := s.holds(r.Marker, extra)
		if err != nil {
			return nil, &Unusable{Reason: fmt.Sprintf("its requirement %q can't be evaluated: %v", r, err)}
		}
		if extra != "" {
			// What holds without the extra is needed anyway.
			base, err := s.holds(r.Marker, "")
			if err != nil {
				return nil, &Unusable{Reason: fmt.Sprintf("its requirement %q can't be evaluated: %v", r, err)}
			}
			holds &^= base
		}
		if holds &= on; holds == 0 {
			continue
		}
		for _, o := range s.overridden(r) {
			where := holds
			if o != r {
				m, err := s.holds(o.Marker, "")
				if err != nil {
					return nil, fmt.Errorf("%s: %w", origin(o), err)
				}
				where &= m
			}
			deps = mergeDep(deps, dep{o, where})
		}
	}
	return deps, nil
}

// mergeDep appends d, or widens an equal requirement of other targets.
func mergeDep(deps []dep, d dep) []dep {
	if d.on == 0 {
		return deps
	}
	for i := range deps {
		e := deps[i].req
		if e == d.req || deps[i].on&d.on == 0 && e.Name == d.req.Name && e.URL == d.req.URL &&
			slices.Equal(e.Extras, d.req.Extras) && e.Specifiers.String() == d.req.Specifiers.String() {
			deps[i].on |= d.on
			return deps
		}
	}
	return append(deps, d)
}
