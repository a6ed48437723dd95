package modules

import (
	"slices"
	"strings"
)

// always are the modules that every CPython has without a file: made before the first
// import, or compiled in without a function of the usual name.
var always = map[string]bool{
	"sys": true, "builtins": true, "marshal": true, "_imp": true, "_warnings": true, "_thread": true, "_weakref": true,
	"_frozen_importlib": true, "_frozen_importlib_external": true, "__main__": true, "_io": true, "_signal": true, "posix": true,
	"time": true, "gc": true, "errno": true, "itertools": true, "_abc": true, "_ast": true, "_codecs": true, "_collections": true,
	"_functools": true, "_locale": true, "_operator": true, "_sre": true, "_stat": true, "_string": true, "_symtable": true,
	"_tracemalloc": true, "atexit": true, "faulthandler": true, "pwd": true, "_typing": true, "_tokenize": true, "_sysconfig": true,
	"_suggestions": true,
}

// frozen are modules of the standard library whose byte code is in the interpreter:
// since 3.11 they are imported from there, whether their files exist or not.
var frozen = []string{
	"__hello__", "__phello__", "_collections_abc", "_sitebuiltins", "abc", "codecs", "genericpath", "importlib._bootstrap",
	"importlib._bootstrap_external", "importlib.machinery", "importlib.util", "io", "ntpath", "os", "posixpath", "runpy", "site", "stat",
	"zipimport",
}

// frozenMinor is the first minor version of Python 3 that imports frozen modules.
const frozenMinor = 11

// isBuiltin tells whether an import finds the module in the interpreter itself. Where it
// is not known what is compiled in, a private name that only the standard library has
// counts as such.
func (t *Tree) isBuiltin(name string) bool {
	if always[name] {
		return true
	}
	if t.o.Builtins != nil {
		_, ok := slices.BinarySearch(t.o.Builtins, name)
		return ok
	}
	return IsStdlib(name) && t.in(t.dirs, name, name) == nil
}

// isFrozen tells whether the module's byte code is in the interpreter.
func (t *Tree) isFrozen(name string) bool {
	if name == "importlib._bootstrap" || name == "importlib._bootstrap_external" || name == "zipimport" {
		return true
	}
	_, ok := slices.BinarySearch(frozen, name)
	return ok && t.o.Minor >= frozenMinor
}

// IsStdlib tells whether a top-level module belongs to the standard library of some
// CPython from 3.6 to 3.14 on Linux.
func IsStdlib(name string) bool { return stdlib[name] }

// stdlib are sys.stdlib_module_names of these versions, without those of other systems.
var stdlib = func() map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsSeq(stdlibNames) {
		out[name] = true
	}
	return out
}()
