package resolve

// NoSolution is the error of Solve for requirements that can't be met.
type NoSolution struct {
	Story   string   // a short derivation, several lines
	Hints   []string // what could be done, best first
	Targets []string // names of the targets that fail
}

func (e *NoSolution) Error() string { return e.Story }
