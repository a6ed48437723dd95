package audit

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// way is how an entry gets onto a target.
type way int

const (
	asIs    way = iota // a wheel that fits, or the files of the development image
	byBuild            // from source only
	noWay
)

// wayOnto returns how the entry gets onto a target.
func (i *Item) wayOnto(t *resolve.Target) way {
	e := i.Entry
	if i.ImageOnly || e.Distill.On[t.Name] == pylock.FromImage || t.Tags == nil {
		return asIs
	}
	for k := range e.Wheels {
		if fits(e.Wheels[k].Name, t) {
			return asIs
		}
	}
	switch {
	case e.Archive != nil && strings.HasSuffix(e.Archive.Name, ".whl"):
		if fits(e.Archive.Name, t) {
			return asIs
		}
		return noWay
	case e.Sdist != nil || e.Archive != nil || e.Elsewhere != "":
		return byBuild
	}
	return noWay
}

func fits(wheel string, t *resolve.Target) bool {
	w, err := python.ParseWheelName(wheel)
	if err != nil {
		return false
	}
	_, ok := t.Tags.Rank(w)
	return ok
}

// onBy returns the targets that the entry gets onto in this way.
func (f *Facts) onBy(i *Item, w way) []int {
	var out []int
	for _, t := range i.On {
		if i.wayOnto(&f.Targets[t]) == w {
			out = append(out, t)
		}
	}
	return out
}

// versionWithWheels looks for a version in the listing that is admitted and has a
// wheel for each target; the first one in the order of the walk.
func (l *Listing) versionWithWheels(targets []resolve.Target, on []int, down bool, admit func(python.Version) bool) (python.Version, bool) {
	n := len(l.Project.Versions)
	for k := range n {
		if down {
			k = n - 1 - k
		}
		v := l.Project.Versions[k]
		if v.IsPrerelease() || !admit(v) {
			continue
		}
		list := l.Project.Artifacts(k)
		if !slices.ContainsFunc(on, func(t int) bool { return !hasWheel(list, &targets[t]) }) {
			return v, true
		}
	}
	return python.Version{}, false
}

// hasWheel tells whether one of the files is a wheel that a target may use.
func hasWheel(list []*resolve.Artifact, t *resolve.Target) bool {
	return slices.ContainsFunc(list, func(a *resolve.Artifact) bool {
		if a.Kind != resolve.Wheel || a.Yanked || t.Tags == nil || !a.RequiresPython.Contains(t.Python, true) {
			return false
		}
		_, ok := t.Tags.Rank(a.WheelName)
		return ok
	})
}
