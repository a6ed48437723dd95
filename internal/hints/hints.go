// Package hints holds what is known about packages that their files don't say:
// libraries, data and programs that they use only when they run, and what looks
// superfluous in them and is not.
//
// The facts stand in TOML (hints.toml here, and what the user adds with --hints), each
// with its reason. A hint brings files of the development image along, or keeps files
// that trimming would leave out; it never invents a file.
package hints

import "github.com/r-seed-1713b764/distill/internal/python"

// Hint is what is known about one package.
type Hint struct {
	Package python.Name // distribution, or [Python]
	Why     string      // one sentence, shown as the reason of what comes along
	// When restricts the hint to images where one of these globs names a new file, one
	// that the base does not have: below site-packages, or with a leading slash from
	// the root. Empty: always.
	When []string
	// Libraries are names as dlopen would get them ("libodbc.so.2"), or globs on
	// names ("libmkl_*.so.*"), that are brought if the development image's loader
	// finds them, or if they lie beside a file that When names.
	Libraries []string
	// Files are globs on paths of the development image, with a leading slash, of
	// data that is brought with all it leads to ("/etc/odbcinst.ini").
	Files []string
	// Programs are names looked up on the development image's PATH ("dot").
	Programs []string
	// Leave are names of libraries, or globs on them, that the package's files name and
	// that are not brought for it: of display servers, of the machine's drivers.
	Leave []string
	// Keep are globs below site-packages of files that trimming must not take
	// ("numpy/testing/**").
	Keep []string
	// Optional are globs below site-packages of modules or extension modules that
	// the package works without: what they need may be missing.
	Optional []string
	// Spare says that the package works without the Libraries: else it is told if neither
	// image has one of them.
	Spare bool
}

// Python is the name that stands for the interpreter, its standard library and the C
// library below them: a hint of it holds for every image.
const Python python.Name = "python"

// Book is a list of hints by package. A nil *Book is empty. It is safe for use by
// several goroutines.
type Book struct{ list []Hint }

// For returns the hints about a package, in the order in which they were read.
func (b *Book) For(name python.Name) []Hint {
	if b == nil {
		return nil
	}
	var out []Hint
	for _, h := range b.list {
		if h.Package == name {
			out = append(out, h)
		}
	}
	return out
}

// Join returns a book of the hints of b and then those of other.
func (b *Book) Join(other *Book) *Book {
	out := &Book{}
	for _, part := range []*Book{b, other} {
		if part != nil {
			out.list = append(out.list, part.list...)
		}
	}
	return out
}
