package audit

import (
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/modules"
)

// unresolvedImport reports modules that can't be imported since something that they
// import is not there.
var unresolvedImport = verifyRule{
	Rule: Rule{
		Code: "unresolved-import", Severity: High,
		Title: "A module imports what is not in the image",
		Help: "Importing the module fails. Require the package that has the missing module, or keep the file with --include. " +
			"Imports that may fail (in try, in functions, under conditions) do not count.",
	},
	verify: checkImports,
}

func checkImports(v *verifier) []Finding {
	if v.tree == nil {
		return nil
	}
	var out []Finding
	seen := map[*modules.Module]bool{}
	visit := func(m *modules.Module) {
		if seen[m] {
			return
		}
		seen[m] = true
		for _, i := range v.tree.Required(m) {
			for _, n := range v.tree.Needs(m, i) {
				if n.Missing() {
					out = append(out, v.unresolved(m, &n))
				}
			}
		}
	}
	for _, m := range v.tree.Reach(v.roots) {
		visit(m)
	}
	for _, m := range v.scope {
		visit(m)
	}
	return out
}

// unresolved makes a finding of a missing module. It is an error if the module that
// wants it is imported with its distribution, or if the missing part belongs to the
// same package; what a plug-in for another package lacks is a note.
func (v *verifier) unresolved(m *modules.Module, n *modules.Need) Finding {
	top, _, _ := strings.Cut(n.Name, ".")
	own, _, _ := strings.Cut(m.Name, ".")
	x := v.finding(m.File, fmt.Sprintf("%s imports %s, which is not in the image", m.Name, n.Name), "")
	if n.Of != nil {
		x.Message = fmt.Sprintf("%s imports %s from %s, which has neither a module nor a name like that", m.Name, n.Name[len(n.Of.Name)+1:], n.Of.Name)
	}
	there, known := v.tree.Find(top)
	switch {
	case modules.IsStdlib(top):
		x.Fix = "keep the standard library whole, or take a base image that has it"
	case there != nil || !known:
		x.Fix = fmt.Sprintf("keep all of %s (--include), or take versions that go together", top)
	default:
		x.Fix = fmt.Sprintf("require the package that has %s", top)
	}
	switch {
	case v.reached[m.File] != nil:
	case isSide(m.File), there == nil:
		x.Severity = Low
	case top != own:
		x.Severity = Medium
	}
	return x
}
