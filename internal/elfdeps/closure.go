package elfdeps

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Closure is what a set of objects needs, in full.
type Closure struct {
	Objects []*Object // in order of Path
	byPath  map[string]*Object
}

// Object is one ELF file as the loader would load it.
type Object struct {
	Path  string // as found, perhaps through links
	Real  string // final path
	Info  *Info
	Needs []Dep // in order of DT_NEEDED
}

// Dep is one needed library. If the same name is found in different places
// depending on what loads the object, there is one Dep for each.
type Dep struct {
	Name     string   // as written in DT_NEEDED
	Path     string   // as found ("usr/lib/libz.so.1"), "" if missing or built in
	Real     string   // final path
	Variants []string // glibc-hwcaps files that win on newer processors, as found
	BuiltIn  bool     // the loader itself answers to this name (musl)
	Via      string   // "RPATH", "RUNPATH", "LD_LIBRARY_PATH", "ld.so.cache", "default directory", "path", "loaded"
	Problem  string   // why what was found can't be loaded, else ""
	// Provider is set for a missing library which another object of the closure
	// has as its soname: it is found if that one happens to be loaded before.
	Provider string
}

// IsMissing tells whether the loader finds nothing usable.
func (d *Dep) IsMissing() bool { return d.Path == "" && !d.BuiltIn || d.Problem != "" }

// Object returns the object that was found at path.
func (c *Closure) Object(path string) (*Object, bool) {
	o, ok := c.byPath[path]
	return o, ok
}

// maxProcess bounds the libraries of one process; real ones have some hundreds.
const maxProcess = 4096

// Closure follows the needs of objs, each loaded by dlopen with its path into a process of
// its own that runs main ("" for none: then only the loader is there). An object
// that needs another to be loaded before has a missing Dep with a Provider.
// An error names an object that is not there or is not ELF.
func (l *Loader) Closure(objs []string, main string) (*Closure, error) {
	c := &Closure{byPath: map[string]*Object{}}
	base := &process{l: l, c: c, byName: map[string]*loaded{}}
	base.add(l.self, l.self.info.Soname)
	var caller *loaded
	if main != "" {
		m, err := l.open(main)
		if err != nil {
			return nil, err
		}
		m.isMain = true
		if err := base.load(m); err != nil {
			return nil, err
		}
		caller = base.caller(m)
	}
	for _, p := range slices.Compact(slices.Sorted(slices.Values(objs))) {
		if p == main {
			continue
		}
		o, err := l.open(p)
		if err != nil {
			return nil, err
		}
		if l.facts.Family == "glibc" && base.has(o.real) {
			continue // already followed with main
		}
		o.parent = caller
		if err := base.fork().load(o); err != nil {
			return nil, err
		}
	}
	c.finish(l)
	return c, nil
}

func (l *Loader) open(p string) (*loaded, error) {
	real, ok := l.t.Real(p)
	if !ok {
		return nil, fmt.Errorf("%q is not there", p)
	}
	info := l.t.ELF(real)
	if info == nil {
		return nil, fmt.Errorf("%q is not an ELF file", p)
	}
	return &loaded{path: p, real: real, info: info}, nil
}

// finish sorts the objects and finds providers of what is missing.
func (c *Closure) finish(l *Loader) {
	bySoname := map[string]string{}
	for _, o := range c.byPath {
		c.Objects = append(c.Objects, o)
	}
	slices.SortFunc(c.Objects, func(a, b *Object) int { return strings.Compare(a.Path, b.Path) })
	if l.facts.Family == "musl" {
		return // a library that was loaded by path does not answer to its name
	}
	for _, o := range c.Objects {
		if _, ok := bySoname[o.Info.Soname]; !ok && o.Info.Soname != "" {
			bySoname[o.Info.Soname] = o.Path
		}
	}
	for _, o := range c.Objects {
		for i := range o.Needs {
			if d := &o.Needs[i]; d.IsMissing() && len(d.Variants) == 0 && bySoname[d.Name] != o.Path {
				d.Provider = bySoname[d.Name]
			}
		}
	}
}

// process is the set of loaded objects, in load order.
type process struct {
	l      *Loader
	c      *Closure
	list   []*loaded
	byName map[string]*loaded // every name that is answered to
	below  *process           // what was loaded before, by main
}

func (p *process) fork() *process {
	return &process{l: p.l, c: p.c, byName: map[string]*loaded{}, below: p}
}

func (p *process) add(o *loaded, names ...string) {
	p.list = append(p.list, o)
	for _, n := range names {
		if _, ok := p.byName[n]; !ok && n != "" {
			p.byName[n] = o
		}
	}
}

func (p *process) named(name string) *loaded {
	if o := p.byName[name]; o != nil || p.below == nil {
		return o
	}
	return p.below.named(name)
}

// has returns the object that is loaded from the same file.
func (p *process) has(real string) bool { return p.same(real) != nil }

