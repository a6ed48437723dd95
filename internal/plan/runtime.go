package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/bytecode"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// Runtime is what makes the interpreter of a development image run on a base that has no
// Python: the program with its names, the standard library, the loader, the libraries
// that these need and the base lacks, and the few files that every program expects.
type Runtime struct {
	Name     string    // "python 3.11.2"
	Files    files.Set // at their paths in the new image; none of them is in the base
	Reasons  map[string]Reason
	From     map[string]string // path in the development image, where that is another
	Merged   map[string]bool   // files of the base with something added, such as the loader's cache
	Stdlib   string            // the standard library in the new image
	Trimmed  []Trimmed
	Warnings []string
}

// NewRuntime finds the interpreter's files in the development image. Of in it reads
// Platform, Dev, Base, Options, the library paths and Hints. What does not fit is an
// *Error: another C library, another machine, too old a C library, a library that is in
// neither image.
//
// An extension module of the standard library that can't be loaded in the development image
// either is left out and told.
func NewRuntime(in Input) (*Runtime, error) {
	if in.Dev == nil || in.Dev.Python == nil {
		return nil, failf("", "the development image has no Python for %s", in.Platform)
	}
	if in.Dev.Python.Stdlib == "" {
		return nil, failf("", "the standard library of %q is not in the development image", in.Dev.Python.Path)
	}
	without := map[string]string{} // modules that can't be loaded, by path: the library that is missing
	for {
		r, err := newRuntimer(in, without)
		if err != nil {
			return nil, err
		}
		useless, err := r.run()
		if err != nil {
			return nil, err
		}
		if len(useless) == 0 {
			return r.result(), nil
		}
		for path, lib := range useless { // one more time without them, and their libraries
			without[path] = lib
		}
	}
}

// runtimer is a planner whose only pick is the interpreter.
type runtimer struct {
	*planner
	py      *inspect.Interpreter // of the development image
	name    string
	stdlib  *stdlib
	without map[string]string
	left    map[string]*Trimmed // by rule
}

func newRuntimer(in Input, without map[string]string) (*runtimer, error) {
	py := *in.Dev.Python
	base := *in.Base
	base.Python = &py // as if it stood there already
	in.Picks, in.Base, in.Runtime = nil, &base, nil
	p, err := newPlanner(in)
	if err != nil {
		return nil, err
	}
	r := &runtimer{
		planner: p, py: in.Dev.Python, name: "python " + in.Dev.Python.Version.String(),
		without: without, left: map[string]*Trimmed{},
	}
	r.stdlib = newStdlib(r)
	return r, nil
}

