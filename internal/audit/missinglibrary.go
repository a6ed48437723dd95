package audit

import (
	"fmt"
	"path"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
)

// missingLibrary reports native code whose libraries the loader would not find.
var missingLibrary = verifyRule{
	Rule: Rule{
		Code: "missing-library", Severity: High,
		Title: "Native code needs a library that the loader does not find",
		Help:  "Loading the file fails. Install the library in the development image or the base, or keep it with --include.",
	},
	verify: checkLibraries,
}

func checkLibraries(v *verifier) []Finding {
	if v.closure == nil {
		return nil
	}
	var out []Finding
	for _, o := range v.closure.Objects {
		for _, d := range o.Needs {
			if !d.IsMissing() || d.Provider != "" {
				continue
			}
			message := fmt.Sprintf("needs %s, which the loader does not find", d.Name)
			if d.Problem != "" {
				message = fmt.Sprintf("needs %s, but what the loader finds can't be loaded: %s", d.Name, d.Problem)
			}
			x := v.finding(o.Real, message, "install the library in the development image, or take a base that has it")
			x.Severity = v.weight(o)
			out = append(out, x)
		}
	}
	return append(out, v.loadedByName()...)
}

// weight is the severity of what an object lacks: a module that is only imported where it may
// fail, and a library that nothing needs, were perhaps never of use.
func (v *verifier) weight(o *elfdeps.Object) Severity {
	if v.isNeeded(o.Real, map[string]bool{}) {
		return High
	}
	return Medium
}

// isNeeded tells whether an object is the interpreter, a module that is not guarded, or a
// library of one.
func (v *verifier) isNeeded(real string, seen map[string]bool) bool {
	if seen[real] {
		return false
	}
	seen[real] = true
	if real == v.env.Python.Path || v.isModule(real) {
		return !v.guarded[real] && !isSide(real)
	}
	for _, o := range v.closure.Objects {
		if slices.ContainsFunc(o.Needs, func(d elfdeps.Dep) bool { return d.Real == real }) && v.isNeeded(o.Real, seen) {
			return true
		}
	}
	return false
}

// isModule tells whether Python would import the file.
func (v *verifier) isModule(p string) bool {
	if path.Dir(p) == v.env.Python.Stdlib+"/lib-dynload" {
		return true
	}
	d := v.owner[p]
	if d == nil {
		return false
	}
	name, _ := v.moduleName(d.Location, p)
	if name == "" {
		return false
	}
	m, _ := v.tree.Find(name)
	return m != nil && m.File == p
}
