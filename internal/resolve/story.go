package resolve

// story explains a proof.
func (s *solver) story(dead *clause) []string { return []string{"no"} }

func (s *solver) noSolution(dead *clause, targets []Target) *NoSolution {
	n := &NoSolution{Story: "no solution"}
	n.setTargets(targets, len(targets))
	return n
}
