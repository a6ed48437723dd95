package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// NoSolution is the error of Solve for requirements that can't be met.
type NoSolution struct {
	// Story is a headline and, if that does not say it all, the facts it follows
	// from, a line each.
	Story   string
	Targets []string // names of the targets that fail
	// Unasked is set if nobody could be asked about a package that the proof
	// speaks of (see [Project.Unasked]).
	Unasked bool
	hints   []string
	advice  []advice              // what may become hints
	relax   []*python.Requirement // lines whose bounds the proof needs
	last    string                // what to do if nothing else helps
}

func (e *NoSolution) Error() string { return e.Story }

// Hints says what could be done, best first.
func (e *NoSolution) Hints() []string { return e.hints }

// noSolution tells a proof, and what could be done, for the failing targets
// among all.
func (s *solver) noSolution(dead *clause, failing []Target, all int) *NoSolution {
	p := s.newProof(dead)
	n := &NoSolution{advice: p.hints(), Unasked: p.unasked()}
	for _, t := range p.roots() {
		if !t.req.Specifiers.IsEmpty() && len(t.dep.versions) > 0 {
			n.relax = append(n.relax, t.req)
		}
	}
	where := ""
	for _, t := range failing {
		n.Targets = append(n.Targets, t.Name)
	}
	if len(failing) < all {
		where = " on " + strings.Join(n.Targets, ", ")
		n.last = "leave out " + strings.Join(n.Targets, ", ") + ": the other platforms have an answer"
	}
	n.Story = p.story(where)
	return n
}

// story writes a headline, which names the culprits, and the facts that lead
// there. Facts that the headline tells are not repeated.
func (p *proof) story(where string) string {
	lines := p.lines()
	if len(p.facts) == 0 {
		return "the requirements contradict each other" + where
	}
	first := p.facts[0]
	if first.kind == factWanted && len(p.facts) == 1 {
		return p.single(first) + where
	}
	if first.kind == factWanted && len(p.facts) == 2 && p.facts[1].pkg == first.dep {
		switch second := p.facts[1]; {
		case second.kind == factUnusable && len(lines) == 2:
			return origin(first.req) + ": " + lines[1]
		case second.kind == factGuarded:
			return origin(first.req) + ": " + p.onlyGuarded(first, second) + where
		}
	}
	k := p.clash()
	head := p.headline(k) + where
	if p.plain() {
		return head
	}
	if k != nil && len(k.versions) > 0 && !strings.Contains(strings.Join(lines, "\n"), "but "+p.there(k)) {
		lines = append(lines, "of "+string(k.name)+" "+p.there(k))
	}
	return head + ":\n  " + strings.Join(lines, "\n  ")
}

// unasked tells whether nobody could be asked about one of the packages.
func (p *proof) unasked() bool {
	for _, t := range p.facts {
		for _, k := range []*pkg{t.pkg, t.dep} {
			if k != nil && slices.ContainsFunc(k.listings, func(l listing) bool { return l.project.Unasked }) {
				return true
			}
		}
	}
	return false
}

// roots returns the lines of the request that the proof needs.
func (p *proof) roots() []*told {
	var out []*told
	for _, t := range p.facts {
		if t.kind == factWanted || t.kind == factConstraint {
			out = append(out, t)
		}
	}
	return out
}

// plain tells whether lines of the request about one package are all there is.
func (p *proof) plain() bool {
	return len(p.roots()) == len(p.facts) && len(p.facts) == 2
}

// headline names the lines of the request that can't be met, and the package k
// of which nothing is left.
func (p *proof) headline(k *pkg) string {
	roots := p.roots()
	why := ""
	if k != nil {
		why = fmt.Sprintf(": no version of %s fits", k.name)
		if len(k.versions) == 0 {
			why = fmt.Sprintf(": %s can't be had", k.name)
		}
	}
	switch len(roots) {
	case 0:
		return "the requirements contradict each other" + why
	case 1:
		return fmt.Sprintf("%s: %s can't be met%s", origin(roots[0].req), bare(roots[0].req), why)
	case 2:
		if p.plain() {
			why = ""
		} else if k != nil && len(k.versions) > 0 {
			why += " both"
		}
		return fmt.Sprintf("%s: %s contradicts %s (%s)%s", origin(roots[0].req), bare(roots[0].req), bare(roots[1].req), origin(roots[1].req), why)
	}
	var others []string
	for _, t := range roots[1:min(len(roots), 4)] {
		others = append(others, fmt.Sprintf("%s (%s)", bare(t.req), origin(t.req)))
	}
	if n := len(roots) - 4; n > 0 {
		others = append(others, fmt.Sprintf("%d more", n))
	}
	return fmt.Sprintf("%s: %s can't be met together with %s%s", origin(roots[0].req), bare(roots[0].req), strings.Join(others, ", "), why)
}

