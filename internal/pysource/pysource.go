// Package pysource says what the text of a Python module asks of others: the modules
// that it imports and the libraries that it loads by ctypes or cffi.
//
// It reads tokens and indentation, not grammar: linear in time, never wrong about
// strings and comments, and content with a file that Python would refuse.
package pysource

// Facts are what a module's text says.
type Facts struct {
	Imports []Import // in the order of the text, without repetitions
	Loads   []Load   // in the order of the text, without repetitions

	// The rest is filled in by [ScanPackage] only. Binds are the names that the module's
	// top level defines, sorted.
	Binds []string
	// Dynamic is set where the module may get names that its text does not tell: it has
	// __getattr__, uses globals() and the like, or calls what may.
	Dynamic bool
	// Star is set where it has a star import, which gives it public names.
	Star bool
	// Grafts is set where it may get submodules that are no files of it: it touches
	// sys.modules, __path__ or sys.meta_path, or hands its name on.
	Grafts bool
	// Namespace is set where the module declares itself a portion of a namespace
	// package, by pkg_resources or pkgutil.
	Namespace bool
}

// Import is one imported module, or name of a module. Imports that can't happen on
// Linux with Python 3 are left out.
type Import struct {
	// Module as written, with leading dots if relative: "os.path", ".core", ".".
	Module string
	// Names are what "from Module import a, b" asks for, each of which may be a
	// submodule or an attribute; nil for "import Module", {"*"} for a star.
	Names []string
	// Optional is set where the module can go on without it: inside try with an
	// except that catches ImportError and does not raise again, inside a function, under a
	// condition that is not known to hold on Linux with Python 3, or by suppress().
	Optional bool
	// Deferred is set inside a function or lambda, and for names given to
	// import_module and __import__: not known to happen at import.
	Deferred bool
	// Fallback is set in the except clause that makes up for the imports of a try
	// statement: needed if one of those, which have the same Try, is not there.
	Fallback bool
	// Try numbers the innermost try statement that makes the import optional, from 1; 0
	// for none: the import is optional since it may not happen, not since it may fail.
	Try int
}

// Load is one library that is loaded at run time.
type Load struct {
	Library string // as written: "libmagic.so.1", "z" for find_library; "" if it is no literal
	Call    string // "find_library", "CDLL", "LoadLibrary", "dlopen"
}

// IsEmpty tells whether f says nothing.
func (f *Facts) IsEmpty() bool {
	return len(f.Imports) == 0 && len(f.Loads) == 0 && len(f.Binds) == 0 && !f.Dynamic && !f.Star && !f.Grafts && !f.Namespace
}
