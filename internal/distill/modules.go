package distill

import (
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// maxNamespace bounds the folders without an __init__ that are entered in search of
// modules: "google/cloud/aiplatform/v1".
const maxNamespace = 4

// notForImport are top-level names that distributions install by mistake, and that are
// no part of what they promise.
var notForImport = []string{"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmark", "benchmarks", "setup", "conftest", "scripts", "tools", "samples"}

// topModules returns the modules of a distribution that nothing but a namespace package
// is above, sorted: "numpy", "google.cloud.storage", "_cffi_backend".
func topModules(env *inspect.Environment, d *inspect.Distribution) []string {
	py := env.Python
	found := map[string]bool{}
	for _, file := range d.Files {
		rel, ok := strings.CutPrefix(file, d.Location+"/")
		if !ok {
			rel, ok = strings.CutPrefix(file, py.Platlib+"/")
		}
		if !ok {
			rel, ok = strings.CutPrefix(file, py.Purelib+"/")
		}
		if !ok {
			continue
		}
		root := strings.TrimSuffix(file, "/"+rel)
		if m := topModule(env, root, rel); m != "" {
			found[m] = true
		}
	}
	var out []string
	for m := range found {
		out = append(out, m)
	}
	slices.Sort(out)
	return out
}

// topModule is the module that a file, relative to a folder of sys.path, belongs to, or "".
func topModule(env *inspect.Environment, root, rel string) string {
	name, ok := moduleOfFile(path.Base(rel), env.Python.ExtSuffix)
	if !ok {
		return ""
	}
	parts := strings.Split(path.Dir(rel), "/")
	if parts[0] == "." {
		parts = nil
	}
	if len(parts) > 0 && slices.Contains(notForImport, parts[0]) || len(parts) == 0 && slices.Contains(notForImport, name) {
		return ""
	}
	for i, p := range parts {
		if !isIdentifier(p) || p == "__pycache__" || i == maxNamespace {
			return ""
		}
		if isPackage(env, root+"/"+strings.Join(parts[:i+1], "/")) {
			return strings.Join(parts[:i+1], ".")
		}
	}
	if name == "__init__" || name == "__main__" {
		return ""
	}
	return strings.Join(append(parts, name), ".")
}

// moduleOfFile is the name of the module that a file of this name is loaded as.
func moduleOfFile(base, extSuffix string) (name string, ok bool) {
	name, rest, _ := strings.Cut(base, ".")
	switch rest = "." + rest; {
	case rest == ".py", rest == ".so", rest == ".abi3.so", extSuffix != "" && rest == extSuffix:
		return name, isIdentifier(name)
	}
	return "", false
}

func isPackage(env *inspect.Environment, dir string) bool {
	for _, init := range []string{"__init__.py", "__init__" + env.Python.ExtSuffix, "__init__.pyc"} {
		if _, ok := env.Files.Get(dir + "/" + init); ok {
			return true
		}
	}
	return false
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r < 0x80 && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