// onlyGuarded tells that a requirement is met by yanked versions or pre-releases
// only.
func (p *proof) onlyGuarded(t, guarded *told) string {
	i := highest(guarded.versions) - 1
	v := t.dep.versions[i]
	if guarded.versions.count() > 1 || v.IsPrerelease() {
		return fmt.Sprintf("%s fits %s only, which are not taken unasked", bare(t.req), p.guarded(guarded))
	}
	text := fmt.Sprintf("%s fits %s only, which was yanked", bare(t.req), v)
	if reason := yankedReason(t.dep.release(p.s.policy, i)); reason != "" {
		text += fmt.Sprintf(" (%s)", strings.TrimSuffix(reason, "."))
	}
	return text + p.besides(t.dep, v)
}

// single tells a requirement that nothing meets.
func (p *proof) single(t *told) string {
	switch {
	case t.missing != "":
		return fmt.Sprintf("%s: %s", origin(t.req), t.missing)
	case len(t.dep.versions) == 0:
		return fmt.Sprintf("%s: %s can't be had: %s", origin(t.req), t.dep.name, strings.TrimPrefix(p.there(t.dep), "there is none: "))
	}
	n := len(t.dep.versions)
	there := p.there(t.dep)
	if n > mostListed {
		there = fmt.Sprintf("there are %d, from %s to %s%s", n, t.dep.versions[0], t.dep.versions[n-1], t.dep.inFirst())
	}
	text := fmt.Sprintf("%s: no version of %s fits %q (%s", origin(t.req), t.dep.name, t.req.Specifiers, strings.Replace(there, "is only", "is", 1))
	if bound, err := python.ParseVersion(strings.TrimSuffix(t.req.Specifiers.All()[0].VersionText(), ".*")); err == nil {
		text += p.besides(t.dep, bound)
	}
	return text + ")"
}

// besides names the versions of k on both sides of v, final ones where there are
// any, if k has more than can be listed.
func (p *proof) besides(k *pkg, v python.Version) string {
	if len(k.versions) <= mostListed {
		return ""
	}
	below, above := k.beside(p.s.policy, v)
	switch {
	case below < 0 && above < 0:
		return ""
	case above < 0:
		return fmt.Sprintf("; the closest is %s", k.versions[below])
	case below < 0:
		return fmt.Sprintf("; the closest is %s", k.versions[above])
	}
	return fmt.Sprintf("; the closest are %s and %s", k.versions[below], k.versions[above])
}

// beside returns the closest versions below and above v that are not yanked, -1
// where there is none. Local versions ("1.0+cpu") count only if there are no
// others: nobody asks for one without knowing its label.
func (p *pkg) beside(policy *policy, v python.Version) (below, above int32) {
	isLocal := func(v python.Version) bool { return v.Local() != "" }
	onlyLocal := !slices.ContainsFunc(p.versions, func(v python.Version) bool { return !isLocal(v) })
	below, above = -1, -1
	for i := range int32(len(p.versions)) {
		c := p.versions[i].Compare(v)
		if c == 0 || p.release(policy, i).yanked != 0 || isLocal(p.versions[i]) && !onlyLocal {
			continue
		}
		if c < 0 {
			below = i
		} else if above < 0 {
			above = i
		}
	}
	return below, above
}

// origin names the place of a requirement of the request.
func origin(r *python.Requirement) string {
	switch {
	case r.Pos.File == "":
		return "requirement " + r.String()
	case r.Pos.Line == 0:
		return r.Pos.File
	}
	return fmt.Sprintf("%s:%d", r.Pos.File, r.Pos.Line)
}
