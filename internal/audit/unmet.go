package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// unmet reports requirements that the lock does not fulfil.
var unmet = Rule{
	Code: "unmet", Severity: High, lockOnly: true,
	Title: "The lock does not fulfil a requirement",
	Help:  "The requirements have changed since the lock was made: lock again.",
	check: checkUnmet,
}

func checkUnmet(f *Facts) []Finding {
	if f.Wanted == nil {
		return nil
	}
	var out []Finding
	overridden := map[python.Name]bool{}
	for _, r := range f.Wanted.Overrides {
		overridden[r.Name] = true
		out = append(out, f.judge(r, false)...)
	}
	for _, r := range f.Wanted.Requirements {
		if overridden[r.Name] {
			r.Specifiers = python.Specifiers{}
		}
		out = append(out, f.judge(r, true)...)
	}
	for _, r := range f.Wanted.Constraints {
		if !overridden[r.Name] {
			out = append(out, f.judge(r, false)...)
		}
	}
	return out
}

// judge compares one requirement with the lock on each target and makes one
// finding of each complaint. Without needed, a package that is not there is fine.
func (f *Facts) judge(r python.Requirement, needed bool) []Finding {
	var out []Finding
	for t := range f.Targets {
		if ok, err := r.Marker.Eval(&f.Targets[t].Markers); err != nil || !ok {
			continue
		}
		i := f.itemOn(r.Name, t)
		why := complaint(r, i)
		if why == "" || i == nil && !needed {
			continue
		}
		if k := slices.IndexFunc(out, func(x Finding) bool { return x.Message == why }); k >= 0 {
			out[k].Platforms = append(out[k].Platforms, f.Targets[t].Name)
			continue
		}
		x := Finding{
			Package: r.Name, Platforms: []string{f.Targets[t].Name}, Message: why, Fix: "lock again",
			Place: Place{File: r.Pos.File, Line: r.Pos.Line},
		}
		if i != nil {
			x.Version = i.Key().Version
		}
		out = append(out, x)
	}
	return out
}

// itemOn returns the entry of a project that counts on a target, nil if there is
// none.
func (f *Facts) itemOn(name python.Name, target int) *Item {
	for _, i := range f.Items {
		if i.Name == name && slices.Contains(i.On, target) {
			return i
		}
	}
	return nil
}

// complaint says why an entry does not do for a requirement, "" if it does.
func complaint(r python.Requirement, i *Item) string {
	switch {
	case i == nil:
		return fmt.Sprintf("%s is wanted, but the lock does not have it", r)
	case r.URL != "" && i.Entry != nil && i.Entry.Archive == nil && i.Entry.Elsewhere == "" && !i.ImageOnly:
		return fmt.Sprintf("%s is wanted, but the lock takes it from an index", r)
	case i.Version != nil && !r.Specifiers.Contains(*i.Version, true):
		return fmt.Sprintf("%s is wanted, the lock has %s", r, i.Version)
	}
	if i.Entry == nil || len(i.Entry.Distill.On) == 0 {
		return "" // others do not write down which extras were asked for
	}
	var missing []string
	for _, x := range r.Extras {
		if !slices.Contains(i.Entry.Distill.Extras, x) {
			missing = append(missing, string(x))
		}
	}
	if len(missing) > 0 {
		return fmt.Sprintf("%s is wanted, but was locked without the extra %s", r, strings.Join(missing, ", "))
	}
	return ""
}
