package elfdeps

import (
	"path"
	"strings"
)

// maxPathFile bounds /etc/ld-musl-ARCH.path, which holds a handful of directories.
const maxPathFile = 1 << 16

// setMusl fills in what musl's loader knows before a program starts: the search
// path from the file beside its own prefix, or the compiled-in one.
func (l *Loader) setMusl(interp string) {
	l.env = splitAny(l.opts.LibraryPath, ":\n")
	l.dirs = []string{"/lib", "/usr/local/lib", "/usr/lib"}
	file := rel(path.Dir(path.Dir(interp)) + l.facts.PathFile)
	if b, ok := l.t.ReadFile(file, maxPathFile); ok {
		l.dirs = splitAny(string(b), ":\n")
	}
}

// muslOwn are the beginnings of names that musl's loader takes for itself, also
// with any version behind (ldso/dynlink.c, load_library).
var muslOwn = [...]string{"libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."}

// isMuslOwn tells whether the loader itself answers to the name.
func (l *Loader) isMuslOwn(name string) bool {
	if rel(name) == l.self.path {
		return true
	}
	for _, p := range muslOwn {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// searchMusl follows load_library of ldso/dynlink.c: LD_LIBRARY_PATH, then the run
// path, of either tag, of by and of everything that led to it, then the system path.
func (l *Loader) searchMusl(f *found, name string, by *loaded) {
	if l.inDirs(f, l.env, name, "LD_LIBRARY_PATH") {
		return
	}
	for o := by; o != nil; o = o.parent {
		via, list := "RPATH", o.info.RPath
		if o.info.HasRunPath {
			via, list = "RUNPATH", o.info.RunPath
		}
		if l.inDirs(f, muslPath(o, list), name, via) {
			return
		}
	}
	l.inDirs(f, l.dirs, name, "default directory")
}

// muslPath expands $ORIGIN; any other token voids the whole path.
func muslPath(o *loaded, list []string) []string {
	if o.ready {
		return o.rpath
	}
	o.ready = true
	expand := strings.NewReplacer("${ORIGIN}", o.origin(), "$ORIGIN", o.origin())
	var out []string
	for _, d := range list {
		rest := strings.ReplaceAll(strings.ReplaceAll(d, "${ORIGIN}", ""), "$ORIGIN", "")
		if strings.Contains(rest, "$") {
			return nil
		}
		out = append(out, expand.Replace(d))
	}
	o.rpath = out
	return out
}
