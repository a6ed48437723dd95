package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/modules"
	"github.com/r-seed-1713b764/distill/internal/python"
)

const unresolvedCode = "unresolved-import"

// unresolvedImport reports modules that can't be imported since something that they
// import is not there.
var unresolvedImport = verifyRule{
	Rule: Rule{
		Code: unresolvedCode, Severity: High,
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
	c := importCheck{verifier: v, groups: map[importGroup][]string{}}
	seen := map[*modules.Module]bool{}
	for _, m := range slices.Concat(v.tree.Reach(v.roots), v.scope) {
		if seen[m] {
			continue
		}
		seen[m] = true
		for _, i := range v.tree.Required(m) {
			for _, n := range v.tree.Needs(m, i) {
				if n.Missing() {
					c.add(m, &n)
				}
			}
		}
	}
	return append(c.errors, c.grouped()...)
}

// importCheck collects findings: one for each error, and one for all modules of a
// distribution that can't be imported for want of the same package, if nothing that is
// sure to run needs them.
type importCheck struct {
	*verifier
	errors []Finding
	groups map[importGroup][]string // names of the modules
	order  []importGroup
}

type importGroup struct {
	name     python.Name
	top      string // what is missing, or has a part missing
	severity Severity
	file     string // the first of the modules
	version  string
}

func (c *importCheck) add(m *modules.Module, n *modules.Need) {
	x, top := c.unresolved(m, n)
	if x.Severity == Unset {
		c.errors = append(c.errors, x)
		return
	}
	at := slices.IndexFunc(c.order, func(g importGroup) bool {
		return g.name == x.Package && g.top == top && g.severity == x.Severity
	})
	if at < 0 {
		at = len(c.order)
		c.order = append(c.order, importGroup{x.Package, top, x.Severity, m.File, x.Version})
	}
	g := c.order[at]
	if !slices.Contains(c.groups[g], m.Name) {
		c.groups[g] = append(c.groups[g], m.Name)
	}
}

// unresolved makes a finding of a missing module. It is an error if the module that
// wants it is imported with its distribution or with the application, and what is missing
// belongs to the application, the standard library or a package that is there. A package
// that nothing requires is a warning: the module would fail, but whoever installs the
// same requirements has the same (matplotlib_inline without matplotlib).
// Other modules may lack parts of their own package, too: packages ship modules for
// other systems, or for back ends that were not built. What a plug-in for another
// package lacks is a note.
func (c *importCheck) unresolved(m *modules.Module, n *modules.Need) (x Finding, top string) {
	top, _, _ = strings.Cut(n.Name, ".")
	own, _, _ := strings.Cut(m.Name, ".")
	x = c.finding(m.File, fmt.Sprintf("%s imports %s, which is not in the image", m.Name, n.Name), "")
	if n.Of != nil {
		x.Message = fmt.Sprintf("%s imports %s from %s, which has neither a module nor a name like that", m.Name, n.Name[len(n.Of.Name)+1:], n.Of.Name)
	}
	there, known := c.tree.Find(top)
	switch {
	case modules.IsStdlib(top):
		x.Fix = "keep the standard library whole, or take a base image that has it"
	case there != nil || !known:
		x.Fix = fmt.Sprintf("keep all of %s (--include), or take versions that go together", top)
	default:
		x.Fix = fmt.Sprintf("require the package that has %s", top)
	}
	switch {
	case c.reached[m.File] != nil && top == own && modules.IsStdlib(top):
		c.vital[m.File] = true // a base may lack parts of the standard library, not parts of its packages
	case c.reached[m.File] != nil && (there != nil || modules.IsStdlib(top) || c.isApp(m.File)):
	case c.reached[m.File] != nil:
		x.Severity = Medium
	case c.scripted[m.File]:
		x.Severity = Medium
	case isSide(m.File), c.guarded[m.File], there == nil, top == own:
		x.Severity = Low
	default:
		x.Severity = Medium
	}
	return x, top
}

// isApp tells whether a file is of the application.
func (v *verifier) isApp(file string) bool {
	return slices.ContainsFunc(v.o.Roots, func(root string) bool { return strings.HasPrefix(file, root+"/") })
}

// grouped makes one finding of each group.
func (c *importCheck) grouped() []Finding {
	var out []Finding
	for _, g := range c.order {
		names := c.groups[g]
		slices.Sort(names)
		const shown = 3
		text := strings.Join(names[:min(len(names), shown)], ", ")
		if len(names) > shown {
			text += fmt.Sprintf(" and %d more modules", len(names)-shown)
		}
		message := fmt.Sprintf("%s can't be imported: %s is not in the image", text, g.top)
		if m, _ := c.tree.Find(g.top); m != nil {
			message = fmt.Sprintf("%s can't be imported: parts of %s are not in the image", text, g.top)
		}
		out = append(out, Finding{
			ID: unresolvedCode + "/" + cmp.Or(string(g.name), g.file) + "/" + g.top, Severity: g.severity, Package: g.name, Version: g.version, Place: Place{File: g.file},
			Message: message, Fix: "add what is missing if the application uses these modules",
		})
	}
	return out
}
