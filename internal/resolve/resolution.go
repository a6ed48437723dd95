package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Resolution is all picks for all targets.
type Resolution struct {
	Targets []Target
	Picks   []*Pick // in order of name, then version
	Splits  []Split // packages that have more than one version, in order of name
	// Warnings are about odd metadata: an extra that does not exist. Sorted.
	Warnings []string
	Stats    Stats
}

// Pick is one chosen version with the platforms it is chosen for.
type Pick struct {
	Name      python.Name
	Version   python.Version
	Candidate *Candidate
	Index     string   // as in Project
	URL       string   // the direct reference that was asked for, or ""
	On        []Placed // in order of target, never empty
	// Files are the wheels that some of its targets accept, best first, and the
	// source archive if a build is allowed: what a lock should hold.
	Files []*Artifact
	// Wanted holds who wants it, requirement lines first.
	Wanted []Want
	// Edges holds what it wants, in order of name.
	Edges []Edge
	// Passed holds the preferred versions that were not taken, best first.
	Passed []Passed
	// Guess is why its dependencies are not certain (see Unusable), or "".
	Guess string

	pkg   *pkg
	index int32
}

// Placed is the way a pick gets onto one target.
type Placed struct {
	Target   int
	Artifact *Artifact
	Extras   []python.Name // sorted
	// Refused holds the artifacts that come before it in the order of sources
	// and can't be used, with the reason: "image files: ...".
	Refused []string
}

// Yanked returns that files which are taken were yanked, and why, "" if none was.
func (p *Pick) Yanked() string {
	for _, on := range p.On {
		if a := on.Artifact; a.Yanked && a.Kind != ImageFiles {
			return strings.TrimSuffix("was yanked: "+a.YankedReason, ": ")
		}
	}
	return ""
}

// Note returns what whoever reads about the pick should know, "" if nothing.
func (p *Pick) Note() string {
	notes := []string{p.Yanked(), p.Guess}
	return strings.Join(slices.DeleteFunc(notes, func(s string) bool { return s == "" }), "; ")
}

// Want is one requirement that a pick fulfils.
type Want struct {
	Requirement python.Requirement
	Parent      *Pick // nil for a requirement of the request
	Targets     []int
}

// Overridden tells whether the requirement stands in an override, in place of what
// Parent asks for: published metadata has no place in a file.
func (w *Want) Overridden() bool { return w.Parent != nil && w.Requirement.Pos.File != "" }

// Edge is one requirement that leads from a pick to another.
type Edge struct {
	To          *Pick
	Requirement python.Requirement
	Targets     []int
}

// Passed is a version that would have been preferred, or a run of them.
type Passed struct {
	First, Last python.Version // First is the most preferred; equal for one
	Count       int
	Reason      string
}

// Split is a package for which no single version serves all targets.
type Split struct {
	Name   python.Name
	Picks  []*Pick
	Reason string
}

// Stats counts what the solver did.
type Stats struct {
	Decisions, Conflicts, Versions, Restarts int
}

// On returns the picks of one target, in order of name.
func (r *Resolution) On(target int) []*Pick {
	var out []*Pick
	for _, p := range r.Picks {
		if _, ok := p.Placed(target); ok {
			out = append(out, p)
		}
	}
	return out
}

// Placed returns the way p gets onto a target, or ok false if it doesn't.
func (p *Pick) Placed(target int) (placed Placed, ok bool) {
	for _, on := range p.On {
		if on.Target == target {
			return on, true
		}
	}
	return Placed{}, false
}

// String writes the versions and the reason: "2.1.0 to 2.0.0 (5 versions): is a
// pre-release".
func (p Passed) String() string {
	switch p.Count {
	case 1:
		return fmt.Sprintf("%s: %s", p.First, p.Reason)
	case 2:
		return fmt.Sprintf("%s, %s: %s", p.First, p.Last, p.Reason)
	}
	return fmt.Sprintf("%s to %s (%d versions): %s", p.First, p.Last, p.Count, p.Reason)
}
