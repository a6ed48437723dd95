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
}

// Import is one imported module, or name of a module.
type Import struct {
	// Module as written, with leading dots if relative: "os.path", ".core", ".".
	Module string
	// Names are what "from Module import a, b" asks for, each of which may be a
	// submodule or an attribute; nil for "import Module", {"*"} for a star.
	Names []string
	// Optional is set where the module can go on without it: inside try with an
	// except that catches ImportError, inside a function, under if TYPE_CHECKING or
	// a test of platform or version, in "if __name__ == '__main__'", or by suppress().
	Optional bool
	// Deferred is set inside a function or lambda: not at import.
	Deferred bool
}

// Load is one library that is loaded at run time.
type Load struct {
	Library string // as written: "libmagic.so.1", "z" for find_library; "" if it is no literal
	Call    string // "find_library", "CDLL", "LoadLibrary", "dlopen"
}
