package audit

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/modules"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// findScope lists the modules of distributions that Python gets by their name, and of
// applications.
func (v *verifier) findScope() {
	for _, d := range v.env.Distributions {
		if d.Shadowed {
			continue
		}
		for _, p := range d.Files {
			name, _ := v.moduleName(d.Location, p)
			if name == "" {
				continue
			}
			if m, _ := v.tree.Find(name); m != nil && m.File == p {
				v.scope = append(v.scope, m)
			}
		}
	}
	for _, root := range v.o.Roots {
		for f := range v.env.Files.Under(root) {
			if name, _ := v.moduleName(root, f.Path); name != "" {
				if m, _ := v.tree.Find(name); m != nil && m.File == f.Path {
					v.scope = append(v.scope, m)
				}
			}
		}
	}
}

// findRoots lists the modules that are imported from outside: the top-level ones of each
// distribution, below namespaces if need be, and all of an application; and, apart from
// these, those that console scripts start.
func (v *verifier) findRoots() {
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			v.roots = append(v.roots, name)
		}
	}
	for _, d := range v.env.Distributions {
		if d.Shadowed {
			continue
		}
		for _, name := range v.topLevel(d) {
			add(name)
		}
		for _, e := range v.scripts(d) {
			if e.Module != "" {
				v.entries = append(v.entries, e.Module)
			}
		}
	}
	for _, m := range v.scope {
		for _, root := range v.o.Roots {
			if strings.HasPrefix(m.File, root+"/") && !isSide(m.File) {
				add(m.Name)
			}
		}
	}
}

// topLevel lists the modules that users of a distribution import: not those with a private
// name, unless there are no others.
func (v *verifier) topLevel(d *inspect.Distribution) []string {
	var public, private []string
	for _, p := range d.Files {
		name, pkg := v.moduleName(d.Location, p)
		if name == "" || isSide(strings.TrimPrefix(p, d.Location+"/")) {
			continue
		}
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			above, _ := v.tree.Find(name[:i])
			if !pkg || above == nil || above.Kind != modules.Namespace {
				continue
			}
		}
		if strings.HasPrefix(name, "_") {
			private = append(private, name)
		} else {
			public = append(public, name)
		}
	}
	if len(public) > 0 {
		return public
	}
	return private
}

// scripts are the console scripts of a distribution.
func (v *verifier) scripts(d *inspect.Distribution) []python.EntryPoint {
	const limit = 1 << 20
	f := v.file(d.Info + "/entry_points.txt")
	if f == nil || d.Info == "" {
		return nil
	}
	text, err := f.ReadAll(limit)
	if err != nil {
		return nil
	}
	all, err := python.ParseEntryPoints(text)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(all, func(e python.EntryPoint) bool { return !e.IsScript() })
}

// findNative follows the needs of all native code: of distributions and applications, of
// the interpreter and its own extension modules.
func (v *verifier) findNative() {
	py := v.env.Python
	l, err := v.env.Loader()
	if err != nil {
		return // missing-interpreter says so
	}
	v.loader = l
	add := func(p string) {
		f, ok := v.env.Files.Get(p)
		if !ok || !f.IsRegular() {
			return
		}
		if i := inspect.ELF(f); i != nil && i.Dynamic && i.Interp == "" && i.Loader == nil && v.loads(i) {
			v.elf = append(v.elf, p)
		}
	}
	for _, d := range v.env.Distributions {
		for _, p := range d.Files {
			add(p)
		}
	}
	for f := range v.env.Files.Under(py.Stdlib + "/lib-dynload") {
		add(f.Path)
	}
	for _, root := range v.o.Roots {
		for f := range v.env.Files.Under(root) {
			add(f.Path)
		}
	}
	slices.Sort(v.elf)
	var importable, others []string
	for _, p := range slices.Compact(v.elf) {
		if v.isModule(p) {
			importable = append(importable, p)
		} else {
			others = append(others, p)
		}
	}
	v.elf = importable
	if c, err := l.Closure(append(slices.Clone(importable), py.Path), py.Path); err == nil {
		v.closure = c
	}
	if c, err := l.Closure(nil, py.Path); err == nil {
		for _, o := range c.Objects {
			v.vital[o.Real] = true
		}
	}
	v.findLoose(others)
}

// findLoose follows the needs of native code that no module needs: plug-ins, and
// libraries that are loaded by name. What comes with a module finds its own needs by that
// module's path, not by itself.
func (v *verifier) findLoose(others []string) {
	if v.closure == nil {
		return
	}
	known := map[string]bool{}
	for _, o := range v.closure.Objects {
		known[o.Real] = true
	}
	others = slices.DeleteFunc(others, func(p string) bool { return known[p] })
	if c, err := v.loader.Closure(others, v.env.Python.Path); err == nil {
		c.Objects = slices.DeleteFunc(c.Objects, func(o *elfdeps.Object) bool { return known[o.Real] })
		v.loose = c
	}
}

// objects are all objects that may be loaded.
func (v *verifier) objects() []*elfdeps.Object {
	if v.closure == nil {
		return nil
	}
	out := v.closure.Objects
	if v.loose != nil {
		out = slices.Concat(out, v.loose.Objects)
	}
	return out
}

// loads tells whether the interpreter's loader takes a file: wheels have some for other
// machines, too.
func (v *verifier) loads(i *elfdeps.Info) bool {
	py := v.env.Python
	libc := i.Libc()
	return i.Arch() == py.Arch && (libc == "" || py.Libc.Family == "" || libc == py.Libc.Family)
}

// findGuarded finds the modules whose imports all stand where they may fail: what
// those lack is no fault.
func (v *verifier) findGuarded() {
	guarded, needed := map[string]bool{}, map[string]bool{}
	for _, m := range v.scope {
		if m.Facts == nil {
			continue
		}
		for k := range m.Facts.Imports {
			i := &m.Facts.Imports[k]
			for _, n := range v.tree.Needs(m, i) {
				if n.Module == nil || n.Module.File == "" {
					continue
				}
				if i.Try > 0 || isSide(m.File) {
					guarded[n.Module.File] = true
				} else {
					needed[n.Module.File] = true
				}
			}
		}
	}
	for p := range guarded {
		if !needed[p] && v.reached[p] == nil {
			v.guarded[p] = true
		}
	}
}
