package modules

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pysource"
)

// Need is one module that an import asks for.
type Need struct {
	Name   string  // absolute: "numpy.linalg"
	Module *Module // nil if it is not there
	// Known is false if a missing module may be made at run time, or may be an
	// attribute that can't be seen.
	Known bool
	// Attribute is set for a name that the module before it defines or may define.
	Attribute bool
	// Of is the module that lacks it, if the need is one of the names of "from Of
	// import name".
	Of *Module
}

// Missing tells whether the import fails.
func (n *Need) Missing() bool { return n.Module == nil && n.Known && !n.Attribute }

// Needs returns what an import statement of a module asks for, parents before what they
// hold. A relative import that leaves its package gives a missing need.
func (t *Tree) Needs(from *Module, i *pysource.Import) []Need {
	base, ok := t.absolute(from, i.Module)
	if !ok {
		return []Need{{Name: i.Module, Known: from.Name != "__main__"}}
	}
	var out []Need
	for at := range len(base) + 1 {
		if at == len(base) || base[at] == '.' {
			m, known := t.Find(base[:at])
			out = append(out, Need{Name: base[:at], Module: m, Known: known})
			if m == nil {
				return out
			}
		}
	}
	of := out[len(out)-1].Module
	if !of.Package {
		return out // its names are attributes
	}
	for _, name := range i.Names {
		if name == "*" {
			continue
		}
		n := t.member(of, name)
		// "from . import _parser" inside the standard library asks for a file; public
		// names may be made at run time (multiprocessing).
		if n.Module == nil && !n.Attribute && strings.HasPrefix(name, "_") && strings.HasPrefix(i.Module, ".") && t.isStdlib(from) && !(of.Facts != nil && of.Facts.Star) {
			n.Known = true
		}
		out = append(out, n)
	}
	return out
}

// member is what "from of import name" gets of a package.
func (t *Tree) member(of *Module, name string) Need {
	n := Need{Name: of.Name + "." + name, Of: of}
	n.Module, n.Known = t.Find(n.Name)
	if n.Module == nil {
		n.Known = n.Known && !of.mayHave(name)
		n.Attribute = strings.HasPrefix(name, "__") || of.Facts != nil && binds(of.Facts, name)
	}
	return n
}

// absolute makes a module name out of what an import statement says.
func (t *Tree) absolute(from *Module, name string) (string, bool) {
	rest := strings.TrimLeft(name, ".")
	dots := len(name) - len(rest)
	if dots == 0 {
		return name, name != ""
	}
	pkg := from.Name
	if !from.Package {
		dots++
	}
	for ; dots > 1; dots-- {
		i := strings.LastIndexByte(pkg, '.')
		if i < 0 {
			return "", false
		}
		pkg = pkg[:i]
	}
	if rest == "" {
		return pkg, true
	}
	return pkg + "." + rest, true
}

func binds(f *pysource.Facts, name string) bool {
	_, ok := slices.BinarySearch(f.Binds, name)
	return ok
}

// Required returns the imports of m without which it can't be imported: those that
// are not optional, and those that make up for one which is not there.
func (t *Tree) Required(m *Module) []*pysource.Import {
	if m.Facts == nil {
		return nil
	}
	var out []*pysource.Import
	list := m.Facts.Imports
	for k := range list {
		i := &list[k]
		switch {
		case i.Deferred:
		case !i.Optional:
			out = append(out, i)
		case i.Fallback && slices.ContainsFunc(list, func(o pysource.Import) bool {
			return o.Try == i.Try && !o.Fallback && !o.Deferred && t.lacks(m, &o)
		}):
			out = append(out, i)
		}
	}
	return out
}

// lacks tells whether an import is known to fail.
func (t *Tree) lacks(m *Module, i *pysource.Import) bool {
	return slices.ContainsFunc(t.Needs(m, i), func(n Need) bool { return n.Missing() })
}

// Reach returns the modules that are imported when the named ones are, in the order in
// which they are found. Only what [Tree.Required] names is followed.
func (t *Tree) Reach(roots []string) []*Module {
	var out []*Module
	seen := map[*Module]bool{}
	add := func(m *Module) {
		if m != nil && !seen[m] {
			seen[m] = true
			out = append(out, m)
		}
	}
	for _, r := range roots {
		for at := range len(r) + 1 {
			if at == len(r) || r[at] == '.' {
				m, _ := t.Find(r[:at])
				add(m)
			}
		}
	}
	for k := 0; k < len(out); k++ {
		for _, i := range t.Required(out[k]) {
			for _, n := range t.Needs(out[k], i) {
				add(n.Module)
			}
		}
	}
	return out
}
