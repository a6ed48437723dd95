// Package modules says which file a Python module's name stands for in a tree, and
// what a module imports.
//
// It follows the path finder of CPython's import system: packages before modules,
// extension modules before sources before byte code, namespace packages last. It
// runs nothing; where a module may do what its text does not tell, it says so.
package modules

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/pysource"
)

// Options describe the interpreter.
type Options struct {
	SysPath   []string // directories and archives, in import order
	ExtSuffix string   // ".cpython-311-x86_64-linux-gnu.so"; "" if unknown
	Builtins  []string // modules that are compiled in; nil if unknown
	Minor     int      // 11 of Python 3.11
	Stdlib    string   // directory of the standard library, "" if unknown
	// Archives are the top-level modules of the archives on SysPath that are known.
	Archives map[string][]string
	// Source returns what is known of a .py file, nil if nothing is.
	Source func(f *files.File) *pysource.Facts
}

// Kind says what a module is made of.
type Kind byte

// The kinds of modules.
const (
	Source    Kind = iota + 1
	ByteCode       // a .pyc without its source
	Extension      // a shared library
	Compiled       // part of the interpreter: built in, or frozen
	Namespace      // directories without __init__
	Archived       // in a zip file; nothing below it is known
)

// Module is one importable module.
type Module struct {
	Name    string // "numpy.linalg"
	Kind    Kind
	File    string // of the module or its __init__, "" if it has none
	Package bool
	// Facts are what a source says, nil if that is not known.
	Facts *pysource.Facts

	paths []string // where submodules are looked for
}

// grafts tells whether a package may have submodules that can't be seen in the tree.
func (m *Module) grafts() bool {
	return m.Kind != Namespace && (m.Kind != Source || m.Facts == nil || m.Facts.Grafts)
}

// mayHave tells whether a package may have a name that can't be seen in the tree. A star
// import brings public names, or else what __all__ lists, which private ones rarely are.
func (m *Module) mayHave(name string) bool {
	if m.Kind == Namespace {
		return false
	}
	return m.Kind != Source || m.Facts == nil || m.Facts.Dynamic || m.Facts.Star && !strings.HasPrefix(name, "_")
}

// Tree finds modules in a tree of files. It remembers what it found and is not safe
// for several goroutines.
type Tree struct {
	set      files.Set
	o        Options
	dirs     []string // of SysPath, those that are directories, links followed
	archived map[string]bool
	vague    bool // an archive's content is not known
	found    map[string]*Module
	suffixes []string
}

// New returns the modules of a tree.
func New(set files.Set, o Options) *Tree {
	t := &Tree{set: set, o: o, found: map[string]*Module{}, archived: map[string]bool{}}
	if o.ExtSuffix != "" {
		t.suffixes = append(t.suffixes, o.ExtSuffix)
	}
	t.suffixes = append(t.suffixes, ".abi3.so", ".so", ".py", ".pyc")
	for _, p := range o.SysPath {
		f, real, ok := set.Lookup(p)
		switch {
		case !ok:
		case f.Mode.IsDir():
			t.dirs = append(t.dirs, real)
		default:
			tops, known := o.Archives[p]
			t.vague = t.vague || !known
			for _, m := range tops {
				t.archived[m] = true
			}
		}
	}
	return t
}

// hasDistutilsHack tells whether setuptools brings its own distutils, which stands in
// for that of the standard library since setuptools 60.
func (t *Tree) hasDistutilsHack() bool {
	hack, _ := t.Find("_distutils_hack")
	if hack == nil {
		return false
	}
	own, _ := t.Find("setuptools._distutils")
	return own != nil
}

// maxName bounds dotted names; the longest seen have some 100 bytes.
const maxName = 4096

