package resolve

// nodeID is one unknown of the solver: which version of a package, if any; or
// whether a package is wanted on some targets, or with an extra.
type nodeID int32

// term is a statement about one node: it is chosen from set; or, negated, it is
// not chosen at all or not from set.
type term struct {
	node nodeID
	neg  bool
	set  set
}

// always tells whether t says nothing.
func (t *term) always() bool { return t.neg && len(t.set) == 0 }

// both returns what holds if t and u hold, two terms about one node.
func (t *term) both(u *term) term {
	switch {
	case !t.neg && !u.neg:
		return term{t.node, false, t.set.intersect(u.set)}
	case !t.neg:
		return term{t.node, false, t.set.minus(u.set)}
	case !u.neg:
		return term{t.node, false, u.set.minus(t.set)}
	default:
		return term{t.node, true, t.set.union(u.set)}
	}
}

// either returns what holds if t or u holds, two terms about one node.
func (t *term) either(u *term) term {
	switch {
	case !t.neg && !u.neg:
		return term{t.node, false, t.set.union(u.set)}
	case !t.neg:
		return term{t.node, true, u.set.minus(t.set)}
	case !u.neg:
		return term{t.node, true, t.set.minus(u.set)}
	default:
		return term{t.node, true, t.set.intersect(u.set)}
	}
}

// clause is a set of terms of which at least one must be false, PubGrub's
// "incompatibility". A clause without terms is the proof that nothing fits.
type clause struct {
	terms []term // at most one for each node
	// left and right are what a learned clause follows from, else nil.
	left, right *clause
	// fact is what a clause that was not learned states.
	fact *fact
	// at is where it stands in the watch lists of its first terms.
	at [3]int32
}

func (c *clause) find(node nodeID) int {
	for i := range c.terms {
		if c.terms[i].node == node {
			return i
		}
	}
	return -1
}

// resolvent returns what follows from a and b by the fact that about node not
// both can be false.
func resolvent(a, b *clause, node nodeID) *clause {
	out := &clause{left: a, right: b, terms: make([]term, 0, len(a.terms)+len(b.terms)-1)}
	for i := range a.terms {
		t := a.terms[i]
		if j := b.find(t.node); j >= 0 {
			if t.node == node {
				t = t.either(&b.terms[j])
			} else {
				t = t.both(&b.terms[j])
			}
		}
		if !t.always() {
			out.terms = append(out.terms, t)
		}
	}
	for j := range b.terms {
		if t := b.terms[j]; a.find(t.node) < 0 {
			out.terms = append(out.terms, t)
		}
	}
	return out
}
