package audit

import (
	"maps"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// split reports projects whose versions differ between platforms.
var split = Rule{
	Code: "split", Severity: Low,
	Title: "The platforms have different versions of a package",
	Help:  "What was tested on one platform is not what runs on the other. Pin a version that all platforms have.",
	check: checkSplit,
}

func checkSplit(f *Facts) []Finding {
	var order []python.Name
	items := map[python.Name][]*Item{}
	for _, i := range f.Items {
		if i.Version == nil || len(i.On) == 0 {
			continue
		}
		if items[i.Name] == nil {
			order = append(order, i.Name)
		}
		items[i.Name] = append(items[i.Name], i)
	}
	var out []Finding
	for _, name := range order {
		list := items[name]
		if on, text := f.versionsOn(list); on != nil {
			x := f.finding(list[0], on, "its versions differ: "+text, f.oneVersion(list, on))
			x.Version = ""
			out = append(out, x)
		}
	}
	return out
}

// oneVersion says how the targets get one version of a project: one with wheels for
// all that fits what all of them ask for.
func (f *Facts) oneVersion(list []*Item, on []int) string {
	const pin = "pin a version that all of them have"
	l := f.Index[list[0].Name]
	if l == nil || l.Missing {
		return pin
	}
	bounds := f.bounds(list)
	fitting := func(v python.Version) bool {
		return !slices.ContainsFunc(bounds, func(s python.Specifiers) bool { return !s.Contains(v, true) })
	}
	if v, ok := l.versionWithWheels(f.Targets, on, true, fitting); ok {
		return v.String() + " has wheels for all of them"
	}
	if v, ok := l.versionWithWheels(f.Targets, on, true, anyVersion); ok {
		return v.String() + " has wheels for all of them, but does not fit all that ask for it: relax their bounds"
	}
	return pin
}

// bounds are those that requirements and packages put on a project on any platform.
func (f *Facts) bounds(list []*Item) []python.Specifiers {
	var out []python.Specifiers
	for _, i := range list {
		if i.Entry == nil {
			continue
		}
		for _, line := range i.Entry.Distill.WantedBy {
			_, what, _ := pylock.SplitWanter(line)
			if r, err := python.ParseRequirement(what); err == nil {
				out = append(out, r.Specifiers)
			}
		}
	}
	if f.Wanted == nil {
		return out
	}
	for _, r := range slices.Concat(f.Wanted.Requirements, f.Wanted.Constraints) {
		if r.Name == list[0].Name {
			out = append(out, r.Specifiers)
		}
	}
	return out
}

// versionsOn tells which version each target has; on is nil if all that have one
// have the same. Of several on one target the first counts.
func (f *Facts) versionsOn(list []*Item) (on []int, text string) {
	first := map[int]*Item{}
	for _, i := range list {
		for _, t := range i.On {
			if first[t] == nil {
				first[t] = i
			}
		}
	}
	on = slices.Sorted(maps.Keys(first))
	differ := false
	var parts []string
	for _, t := range on {
		differ = differ || !first[t].Version.Equal(*first[on[0]].Version)
		parts = append(parts, f.Targets[t].Name+" "+first[t].Version.String())
	}
	if !differ {
		return nil, ""
	}
	return on, strings.Join(parts, ", ")
}
