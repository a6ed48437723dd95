package elfdeps

// Tree is where a loader searches; paths have no leading slash.
type Tree interface {
	// ReadFile returns the content of the regular file at path, links followed.
	ReadFile(path string, limit int64) (content []byte, ok bool)
	// Real follows all links of path, as the kernel would in a root, and returns
	// the final path; ok is false if nothing is there.
	Real(path string) (real string, ok bool)
	// ELF returns what is known of the regular file at a final path, nil if
	// there is no such file or it is not ELF.
	ELF(real string) *Info
}

// LoaderOptions change what a Loader does.
type LoaderOptions struct {
	LibraryPath string // value of LD_LIBRARY_PATH
}

// Loader finds libraries as the dynamic loader of one interpreter does.
type Loader struct{}

// NewLoader returns the loader that a program with the given PT_INTERP
// ("/lib64/ld-linux-x86-64.so.2") gets in the tree.
func NewLoader(t Tree, interp string, opts LoaderOptions) (*Loader, error) { panic("contract") }

// Closure is what a set of objects needs, in full.
type Closure struct {
	Objects []Object // main first, then in order of Path
}

// Object is one ELF file as the loader would load it.
type Object struct {
	Path  string // as found, perhaps through links
	Real  string // final path
	Info  *Info
	Needs []Dep // in order of DT_NEEDED
}

// Dep is one needed library.
type Dep struct {
	Name     string   // as written in DT_NEEDED
	Path     string   // as found ("usr/lib/libz.so.1"), "" if missing or built in
	Real     string   // final path
	Variants []string // glibc-hwcaps files that win on newer processors, as found
	BuiltIn  bool     // the loader itself answers to this name (musl)
	Via      string   // how it was found: "RUNPATH", "RPATH", "LD_LIBRARY_PATH", "ld.so.cache", "default", "loaded"
	Problem  string   // "" or why what was found can't be used
}

// Closure follows the needs of objs, each loaded by main ("" for none) on its own.
func (l *Loader) Closure(objs []string, main string) (*Closure, error) { panic("contract") }

// Family returns "glibc" or "musl".
func (l *Loader) Family() string { panic("contract") }
