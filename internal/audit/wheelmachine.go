package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// wheelMachine reports native code for another processor or C library: a cross build that
// took the wrong compiler, or a library that came prebuilt with the sources.
var wheelMachine = wheelRule{
	Rule: Rule{
		Code: "wheel-machine", Severity: High,
		Title: "Native code of a built wheel is for another machine",
		Help:  "Importing it fails. The build took a compiler, or a prebuilt library, for another machine or C library.",
	},
	check: checkWheelMachine,
}

func checkWheelMachine(c *wheelChecker) []Finding {
	var out []Finding
	fitting := slices.ContainsFunc(c.elf, func(f wheelFile) bool { return f.loads })
	for _, f := range c.elf {
		if f.loads && c.sameClass(f.info) {
			continue
		}
		message := fmt.Sprintf("is made for %s, the interpreter for %s", machine(f.info), machineOf(c.Python.Arch, c.Python.Libc.Family))
		if tag := c.Name.Platform[0]; tag != "any" && f.info.Arch() != "" && !strings.HasSuffix(tag, "_"+f.info.Arch()) {
			message += ", as the wheel's tag " + tag + " says"
		}
		x := about(f.path, message, "build with a compiler for the interpreter's machine and C library")
		// Else it is data, or for whoever runs it there (debugpy brings its helpers for all machines).
		if !f.named && (fitting || slices.Contains(c.Name.Platform, "any")) {
			x.Severity = Low
		}
		out = append(out, x)
	}
	return out
}

// sameClass compares word size and byte order with the interpreter's own file, for machines
// that have several.
func (c *wheelChecker) sameClass(i *elfdeps.Info) bool {
	if c.Dev == nil || c.Dev.Python == nil {
		return true
	}
	f, ok := c.Dev.Files.Get(c.Dev.Python.Path)
	if !ok {
		return true
	}
	py := inspect.ELF(f)
	return py == nil || py.Machine != i.Machine || py.Class == i.Class && py.BigEndian == i.BigEndian
}

// wheelSuffix reports extension modules whose file name is that of another Python: it is
// never looked for.
var wheelSuffix = wheelRule{
	Rule: Rule{
		Code: "wheel-suffix", Severity: High,
		Title: "An extension module of a built wheel is named for another Python",
		Help:  "Python does not find it. The build took headers or settings of another Python, or the source archive has files of an earlier build.",
	},
	check: checkWheelSuffix,
}

func checkWheelSuffix(c *wheelChecker) []Finding {
	want := strings.TrimSuffix(strings.TrimPrefix(c.Python.ExtSuffix, "."), ".so")
	if want == "" {
		return nil
	}
	var out []Finding
	for _, f := range c.elf {
		tag := moduleTag(f.path)
		if !f.named || tag == want || strings.HasPrefix(tag, "abi3") {
			continue
		}
		if abi, bare := strings.CutPrefix(tag, "cpython-"); bare && !strings.Contains(abi, "-") && strings.HasPrefix(want, tag+"-") {
			continue // "x.cpython-311.so", a name without a platform
		}
		stem := strings.TrimSuffix(f.path, "."+tag+".so")
		if c.has(stem+c.Python.ExtSuffix) || c.has(stem+".abi3.so") {
			continue // one for each Python
		}
		out = append(out, about(f.path, fmt.Sprintf("is an extension module for %s, Python takes %s", tag, want),
			"build with the Python that will run it, and from sources without files of an earlier build"))
	}
	return out
}

func (c *wheelChecker) has(path string) bool {
	_, ok := c.Files.Get(path)
	return ok
}
