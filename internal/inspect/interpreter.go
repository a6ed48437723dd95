package inspect

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// environ is the image's configured environment.
type environ map[string]string

func newEnviron(env []string) environ {
	out := environ{}
	for _, e := range env {
		if k, v, ok := strings.Cut(e, "="); ok {
			out[k] = v
		}
	}
	return out
}

// defaultPath is what container runtimes set if the image sets nothing.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// maxInterpreters bounds what is looked at; an image with all of pyenv's has
// some fifty, one of a test runner some hundred virtual environments.
const maxInterpreters = 1024

// findInterpreters returns all Pythons of the image, the one that a shell
// would start as python3 (or else python) first, then in order of path.
//
// A Python is an ELF program called python, python3 or python3.N in a folder bin that
// has CPython's code in it, needs libpython or has the standard library above it. The full version is taken from the
// first of: the constant in the program, that in its libpython, patchlevel.h, the record
// of the conda package, the package of the OS that owns it, the program's name.
func (r *reader) findInterpreters() ([]*Interpreter, error) {
	groups := map[program][]string{} // names of each
	for f := range r.img.All() {
		if !isPythonName(path.Base(f.Path)) || !isBin(f.Path) || f.Mode.IsDir() {
			continue
		}
		real, ok := r.t.Real(f.Path)
		if !ok || r.t.ELF(real) == nil || !r.t.ELF(real).IsProgram() {
			continue
		}
		key := program{real: real, venv: r.venvRoot(f.Path)}
		groups[key] = append(groups[key], f.Path)
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b program) int {
		return cmp.Or(strings.Compare(a.real, b.real), strings.Compare(a.venv, b.venv))
	})
	if len(keys) > maxInterpreters {
		return nil, fmt.Errorf("more than %d Python interpreters", maxInterpreters)
	}
	var list, venvs []*Interpreter
	for _, k := range keys {
		i := r.interpreter(k.real, k.venv, groups[k])
		switch {
		case i == nil:
		case k.venv == "":
			list = append(list, i)
		default:
			venvs = append(venvs, i)
		}
	}
	for _, v := range venvs {
		r.finishVenv(v, list)
	}
	list = append(list, venvs...)
	for _, i := range list {
		i.sysPath(r.t, r.env)
	}
	return r.pickFirst(list)
}

// program is an executable, and the virtual environment that it is started from.
type program struct{ real, venv string }

// isPythonName accepts python, python3, python3.11 and python3.13t.
func isPythonName(base string) bool {
	v, ok := strings.CutPrefix(base, "python")
	if !ok {
		return false
	}
	v = strings.TrimSuffix(v, "t")
	if v == "" || v == "3" {
		return true
	}
	minor, ok := strings.CutPrefix(v, "3.")
	_, err := strconv.ParseUint(minor, 10, 8)
	return ok && err == nil
}

// venvRoot returns the folder above bin if it holds a pyvenv.cfg, else "".
func (r *reader) venvRoot(name string) string {
	root := path.Dir(path.Dir(name))
	if _, ok := r.t.file(root + "/pyvenv.cfg"); ok {
		return root
	}
	return ""
}

// interpreter reads all there is to know of one, nil if it is no CPython.
func (r *reader) interpreter(real, venv string, names []string) *Interpreter {
	info := r.t.ELF(real)
	i := &Interpreter{Path: real, Implementation: "cpython", Arch: info.Arch(), Loader: strings.TrimLeft(info.Interp, "/")}
	for _, n := range names {
		if n != real {
			i.Names = append(i.Names, n)
		}
	}
	facts := info.Python
	if info.Interp != "" {
		i.readLibc(r, info)
	}
	usesLib := slices.ContainsFunc(info.Needed, func(n string) bool { return strings.HasPrefix(n, "libpython") })
	if facts == nil && usesLib {
		facts = r.libpython(i)
	}
	// A program without CPython's code in sight is taken for one by its name if the
	// standard library of that name stands where CPython would look for it.
	if !i.findStdlib(r.t, facts) && facts == nil {
		return nil
	}
	i.readVersion(r, facts)
	if len(i.Version.Release()) < 2 {
		return nil
	}
	if facts != nil {
		i.ExtSuffix, i.Builtins = facts.ExtSuffix, facts.Builtins
	}
	if i.ExtSuffix == "" {
		i.ExtSuffix = extSuffix(r.t, i.Stdlib+"/lib-dynload")
	}
	i.venv = venv
	i.ABI = i.abi()
	i.readScheme(r.t)
	i.Markers = python.MarkerEnvFor(i.Version, i.Arch)
	i.Tags = i.tags()
	return i
}

// libpython finds the facts in the library that the program needs.
func (r *reader) libpython(i *Interpreter) *elfdeps.PythonFacts {
	l, err := elfdeps.NewLoader(r.t, "/"+i.Loader, elfdeps.LoaderOptions{LibraryPath: r.env["LD_LIBRARY_PATH"]})
	if err != nil {
		return nil
	}
	c, err := l.Closure(nil, i.Path)
	if err != nil {
		return nil
	}
	for _, o := range c.Objects {
		if o.Info.Python != nil {
			return o.Info.Python
		}
	}
	return nil
}