// run lays everything. useless are extension modules that can't be loaded with what
// both images have, each with the library that is missing.
func (r *runtimer) run() (useless map[string]string, err error) {
	for _, step := range []func() error{
		r.fits, r.program, r.library, r.loader, r.special, r.links,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if useless, err = r.libraries(); err != nil || len(useless) > 0 {
		return useless, err
	}
	if err := r.oneLibc(); err != nil {
		return nil, err
	}
	if err := r.system(); err != nil {
		return nil, err
	}
	return nil, r.ownership()
}

// program lays the interpreter under every name that it has in folders of programs, and
// what tells a virtual environment that it is one.
func (r *runtimer) program() error {
	names := []string{r.py.Path}
	for _, i := range r.in.Dev.Interpreters {
		if i == r.py || i.Path == r.py.Path && i.Scheme != "venv" {
			names = append(names, i.Names...)
		}
	}
	if r.py.Scheme == "venv" {
		names = append(names, join(r.py.Prefix, "pyvenv.cfg"))
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		if err := r.bringAs(n, "interpreter"); err != nil {
			return err
		}
	}
	// The folder that Prefix leads to need not be the one that the program lies in.
	return r.bringAs(r.py.Stdlib, "standard library")
}

// bringAs brings what path leads to, with the name of the interpreter as owner where no
// package is known.
func (r *runtimer) bringAs(path, why string) error {
	if r.excluded(path) {
		return failf("", "--exclude leaves out %q, without which Python does not start", path)
	}
	return r.bringChain(path, Reason{Why: why})
}

// library lays the standard library as far as the rules of trimming let it.
func (r *runtimer) library() error {
	for f := range r.stdlib.all() {
		if f.Mode.IsDir() || r.excluded(f.Path) || r.without[f.Path] != "" {
			continue
		}
		if rule := r.stdlib.leaves(f); rule != "" {
			r.trim(rule, f)
			continue
		}
		if err := r.code(f); err != nil {
			return err
		}
		if f.IsSymlink() {
			if _, _, ok := r.dev.Lookup(f.Path); !ok {
				r.warnf("%s: link %q to %q leads nowhere in the development image and is left out", r.name, f.Path, f.Link)
				continue
			}
			// Debian's sitecustomize.py leads to /etc.
			if err := r.bringChain(f.Path, Reason{Why: "standard library"}); err != nil {
				return err
			}
			continue
		}
		if err := r.bring(f, Reason{Owner: ownerIn(r.in.Dev, f.Path), Why: "standard library"}, true); err != nil {
			return err
		}
	}
	return nil
}

const whyCode = "byte code of the standard library"

// code lays the byte code that the development image has for a module, made valid.
func (r *runtimer) code(src *files.File) error {
	at := r.codePath(src)
	if at == "" {
		return nil
	}
	at, err := r.settle(at, r.name)
	if err != nil {
		return err
	}
	if code := r.codeFrom(src.Path, src, at, r.name); code != nil {
		r.lay(at, &laid{file: code, reason: Reason{Why: whyCode}})
	}
	return nil
}

// codePath is where the byte code of a module lies, "" for all else and if none is wanted.
func (p *planner) codePath(src *files.File) string {
	tag := p.cacheTag()
	if p.in.Options.NoByteCode || tag == "" || !strings.HasSuffix(src.Path, ".py") {
		return ""
	}
	if name := bytecode.Name(baseOf(src.Path), tag); name != "" {
		return join(dirOf(src.Path), name)
	}
	return ""
}

func (r *runtimer) trim(rule string, f *files.File) {
	if rule == ruleByteCode {
		return // it is no loss: the interpreter makes it again
	}
	t := r.left[rule]
	if t == nil {
		t = &Trimmed{Owner: r.name, Rule: rule}
		r.left[rule] = t
	}
	t.Files++
	t.Bytes += f.Size
}

// loader lays the dynamic loader, if the base has none of that name.
func (r *runtimer) loader() error {
	if r.py.Loader == "" {
		return nil // a static build
	}
	if _, _, ok := r.base.Lookup(r.py.Loader); ok {
		return nil
	}
	if _, ok := trace(r.dev, r.py.Loader); !ok {
		return failf("", "%q needs the loader %q, which leads nowhere in the development image", r.py.Path, "/"+r.py.Loader)
	}
	return r.bringChain(r.py.Loader, Reason{Why: "loader of " + r.py.Path})
}

// result takes together what was laid and is not in the base.
func (r *runtimer) result() *Runtime {
	out := &Runtime{Name: r.name, Reasons: map[string]Reason{}, From: map[string]string{}, Merged: map[string]bool{}, Stdlib: r.stdlib.dir}
	if at, err := r.settleDir(r.stdlib.dir, r.name); err == nil {
		out.Stdlib = at
	}
	r.warnStale()
	out.Warnings = r.warnings
	out.Files = r.laidSet().Filter(func(f *files.File) bool { return !r.laid[f.Path].present })
	for f := range out.Files.All() {
		why := r.laid[f.Path].reason
		if why.Owner == "" {
			why.Owner = r.name
		}
		if !f.Mode.IsDir() {
			out.Reasons[f.Path] = why
		}
		if from := r.laid[f.Path].from; from != "" && from != f.Path {
			out.From[f.Path] = from
		}
		if r.laid[f.Path].merged {
			out.Merged[f.Path] = true
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(r.left)) {
		out.Trimmed = append(out.Trimmed, *r.left[rule])
	}
	for _, path := range slices.Sorted(maps.Keys(r.without)) {
		module, _, _ := strings.Cut(baseOf(path), ".")
		out.Warnings = append(out.Warnings, r.name+": module "+module+" is left out: it needs "+r.without[path]+", which neither image has")
	}
	return out
}

// layRuntime lays the interpreter that comes along. What a pick has brought to one of
// its paths is the same file, or is what its installer would have put there as well.
func (p *planner) layRuntime() error {
	if p.in.Runtime == nil {
		return nil
	}
	for _, w := range p.in.Runtime.Warnings {
		p.warnf("%s", w)
	}
	p.trimmed = slices.Concat(p.trimmed, p.in.Runtime.Trimmed)
	slices.SortFunc(p.trimmed, func(a, b Trimmed) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Rule, b.Rule))
	})
	for f := range p.in.Runtime.Files.All() {
		p.layRuntimeFile(f, p.in.Runtime.Reasons[f.Path])
	}
	for f := range p.in.Runtime.Files.Under(p.in.Runtime.Stdlib) {
		if err := p.compileRuntime(f); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) layRuntimeFile(f *files.File, why Reason) {
	l := p.laid[f.Path]
	if l != nil && !l.present {
		return
	}
	// A pick whose file is the same finds it present.
	p.lay(f.Path, &laid{
		file: f, runtime: true, native: true, present: l != nil, reason: why,
		from: p.in.Runtime.From[f.Path], merged: p.in.Runtime.Merged[f.Path],
	})
}

