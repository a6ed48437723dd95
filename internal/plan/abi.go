package plan

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// libc is a C library's loader in an image.
type libc struct {
	path string
	info *elfdeps.Info
}

// fits refuses a base for another machine or C library before anything is looked for. An
// image may hold two C libraries (musl, and glibc beside it in /usr/glibc-compat): then the
// development image proves that they can live side by side.
func (r *runtimer) fits() error {
	program := r.info(r.dev, r.py.Path)
	if program == nil || r.py.Loader == "" {
		return nil
	}
	have := r.loaders(r.base)
	if len(have) == 0 {
		return nil // scratch, or static programs only
	}
	same := slices.DeleteFunc(slices.Clone(have), func(l libc) bool {
		return l.info.Machine != program.Machine || l.info.Class != program.Class
	})
	if len(same) == 0 {
		return failf("take a base image for "+machine(program), "%q is for %s, the base image has %q for %s",
			r.py.Path, machine(program), have[0].path, machine(have[0].info))
	}
	need := r.py.Libc.Family
	ofFamily := func(l libc) bool { return l.info.Loader.Family == need }
	if i := slices.IndexFunc(same, ofFamily); i >= 0 {
		return r.newEnoughMusl(same[i])
	}
	other := same[0].info
	if slices.ContainsFunc(r.loaders(r.dev), func(l libc) bool { return l.info.Loader.Family == other.Loader.Family }) {
		return nil
	}
	return failf("take a base image with "+need, "%q needs %s, the base image has %s (%q)",
		r.py.Path, strings.TrimSpace(need+" "+r.py.LibcVersion), strings.TrimSpace(other.Loader.Family+" "+other.Version), same[0].path)
}

// newEnoughMusl compares the versions of musl: its symbols have none.
func (r *runtimer) newEnoughMusl(base libc) error {
	need, have := r.py.LibcVersion, base.info.Version
	if r.py.Libc.Family != "musl" || need == "" || have == "" || elfdeps.CompareNumbers(have, need) >= 0 {
		return nil
	}
	return failf("take a base image with musl "+need+" or newer", "%q is made for musl %s, the base image has musl %s", r.py.Path, need, have)
}

// loaders are the dynamic loaders of a tree, in order of path.
func (r *runtimer) loaders(set files.Set) []libc {
	var out []libc
	for f := range set.All() {
		name := baseOf(f.Path)
		if !f.IsRegular() || !strings.HasPrefix(name, "ld") && !strings.HasPrefix(name, "libc.") {
			continue
		}
		if i := (elfTree{planner: r.planner}).info(f); i != nil && i.Loader != nil {
			out = append(out, libc{f.Path, i})
		}
	}
	return out
}

func (r *runtimer) info(set files.Set, path string) *elfdeps.Info {
	f, _, ok := set.Lookup(path)
	if !ok {
		return nil
	}
	return elfTree{planner: r.planner}.info(f)
}

