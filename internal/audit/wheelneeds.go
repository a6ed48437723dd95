package audit

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// buildFolder is where builds run (package build); nothing of it is in an image.
const buildFolder = "/build"

// wheelLibrary reports libraries that a wheel needs and nobody has.
var wheelLibrary = wheelRule{
	Rule: Rule{
		Code: "wheel-library", Severity: High,
		Title: "Native code of a built wheel needs a library that is nowhere",
		Help:  "Loading the file fails. The library is neither in the wheel nor in the development image: it was there while building only, or the build linked against a stub.",
	},
	check: checkWheelLibraries,
}

func checkWheelLibraries(c *wheelChecker) []Finding {
	var out []Finding
	var base *elfdeps.Loader
	if c.Base != nil && c.Base.Python != nil && c.Base.Python.Loader != "" {
		base, _ = c.Base.Loader()
	}
	type need struct{ real, name string }
	found := map[need]bool{} // in some process: a library may be found by the run path of what loads it
	for _, o := range c.objects {
		for _, d := range o.Needs {
			found[need{o.Real, d.Name}] = found[need{o.Real, d.Name}] || !d.IsMissing()
		}
	}
	for _, o := range c.objects {
		for _, d := range o.Needs {
			if found[need{o.Real, d.Name}] || d.Provider != "" && c.object[d.Provider] != nil {
				continue // its package may load its own libraries first
			}
			if base != nil {
				if _, ok := base.Find(d.Name); ok {
					continue
				}
			}
			out = append(out, c.missing(o, d))
		}
	}
	return out
}

// missing tells of a library that is not found, and what is known of where it is.
func (c *wheelChecker) missing(o *elfdeps.Object, d elfdeps.Dep) Finding {
	x := about(o.Real, fmt.Sprintf("needs %s, which the loader finds neither in the wheel nor in the development image", d.Name), "install the OS package that has "+d.Name+" in the development image")
	x.Severity = c.weight(o)
	switch dir := buildDir(o.Info); {
	case d.Problem != "":
		x.Message = fmt.Sprintf("needs %s, but what the loader finds can't be loaded: %s", d.Name, d.Problem)
		return x
	case dir != "":
		x.Message += ": it was found in the build folder " + dir + " only"
		x.Fix = "the project has to install the library into the wheel, with a run path relative to $ORIGIN"
		return x
	}
	for _, set := range append([]files.Set{c.Files}, c.Beside...) {
		if f := named(set, d.Name); f != nil {
			x.Message = fmt.Sprintf("needs %s, which stands at %s, where the loader does not look", d.Name, f.Path)
			x.Fix = "import the package that has it first, or give the module a run path relative to $ORIGIN"
			x.Severity = Medium
			return x
		}
	}
	c.near(&x, d.Name)
	return x
}

// near adds what the development image has under the name, or under that of another version.
func (c *wheelChecker) near(x *Finding, name string) {
	f := named(c.env.Files, name)
	if f != nil {
		x.Message += fmt.Sprintf(": it stands at /%s", f.Path) + c.owner(f.Path) + ", where the loader does not look"
		x.Fix = "add its folder to /etc/ld.so.conf (or LD_LIBRARY_PATH) of the development image"
		if c.ofProject(f.Path) { // which may be imported first
			x.Severity = Medium
		}
		return
	}
	stem, _, ok := strings.Cut(name, ".so.")
	if !ok {
		return
	}
	for f := range c.env.Files.All() {
		if base := path.Base(f.Path); strings.HasPrefix(base, stem+".so.") {
			x.Message += fmt.Sprintf(": there is /%s", f.Path) + c.owner(f.Path)
			return
		}
	}
}

// ofProject tells whether a path of the development image belongs to a Python project.
func (c *wheelChecker) ofProject(p string) bool {
	return strings.Contains(p, "-packages/") || slices.ContainsFunc(c.env.Distributions, func(d *inspect.Distribution) bool {
		_, ok := slices.BinarySearch(d.Files, p)
		return ok
	})
}

// owner names the package of a path in the development image, for the end of a sentence.
func (c *wheelChecker) owner(p string) string {
	if c.env.OS == nil {
		return ""
	}
	if name, _ := c.env.OwnerOf(p); name != "" {
		return " of package " + name
	}
	return ""
}

// named returns the first file of a set with that base name, nil if there is none.
func named(set files.Set, name string) *files.File {
	for f := range set.All() {
		if strings.HasSuffix(f.Path, name) && path.Base(f.Path) == name && !f.Mode.IsDir() {
			return f
		}
	}
	return nil
}

// buildDir returns the first directory of a run path below the build folder, "" if none is.
func buildDir(i *elfdeps.Info) string {
	for _, dir := range runPaths(i) {
		if dir = path.Clean(dir); dir == buildFolder || strings.HasPrefix(dir, buildFolder+"/") {
			return dir
		}
	}
	return ""
}

// runPaths are the directories that the loader takes from the file itself.
func runPaths(i *elfdeps.Info) []string {
	if i.HasRunPath {
		return i.RunPath
	}
	return i.RPath
}

// wheelSymbols reports symbol versions that even the image lacks in which the wheel was
// built: it was linked against something else.
var wheelSymbols = wheelRule{
	Rule: Rule{
		Code: "wheel-symbol-version", Severity: High,
		Title: "Native code of a built wheel needs a symbol version that the development image lacks",
		Help:  "Loading the file fails. The build took a prebuilt library, or a compiler of another system.",
	},
	check: checkWheelSymbols,
}

func checkWheelSymbols(c *wheelChecker) []Finding {
	if c.loader == nil || c.loader.Family() != "glibc" {
		return nil
	}
	var out []Finding
	for _, o := range c.objects {
		lib := func(name string) *elfdeps.Info {
			i := slices.IndexFunc(o.Needs, func(d elfdeps.Dep) bool { return d.Name == name && !d.IsMissing() })
			if i < 0 {
				return nil
			}
			return c.image(o.Needs[i].Real)
		}
		for _, g := range elfdeps.Gaps(o.Path, o.Info, lib) {
			x := about(o.Real, strings.TrimPrefix(g.String(), g.File+" ")+" in the development image", "build with the compiler and the libraries of the development image")
			x.Severity = c.weight(o)
			out = append(out, x)
		}
	}
	return out
}

// image returns what is known of an ELF file, once.
func (c *wheelChecker) image(real string) *elfdeps.Info {
	i, ok := c.images[real]
	if !ok {
		if f, found := c.env.Files.Get(real); found {
			i = inspect.ELF(f)
		}
		c.images[real] = i
	}
	return i
}
