package audit

import (
	"fmt"
	"slices"
	"strings"
)

// wheelTags reports a wheel whose name or WHEEL file promises what its files don't keep,
// or that the interpreter would not install.
var wheelTags = wheelRule{
	Rule: Rule{
		Code: "wheel-tags", Severity: High,
		Title: "The tags of a built wheel do not say what is in it",
		Help:  "A wheel that says that it is for every machine and has native code is an error of the project's build, and breaks whoever takes it on another machine.",
	},
	check: checkWheelTags,
}

func checkWheelTags(c *wheelChecker) []Finding {
	var out []Finding
	n := c.Name
	if c.Python.Tags != nil {
		if _, ok := c.Python.Tags.Rank(n); !ok {
			out = append(out, about("", fmt.Sprintf("its tags %s are none that Python %s on %s takes", tagText(c), c.Python.Version, machineOf(c.Python.Arch, c.Python.Libc.String())),
				"the build made a wheel for another Python or machine: see its log"))
		}
	}
	if len(c.elf) == 0 {
		return out
	}
	f, more := c.first(func(f *wheelFile) bool { return f.named })
	severity := High
	if f == nil {
		// Without an extension module in it, native code may be data, or loaded by ctypes.
		f, more = c.first(func(*wheelFile) bool { return true })
		severity = Medium
	}
	if slices.Contains(n.Platform, "any") {
		x := about(f.path, "is native code, but the wheel's tag "+tagText(c)+" says that it is for every machine"+more, "the project has to declare its extension modules (has_ext_modules, or the like of its build back end)")
		x.Severity = severity
		out = append(out, x)
	}
	if c.Purelib {
		x := about(f.path, "is native code, but the wheel says Root-Is-Purelib: true"+more, "the project has to declare its extension modules (has_ext_modules, or the like of its build back end)")
		x.Severity = severity
		out = append(out, x)
	}
	return append(out, c.promises()...)
}

// promises reports tags for several Pythons on modules that only one of them loads. It
// works here, but not for others who take the wheel.
func (c *wheelChecker) promises() []Finding {
	stable := slices.Contains(c.Name.ABI, "abi3") || slices.Contains(c.Name.ABI, "none")
	f, more := c.first(func(f *wheelFile) bool { return strings.HasPrefix(moduleTag(f.path), "cpython-") })
	if !stable || f == nil || slices.Contains(c.Name.Platform, "any") {
		return nil
	}
	x := about(f.path, "is for one version of Python, but the wheel's tag "+tagText(c)+" says that it is for several"+more, "")
	x.Severity = Medium
	return []Finding{x}
}

// first returns the first ELF file that is such, and the end of a sentence that counts
// the others.
func (c *wheelChecker) first(such func(*wheelFile) bool) (f *wheelFile, more string) {
	n := 0
	for i := range c.elf {
		if !such(&c.elf[i]) {
			continue
		}
		if f == nil {
			f = &c.elf[i]
		}
		n++
	}
	if n > 1 {
		more = fmt.Sprintf(" (and so are %d more)", n-1)
	}
	return f, more
}

func tagText(c *wheelChecker) string {
	return strings.Join(c.Name.Python, ".") + "-" + strings.Join(c.Name.ABI, ".") + "-" + strings.Join(c.Name.Platform, ".")
}
