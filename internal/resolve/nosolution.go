package resolve

import (
	"fmt"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// NoSolution is the error of Solve for requirements that can't be met.
type NoSolution struct {
	Story   string   // a short derivation, several lines
	Hints   []string // what could be done, best first
	Targets []string // names of the targets that fail
}

func (e *NoSolution) Error() string { return e.Story }

func (e *NoSolution) setTargets(failing []Target, all int) {
	e.Targets = nil
	for _, t := range failing {
		e.Targets = append(e.Targets, t.Name)
	}
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
