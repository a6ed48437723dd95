package audit

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Advisory is one report of a vulnerability, as far as it is about Python
// packages.
type Advisory struct {
	ID        string
	Aliases   []string
	Summary   string // one line, may be empty
	Withdrawn bool
	Severity  Severity // Unknown if it does not tell
	Score     float64  // CVSS base score, 0 if unknown
	URL       string
	Affected  []Affected
}

// Affected says which versions of a project an advisory is about.
type Affected struct {
	Name     python.Name
	Ranges   []Range
	Versions []python.Version // listed ones, ascending
	Odd      []string         // listed ones that are no versions
	// Severity and Score of this package, Unset if the advisory's hold.
	Severity Severity
	Score    float64
}

// Range is the events of one range, sorted as NewRange does.
type Range struct{ events []Event }

// EventKind is what an event says of its version, in the order in which the
// events of one version are looked at.
type EventKind int

// The kinds of events.
const (
	Introduced EventKind = iota
	LastAffected
	Fixed
	Limit
)

// Event is a point in the history of a project.
type Event struct {
	Kind    EventKind
	Version python.Version
	// Everywhere is the introduced version "0", which is before all versions, and
	// the limit "*", which is behind all.
	Everywhere bool
}

// NewRange returns a range of events in any order.
func NewRange(events []Event) Range {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b Event) int {
		switch first := func(e Event) bool { return e.Kind == Introduced && e.Everywhere }; {
		case first(a) && first(b):
			return 0
		case first(a):
			return -1
		case first(b):
			return 1
		}
		if c := a.Version.Compare(b.Version); c != 0 {
			return c
		}
		return int(a.Kind) - int(b.Kind)
	})
	return Range{events}
}

// contains is the evaluation that the OSV schema describes.
func (r *Range) contains(v python.Version) bool {
	if !r.beforeLimits(v) {
		return false
	}
	in := false
	for _, e := range r.events {
		switch e.Kind {
		case Introduced:
			in = in || e.Everywhere || v.Compare(e.Version) >= 0
		case Fixed:
			in = in && v.Compare(e.Version) < 0
		case LastAffected:
			in = in && v.Compare(e.Version) <= 0
		}
	}
	return in
}

func (r *Range) beforeLimits(v python.Version) bool {
	limited := false
	for _, e := range r.events {
		if e.Kind != Limit {
			continue
		}
		if e.Everywhere || v.Compare(e.Version) < 0 {
			return true
		}
		limited = true
	}
	return !limited
}

// Affects tells whether the advisory is about a version of a project: a range
// holds it, or it is listed. A version with a local label ("2.0+cpu") is affected
// if the public one is, since nobody lists builds.
func (a *Advisory) Affects(name python.Name, v python.Version) bool {
	for i := range a.Affected {
		if a.Affected[i].Name == name && (a.Affected[i].contains(v) || v.Local() != "" && a.Affected[i].contains(v.Public())) {
			return true
		}
	}
	return false
}

func (a *Affected) contains(v python.Version) bool {
	for i := range a.Ranges {
		if a.Ranges[i].contains(v) {
			return true
		}
	}
	_, listed := slices.BinarySearchFunc(a.Versions, v, python.Version.Compare)
	return listed || slices.Contains(a.Odd, v.String())
}

// FixedAfter returns the versions above v that the advisory names as fixed,
// ascending.
func (a *Advisory) FixedAfter(name python.Name, v python.Version) []python.Version {
	var out []python.Version
	for _, x := range a.Affected {
		if x.Name != name {
			continue
		}
		for _, r := range x.Ranges {
			for _, e := range r.events {
				if e.Kind == Fixed && e.Version.Compare(v) > 0 {
					out = append(out, e.Version)
				}
			}
		}
	}
	slices.SortFunc(out, python.Version.Compare)
	return slices.CompactFunc(out, python.Version.Equal)
}

// rating returns severity and score for one project.
func (a *Advisory) rating(name python.Name) (Severity, float64) {
	for _, x := range a.Affected {
		if x.Name == name && x.Severity != Unset {
			return x.Severity, x.Score
		}
	}
	return a.Severity, a.Score
}

// merged is one vulnerability with all advisories about it.
type merged struct {
	ids        []string // the best known first
	advisories []*Advisory
}

// mergeAliases joins advisories that are about the same vulnerability: one names
// the other, or both have an alias in common.
func mergeAliases(list []*Advisory) []merged {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *Advisory) int { return compareIDs(a.ID, b.ID) })
	group := map[string]int{} // of each id
	var out []merged
	for _, a := range list {
		if a.Withdrawn {
			continue
		}
		at := len(out)
		out = append(out, merged{advisories: []*Advisory{a}})
		for _, id := range append([]string{a.ID}, a.Aliases...) {
			if g, ok := group[id]; ok && g != at {
				out[min(g, at)].advisories = append(out[min(g, at)].advisories, out[max(g, at)].advisories...)
				out[max(g, at)].advisories = nil
				from, to := max(g, at), min(g, at)
				for k, v := range group {
					if v == from {
						group[k] = to
					}
				}
				at = to
			}
			group[id] = at
		}
	}
	out = slices.DeleteFunc(out, func(m merged) bool { return m.advisories == nil })
	for i := range out {
		for _, a := range out[i].advisories {
			out[i].ids = append(append(out[i].ids, a.ID), a.Aliases...)
		}
		slices.SortFunc(out[i].ids, compareIDs)
		out[i].ids = slices.Compact(out[i].ids)
	}
	return out
}

// compareIDs orders the names of a vulnerability: those of the Python and GitHub
// databases, which say which versions, before the CVE, before others.
func compareIDs(a, b string) int {
	if d := idRank(a) - idRank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func idRank(id string) int {
	for i, prefix := range []string{"PYSEC-", "GHSA-", "MAL-", "CVE-"} {
		if strings.HasPrefix(id, prefix) {
			return i
		}
	}
	return 9
}
