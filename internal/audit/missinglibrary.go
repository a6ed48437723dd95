package audit

import (
	"fmt"
	"path"

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
	for _, o := range v.objects() {
		for _, d := range o.Needs {
			if !d.IsMissing() || d.Provider != "" && v.owner[d.Provider] == v.owner[o.Real] {
				continue // a package may load its own libraries before they are needed
			}
			message := fmt.Sprintf("needs %s, which the loader does not find", d.Name)
			if d.Problem != "" {
				message = fmt.Sprintf("needs %s, but what the loader finds can't be loaded: %s", d.Name, d.Problem)
			}
			x := v.finding(o.Real, message, "install the library in the development image, or take a base that has it")
			x.Severity = v.weight(o)
			if d.Provider != "" {
				x.Message += fmt.Sprintf(" unless /%s was loaded before", d.Provider)
				x.Severity = Medium
			}
			out = append(out, x)
		}
	}
	return append(out, v.loadedByName()...)
}

// weight is the severity of what an object lacks: a module that is only imported where it may
// fail, and a library that nothing needs, were perhaps never of use.
func (v *verifier) weight(o *elfdeps.Object) Severity {
	if v.needed == nil {
		v.findNeeded()
	}
	if v.needed[o.Real] {
		return High
	}
	return Medium
}

// findNeeded finds the interpreter, the modules that are not guarded, and the libraries
// of all these.
func (v *verifier) findNeeded() {
	v.needed = neededBy(v.closure.Objects, func(o *elfdeps.Object) bool {
		return o.Real == v.env.Python.Path || v.isModule(o.Real) && !v.guarded[o.Real] && !isSide(o.Real)
	})
}

// neededBy are the objects that are roots, and the libraries that those need, directly or
// not, by their real paths.
func neededBy(objects []*elfdeps.Object, isRoot func(*elfdeps.Object) bool) map[string]bool {
	needed := map[string]bool{}
	byReal := map[string][]*elfdeps.Object{}
	var todo []string
	for _, o := range objects {
		byReal[o.Real] = append(byReal[o.Real], o)
		if isRoot(o) {
			todo = append(todo, o.Real)
		}
	}
	for len(todo) > 0 {
		real := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if needed[real] {
			continue
		}
		needed[real] = true
		for _, o := range byReal[real] {
			for _, d := range o.Needs {
				if !d.IsMissing() {
					todo = append(todo, d.Real)
				}
			}
		}
	}
	return needed
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
