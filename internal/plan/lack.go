package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
)

// judge decides about what neither image has. A wheel whose extension modules can't
// be loaded is an error: its importer would fail. All else is told in one
// warning for each package: what the development image lacks as well nobody can
// miss, and wheels (tbb, MKL's OpenMP) carry plug-ins for libraries that most
// machines lack.
func (n *native) judge() error {
	type told struct {
		file  string
		files map[string]bool
		libs  map[string]bool
	}
	imported := n.imported()
	byOwner := map[string]*told{}
	for _, k := range n.lacks {
		path := k.l.file.Path
		if k.d.Provider != "" {
			continue // loaded by its package before it is needed
		}
		if imported[k.o.Real] && k.l.by != nil && k.l.by.Wheel != nil {
			return failf("install the library in the development image, or leave the file out with --exclude",
				"%s: %q of the wheel needs %s, which neither the base nor the development image has%s", owner(k.l), path, k.d.Name, n.nearMiss(k.d))
		}
		t := byOwner[owner(k.l)]
		if t == nil {
			t = &told{file: path, files: map[string]bool{}, libs: map[string]bool{}}
			byOwner[owner(k.l)] = t
		}
		t.files[path], t.libs[k.d.Name] = true, true
	}
	for _, who := range slices.Sorted(maps.Keys(byOwner)) {
		t := byOwner[who]
		libs := slices.Sorted(maps.Keys(t.libs))
		n.warnf("%s: %s in neither image, though %q%s", who, some(libs), t.file, wants(len(t.files), len(libs)))
	}
	return nil
}

// nearMiss tells why what the development image has under the name of a missing library is
// not taken, "" if it has nothing.
func (n *native) nearMiss(d elfdeps.Dep) string {
	dev := n.devSide()
	if d.Problem != "" || dev == nil {
		return problem(d)
	}
	for _, dir := range dev.loader.Dirs() {
		path := join(dir, d.Name)
		real, ok := dev.tree.Real(path)
		if !ok {
			if at, ok := dev.tree.set.ResolveParent(path); ok {
				if f, ok := dev.tree.set.Get(at); ok && f.IsSymlink() {
					return fmt.Sprintf(": link %q to %q leads nowhere there", at, f.Link)
				}
			}
			continue
		}
		info, self := dev.tree.ELF(real), dev.tree.ELF(dev.loader.Path())
		switch {
		case info == nil:
			return fmt.Sprintf(": %q is not an ELF file", real)
		case self != nil && (info.Machine != self.Machine || info.Class != self.Class):
			return fmt.Sprintf(": %q is for %s, Python for %s", real, machine(info), machine(self))
		}
	}
	return ""
}

// wants ends a sentence about a file and others that need libraries.
func wants(files, libs int) string {
	what := " needs "
	if files > 1 {
		what = " and others need "
	}
	if libs > 1 {
		return what + "them"
	}
	return what + "it"
}

// imported returns the final paths of extension modules, and of all that must
// be loaded for them to be imported.
func (n *native) imported() map[string]bool {
	out := map[string]bool{}
	var visit func(real string)
	visit = func(real string) {
		o := n.now.byReal[real]
		if o == nil || out[real] {
			return
		}
		out[real] = true
		for _, d := range o.Needs {
			visit(d.Real)
		}
	}
	for _, l := range n.laidELF() {
		if path := l.file.Path; n.isExtension(path) && !n.isOptional(l) {
			visit(path)
		}
	}
	return out
}

// isOptional tells whether hints say that a file's package works without it.
func (n *native) isOptional(l *laid) bool {
	if l.by == nil {
		return false
	}
	if _, ok := n.optional[l.by.Name]; !ok {
		var globs []siteGlob
		for _, h := range n.in.Hints.For(l.by.Name) {
			if list, err := n.siteGlobs(h.Optional); err == nil {
				globs = append(globs, list...)
			}
		}
		n.optional[l.by.Name] = globs
	}
	return slices.ContainsFunc(n.optional[l.by.Name], func(g siteGlob) bool { return g.match(l.file.Path) })
}
