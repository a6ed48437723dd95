package audit

import (
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/modules"
)

// wrongMachine reports extension modules for another processor or C library.
var wrongMachine = verifyRule{
	Rule: Rule{
		Code: "wrong-machine", Severity: High,
		Title: "An extension module is made for another machine",
		Help:  "Importing it fails. The file comes from another platform's image or wheel.",
	},
	verify: checkMachine,
}

func checkMachine(v *verifier) []Finding {
	var out []Finding
	for _, m := range v.scope {
		f, ok := v.env.Files.Get(m.File)
		if !ok || m.Kind != modules.Extension {
			continue
		}
		i := inspect.ELF(f)
		if i == nil {
			if f.Size > 0 && len(f.Note) == 0 && f.Rewrite == nil {
				out = append(out, v.finding(m.File, "is no shared library that a loader takes", "take the file from a wheel or image that is not damaged"))
			}
			continue
		}
		if v.loads(i) {
			continue
		}
		py := v.env.Python
		x := v.finding(m.File, fmt.Sprintf("is made for %s, the interpreter for %s", machine(i), machineOf(py.Arch, py.Libc.Family)),
			"take the package for this platform")
		switch { // a bare .so may be data that has the form of a module's name (debugpy's attach_linux_x86.so)
		case v.reached[m.File] == nil && !v.isNamedForPython(m.File):
			x.Severity = Low
		case v.guarded[m.File] || isSide(m.File):
			x.Severity = Medium
		}
		out = append(out, x)
	}
	return out
}

// isNamedForPython tells whether a file's name says that it is an extension module.
func (v *verifier) isNamedForPython(file string) bool {
	return strings.HasSuffix(file, ".abi3.so") || v.env.Python.ExtSuffix != "" && strings.HasSuffix(file, v.env.Python.ExtSuffix)
}

func machine(i *elfdeps.Info) string { return machineOf(i.Arch(), i.Libc()) }

func machineOf(arch, libc string) string {
	if arch == "" {
		arch = "an unknown machine"
	}
	if libc == "" {
		return arch
	}
	return arch + " with " + libc
}
