package audit

import (
	"fmt"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// unmetDependency reports what installed packages require and do not get, as pip check
// does.
var unmetDependency = verifyRule{
	Rule: Rule{
		Code: "unmet-dependency", Severity: High,
		Title: "An installed package requires another that is missing or of another version",
		Help:  "Add the package to the requirements, or take versions that go together.",
	},
	verify: checkDependencies,
}

func checkDependencies(v *verifier) []Finding {
	if v.env.Python == nil {
		return nil
	}
	installed := map[python.Name]*inspect.Distribution{}
	for _, d := range v.env.Distributions {
		if installed[d.Name] == nil {
			installed[d.Name] = d
		}
	}
	extras := v.extras(installed)
	var out []Finding
	for _, d := range v.env.Distributions {
		if d.Shadowed || d.Metadata == nil {
			continue
		}
		if !d.Metadata.RequiresPython.Contains(v.env.Python.Version, true) {
			out = append(out, v.about(d, fmt.Sprintf("requires Python %s, the image has %s", d.Metadata.RequiresPython, v.env.Python.Version),
				"take a version for this Python"))
		}
		for _, r := range d.Metadata.RequiresDist {
			if ok, err := r.Marker.Eval(&v.env.Python.Markers, extras[d.Name]...); err != nil || !ok || slices.Contains(v.o.Overridden, r.Name) {
				continue
			}
			has := installed[r.Name]
			switch {
			case has == nil:
				out = append(out, v.about(d, fmt.Sprintf("requires %s, which is not in the image", r), fmt.Sprintf("add %s to the requirements", r.Name)))
			case r.URL == "" && !r.Specifiers.Contains(has.Version, true):
				out = append(out, v.about(d, fmt.Sprintf("requires %s, the image has %s %s", r, r.Name, has.Version), "take versions that go together"))
			}
		}
	}
	return out
}

// extras finds the extras that installed packages ask for of each other. An extra that only
// the user asked for is not known, and what it brings is not missed.
func (v *verifier) extras(installed map[python.Name]*inspect.Distribution) map[python.Name][]python.Name {
	out := map[python.Name][]python.Name{}
	for changed := true; changed; {
		changed = false
		for _, d := range v.env.Distributions {
			if installed[d.Name] != d || d.Metadata == nil {
				continue
			}
			for _, r := range d.Metadata.RequiresDist {
				if len(r.Extras) == 0 {
					continue
				}
				if ok, err := r.Marker.Eval(&v.env.Python.Markers, out[d.Name]...); err != nil || !ok {
					continue
				}
				for _, x := range r.Extras {
					if !slices.Contains(out[r.Name], x) {
						out[r.Name] = append(out[r.Name], x)
						changed = true
					}
				}
			}
		}
	}
	return out
}
