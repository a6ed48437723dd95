// Package needs tells what building a package needs of an image beside Python packages
// (compilers, headers, pkg-config names, programs), which packages of the operating
// system carry it, and whether an image has it.
//
// The facts stand in needs.toml, from the packages' own documents, and in names.toml,
// which knows the names that sources use for libraries.
package needs

import (
	"cmp"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Need is one thing that a build wants of the image. It is met if any of Header,
// PkgConfig, Programs and Libraries is there.
type Need struct {
	Name      string   // "HDF5", "C compiler"
	Header    string   // below any include folder, "libxml/xmlversion.h"
	PkgConfig []string // names of .pc files, any of
	Programs  []string // on PATH, any of
	Libraries []string // what the linker looks for, "libhdf5.so", any of
	// Env are variables that point a build elsewhere: where the image's configuration sets
	// one, the need is met by what it says.
	Env []string
	// Sure is false for what the build may do without, or what was only guessed from the
	// archive.
	Sure bool
	// Packages carry it.
	Packages Packages
	// From says who says so: "docs" of the book, "pyproject.toml", "setup.py" ...
	From string

	versions python.Specifiers
	marker   *python.Marker
	kind     kind
	why      string // of kind absent: why it can't be there
}

// kind tells needs that are looked for in ways of their own.
type kind uint8

const (
	ordinary     kind = iota
	compiler          // Programs are tried after the one that Python was made with
	pythonHeader      // Header is that of the interpreter
	libcHeader        // Header is the C library's, which some compilers bring
	absent            // no image has it
	unknown           // only its name is known, so it can't be looked for
)

// Packages carry something, for each kind of package manager; empty where nobody knows.
type Packages struct {
	APK, APT, RPM, Conda []string
}

// List is what building one version of a package needs.
type List struct {
	Name  python.Name
	Docs  string // where the package's documents tell it, "" if the book has no entry
	Needs []Need // sure ones first, else in the order of the book

	pkgConfig Need // the program
}

// Hints are what a source archive itself says of its needs. The zero value says nothing.
type Hints struct {
	External []External // PEP 725, in the order of the archive
	// Languages are those of what is compiled: "c", "c++", "cython", "fortran", "go",
	// "rust"; Certain are those of them that nothing is built without, since the build
	// system knows no way around.
	Languages, Certain []string
	// Crates says that a part in Rust needs crates that the archive does not hold.
	Crates bool
	// Untranslated is a module in Cython of which the archive has no C, if the build
	// requirements have no Cython.
	Untranslated string
	// Tools are programs that the build requirements bring, so that the image needs none.
	Tools []string
	// Downloads are what the build may fetch from elsewhere, by the names that the build
	// files give to it.
	Downloads []string
	// What the build files name, in so many words: .pc files, headers, programs, libraries
	// without "lib" before ("ssl"), and names of CMake ("OpenSSL").
	PkgConfig, Headers, Programs, Libraries, Names []string
}

// Book is what is known about packages. It is safe for use by several goroutines.
type Book struct {
	entries   map[python.Name]*entry
	compilers map[string]Need // by language
	headers   Need            // Python.h
	libc      Need            // stdio.h
	names     map[string]Need // by what sources call it, see key
	// interfaces are those of PEP 725 ("BLAS"), in order of name.
	interfaces []Need
}

// entry is what the book has of one package.
type entry struct {
	docs      string
	compilers []string
	needs     []Need
}

// Names returns the packages that the book knows, sorted.
func (b *Book) Names() []python.Name {
	var out []python.Name
	for n := range b.entries {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// For returns what building a version needs: what the book says, joined with what the
// archive itself says.
func (b *Book) For(name python.Name, v python.Version, h Hints) List {
	l := List{Name: name}
	l.pkgConfig, _ = b.find("pkg-config", "program")
	var langs []string
	if e := b.entries[name]; e != nil {
		l.Docs, langs = e.docs, e.compilers
		for _, n := range e.needs {
			if n.versions.IsEmpty() || n.versions.Contains(v, true) {
				l.add(n)
			}
		}
	}
	for _, lang := range langs {
		b.addCompiler(&l, lang, true, "docs")
	}
	for _, x := range h.External {
		b.addExternal(&l, x)
	}
	for _, lang := range h.Languages {
		b.addCompiler(&l, lang, slices.Contains(h.Certain, lang), "sources")
	}
	if h.Crates {
		l.add(Need{Name: "crates that are not in the archive", Sure: slices.Contains(h.Certain, "rust"), From: "Cargo.lock", kind: absent, why: noNetwork})
	}
	for _, d := range h.Downloads {
		l.add(Need{Name: "to download " + d, From: "build files", kind: absent, why: noNetwork})
	}
	if h.Untranslated != "" {
		l.add(Need{Name: "Cython for " + h.Untranslated, From: "sources", kind: absent, why: "it is not among the build requirements"})
	}
	if b.entries[name] == nil { // what the documents say is better than any guess
		b.addGuesses(&l, h)
	}
	l.Needs = slices.DeleteFunc(l.Needs, func(n Need) bool {
		return n.kind == ordinary && slices.ContainsFunc(n.Programs, func(p string) bool { return slices.Contains(h.Tools, p) })
	})
	slices.SortStableFunc(l.Needs, func(a, b Need) int { return cmp.Compare(rank(a), rank(b)) })
	return l
}

// rank puts what is sure before what is not, and compilers first.
func rank(n Need) int {
	r := 0
	if !n.Sure {
		r = 4
	}
	switch n.kind {
	case compiler:
		return r
	case pythonHeader, libcHeader:
		return r + 1
	}
	return r + 2
}

// add joins n with what is on the list already.
func (l *List) add(n Need) {
	for i, have := range l.Needs {
		if same(have, n) {
			l.Needs[i].Sure = have.Sure || n.Sure
			return
		}
	}
	l.Needs = append(l.Needs, n)
}

// same tells whether two needs are about one thing: one name, header or .pc file.
func same(a, b Need) bool {
	if a.kind != b.kind {
		return false
	}
	return a.Name == b.Name || a.Header != "" && a.Header == b.Header ||
		slices.ContainsFunc(a.PkgConfig, func(s string) bool { return slices.Contains(b.PkgConfig, s) })
}

// addCompiler adds the compiler of a language, and the headers that C is compiled
// against. Cython is none: what translates it is a Python package, what it becomes is C.
func (b *Book) addCompiler(l *List, lang string, sure bool, from string) (known bool) {
	if lang == "cython" {
		lang = "c"
	}
	n, ok := b.compilers[lang]
	if !ok {
		return false
	}
	n.Sure, n.From = sure, from
	l.add(n)
	if lang == "c" || lang == "c++" {
		n = b.headers
		n.Sure, n.From = sure, from
		l.add(n)
		// Debian's gcc is installed without them where recommendations are not; zig
		// brings its own, so their absence proves nothing.
		n = b.libc
		n.Sure, n.From = false, from
		l.add(n)
	}
	return true
}

const noNetwork = "a build has no network"

// addGuesses adds what build files name. It is never sure: they name what they can do
// without, and what they need for other systems.
func (b *Book) addGuesses(l *List, h Hints) {
	guess := func(known Need, ok bool, unknown Need) {
		if !ok {
			known = unknown
		}
		known.Sure, known.From = false, "build files"
		l.add(known)
	}
	for _, p := range h.PkgConfig {
		// Meson has names of its own for interfaces, and takes those of CMake.
		n, ok := b.find(p, "virtual", "pc", "name")
		guess(n, ok, Need{Name: p, PkgConfig: []string{p}, Packages: Packages{APK: []string{"pc:" + p}, RPM: []string{"pkgconfig(" + p + ")"}}})
	}
	for _, p := range h.Headers {
		n, ok := b.find(p, "header")
		guess(n, ok, Need{Name: p, Header: p})
	}
	for _, p := range h.Programs {
		n, ok := b.find(p, "program")
		guess(n, ok, Need{Name: p, Programs: []string{p}})
	}
	for _, p := range h.Libraries {
		so := "lib" + p + ".so"
		n, ok := b.find(so, "library")
		guess(n, ok, Need{Name: p, Libraries: []string{so}})
	}
	for _, p := range h.Names {
		// What nobody knows can't be looked for.
		if n, ok := b.find(p, "virtual", "name"); ok {
			guess(n, ok, n)
		}
	}
}

// find looks a thing up by what sources call it, in one kind of names after the other.
func (b *Book) find(name string, spaces ...string) (Need, bool) {
	for _, space := range spaces {
		if n, ok := b.names[key(space, name)]; ok {
			return n, true
		}
	}
	return Need{}, false
}

// key is how a name is found: whatever its case and punctuation. Names of libraries
// with and without "lib" are one.
func key(space, name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '+':
			return r
		case space != "name":
			return r
		}
		return -1
	}, name)
	if space == "name" {
		if s := strings.TrimPrefix(name, "lib"); s != "" {
			name = s
		}
	}
	return space + " " + name
}