// findStdlib looks upward from the program for lib/python3.N/os.py, the landmark
// that CPython looks for, and sets Prefix and Stdlib.
func (i *Interpreter) findStdlib(t *tree, facts *elfdeps.PythonFacts) bool {
	var want string
	if facts != nil {
		want = "python" + strings.Join(strings.SplitN(facts.Version, ".", 3)[:2], ".")
	} else if base := path.Base(i.Path); strings.Contains(base, ".") {
		want = strings.TrimSuffix(base, "t")
	}
	for dir := path.Dir(i.Path); ; dir = path.Dir(dir) {
		if dir == "." {
			dir = ""
		}
		for _, lib := range []string{"lib", "lib64"} {
			for _, name := range t.List(join(dir, lib)) {
				if name != want && !(want == "" && isPythonName(name)) && name != want+"t" {
					continue
				}
				p := join(dir, lib+"/"+name)
				if _, ok := t.file(p + "/os.py"); ok {
					i.Prefix, i.Stdlib = dir, p
					return true
				}
				if _, ok := t.file(p + "/os.pyc"); ok {
					i.Prefix, i.Stdlib = dir, p
					return true
				}
			}
		}
		if dir == "" {
			return false
		}
	}
}

// readVersion takes the first source that has a full version.
func (i *Interpreter) readVersion(r *reader, facts *elfdeps.PythonFacts) {
	var texts []string
	if facts != nil {
		texts = append(texts, facts.Version)
	}
	if b, ok := r.t.ReadFile(join(i.Prefix, "include/"+path.Base(i.Stdlib)+"/patchlevel.h"), maxSmall); ok {
		texts = append(texts, patchlevel(b))
	}
	for _, c := range r.conda {
		if c.Name == "python" && c.Prefix == i.Prefix {
			texts = append(texts, c.Version)
		}
	}
	if p := r.os.Owner(i.Path); p != nil {
		texts = append(texts, upstreamVersion(p.Version))
	}
	texts = append(texts, strings.TrimPrefix(path.Base(i.Path), "python"), strings.TrimPrefix(path.Base(i.Stdlib), "python"))
	for _, t := range texts {
		v, err := python.ParseVersion(strings.TrimSuffix(t, "t"))
		if err == nil && len(v.Release()) >= 2 && v.Release()[0] == 3 {
			i.Version = v
			return
		}
	}
}

// patchlevel reads PY_VERSION of patchlevel.h.
func patchlevel(b []byte) string {
	_, rest, ok := bytes.Cut(b, []byte("#define PY_VERSION"))
	if !ok {
		return ""
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.TrimSuffix(strings.Trim(strings.TrimSpace(string(line)), `"`), "+")
}

// upstreamVersion takes epoch and revision off the version of an OS package.
func upstreamVersion(v string) string {
	if _, rest, ok := strings.Cut(v, ":"); ok {
		v = rest
	}
	if n := strings.IndexAny(v, "-~+"); n >= 0 {
		v = v[:n]
	}
	return v
}

// extSuffix takes the suffix of extension modules from one of them.
func extSuffix(t *tree, dir string) string {
	for _, n := range t.List(dir) {
		if at := strings.Index(n, ".cpython-"); at > 0 && strings.HasSuffix(n, ".so") {
			return n[at:]
		}
	}
	return ""
}

// abi is the ABI tag: "cp311", "cp313t", "cp37m".
func (i *Interpreter) abi() string {
	tag, _, _ := strings.Cut(strings.TrimPrefix(i.ExtSuffix, ".cpython-"), "-")
	if i.ExtSuffix != "" && tag != "" && !strings.ContainsAny(tag, "._") {
		return "cp" + tag
	}
	n := i.Version.Release()
	return fmt.Sprintf("cp%d%d", n[0], n[1])
}

func (i *Interpreter) tags() *python.Tags {
	n := i.Version.Release()
	return python.TagsFor(python.TagTarget{
		Implementation: "cp", Major: int(n[0]), Minor: int(n[1]), ABIs: []string{i.ABI}, Arch: i.Arch, Libc: i.Libc,
	})
}

// pickFirst moves to the front what PATH has, or what was asked for.
func (r *reader) pickFirst(list []*Interpreter) ([]*Interpreter, error) {
	slices.SortStableFunc(list, func(a, b *Interpreter) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Path, b.Path), strings.Compare(a.Prefix, b.Prefix))
	})
	at := -1
	if want := strings.Trim(r.opts.Python, "/"); want != "" {
		if at = r.named(list, want); at < 0 {
			return nil, fmt.Errorf("%q is no Python interpreter of the image", r.opts.Python)
		}
	}
	for _, name := range []string{"python3", "python"} {
		for _, dir := range strings.Split(cmp.Or(r.env["PATH"], defaultPath), ":") {
			if at < 0 && strings.HasPrefix(dir, "/") {
				at = r.named(list, strings.Trim(dir, "/")+"/"+name)
			}
		}
	}
	if at > 0 {
		first := list[at]
		list = slices.Insert(slices.Delete(list, at, at+1), 0, first)
	}
	return list, nil
}

// rank orders interpreters of an image whose PATH has none.
func rank(i *Interpreter) int {
	return slices.Index([]string{"debian", "prefix", "conda", "venv"}, i.Scheme)
}

// named returns the index of the interpreter that name leads to, or -1.
func (r *reader) named(list []*Interpreter, name string) int {
	f, ok := r.t.get(name)
	if !ok {
		return -1
	}
	return slices.IndexFunc(list, func(i *Interpreter) bool {
		return i.venv == r.venvRoot(f.Path) && (i.Path == f.Path || slices.Contains(i.Names, f.Path))
	})
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// isDebianSite tells whether the site.py of a standard library is Debian's.
func isDebianSite(t *tree, stdlib string) bool {
	f, ok := t.file(stdlib + "/site.py")
	return ok && siteNote(f) == "d"
}

func siteNote(f *files.File) string {
	if len(f.Note) > 1 && f.Note[0] == noteSite {
		return string(f.Note[1:2])
	}
	return ""
}
