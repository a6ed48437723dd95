package build

import (
	"bytes"
	"fmt"
	"strings"
)

// advice is what to say when a log holds one of some texts.
var advice = []struct {
	texts []string
	hint  string
}{
	{
		[]string{"attempting to make an HTTP request, but --offline was specified", "you're using offline mode (--offline)"},
		"its Rust crates are not in the source archive, and a build has no network: take a version that has a wheel for this platform",
	},
	{
		[]string{"Do you have cargo in your PATH?", "can't find Rust compiler", "Cargo, the Rust package manager, is not installed", "rustc, the rust compiler, is not installed"},
		"building it needs Rust (cargo and rustc), which is not in the development image",
	},
	{
		[]string{"Temporary failure in name resolution", "Name or service not known", "Could not resolve host", "Network is unreachable", "[Errno -3]", "No matching distribution found for"},
		"the build wants to load something, and builds have no network: what it needs must stand in the source archive, its build requirements or the development image",
	},
	{
		[]string{"Killed signal terminated program", "internal compiler error: Killed", "virtual memory exhausted", "Cannot allocate memory", "MemoryError"},
		"the build needs more memory than it is given",
	},
	{
		[]string{"No space left on device", "[Errno 27] File too large"},
		"the build writes more than it is given room for",
	},
	{
		[]string{"Compatibility with CMake < 3.5 has been removed"},
		"its CMakeLists.txt is older than the CMake it gets: take a newer version of the package, or a build requirement of cmake<4",
	},
	{
		[]string{"unable to detect version for", "Error getting the version from source"},
		"the source archive does not say its version, which is taken from a repository that is not there: take an archive from an index",
	},
}

// Advice says in one sentence what is behind the end of a build's log, "" if it is nothing
// that is known to happen to many.
func Advice(log []byte) string {
	for _, a := range advice {
		for _, text := range a.texts {
			if bytes.Contains(log, []byte(text)) {
				return a.hint
			}
		}
	}
	for _, line := range Lines(log, 3) {
		if rest, ok := strings.CutPrefix(line, "ModuleNotFoundError: No module named "); ok {
			return adviceOnModule(strings.Trim(rest, `'"`))
		}
	}
	return ""
}

// adviceOnModule is about a module that a build has not found.
func adviceOnModule(name string) string {
	switch top, _, _ := strings.Cut(name, "."); top {
	case "pkg_resources":
		return "its setup.py uses pkg_resources, which setuptools has until version 81: take a newer version of the package"
	case "distutils", "imp", "asyncore", "asynchat", "smtpd":
		return fmt.Sprintf("it uses the module %s of an older Python than that of the development image: take a newer version of the package", top)
	default:
		return fmt.Sprintf("it needs the module %s to build, and does not list it among its build requirements", top)
	}
}
