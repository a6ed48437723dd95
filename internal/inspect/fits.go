package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
)

// Fitter tells which distributions of a development image can be used on a base.
// It remembers what it looked up and is not safe for several goroutines.
type Fitter struct {
	dev, base *native
	general   string // reason that holds for every distribution
}

// NewFitter prepares the comparison of two environments of one platform.
func NewFitter(dev, base *Environment) *Fitter {
	f := &Fitter{}
	d, b := dev.Python, base.Python
	switch {
	case d == nil:
		f.general = "the development image has no Python"
	case b == nil:
		f.general = "the base image has no Python"
	case d.Implementation != b.Implementation:
		f.general = fmt.Sprintf("made for %s, the base has %s", d.Implementation, b.Implementation)
	case d.pythonDir() != b.pythonDir():
		f.general = fmt.Sprintf("made for Python %s, the base has Python %s", minor(d), minor(b))
	}
	if f.general == "" {
		f.dev, _ = newNative(dev)
		f.base, _ = newNative(base)
	}
	return f
}

func minor(i *Interpreter) string { return strings.TrimPrefix(i.pythonDir(), "python") }

// Fits tells why the files of d in the development image can't be used on the
// base, "" if they can. See [Fitter.Fits].
func Fits(d *Distribution, dev, base *Environment) string {
	return NewFitter(dev, base).Fits(d)
}

// Fits tells why the files of d can't be used on the base, "" if they can: same
// Python minor, a place that the base's Python looks into or can be moved to, and for native code
// the same machine, ABI and libc, and no symbol version that the base's libraries lack. A
// library that the base lacks does not count: it is brought along, and then must
// fit itself. Nor does one that the development image lacks as well: the files
// are as good as they were there (wheels carry plugins for libraries that are
// rarely installed).
func (f *Fitter) Fits(d *Distribution) string {
	switch {
	case f.general != "":
		return f.general
	case d.Refused != "":
		return d.Refused
	}
	elf := f.dev.elfFiles(d)
	if why := f.place(d, elf); why != "" {
		return why
	}
	if len(elf) == 0 {
		return ""
	}
	if why := f.machine(elf); why != "" {
		return why
	}
	return f.symbols(d, elf)
}

// place compares the installation schemes. What an installer of Python put into one of
// its own folders can be moved to the base's, as the installer would have put it there.
func (f *Fitter) place(d *Distribution, elf []string) string {
	location := d.Location
	if d.Kind == Egg {
		location = d.Location[:max(strings.LastIndexByte(d.Location, '/'), 0)]
	}
	dev, b := f.dev.e.Python, f.base.e.Python
	if d.Kind == Develop && d.PathEntry != "" {
		return "" // a .pth file leads to its source tree, wherever that is
	}
	if slices.Contains(b.SiteDirs, location) || slices.Contains(b.SysPath, location) {
		return ""
	}
	where := fmt.Sprintf("installed in /%s, where the base's Python does not look (it takes /%s)", location, b.Purelib)
	switch {
	case !slices.Contains(dev.SiteDirs, location) && location != dev.Purelib && location != dev.Platlib, b.Purelib == "", b.Platlib == "":
		return where
	case d.Owner != "": // such packages are made for one prefix, which stands in their files
		return where + ", and made by " + d.Owner + " for that place"
	}
	for _, p := range elf {
		if dir := runPathInto(f.dev.t.ELF(p), dev.Prefix); dir != "" {
			return where + fmt.Sprintf(", and %s finds libraries by %s", p, dir)
		}
	}
	return ""
}

// runPathInto returns the first directory of a run path that lies below a prefix and is
// not relative to the file itself.
func runPathInto(i *elfdeps.Info, prefix string) string {
	for _, list := range [][]string{i.RPath, i.RunPath} {
		for _, dir := range list {
			if strings.HasPrefix(dir, "/") && prefix != "" && isBelow(strings.Trim(dir, "/"), prefix) {
				return dir
			}
		}
	}
	return ""
}

// machine compares what native code is made for.
func (f *Fitter) machine(elf []string) string {
	d, b := f.dev.e.Python, f.base.e.Python
	switch {
	case d.Arch != b.Arch:
		return fmt.Sprintf("made for %s, the base is %s", d.Arch, b.Arch)
	case d.ABI != b.ABI:
		return fmt.Sprintf("made for ABI %s, the base has %s", d.ABI, b.ABI)
	case d.Libc.Family != b.Libc.Family:
		return fmt.Sprintf("made for %s, the base has %s", d.Libc.Family, b.Libc.Family)
	}
	if b.Libc.Family != "musl" || b.LibcVersion == "" || elfdeps.CompareNumbers(b.LibcVersion, "1.2.4") >= 0 {
		return ""
	}
	for _, p := range elf {
		if f.dev.t.ELF(p).Relr {
			return fmt.Sprintf("%s has DT_RELR relocations, which need musl 1.2.4; the base has %s", p, b.LibcVersion)
		}
	}
	return ""
}

// symbols checks every file that would run on the base's libraries: those of d, and the
// libraries that come along since the base has none of their name.
func (f *Fitter) symbols(d *Distribution, elf []string) string {
	if f.base.e.Python.Libc.Family != "glibc" {
		return ""
	}
	for _, o := range f.dev.closure(elf) {
		if _, own := slices.BinarySearch(d.Files, o.Real); !own && f.isKept(o) {
			continue
		}
		for _, g := range elfdeps.Gaps(o.Path, o.Info, f.base.lib) {
			if !isRuntime(g.Lib) {
				return g.String() + " in the base"
			}
		}
	}
	return ""
}

// isKept tells whether the base's own file of that name is used in place of o.
func (f *Fitter) isKept(o *elfdeps.Object) bool {
	if o.Info.IsProgram() || o.Info.Loader != nil {
		return true
	}
	name := o.Info.Soname
	if name == "" {
		name = o.Path[strings.LastIndexByte(o.Path, '/')+1:]
	}
	return f.base.lib(name) != nil
}

// isRuntime tells whether a library is one of the compiler's, which are compatible
// upwards: the newer of both images' is used.
func isRuntime(lib string) bool {
	for _, p := range [...]string{"libstdc++.so.", "libgcc_s.so.", "libgomp.so.", "libgfortran.so.", "libquadmath.so."} {
		if strings.HasPrefix(lib, p) {
			return true
		}
	}
	return false
}
