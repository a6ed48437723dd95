package plan

import (
	"maps"
	"path"
	"slices"
	"strings"
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
				"%s: %q of the wheel needs %s, which neither the base nor the development image has%s", owner(k.l), path, k.d.Name, problem(k.d))
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
		if path := l.file.Path; n.isExtension(path) && !isOptional(path) {
			visit(path)
		}
	}
	return out
}

// optional are files whose package works without them, for each of which the
// library is in no image that has not asked for it: numba tries its threading
// layers one after the other.
var optional = []string{
	"numba/np/ufunc/tbbpool.*.so",
	"numba/np/ufunc/omppool.*.so",
}

func isOptional(p string) bool {
	return slices.ContainsFunc(optional, func(pattern string) bool {
		n := strings.Count(pattern, "/") + 1
		parts := strings.Split(p, "/")
		if len(parts) < n {
			return false
		}
		ok, err := path.Match(pattern, strings.Join(parts[len(parts)-n:], "/"))
		return ok && err == nil
	})
}