// special brings what the C library loads without a word in any file: glibc's pthread_exit
// needs libgcc_s, and before 2.34 names were looked up by libraries of their own.
func (r *runtimer) special() error {
	if r.py.Libc.Family != "glibc" || r.py.Loader == "" {
		return nil
	}
	names := []string{"libgcc_s.so.1"}
	if r.py.Libc.Major == 2 && r.py.Libc.Minor < 34 {
		names = append(names, "libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
	}
	dev, err := elfdeps.NewLoader(elfTree{r.planner, r.dev}, r.py.Loader, elfdeps.LoaderOptions{LibraryPath: r.in.DevLibraryPath})
	if err != nil {
		return failf("", "%q of the development image: %v", r.py.Path, err)
	}
	base, err := elfdeps.NewLoader(elfTree{r.planner, r.tree()}, r.py.Loader, elfdeps.LoaderOptions{LibraryPath: r.in.LibraryPath})
	if err != nil {
		return failf("", "%q on the base image: %v", r.py.Path, err)
	}
	for _, name := range names {
		if _, ok := base.Find(name); ok {
			continue
		}
		if real, ok := dev.Find(name); ok && !r.excluded(real) {
			if err := r.bringChain(real, Reason{Why: "glibc loads it by its name"}); err != nil {
				return err
			}
			if dir := dirOf(real); baseOf(real) != name {
				if err := r.bringChain(join(dir, name), Reason{Why: "glibc loads it by its name"}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// libraries brings what program and modules need, and returns the modules that can't be
// loaded all the same.
func (r *runtimer) libraries() (useless map[string]string, err error) {
	if r.py.Loader == "" {
		return nil, nil
	}
	n := newNative(r.planner)
	for n.rounds = 1; ; n.rounds++ {
		if n.rounds > maxRounds {
			return nil, failf("", "more than %d rounds of libraries that need libraries", maxRounds)
		}
		again, err := n.round()
		if err == nil {
			err = r.noteErr
		}
		if err != nil {
			return nil, err
		}
		if !again {
			break
		}
	}
	lacking := map[string]lack{}
	for _, k := range n.lacks {
		if k.d.Provider == "" {
			lacking[k.o.Real] = k
		}
	}
	if len(lacking) == 0 {
		return nil, n.layCache()
	}
	useless = map[string]string{}
	for _, l := range n.laidELF() {
		k, ok := n.reaches(l.file.Path, lacking, map[string]bool{})
		switch {
		case !ok:
		case within(l.file.Path, r.stdlib.dir):
			useless[l.file.Path] = k.d.Name
		case l.file.Path == r.py.Path:
			return nil, failf("install the library in the development image", "%q needs %s, which neither the base nor the development image has%s",
				k.l.file.Path, k.d.Name, problem(k.d))
		}
	}
	if len(useless) == 0 {
		return nil, n.layCache()
	}
	return useless, nil
}

// reaches tells whether loading the file at real comes to one of those that lack
// something.
func (n *native) reaches(real string, lacking map[string]lack, seen map[string]bool) (lack, bool) {
	if k, ok := lacking[real]; ok {
		return k, true
	}
	o := n.now.byReal[real]
	if o == nil || seen[real] {
		return lack{}, false
	}
	seen[real] = true
	for _, d := range o.Needs {
		if k, ok := n.reaches(d.Real, lacking, seen); ok {
			return k, true
		}
	}
	return lack{}, false
}

// oneLibc refuses a loader of one image with the C library of the other, and libraries of
// the base that are for another C library.
func (r *runtimer) oneLibc() error {
	if r.py.Loader == "" {
		return nil
	}
	tree := elfTree{r.planner, r.tree()}
	loader, err := elfdeps.NewLoader(tree, r.py.Loader, elfdeps.LoaderOptions{LibraryPath: r.in.LibraryPath})
	if err != nil {
		return failf("", "%q on the base image: %v", r.py.Path, err)
	}
	from := func(path string) string {
		if l := r.laid[path]; l != nil && !l.present {
			return "development image"
		}
		return "base image"
	}
	libc := loader.Libc()
	if libc == "" {
		return failf("", "%q: the loader %q finds no C library", r.py.Path, loader.Path())
	}
	if a, b := from(loader.Path()), from(libc); a != b {
		return failf("take another base image", "the loader %q is that of the %s and the C library %q that of the %s: they are made for each other",
			loader.Path(), a, libc, b)
	}
	var modules []string
	for f := range r.laidSet().All() {
		if within(f.Path, r.stdlib.dir) && tree.info(f) != nil {
			modules = append(modules, f.Path)
		}
	}
	c, err := loader.Closure(modules, r.py.Path)
	if err != nil {
		return failf("", "%v", err)
	}
	for _, o := range c.Objects {
		if have := o.Info.Libc(); have != "" && have != loader.Family() {
			return failf("take another base image", "%q needs a %s for %s, %q of the %s is for %s",
				r.py.Path, baseOf(o.Path), loader.Family(), o.Real, from(o.Real), have)
		}
	}
	return nil
}

// system lays what every program expects and an empty base lacks.
func (r *runtimer) system() error {
	texts := []struct{ path, text string }{
		{"etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"},
		{"etc/group", "root:x:0:\nnogroup:x:65534:\n"},
	}
	if r.py.Libc.Family == "glibc" {
		texts = append(texts, struct{ path, text string }{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"})
	}
	tree := r.tree()
	for _, t := range texts {
		if _, _, ok := tree.Lookup(t.path); ok || r.excluded(t.path) {
			continue
		}
		at, err := r.settle(t.path, r.name)
		if err != nil {
			return err
		}
		r.lay(at, &laid{file: newText(at, 0o644, []byte(t.text)), reason: Reason{Owner: r.name, Why: "programs expect it"}})
	}
	if _, _, ok := tree.Lookup("tmp"); !ok {
		r.lay("tmp", &laid{file: &files.File{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777}})
	}
	return nil
}
