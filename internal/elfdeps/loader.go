package elfdeps

import (
	"fmt"
	"path"
	"strings"
)

// Tree is where a loader searches; paths have no leading slash.
type Tree interface {
	// ReadFile returns the content of the regular file at path, links followed;
	// ok is false if there is none or it has more than limit bytes.
	ReadFile(path string, limit int64) (content []byte, ok bool)
	// Real follows all links of path, as the kernel does in a root ("a/../b" goes
	// through what a is), and returns the final path; ok is false if nothing is there.
	Real(path string) (real string, ok bool)
	// ELF returns what is known of the regular file at a final path, nil if
	// there is no such file or it is not ELF.
	ELF(real string) *Info
}

// LoaderOptions change what a Loader does.
type LoaderOptions struct {
	// LibraryPath is the value of LD_LIBRARY_PATH. Relative directories in it depend on
	// the working directory and are passed over.
	LibraryPath string
	// HWCaps are the glibc-hwcaps of one processor, best first ("x86-64-v3"). With
	// none, the result is right for every processor: the plain file, and what
	// better processors take instead as its variants.
	HWCaps []string
}

// Loader finds libraries as the dynamic loader of one interpreter does. It is
// not safe for several goroutines.
type Loader struct {
	t       Tree
	opts    LoaderOptions
	facts   *LoaderFacts
	self    *loaded // the loader itself
	env     []string
	dirs    []string            // default directories
	cache   map[string][]string // ld.so.cache: name -> paths of the plain entries
	cacheHW map[string][]CacheEntry
	lib     string // $LIB
	plat    string // $PLATFORM
	caps    []string
	steps   int // names looked up so far
}

// maxSteps bounds the names that one Loader looks up; all 1,900 ELF files of a full
// scientific image take 60,000.
const maxSteps = 5_000_000

// maxCache bounds /etc/ld.so.cache: 40 KB on a full Debian, 16 MiB is a hundred
// thousand libraries.
const maxCache = 16 << 20

// NewLoader returns the loader that a program with this PT_INTERP
// ("/lib64/ld-linux-x86-64.so.2") gets in the tree. What is compiled into a loader is
// read from the facts of its own file, so its prefix does not matter.
func NewLoader(t Tree, interp string, opts LoaderOptions) (*Loader, error) {
	interp = "/" + rel(interp)
	real, ok := t.Real(rel(interp))
	if !ok {
		return nil, fmt.Errorf("loader %q is not there", interp)
	}
	info := t.ELF(real)
	if info == nil || info.Loader == nil {
		return nil, fmt.Errorf("loader %q (%q) is no known dynamic loader", interp, real)
	}
	l := &Loader{t: t, opts: opts, facts: info.Loader, self: &loaded{path: rel(interp), real: real, info: info}}
	if info.Loader.Family == "musl" {
		l.setMusl(interp)
	} else {
		l.setGlibc()
	}
	return l, nil
}

// Family returns "glibc" or "musl".
func (l *Loader) Family() string { return l.facts.Family }

// Path returns the final path of the loader's file.
func (l *Loader) Path() string { return l.self.real }

// Cache returns the path of the cache that the loader reads, without a leading slash; ""
// for musl's, which has none.
func (l *Loader) Cache() string { return rel(l.facts.Cache) }

// Dirs returns the directories that are searched for every object, without leading
// slashes.
func (l *Loader) Dirs() []string {
	var out []string
	for _, list := range [][]string{l.env, l.dirs} {
		for _, d := range list {
			if d = strings.TrimRight(rel(d), "/"); d != "" {
				out = append(out, d)
			}
		}
	}
	return out
}

// Libc returns the path of the C library that the loader gives to programs, its
// own on musl, or "" if there is none.
func (l *Loader) Libc() string {
	if l.facts.Family == "musl" {
		return l.self.real
	}
	f := l.search("libc.so.6", nil)
	return f.real
}

// rel takes the leading slashes off a path.
func rel(p string) string { return strings.TrimLeft(p, "/") }

// loaded is an object in a process.
type loaded struct {
	path   string // as found
	real   string
	info   *Info
	parent *loaded  // what loaded it first
	rpath  []string // directories of DT_RPATH or DT_RUNPATH, expanded
	ready  bool
	isMain bool
}

// found is the outcome of one search.
type found struct {
	path, real string
	via        string
	variants   []string
	problem    string
}

// origin is what $ORIGIN stands for: the real directory of a program, for a library the
// directory through which it was found.
func (o *loaded) origin() string {
	p := o.path
	if o.isMain {
		p = o.real
	}
	return "/" + strings.TrimPrefix(path.Dir("/"+p), "/")
}

// accept looks at one file name of a search. stop is true if the loader looks
// no further.
func (l *Loader) accept(p string) (real, problem string, stop bool) {
	if l.steps++; l.steps > maxSteps {
		return "", "too many lookups", true
	}
	real, ok := l.t.Real(p)
	if !ok {
		return "", "", false
	}
	info := l.t.ELF(real)
	same := info != nil && info.Class == l.self.info.Class && info.Machine == l.self.info.Machine && info.BigEndian == l.self.info.BigEndian
	switch {
	case same:
		return real, "", true
	case info == nil:
		return real, fmt.Sprintf("%q is not an ELF file", p), true
	case l.facts.Family == "glibc": // open_verify passes over other classes and machines
		return "", "", false
	}
	return real, fmt.Sprintf("%q is for another machine (%d-bit, %d)", p, info.Class, info.Machine), true
}

// inDirs searches directories in order, each with its hwcaps subdirectories
// first. Directories have a leading slash; others are passed over.
func (l *Loader) inDirs(f *found, dirs []string, name, via string) bool {
	for _, d := range dirs {
		if !strings.HasPrefix(d, "/") {
			continue
		}
		d = strings.TrimRight(rel(d), "/")
		if d != "" {
			d += "/"
		}
		if len(l.caps) > 0 {
			if _, ok := l.t.Real(d + "glibc-hwcaps"); ok {
				if l.inCaps(f, d, name, via) {
					return true
				}
			}
		}
		if real, problem, stop := l.accept(d + name); stop {
			f.path, f.real, f.problem, f.via = d+name, real, problem, via
			return true
		}
	}
	return false
}

// inCaps searches below glibc-hwcaps of one directory. Hits are variants, or final
// if the processor is known.
func (l *Loader) inCaps(f *found, dir, name, via string) bool {
	for _, c := range l.caps {
		p := dir + "glibc-hwcaps/" + c + "/" + name
		real, problem, stop := l.accept(p)
		if !stop || problem != "" {
			continue
		}
		if len(l.opts.HWCaps) > 0 {
			f.path, f.real, f.via = p, real, via
			return true
		}
		f.variants = append(f.variants, p)
	}
	return false
}

// search finds a name without a slash for the object that needs it.
func (l *Loader) search(name string, by *loaded) found {
	var f found
	if l.facts.Family == "musl" {
		l.searchMusl(&f, name, by)
	} else {
		l.searchGlibc(&f, name, by)
	}
	return f
}

// Find returns the final path of what the loader gives for a bare name to an
// object without a run path.
func (l *Loader) Find(name string) (real string, ok bool) {
	f := l.search(name, nil)
	return f.real, f.path != "" && f.problem == ""
}
