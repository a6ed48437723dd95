package resolve

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// solver is one search for one version of each package. What it learns about
// the shape of the problem while searching (setup) may make it start over.
type solver struct {
	core
	ctx    context.Context //nolint:containedctx // lives as long as one call of Solve
	fetch  *fetcher
	req    *Request
	policy *policy
	all    mask
	setup  *setup

	info   []nodeInfo // by nodeID
	pkgs   map[python.Name]*pkg
	order  []*pkg // as first seen
	merged map[mergeKey]*clause
	steps  int
	stats  *Stats
	// behind holds what is to be decided before what, found out by conflicts.
	behind []*version
	// inexact is set once a clause was added that holds only as long as no
	// other package asks for a pre-release or yanked version.
	inexact bool
	// widened is set once a conflict involved a package of which only the image's
	// version was looked at: the others have to be known to resolve it.
	widened bool
	// dead is a requirement of the request that no version can meet.
	dead *clause
}

// setup is what is known about the shape of a problem before the search.
type setup struct {
	wide       map[python.Name]bool   // to be asked of the index, whatever the images have
	partial    map[python.Name]bool   // wanted on some targets only
	allPartial bool                   // all may be
	groups     map[python.Name][]mask // packages split between targets
	split      bool                   // all packages are split
	outgrown   map[python.Name]bool   // versions for older Pythons are accepted
	// guarded are packages of which pre-releases or yanked versions are left only,
	// speakers those whose versions decide whether something admits them, kin all
	// that have anything to do with either.
	guarded       map[python.Name]guardKind
	speakers, kin map[python.Name]bool
}

// errAgain makes the search start over with a changed setup.
var errAgain = errors.New("start over")

// nodeInfo says what a node stands for: the version of a package on a group of
// targets or, with a nil version, whether it is wanted in some way.
type nodeInfo struct {
	version  *version
	presence *presence
}

// pkg is a package that was seen in the search.
type pkg struct {
	*shelf
	seen    int
	groups  []*version
	partial bool
	sets    []set        // those that requirements admit, each once
	spans   map[span]int // the numbers of those of one span
	odd     []int        // and of the others
}

// version is the unknown "which version of a package", on one group of targets.
type version struct {
	pkg      *pkg
	on       mask
	node     nodeID
	presence []*presence
	// incoming are the clauses that require it or constrain it.
	incoming []*clause
	unusable *clause // of a package that is not partial
	expanded bitset
	prefer   []int32
	deferred bool
	direct   bool // a requirement of the request names it
	rank     rank
	rejected int // how often it was in the way of others, and others in its
	blamed   int
	tried    int // versions
}

// presence is the unknown "is the package wanted on these targets, with this
// extra". Without extra it exists for partial packages only: others are wanted
// on all targets if they are wanted at all.
type presence struct {
	of       *version
	extra    python.Name
	on       mask
	node     nodeID
	expanded bitset
	unusable *clause
}

// rank is how early a package is decided upon.
type rank uint8

const (
	rankDirect rank = iota
	rankSingle
	rankEarly
	rankNormal
	rankLate
	rankDeferred
)

type bitset []uint64

func (b bitset) has(i int32) bool { return int(i>>6) < len(b) && b[i>>6]>>(i&63)&1 != 0 }

func (b *bitset) set(i int32) {
	for int(i>>6) >= len(*b) {
		*b = append(*b, 0)
	}
	(*b)[i>>6] |= 1 << (i & 63)
}

func newSolver(ctx context.Context, f *fetcher, set *setup, stats *Stats) *solver {
	return &solver{
		ctx: ctx, fetch: f, req: f.req, policy: f.policy, setup: set, stats: stats,
		all:    maskOf(len(f.req.Targets)) - 1,
		pkgs:   make(map[python.Name]*pkg),
		merged: make(map[mergeKey]*clause),
	}
}

// run searches. dead is the proof that there is no answer, nil if there is one.
// The error is errAgain, or one of the source or the context.
func (s *solver) run() (dead *clause, err error) {
	s.core.conflict = s.blameViolated
	s.core.resolved = s.widenInvolved
	s.core.back = s.logConflict
	if err = s.roots(); err != nil || s.dead != nil {
		return s.dead, err
	}
	for {
		dead = s.propagate()
		if s.widened {
			return nil, errAgain
		}
		if dead != nil {
			return dead, nil
		}
		if s.yield() {
			continue
		}
		if err = s.follow(); err != nil {
			return nil, err
		}
		if len(s.queue) > 0 {
			continue
		}
		v := s.next()
		if v == nil {
			return nil, nil
		}
		if err = s.step(v); err != nil {
			return nil, err
		}
	}
}