// compileRuntime lays what was compiled for a module of the standard library that has no
// byte code in the development image, or asks for it.
func (p *planner) compileRuntime(src *files.File) error {
	at := p.codePath(src)
	if at == "" || p.excluded(at) {
		return nil
	}
	if _, ok := p.in.Runtime.Files.Get(at); ok {
		return nil
	}
	if code, ok := p.in.Code.Get(at); ok {
		p.layRuntimeFile(beside(src, code, at), Reason{Owner: p.in.Runtime.Name, Why: whyCode})
		return nil
	}
	p.uncompiled = append(p.uncompiled, Uncompiled{Owner: p.in.Runtime.Name, Source: src, Path: at})
	return nil
}

// withoutRuntime is the base as it is, without the interpreter that comes along.
func (p *planner) withoutRuntime() files.Set {
	if p.in.Runtime == nil {
		return p.base
	}
	return p.base.Filter(func(f *files.File) bool {
		of, ok := p.in.Runtime.Files.Get(f.Path)
		return !ok || of != f
	})
}

// runtimeLayer is the interpreter's layer, if there is one.
func (p *planner) runtimeLayer() []Layer {
	if p.in.Runtime == nil {
		return nil
	}
	// What is laid over one of its files does not change this layer: it depends on the two
	// images alone.
	b := p.newLayer(p.in.Runtime.Name)
	for f := range p.in.Runtime.Files.All() {
		if l := p.laid[f.Path]; l.runtime {
			f = l.file // it may be stripped by now
		}
		switch {
		case p.in.Runtime.Merged[f.Path]:
		case f.Mode.IsDir():
			b.addDir(dirOf(f.Path))
			b.files, b.dirs[f.Path] = append(b.files, f), true
		default:
			b.add(f, p.in.Runtime.Reasons[f.Path])
		}
	}
	for f := range p.laidSet().Under(p.in.Runtime.Stdlib) {
		if _, ok := p.in.Runtime.Files.Get(f.Path); !ok && p.laid[f.Path].runtime {
			b.add(f, Reason{Owner: p.in.Runtime.Name, Why: whyCode})
		}
	}
	b.comment = "the base has no Python"
	return []Layer{b.layer()}
}
