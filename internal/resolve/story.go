package resolve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// proof is what a clause without terms follows from, in the order in which a
// reader wants it: who asks, what that needs, and where it ends.
type proof struct {
	s     *solver
	facts []*told
	// asked are the versions of each package that the requirements of the request
	// leave, as far as the proof uses them.
	asked map[*pkg]set
	rest  map[*pkg]set // what is left of a package that was looked at
}

// told is a fact with the versions it is used for.
type told struct {
	*fact
	versions set
	depth    int // of the package it speaks about, from the request
}

func (s *solver) newProof(dead *clause) *proof {
	p := &proof{s: s, asked: make(map[*pkg]set), rest: make(map[*pkg]set)}
	at := make(map[*fact]*told)
	dead.leaves(func(c *clause) {
		t := at[c.fact]
		if t == nil {
			t = &told{fact: c.fact}
			at[c.fact] = t
			p.facts = append(p.facts, t)
		}
		if c.fact.pkg != nil && c.fact.kind != factConstraint && len(c.terms) > 0 {
			t.versions = t.versions.union(c.terms[0].set)
		}
	})
	for _, t := range p.facts {
		if t.kind == factWanted || t.kind == factConstraint {
			p.asked[t.dep] = p.left(t.dep).intersect(t.admits)
		}
	}
	for _, t := range p.facts {
		if t.pkg != nil {
			if rest := t.versions.intersect(p.left(t.pkg)); len(rest) > 0 {
				t.versions = rest
			}
		}
	}
	p.sort()
	p.join()
	p.prune()
	p.turn(p.clash())
	return p
}

// left returns the versions that the request leaves of a package.
func (p *proof) left(pkg *pkg) set {
	if s, ok := p.asked[pkg]; ok {
		return s
	}
	return full(int32(len(pkg.versions)))
}

// leaves calls yield for each clause that c follows from and that was not
// learned, each once.
func (c *clause) leaves(yield func(*clause)) {
	seen := make(map[*clause]bool)
	todo := []*clause{c}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[c] {
			continue
		}
		seen[c] = true
		if c.fact != nil {
			yield(c)
			continue
		}
		todo = append(todo, c.right, c.left)
	}
}

// facts calls yield for each fact that the proof of c uses.
func (c *clause) facts(yield func(*fact)) { c.leaves(func(c *clause) { yield(c.fact) }) }

// sort orders the facts by how far from the request the package is that they
// speak about; what limits a package comes behind what wants it.
func (p *proof) sort() {
	depth := make(map[*pkg]int)
	for range p.facts {
		for _, t := range p.facts {
			switch {
			case t.kind == factWanted:
				depth[t.dep] = 1
			case t.kind == factNeeds && depth[t.pkg] > 0:
				if d := depth[t.pkg] + 1; depth[t.dep] == 0 || d < depth[t.dep] {
					depth[t.dep] = d
				}
			}
		}
	}
	for _, t := range p.facts {
		if t.kind != factWanted {
			t.depth = depth[t.pkg]
		}
	}
	slices.SortStableFunc(p.facts, func(a, b *told) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(position(a), position(b)), cmp.Compare(a.kind, b.kind),
			cmp.Compare(nameOf(a.pkg), nameOf(b.pkg)), cmp.Compare(nameOf(a.dep), nameOf(b.dep)), -cmp.Compare(highest(a.versions), highest(b.versions)))
	})
}

func position(t *told) string {
	if t.kind != factWanted {
		return ""
	}
	return fmt.Sprintf("%s:%09d", t.req.Pos.File, t.req.Pos.Line)
}

func nameOf(p *pkg) python.Name {
	if p == nil {
		return ""
	}
	return p.name
}

func highest(s set) int32 {
	if len(s) == 0 {
		return -1
	}
	return s[len(s)-1].hi
}

// mostLines is how long a story may get.
const mostLines = 14

// lines tells the facts, one a line, those that say the same of many versions
// together.
func (p *proof) lines() []string {
	var out []string
	type pair struct {
		pkg, dep *pkg
		kind     factKind
	}
	groups := make(map[pair][]*told)
	for _, t := range p.facts {
		k := pair{t.pkg, t.dep, t.kind}
		groups[k] = append(groups[k], t)
	}
	for _, t := range p.facts {
		k := pair{t.pkg, t.dep, t.kind}
		group := groups[k]
		if t.kind != factNeeds || len(group) <= 3 {
			out = append(out, p.tell(t)...)
			continue
		}
		if group[0] == t {
			out = append(out, p.tellMany(group))
		}
	}
	if n := len(out); n > mostLines {
		out = append(out[:mostLines], fmt.Sprintf("and %d more facts like these", n-mostLines))
	}
	return out
}

// tell writes one fact.
func (p *proof) tell(t *told) []string {
	on := p.on(t.targets)
	switch t.kind {
	case factWanted:
		return []string{fmt.Sprintf("%s wants %s%s%s", origin(t.req), bare(t.req), on, p.nothing(t))}
	case factConstraint:
		return []string{fmt.Sprintf("%s allows only %s%s", origin(t.req), bare(t.req), on)}
	case factNeeds:
		what := p.subject(t.pkg, t.versions)
		if t.extra != "" {
			what = strings.Replace(what, string(t.pkg.name), fmt.Sprintf("%s[%s]", t.pkg.name, t.extra), 1)
		}
		if t.missing != "" {
			return []string{fmt.Sprintf("%s can't be used: %s", what, t.missing)}
		}
		return []string{fmt.Sprintf("%s %s %s%s%s", what, verb(t.versions, "needs", "need"), bare(t.req), on, p.nothing(t))}
	case factGuarded:
		return []string{fmt.Sprintf("of %s only %s %s left, which nothing asks for%s", t.pkg.name,
			p.guarded(t), verb(t.versions, "is", "are"), on)}
	default:
		return p.unusable(t)
	}
}