// step decides upon a version of v, or adds the clauses that say why not.
func (s *solver) step(v *version) error {
	s.steps++
	limit := s.req.Options.MaxSteps
	if limit <= 0 {
		limit = defaultSteps
	}
	if len(s.setup.speakers) > 0 {
		limit = min(limit, exactSteps)
	}
	if s.steps > limit {
		return &Exhausted{Steps: limit, Name: v.pkg.name}
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	i, ok := s.choose(v)
	if !ok {
		return nil
	}
	s.stats.Versions++
	v.tried++
	if v.tried >= ahead && v.tried%ahead == 0 {
		s.fetchAhead(v, v.tried)
	}
	clear, err := s.expand(v, i)
	if err != nil {
		return err
	}
	if !clear {
		s.logf("%s %s: what it needs does not fit, or can't be told", v.pkg.name, v.pkg.versions[i])
		return nil
	}
	s.stats.Decisions++
	s.decide(v.node, i)
	s.logf("%s %s: taken", v.pkg.name, v.pkg.versions[i])
	return nil
}

func (s *solver) logf(format string, args ...any) {
	if log := s.req.Options.Log; log != nil {
		log(fmt.Sprintf(format, args...))
	}
}

// logConflict tells about a conflict, and what it makes the search give up.
func (s *solver) logConflict(level int32) {
	if s.req.Options.Log == nil || level >= s.level {
		return
	}
	var undone []string
	for k := range s.trail {
		if a := &s.trail[k]; a.level > level && a.cause == nil {
			if v := s.info[a.node].version; v != nil && s.nodes[a.node].chosen >= 0 {
				undone = append(undone, fmt.Sprintf("%s %s", v.pkg.name, v.pkg.versions[s.nodes[a.node].chosen]))
			}
		}
	}
	if len(undone) > 0 {
		s.logf("conflict %d: gives up %s", s.conflicts, strings.Join(undone, ", "))
	}
}

// defaultSteps is far above what real requirements take: the hardest known sets
// need some thousand.
const defaultSteps = 200_000

// Exhausted is the error of a search that was given up. It wraps a NoSolution,
// as to the user it means the same.
type Exhausted struct {
	Steps int
	Name  python.Name // the package that was being decided upon
}

func (e *Exhausted) Error() string {
	return fmt.Sprintf("no answer after %d steps, the last one choosing a version of %s", e.Steps, e.Name)
}

func (e *Exhausted) Unwrap() error {
	return &NoSolution{Story: e.Error(), hints: []string{fmt.Sprintf("pin %s and what conflicts with it", e.Name)}}
}

// load returns a package that a requirement speaks of.
func (s *solver) load(r *python.Requirement) (*pkg, error) {
	if p := s.pkgs[r.Name]; p != nil {
		return p, nil
	}
	var shelf *shelf
	if !s.setup.wide[r.Name] {
		shelf = s.fetch.narrow(r.Name)
		if shelf != nil && !s.narrowFits(shelf, r) {
			shelf = nil
		}
	}
	if shelf == nil {
		var err error
		if shelf, err = s.fetch.shelf(s.ctx, r.Name); err != nil {
			return nil, err
		}
	}
	p := &pkg{shelf: shelf, seen: len(s.order), spans: make(map[span]int)}
	p.partial = s.setup.allPartial || s.setup.partial[r.Name]
	s.pkgs[r.Name] = p
	s.order = append(s.order, p)
	for _, on := range s.groupsOf(r.Name) {
		v := &version{pkg: p, on: on, rank: rankNormal}
		if s.fetch.places[r.Name] != nil {
			v.rank = rankDirect
		}
		v.node = s.newNode(int32(len(p.versions)))
		s.info = append(s.info, nodeInfo{version: v})
		v.prefer = s.fetch.preferred(p.shelf, on)
		p.groups = append(p.groups, v)
		s.constrain(v)
	}
	return p, nil
}

// narrowFits tells whether the image's version passes a requirement and all
// constraints.
func (s *solver) narrowFits(shelf *shelf, r *python.Requirement) bool {
	v := shelf.versions[0]
	for i := range s.req.Constraints {
		c := &s.req.Constraints[i]
		if c.Name == r.Name && !c.Specifiers.Contains(v, true) {
			return false
		}
	}
	return r.Specifiers.Contains(v, true)
}

func (s *solver) groupsOf(name python.Name) []mask {
	if g := s.setup.groups[name]; g != nil {
		return g
	}
	if !s.setup.split {
		return []mask{s.all}
	}
	var out []mask
	for t := range s.req.Targets {
		out = append(out, maskOf(t))
	}
	return out
}

// look returns what there is of a version, and notes that it was looked at.
func (s *solver) look(p *pkg, i int32) *release {
	rel := p.release(s.policy, i)
	rel.seen = true
	return rel
}

// usable returns the targets onto which a release can get.
func (s *solver) usable(p *pkg, rel *release) mask {
	if rel.outgrown != 0 && s.setup.outgrown[p.name] {
		return rel.usable | rel.outgrown
	}
	return rel.usable
}

// present returns the targets on which v is wanted so far.
func (s *solver) present(v *version) mask {
	if !v.pkg.partial {
		return v.on
	}
	var on mask
	for _, p := range v.presence {
		if p.extra == "" && s.nodes[p.node].required {
			on |= p.on
		}
	}
	return on
}

// presence returns the unknown whether v is wanted on some targets.
func (s *solver) presence(v *version, extra python.Name, on mask) *presence {
	for _, p := range v.presence {
		if p.extra == extra && p.on == on {
			return p
		}
	}
	p := &presence{of: v, extra: extra, on: on, node: s.newNode(1)}
	s.info = append(s.info, nodeInfo{presence: p})
	v.presence = append(v.presence, p)
	if extra == "" {
		s.constrainPartial(p)
	}
	return p
}
