package audit

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// BuiltWheel is a wheel that was just built in the development image.
type BuiltWheel struct {
	Name *python.WheelName
	// Purelib is what its WHEEL file says as Root-Is-Purelib.
	Purelib bool
	// Files are what it installs, where it installs it. Those that are ELF have the
	// Note of [inspect.Probe]; content is not looked at.
	Files files.Set
	// Python will run it.
	Python *inspect.Interpreter
	// Dev is the image that it was built in. Base is the image that it will run in; nil
	// if that is not known.
	Dev, Base *inspect.Environment
	// Beside are files of other wheels that it was built with: libraries in them are
	// there when they are needed, if their package is installed and imported first.
	Beside []files.Set
}

// wheelRule is a rule that judges a wheel that was built.
type wheelRule struct {
	Rule
	check func(*wheelChecker) []Finding
}

func builtWheelRules() []wheelRule {
	return []wheelRule{wheelTags, wheelMachine, wheelSuffix, wheelLibrary, wheelSymbols, wheelRunPath, wheelMemory}
}

// BuiltWheelRules returns all rules of [CheckBuiltWheel], for documentation.
func BuiltWheelRules() []Rule {
	var out []Rule
	for _, r := range builtWheelRules() {
		out = append(out, r.Rule)
	}
	return out
}

// CheckBuiltWheel judges a wheel as auditwheel would, by the image that it was built in
// and not by a policy for all systems. Findings of severity [High] mean that it can't be
// used: it is for another Python or machine, or its modules can't be loaded. [Medium] is
// a warning, [Low] is worth knowing. The worst come first.
//
// What the development image has and the base lacks is no finding, since it is brought
// along; whether the base's own libraries are new enough is judged with the plan.
// Undefined symbols that nobody provides are not noticed: extension modules leave those of
// the interpreter undefined on purpose, and only a process knows what else it has loaded.
func CheckBuiltWheel(w BuiltWheel) []Finding {
	c := newWheelChecker(w)
	var out []Finding
	for _, r := range builtWheelRules() {
		for _, x := range r.check(c) {
			x.Code, x.ID = r.Code, r.Code+"/"+string(w.Name.Name)
			x.Package, x.Version = w.Name.Name, w.Name.Version.String()
			if x.Severity == Unset {
				x.Severity = r.Severity
			}
			if w.Dev != nil && w.Dev.Platform != "" {
				x.Platforms = []string{w.Dev.Platform}
			}
			out = append(out, x)
		}
	}
	sortVerified(out)
	return out
}

// wheelFile is an ELF file of the wheel.
type wheelFile struct {
	path string
	info *elfdeps.Info
	// module is set if Python imports it by its name, named if that name says that it is
	// an extension module and cannot be anything else.
	module, named bool
	loads         bool // the interpreter's loader takes it
}

// wheelChecker is what the rules share.
type wheelChecker struct {
	BuiltWheel
	elf     []wheelFile              // in order of path
	object  map[string]*wheelFile    // by path
	env     *inspect.Environment     // the development image with the wheel installed
	loader  *elfdeps.Loader          // nil if env has none
	objects []*elfdeps.Object        // of the wheel, that the loader takes
	needed  map[string]bool          // files of the wheel without which a module can't be imported
	images  map[string]*elfdeps.Info // what was looked up
}

func newWheelChecker(w BuiltWheel) *wheelChecker {
	c := &wheelChecker{BuiltWheel: w, object: map[string]*wheelFile{}, needed: map[string]bool{}, images: map[string]*elfdeps.Info{}}
	for f := range w.Files.All() {
		i := inspect.ELF(f)
		if i == nil || !f.IsRegular() {
			continue
		}
		x := wheelFile{path: f.Path, info: i, loads: c.fits(i)}
		x.named = isNamedModule(f.Path)
		base := f.Path[strings.LastIndexByte(f.Path, '/')+1:]
		x.module = x.named || strings.HasSuffix(base, ".so") && !strings.HasPrefix(base, "lib") && strings.Count(base, ".") == 1
		c.elf = append(c.elf, x)
	}
	for i := range c.elf {
		c.object[c.elf[i].path] = &c.elf[i]
	}
	if w.Dev != nil && len(c.elf) > 0 {
		c.install()
	}
	return c
}

// fits tells whether a file is for the interpreter's machine and C library.
func (c *wheelChecker) fits(i *elfdeps.Info) bool {
	libc := i.Libc()
	return (c.Python.Arch == "" || i.Arch() == c.Python.Arch) && (libc == "" || c.Python.Libc.Family == "" || libc == c.Python.Libc.Family)
}

// install lays the wheel into the development image, in place of another version of it,
// and finds what its files need there.
func (c *wheelChecker) install() {
	old := map[string]bool{}
	for _, d := range c.Dev.Distributions {
		if d.Name == c.Name.Name {
			for _, p := range d.Files {
				old[p] = true
			}
		}
	}
	set := c.Dev.Files
	if len(old) > 0 {
		set = set.Filter(func(f *files.File) bool { return !old[f.Path] })
	}
	env := *c.Dev
	env.Files = set.Merge(c.Files)
	c.env = &env
	if env.Python == nil || env.Python.Loader == "" {
		return
	}
	loader, err := env.Loader()
	if err != nil {
		return
	}
	c.loader = loader
	var libs, programs []string
	for _, f := range c.elf {
		switch {
		case !f.loads || !f.info.Dynamic || f.info.Loader != nil:
		case f.info.IsProgram():
			programs = append(programs, f.path)
		default:
			libs = append(libs, f.path)
		}
	}
	c.follow(libs, env.Python.Path)
	for _, p := range programs {
		c.follow(nil, p)
	}
	c.findNeeded()
}

// follow keeps the objects of the wheel in one closure. A main program that is not there
// or is damaged leaves the check without a closure: nothing is complained about then.
func (c *wheelChecker) follow(libs []string, main string) {
	closure, err := c.loader.Closure(libs, main)
	if err != nil {
		return
	}
	for _, o := range closure.Objects {
		if c.object[o.Real] != nil && !slices.ContainsFunc(c.objects, func(x *elfdeps.Object) bool { return x.Path == o.Path }) {
			c.objects = append(c.objects, o)
		}
	}
}

// findNeeded marks the modules, and the libraries of the wheel that they need.
func (c *wheelChecker) findNeeded() {
	c.needed = neededBy(c.objects, func(o *elfdeps.Object) bool {
		f := c.object[o.Real]
		return f.module && !isSide(strings.TrimPrefix(f.path, c.Python.Platlib+"/"))
	})
}

// weight is the severity of what an object lacks.
func (c *wheelChecker) weight(o *elfdeps.Object) Severity {
	if c.needed[o.Real] {
		return High
	}
	return Medium
}

// about starts a finding about a file of the wheel.
func about(file, message, fix string) Finding {
	return Finding{Place: Place{File: file}, Message: message, Fix: fix}
}

// moduleTag returns the part of a module's file name that says for which Python it is:
// "cpython-311-x86_64-linux-gnu", "abi3"; "" for a plain "x.so".
func moduleTag(path string) string {
	base, ok := strings.CutSuffix(path[strings.LastIndexByte(path, '/')+1:], ".so")
	if !ok {
		return ""
	}
	_, tag, _ := strings.Cut(base, ".")
	return tag
}

// isNamedModule tells whether a file's name is that of an extension module of some Python.
func isNamedModule(path string) bool {
	tag := moduleTag(path)
	return tag == "abi3" || tag == "abi3t" || strings.HasPrefix(tag, "cpython-") || strings.HasPrefix(tag, "pypy")
}
