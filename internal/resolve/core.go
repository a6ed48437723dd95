package resolve

import "math"

// core is the part of the solver that knows nothing of packages: nodes, clauses,
// the assignments so far, unit propagation, learning and back-jumping.
type core struct {
	nodes []nodeState
	trail []assignment
	level int32
	// queue holds the nodes whose clauses are to be looked at again.
	queue  []nodeID
	queued []bool
	// conflict is called for each conflict with the clause that is violated.
	conflict func(*clause)
	// resolved is called for each clause that a conflict is traced back to.
	resolved func(*clause)
	// back is called before all above a level is forgotten; may be nil.
	back      func(level int32)
	conflicts int
	// done is the length of the part of the trail that its owner has dealt with.
	done int
}

// state is what the assignments so far say about a node.
type state struct {
	required bool // it must be chosen
	allowed  set  // and if it is, then from here
}

type nodeState struct {
	state
	initial set
	chosen  int32   // the version decided upon, or -1
	history []int32 // positions in the trail, ascending
	watch   []watch
}

// watch is a clause with a term about the node. It is not worth a look while the
// node, or the node of the clause's first term, is outside of a span: then that
// term is contradicted. Lock-step packages have thousands of such clauses.
type watch struct {
	cl    *clause
	own   span
	first nodeID // -1 if the span of the first term is not known
	other span
}

var anywhere = span{math.MinInt32, math.MaxInt32}

// hull returns the span outside of which a term is contradicted.
func (t *term) hull() span {
	if t.neg || len(t.set) == 0 {
		return anywhere
	}
	return span{t.set[0].lo, t.set[len(t.set)-1].hi}
}

// outside tells whether nothing that is allowed lies in p.
func (s *state) outside(p span) bool {
	k := len(s.allowed)
	return p != anywhere && (k == 0 || p.hi <= s.allowed[0].lo || p.lo >= s.allowed[k-1].hi)
}

// assignment is a decision, or a term that a clause made necessary.
type assignment struct {
	term
	cause *clause // nil for a decision
	level int32
	after state
}

// verdict is how a term stands to what is assigned.
type verdict uint8

const (
	open verdict = iota
	satisfied
	contradicted
)

func (s *state) verdict(t *term) verdict {
	if t.neg {
		if s.allowed.apart(t.set) {
			return satisfied
		}
		if s.required && s.allowed.within(t.set) {
			return contradicted
		}
		return open
	}
	if s.allowed.apart(t.set) {
		return contradicted
	}
	if s.required && s.allowed.within(t.set) {
		return satisfied
	}
	return open
}

// and returns the state after t was assigned as well.
func (s *state) and(t *term) state {
	if t.neg {
		return state{s.required, s.allowed.minus(t.set)}
	}
	return state{true, s.allowed.intersect(t.set)}
}

func (c *core) newNode(size int32) nodeID {
	all := full(size)
	c.nodes = append(c.nodes, nodeState{state: state{allowed: all}, initial: all, chosen: -1})
	c.queued = append(c.queued, false)
	return nodeID(len(c.nodes) - 1)
}

// add makes cl known. The caller sees to it that propagation looks at it.
func (c *core) add(cl *clause) {
	for i := range cl.terms {
		t := &cl.terms[i]
		n := &c.nodes[t.node]
		w := watch{cl: cl, own: t.hull(), first: -1}
		if i > 0 {
			w.first, w.other = cl.terms[0].node, cl.terms[0].hull()
		}
		if i < len(cl.at) {
			cl.at[i] = int32(len(n.watch))
		}
		n.watch = append(n.watch, w)
	}
}

// widen adds version i to the first term of a clause of up to three terms, which
// thereby says more.
func (c *core) widen(cl *clause, i int32) {
	t := &cl.terms[0]
	t.set = t.set.with(i)
	hull := t.hull()
	c.nodes[t.node].watch[cl.at[0]].own = hull
	for k := 1; k < len(cl.terms); k++ {
		c.nodes[cl.terms[k].node].watch[cl.at[k]].other = hull
	}
	c.enqueue(t.node)
}

// enqueue asks for another look at the clauses of a node.
func (c *core) enqueue(node nodeID) {
	if !c.queued[node] {
		c.queued[node] = true
		c.queue = append(c.queue, node)
	}
}

func (c *core) assign(t term, cause *clause) {
	n := &c.nodes[t.node]
	n.state = n.and(&t)
	n.history = append(n.history, int32(len(c.trail)))
	c.trail = append(c.trail, assignment{term: t, cause: cause, level: c.level, after: n.state})
	c.enqueue(t.node)
}

