package resolve

import "github.com/r-seed-1713b764/distill/internal/python"

// constrain adds the constraints on v that hold wherever it is wanted.
func (s *solver) constrain(v *version) {
	for i := range s.req.Constraints {
		c := &s.req.Constraints[i]
		if c.Name != v.pkg.name {
			continue
		}
		on, err := s.holds(c.Marker, "")
		if err != nil || on&v.on == 0 || v.pkg.partial && on&v.on != v.on {
			continue
		}
		s.addConstraint(v, nil, c, on)
	}
}

// constrainPartial adds the constraints that hold on some targets of p only.
func (s *solver) constrainPartial(p *presence) {
	for i := range s.req.Constraints {
		c := &s.req.Constraints[i]
		if c.Name != p.of.pkg.name {
			continue
		}
		on, err := s.holds(c.Marker, "")
		if err != nil || on&p.on == 0 || on&p.of.on == p.of.on {
			continue
		}
		s.addConstraint(p.of, p, c, on)
	}
}

func (s *solver) addConstraint(v *version, p *presence, c *python.Requirement, on mask) {
	f := &fact{kind: factConstraint, pkg: v.pkg, dep: v.pkg, req: c, targets: on}
	f.admits = v.pkg.sets[v.pkg.admitted(c)]
	f.namesPre, f.pins = c.Specifiers.NamesPrerelease(), pins(c.Specifiers)
	cl := &clause{fact: f}
	if refused := full(int32(len(v.pkg.versions))).minus(f.admits); len(refused) > 0 {
		cl.terms = append(cl.terms, term{node: v.node, set: refused})
		if p != nil {
			cl.terms = append(cl.terms, term{node: p.node, set: full(1)})
		}
		s.add(cl)
	} else {
		cl.terms = []term{{node: v.node, neg: true}}
	}
	v.incoming = append(v.incoming, cl)
	s.enqueue(v.node)
}