// tellMany writes what many versions of one package need of another.
func (p *proof) tellMany(group []*told) string {
	var versions set
	for _, t := range group {
		versions = versions.union(t.versions)
	}
	newest := slices.MaxFunc(group, func(a, b *told) int { return cmp.Compare(highest(a.versions), highest(b.versions)) })
	oldest := slices.MinFunc(group, func(a, b *told) int { return cmp.Compare(highest(a.versions), highest(b.versions)) })
	return fmt.Sprintf("%s need %s, each in versions of its own, from %s to %s", p.subject(group[0].pkg, versions),
		group[0].dep.name, bare(oldest.req), bare(newest.req))
}

// on names targets, unless they are all.
func (p *proof) on(m mask) string {
	m &= p.s.all
	if m == 0 || m == p.s.all {
		return ""
	}
	var names []string
	for _, t := range m.targets() {
		names = append(names, p.s.req.Targets[t].Name)
	}
	return " on " + strings.Join(names, ", ")
}

// nothing adds that a requirement is met by no version at all.
func (p *proof) nothing(t *told) string {
	if len(t.admits) > 0 || t.missing != "" {
		return ""
	}
	return ", but " + p.there(t.dep)
}

// there tells which versions of a package there are.
func (p *proof) there(k *pkg) string {
	if len(k.versions) == 0 {
		note := k.listings[0].project.Note
		if note == "" {
			note = "it does not exist"
		}
		return "there is none: " + note
	}
	return "there " + verb(full(int32(len(k.versions))), "is only ", "are ") + k.list(full(int32(len(k.versions)))) + k.inFirst()
}

// inFirst names the index that the versions come from if others were not asked.
func (p *pkg) inFirst() string {
	if project := p.listings[0].project; len(project.Others) > 0 {
		return " in " + project.Index
	}
	return ""
}

func verb(s set, one, many string) string {
	if s.count() == 1 {
		return one
	}
	return many
}

// subject names versions of a package as the subject of a sentence.
func (p *proof) subject(k *pkg, s set) string {
	if len(s) == 0 {
		return string(k.name)
	}
	return string(k.name) + " " + k.list(s)
}

// mostListed is how many versions are named one by one.
const mostListed = 4

// list writes versions: a few one by one, many as a range.
func (p *pkg) list(s set) string {
	n := s.count()
	first, last := s[0].lo, s[len(s)-1].hi-1
	switch {
	case n > mostListed:
		return fmt.Sprintf("%s to %s (%d versions)", p.versions[first], p.versions[last], n)
	case n == 1:
		return p.versions[first].String()
	}
	var out []string
	for _, sp := range s {
		for i := sp.lo; i < sp.hi; i++ {
			out = append(out, p.versions[i].String())
		}
	}
	return strings.Join(out[:n-1], ", ") + " and " + out[n-1]
}

// guarded names the kind of versions that nothing admits.
func (p *proof) guarded(t *told) string {
	pre, yanked := 0, 0
	for _, sp := range t.versions {
		for i := sp.lo; i < sp.hi; i++ {
			if t.pkg.versions[i].IsPrerelease() {
				pre++
			} else {
				yanked++
			}
		}
	}
	kind := "pre-release and yanked versions"
	switch {
	case yanked == 0:
		kind = "pre-releases"
	case pre == 0:
		kind = "yanked versions"
	}
	if pre+yanked == 1 {
		kind = "the " + strings.TrimSuffix(kind, "s")
	}
	return kind + " " + t.pkg.list(t.versions)
}

// unusable tells why versions can't be used: those with one reason together, in
// the words of the newest.
func (p *proof) unusable(t *told) []string {
	var order []string
	by := make(map[string]set)
	newest := make(map[string]string)
	for k := len(t.versions) - 1; k >= 0; k-- {
		for i := t.versions[k].hi - 1; i >= t.versions[k].lo; i-- {
			kind, text := p.s.whyUnusable(t.pkg, i, t.targets)
			if _, ok := by[kind]; !ok {
				order = append(order, kind)
				newest[kind] = text
			}
			by[kind] = by[kind].with(i)
		}
	}
	var out []string
	for _, kind := range order {
		s := by[kind]
		top := t.pkg.versions[s[len(s)-1].hi-1]
		line := fmt.Sprintf("%s %s %s", t.pkg.name, top, newest[kind])
		if n := s.count(); n > 1 && kind == onlyTooNew {
			line = p.subject(t.pkg, s) + " were uploaded after --exclude-newer"
		} else if n > 1 {
			rest := s.minus(only(s[len(s)-1].hi - 1))
			line += fmt.Sprintf("; %s %s no better", t.pkg.list(rest), verb(rest, "is", "are"))
		}
		out = append(out, line)
	}
	return out
}

// whyUnusable tells why a version can't be used on one of the targets on; kind is
// the same for reasons of one kind.
func (s *solver) whyUnusable(p *pkg, i int32, on mask) (kind, text string) {
	rel := p.release(s.policy, i)
	if bad := on &^ s.usable(p, rel); bad != 0 {
		t := bad.first()
		text = s.policy.why(&rel.candidate, t)
		return s.policy.kind(&rel.candidate, t), text
	}
	if rel.err != nil && rel.guessed() == nil {
		return rel.err.Error(), "can't be used: " + rel.err.Error()
	}
	if err := s.checkPython(p, rel.needs); err != nil {
		return "python", err.Error()
	}
	return "needs", "can't be used: its requirements contradict each other"
}

// story tells a proof in some lines.
func (s *solver) story(dead *clause) []string { return s.newProof(dead).lines() }