// decide opens a new level in which node has the given version.
func (c *core) decide(node nodeID, version int32) {
	c.level++
	c.assign(term{node: node, set: only(version)}, nil)
	c.nodes[node].chosen = version
}

// propagate assigns everything that the clauses make necessary. It returns nil,
// or the clause without terms if nothing fits.
func (c *core) propagate() *clause {
	for len(c.queue) > 0 {
		node := c.queue[0]
		c.queue = c.queue[1:]
		c.queued[node] = false
		if violated := c.propagateNode(node); violated != nil {
			if dead := c.learn(violated); dead != nil {
				return dead
			}
		}
	}
	return nil
}

// propagateNode looks at the clauses of a node, the latest first as these are
// the most general ones, and returns one that is violated.
func (c *core) propagateNode(node nodeID) *clause {
	n := &c.nodes[node]
	for i := len(n.watch) - 1; i >= 0; i-- {
		w := &n.watch[i]
		if n.outside(w.own) || w.first >= 0 && c.nodes[w.first].outside(w.other) {
			continue
		}
		cl := w.cl
		left, ok := c.unit(cl)
		if !ok {
			continue
		}
		if left < 0 {
			return cl
		}
		t := cl.terms[left]
		t.neg = !t.neg
		c.assign(t, cl)
	}
	return nil
}

// unit tells whether all terms of cl but one hold; left is that one, or -1 if
// all hold.
func (c *core) unit(cl *clause) (left int, ok bool) {
	left = -1
	for i := range cl.terms {
		t := &cl.terms[i]
		switch c.nodes[t.node].verdict(t) {
		case contradicted:
			return 0, false
		case open:
			if left >= 0 {
				return 0, false
			}
			left = i
		}
	}
	return left, true
}

// learn finds out why cl is violated, jumps back to where that can be undone and
// assigns what follows. It returns a clause without terms if nothing can.
func (c *core) learn(cl *clause) (dead *clause) {
	c.conflicts++
	if c.conflict != nil {
		c.conflict(cl)
	}
	if c.resolved != nil {
		c.resolved(cl)
	}
	learned := false
	for len(cl.terms) > 0 {
		at, before := c.satisfier(cl)
		a := &c.trail[at]
		if a.cause != nil && before == a.level {
			if c.resolved != nil {
				c.resolved(a.cause)
			}
			cl, learned = resolvent(cl, a.cause, a.node), true
			continue
		}
		c.backjump(before)
		if learned {
			c.add(cl)
		}
		for i := range cl.terms {
			c.enqueue(cl.terms[i].node)
		}
		return nil
	}
	return cl
}

// satisfier returns the position of the assignment that made cl violated, and
// the level at which, but for that assignment, everything else was in place.
func (c *core) satisfier(cl *clause) (at int32, before int32) {
	at = -1
	which := -1
	for i := range cl.terms {
		p := c.since(&cl.terms[i])
		if p > at {
			if at >= 0 {
				before = max(before, c.trail[at].level)
			}
			at, which = p, i
		} else {
			before = max(before, c.trail[p].level)
		}
	}
	if p := c.sinceWith(&cl.terms[which], at); p >= 0 {
		before = max(before, c.trail[p].level)
	}
	return at, before
}

// since returns the position of the first assignment after which t holds.
func (c *core) since(t *term) int32 {
	history := c.nodes[t.node].history
	lo, hi := 0, len(history)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if c.trail[history[mid]].after.verdict(t) == satisfied {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return history[lo]
}

// sinceWith returns the position of the first assignment after which t holds
// together with the assignment at, or -1 if that one is enough by itself.
func (c *core) sinceWith(t *term, at int32) int32 {
	n := &c.nodes[t.node]
	a := &c.trail[at].term
	start := state{allowed: n.initial}
	if s := start.and(a); s.verdict(t) == satisfied {
		return -1
	}
	for _, p := range n.history {
		if s := c.trail[p].after.and(a); s.verdict(t) == satisfied {
			return p
		}
	}
	return -1
}

// backjump forgets all assignments above level.
func (c *core) backjump(level int32) {
	if c.back != nil {
		c.back(level)
	}
	for len(c.trail) > 0 && c.trail[len(c.trail)-1].level > level {
		at := len(c.trail) - 1
		n := &c.nodes[c.trail[at].node]
		if c.trail[at].cause == nil {
			n.chosen = -1
		} else {
			// A clause that was added late may hold on a lower level too.
			c.enqueue(c.trail[at].node)
		}
		n.history = n.history[:len(n.history)-1]
		if k := len(n.history); k > 0 {
			n.state = c.trail[n.history[k-1]].after
		} else {
			n.state = state{allowed: n.initial}
		}
		c.trail = c.trail[:at]
	}
	c.level = level
	c.done = min(c.done, len(c.trail))
}