// Find returns the module of a dotted name, nil if there is none. known is false if it
// may be there all the same: made at run time by what is above it.
func (t *Tree) Find(name string) (m *Module, known bool) {
	if len(name) > maxName {
		return nil, true
	}
	if top, _, _ := strings.Cut(name, "."); top == "distutils" && t.hasDistutilsHack() {
		return t.Find("setuptools._" + name)
	}
	parent, last := "", name
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		parent, last = name[:i], name[i+1:]
	}
	if m, ok := t.found[name]; ok && m != nil {
		return m, true
	} else if ok && parent == "" {
		return nil, !t.vague
	}
	if parent == "" {
		m = t.top(name)
		t.found[name] = m
		return m, m != nil || !t.vague
	}
	above, known := t.Find(parent)
	switch {
	case above == nil:
		return nil, known
	case !above.Package:
		return nil, false // os.path, six.moves
	}
	known = !above.grafts() || t.isStdlib(above)
	m, ok := t.found[name]
	if !ok {
		if len(above.paths) > 0 {
			m = t.in(above.paths, name, last)
		}
		if m == nil && t.isFrozen(name) {
			m = &Module{Name: name, Kind: Compiled}
		}
		t.found[name] = m
	}
	return m, m != nil || known
}

// isStdlib tells whether a module is one of the standard library's own, which make no
// submodules at run time: os.path is below a module that is no package.
func (t *Tree) isStdlib(m *Module) bool {
	rest, ok := strings.CutPrefix(m.File, t.o.Stdlib+"/")
	return ok && t.o.Stdlib != "" && !strings.HasPrefix(rest, "site-packages/") && !strings.HasPrefix(rest, "dist-packages/")
}

// top finds a module that is in no package.
func (t *Tree) top(name string) *Module {
	if t.isBuiltin(name) {
		return &Module{Name: name, Kind: Compiled}
	}
	m := t.in(t.dirs, name, name)
	switch {
	case m != nil && m.Kind != Namespace:
	case t.archived[name]:
		return &Module{Name: name, Kind: Archived, Package: true}
	case m == nil && t.isFrozen(name):
		return &Module{Name: name, Kind: Compiled}
	}
	return m
}

// in looks for a module in directories, as importlib's FileFinder does in each.
func (t *Tree) in(dirs []string, name, last string) *Module {
	var portions []string
	for _, dir := range dirs {
		at := join(dir, last)
		folder, isDir := t.folder(at)
		if isDir {
			for _, suffix := range t.suffixes {
				if f := t.file(folder + "/__init__" + suffix); f != nil {
					return t.module(name, f, suffix, folder, dirs, last)
				}
			}
		}
		for _, suffix := range t.suffixes {
			if f := t.file(at + suffix); f != nil {
				return t.module(name, f, suffix, "", nil, "")
			}
		}
		if isDir {
			portions = append(portions, folder)
		}
	}
	if len(portions) == 0 {
		return nil
	}
	return &Module{Name: name, Kind: Namespace, Package: true, paths: portions}
}

// module makes a Module of its file; folder is that of a package.
func (t *Tree) module(name string, f *files.File, suffix, folder string, dirs []string, last string) *Module {
	m := &Module{Name: name, Kind: Extension, File: f.Path, Package: folder != ""}
	switch suffix {
	case ".py":
		m.Kind, m.Facts = Source, t.o.Source(f)
	case ".pyc":
		m.Kind = ByteCode
	}
	if !m.Package {
		return m
	}
	m.paths = []string{folder}
	if m.Facts != nil && m.Facts.Namespace {
		// Declared by pkgutil or pkg_resources: the portions of all directories.
		for _, dir := range dirs {
			if other, ok := t.folder(join(dir, last)); ok && !slices.Contains(m.paths, other) {
				m.paths = append(m.paths, other)
			}
		}
	}
	return m
}

// file returns the regular file at a path, links followed.
func (t *Tree) file(p string) *files.File {
	f, ok := t.set.Get(p)
	if ok && f.IsSymlink() {
		f, _, ok = t.set.Lookup(p)
	}
	if !ok || !f.IsRegular() {
		return nil
	}
	return f
}

// folder returns the real path of a directory.
func (t *Tree) folder(p string) (string, bool) {
	f, ok := t.set.Get(p)
	switch {
	case ok && f.Mode.IsDir():
		return p, true
	case ok && !f.IsSymlink():
		return "", false
	case !ok:
		for range t.set.Under(p) {
			return p, true // no entry names it
		}
		return "", false
	}
	f, real, ok := t.set.Lookup(p)
	return real, ok && f.Mode.IsDir()
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