func (p *process) same(real string) *loaded {
	for _, o := range p.list {
		if o.real == real {
			return o
		}
	}
	if p.below != nil {
		return p.below.same(real)
	}
	return nil
}

// caller is the object whose code calls dlopen for extension modules, and from
// which glibc inherits DT_RPATH: libpython of a shared build, else the program.
// musl always takes the program.
func (p *process) caller(main *loaded) *loaded {
	if p.l.facts.Family == "glibc" {
		for _, o := range p.list {
			if strings.HasPrefix(o.info.Soname, "libpython") {
				return o
			}
		}
	}
	return main
}

// load adds root and, breadth first as both loaders do, everything it needs.
func (p *process) load(root *loaded) error {
	first := len(p.list)
	if p.l.facts.Family == "glibc" {
		p.add(root, root.info.Soname, "/"+root.path)
	} else {
		p.add(root)
	}
	for i := first; i < len(p.list); i++ {
		o := p.list[i]
		switch {
		case len(p.list) > maxProcess:
			return fmt.Errorf("%q needs more than %d libraries", root.path, maxProcess)
		case p.l.steps > maxSteps:
			return fmt.Errorf("%q: finding its libraries takes more than %d lookups", root.path, maxSteps)
		}
		rec := p.c.byPath[o.path]
		if rec == nil {
			rec = &Object{Path: o.path, Real: o.real, Info: o.info}
			p.c.byPath[o.path] = rec
		}
		for _, name := range o.info.Needed {
			d := p.need(name, o)
			if !slices.ContainsFunc(rec.Needs, func(e Dep) bool { return e.Name == d.Name && e.Path == d.Path }) {
				rec.Needs = append(rec.Needs, d)
			}
		}
	}
	return nil
}

// need loads one needed library of by, unless something answers to its name.
func (p *process) need(name string, by *loaded) Dep {
	d := Dep{Name: name}
	if p.l.facts.Family == "musl" && p.l.isMuslOwn(name) {
		d.BuiltIn = true
		return d
	}
	if o := p.named(name); o != nil {
		d.Path, d.Real, d.Via = o.path, o.real, "loaded"
		return d
	}
	var f found
	switch {
	case strings.Contains(name, "/"):
		f = p.l.byPath(name, by)
	case name != "":
		f = p.l.search(name, by)
	}
	d.Path, d.Real, d.Via, d.Problem, d.Variants = f.path, f.real, f.via, f.problem, f.variants
	for _, v := range f.variants {
		if real, ok := p.l.t.Real(v); ok {
			p.add(&loaded{path: v, real: real, info: p.l.t.ELF(real), parent: by})
		}
	}
	if f.path == "" {
		if len(f.variants) > 0 {
			d.Problem = "only there for newer processors"
		}
		return d
	}
	if f.problem != "" {
		return d
	}
	if o := p.same(f.real); o != nil { // the same file by another name
		p.answer(o, name, f)
		return d
	}
	o := &loaded{path: f.path, real: f.real, info: p.l.t.ELF(f.real), parent: by}
	p.list = append(p.list, o)
	p.answer(o, name, f)
	return d
}

// answer makes o answer to the names under which the loader will know it from
// now on: for glibc what was asked for and its soname, for musl the base name
// of the file that a search found.
func (p *process) answer(o *loaded, name string, f found) {
	names := []string{name, o.info.Soname, "/" + f.path}
	if p.l.facts.Family == "musl" {
		names = nil
		if !strings.Contains(name, "/") {
			names = []string{path.Base(f.path)}
		}
	}
	for _, n := range names {
		if _, ok := p.byName[n]; !ok && n != "" {
			p.byName[n] = o
		}
	}
}

// byPath opens a needed name with a slash in it. A relative one depends on the
// working directory: it is missing.
func (l *Loader) byPath(name string, by *loaded) found {
	if l.facts.Family == "glibc" && by != nil {
		name = l.expand(by, name)
	}
	if !strings.HasPrefix(name, "/") {
		return found{}
	}
	real, problem, stop := l.accept(rel(name))
	if !stop {
		return found{}
	}
	return found{path: rel(name), real: real, via: "path", problem: problem}
}

// Dlopen returns what dlopen of a name finds when code of the object at by calls it in
// a process of main: glibc searches for the calling object, musl for the program.
// An error names an object that is not there or is not ELF.
func (l *Loader) Dlopen(name, by, main string) (Dep, error) {
	p := &process{l: l, c: &Closure{byPath: map[string]*Object{}}, byName: map[string]*loaded{}}
	p.add(l.self, l.self.info.Soname)
	var caller *loaded
	for _, path := range []string{main, by} {
		if path == "" || path == by && by == main && caller != nil {
			continue
		}
		o, err := l.open(path)
		if err != nil {
			return Dep{}, err
		}
		o.isMain, o.parent = path == main, caller
		if err := p.load(o); err != nil {
			return Dep{}, err
		}
		if caller == nil || l.facts.Family == "glibc" {
			caller = o
		}
	}
	return p.need(name, caller), nil
}
