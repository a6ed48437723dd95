package inspect

import (
	"cmp"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
)

// NativeNeeds is what the ELF files of one distribution need from outside it.
type NativeNeeds struct {
	ELF       []string          // its ELF files that the interpreter's loader takes
	Libraries []NativeLibrary   // needed and not its own, in order of name
	Versions  map[string]string // highest needed symbol version of each namespace: "GLIBC" -> "2.34"
	Libc      string            // "glibc", "musl", or "" for none or a static one
	Arch      string            // "x86_64", "aarch64"
	Relr      bool              // some file has DT_RELR relocations
	Dlopen    []string          // files that import dlopen
}

// NativeLibrary is a needed library that is not one of the distribution's files.
type NativeLibrary struct {
	Name  string // DT_NEEDED
	Path  string // where the loader finds it, "" if it does not
	By    string // first file that needs it
	Owner string // OS or conda package that owns Path, "" if none
}

// native holds what answering several questions about one environment needs.
type native struct {
	e      *Environment
	t      *tree
	loader *elfdeps.Loader
	libs   map[string]*elfdeps.Info // what the loader gives for a bare name
}

func newNative(e *Environment) (*native, error) {
	t := newTree(e.Files)
	n := &native{e: e, t: t, libs: map[string]*elfdeps.Info{}}
	if e.Python == nil || e.Python.Loader == "" {
		return n, nil
	}
	var err error
	n.loader, err = elfdeps.NewLoader(t, "/"+e.Python.Loader, elfdeps.LoaderOptions{LibraryPath: e.LibraryPath})
	return n, err
}

// elfFiles returns the paths of d that the interpreter's loader can take. Wheels
// carry files for other machines, too (debugpy's attach_linux_amd64.so on arm64).
func (n *native) elfFiles(d *Distribution) []string {
	var out []string
	for _, p := range d.Files {
		f, ok := n.e.Files.Get(p)
		if !ok || !f.IsRegular() || len(f.Note) == 0 {
			continue
		}
		if i := n.t.ELF(p); i != nil && i.Dynamic && n.loads(i) {
			out = append(out, p)
		}
	}
	return out
}

// loads tells whether i is for the machine and the libc of the interpreter.
func (n *native) loads(i *elfdeps.Info) bool {
	py := n.e.Python
	if py == nil {
		return true
	}
	libc := i.Libc()
	return i.Arch() == py.Arch && (libc == "" || py.Libc.Family == "" || libc == py.Libc.Family)
}

// Native returns the native needs of d in its environment. An image whose loader is
// missing gives the needs without the places.
func (e *Environment) Native(d *Distribution) *NativeNeeds {
	n, _ := newNative(e)
	return n.needs(d)
}

func (n *native) needs(d *Distribution) *NativeNeeds {
	out := &NativeNeeds{ELF: n.elfFiles(d)}
	var infos []*elfdeps.Info
	for _, p := range out.ELF {
		i := n.t.ELF(p)
		infos = append(infos, i)
		out.Libc = cmp.Or(out.Libc, i.Libc())
		out.Arch = cmp.Or(out.Arch, i.Arch())
		out.Relr = out.Relr || i.Relr
		if i.Dlopen {
			out.Dlopen = append(out.Dlopen, p)
		}
	}
	out.Versions = elfdeps.MaxVersions(infos)
	seen := map[string]int{}
	for _, o := range n.closure(out.ELF) {
		if _, own := slices.BinarySearch(d.Files, o.Real); !own {
			continue
		}
		for _, dep := range o.Needs {
			if _, own := slices.BinarySearch(d.Files, dep.Real); own || dep.BuiltIn {
				continue
			}
			at, known := seen[dep.Name]
			if !known {
				at = len(out.Libraries)
				seen[dep.Name] = at
				out.Libraries = append(out.Libraries, NativeLibrary{Name: dep.Name, By: o.Path})
			}
			if l := &out.Libraries[at]; l.Path == "" && !dep.IsMissing() {
				l.Path = dep.Path
				l.Owner, _ = n.e.OwnerOf(dep.Real)
			}
		}
	}
	slices.SortFunc(out.Libraries, func(a, b NativeLibrary) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// closure returns all objects that files need; without a loader the files
// themselves with names only.
func (n *native) closure(list []string) []*elfdeps.Object {
	if len(list) == 0 {
		return nil
	}
	if n.loader != nil {
		if c, err := n.loader.Closure(list, n.e.Python.Path); err == nil {
			return c.Objects
		}
	}
	var out []*elfdeps.Object
	for _, p := range list {
		o := &elfdeps.Object{Path: p, Real: p, Info: n.t.ELF(p)}
		for _, name := range o.Info.Needed {
			o.Needs = append(o.Needs, elfdeps.Dep{Name: name})
		}
		out = append(out, o)
	}
	return out
}

// lib returns what the image's loader gives for a bare name without any run
// path, nil if nothing.
func (n *native) lib(name string) *elfdeps.Info {
	i, ok := n.libs[name]
	if !ok && n.loader != nil {
		if real, found := n.loader.Find(name); found {
			i = n.t.ELF(real)
		}
		n.libs[name] = i
	}
	return i
}
