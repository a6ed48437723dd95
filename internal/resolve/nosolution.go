package resolve

import (
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// NoSolution is the error of Solve for requirements that can't be met.
type NoSolution struct {
	// Story is a headline and, if that does not say it all, the facts it follows
	// from, a line each.
	Story   string
	Targets []string // names of the targets that fail
	hints   []string
}

func (e *NoSolution) Error() string { return e.Story }

// Hints says what could be done, best first.
func (e *NoSolution) Hints() []string { return e.hints }

// noSolution tells a proof, and what could be done, for the failing targets
// among all.
func (s *solver) noSolution(dead *clause, failing []Target, all int) *NoSolution {
	p := s.newProof(dead)
	n := &NoSolution{hints: p.hints()}
	where := ""
	for _, t := range failing {
		n.Targets = append(n.Targets, t.Name)
	}
	if len(failing) < all {
		where = " on " + strings.Join(n.Targets, ", ")
		n.hints = append(n.hints, "leave out "+strings.Join(n.Targets, ", ")+": the other platforms have an answer")
	}
	n.Story = p.story(where)
	return n
}

// story writes a headline and the facts. One fact alone is the headline.
func (p *proof) story(where string) string {
	lines := p.lines()
	if len(p.facts) == 1 && p.facts[0].kind == factWanted {
		return p.single(p.facts[0]) + where
	}
	if len(p.facts) == 2 && p.facts[0].kind == factWanted && p.facts[1].kind == factUnusable && len(lines) == 2 {
		return origin(p.facts[0].req) + ": " + lines[1]
	}
	k := p.clash()
	head := "the requirements contradict each other" + where
	if k != nil {
		head = fmt.Sprintf("no version of %s fits%s", k.name, where)
		if len(k.versions) == 0 {
			head = fmt.Sprintf("%s can't be had%s", k.name, where)
		} else if !strings.Contains(strings.Join(lines, "\n"), "but "+p.there(k)) {
			lines = append(lines, "of "+string(k.name)+" "+p.there(k))
		}
	}
	if first := p.facts[0]; first.kind == factWanted {
		head = origin(first.req) + ": " + head
	}
	return head + ":\n  " + strings.Join(lines, "\n  ")
}

// single tells a requirement that nothing meets.
func (p *proof) single(t *told) string {
	switch {
	case t.missing != "":
		return fmt.Sprintf("%s: %s", origin(t.req), t.missing)
	case len(t.dep.versions) == 0:
		return fmt.Sprintf("%s: %s can't be had: %s", origin(t.req), t.dep.name, strings.TrimPrefix(p.there(t.dep), "there is none: "))
	}
	all := full(int32(len(t.dep.versions)))
	return fmt.Sprintf("%s: no version of %s fits %q (%s)", origin(t.req), t.dep.name, t.req.Specifiers,
		"there "+verb(all, "is ", "are ")+t.dep.list(all))
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
