package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// The work spent on hints is bounded: who has a hundred contradicting lines gets
// no better advice from a hundred searches.
const (
	mostRelaxed  = 3
	relaxedSteps = 2000
)

// relax adds to the hints which line of the request could be relaxed. Each is
// tried: those without whose bounds there is an answer are named with the version
// that it has, the smallest step first; others only if there is nothing else to
// say.
func (s *search) relax(n *NoSolution) {
	s.advise(n)
	type way struct {
		text string
		step int
	}
	var sure []way
	var unsure []string
	for i, r := range n.relax {
		hint := fmt.Sprintf("relax %q (%s)", bare(r), origin(r))
		fitting, step := "", 0
		if i < mostRelaxed {
			fitting, step = s.without(r)
		}
		if fitting == "" {
			unsure = append(unsure, hint)
			continue
		}
		sure = append(sure, way{hint + ": " + fitting + " fits", step})
		n.hints = slices.DeleteFunc(n.hints, func(h string) bool { return strings.HasPrefix(h, fitting+" can be had") })
	}
	slices.SortStableFunc(sure, func(a, b way) int { return a.step - b.step })
	if len(sure) == 0 && len(n.hints) == 0 {
		n.hints = unsure
	}
	for _, w := range sure {
		n.hints = append(n.hints, w.text)
	}
	if n.last != "" {
		n.hints = append(n.hints, n.last)
	}
}

// without returns what is picked of the package of r if r has no bounds, and how
// many versions that is away from what the bounds admit; "" if there is no answer
// then either, or none that is found soon. An index that fails only costs the
// hint.
func (s *search) without(r *python.Requirement) (fitting string, step int) {
	sv, dead, err := s.try(func(req *Request) {
		req.Requirements = unbounded(req.Requirements, r)
		req.Constraints = unbounded(req.Constraints, r)
	})
	if err != nil || dead != nil {
		return "", 0
	}
	p := sv.pkgs[r.Name]
	if p == nil {
		return "", 0
	}
	for _, v := range p.groups {
		if i := sv.nodes[v.node].chosen; i >= 0 {
			return fmt.Sprintf("%s %s", r.Name, p.versions[i]), p.stepsTo(r, i)
		}
	}
	return "", 0
}

// stepsTo returns how many versions i is away from the closest one that the
// bounds of r admit.
func (p *pkg) stepsTo(r *python.Requirement, i int32) int {
	n := int32(len(p.versions))
	for step := range n {
		for _, j := range []int32{i - step, i + step} {
			if j >= 0 && j < n && r.Specifiers.Contains(p.versions[j], true) {
				return int(step)
			}
		}
	}
	return int(n)
}

// unbounded returns list with the bounds of r taken away.
func unbounded(list []python.Requirement, r *python.Requirement) []python.Requirement {
	out := slices.Clone(list)
	for i := range out {
		if out[i].Pos == r.Pos && out[i].Name == r.Name && out[i].String() == r.String() {
			out[i].Specifiers = python.Specifiers{}
		}
	}
	return out
}
