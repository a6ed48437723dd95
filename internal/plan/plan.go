// Package plan turns a resolution and environments into the exact files of each
// new layer, each with its reason.
//
// It opens nothing but small text files (scripts whose first line has to change):
// what it decides from are names, modes, digests and the notes that the probe of
// an image made while that was read.
package plan

import (
	"fmt"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/hints"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Plan is what will stand on top of the base for one platform.
type Plan struct {
	Platform string
	Layers   []Layer
	Packages []Package // in order of name
	Trimmed  []Trimmed // what --trim left out, in order of owner, then rule
	Warnings []string
	// Uncompiled are the modules that have no byte code, in order of package and path.
	Uncompiled []Uncompiled
	Notes      []string // what -v tells: libraries that may be loaded and are in neither image
}

// Trimmed is what one rule of trimming left out of one package.
type Trimmed struct {
	Owner string // "numpy 1.26.4", "python 3.11.2"
	Rule  string // "tests", "headers", "stubs" ...
	Files int
	Bytes int64 // uncompressed
}

// Layer is one new layer. Files holds regular files, links, and the directories
// that the base lacks; Whiteouts are paths of the base that are to vanish, and
// stand in a layer of their own.
type Layer struct {
	Name      string // "native libraries", "numpy 1.26.4", "small packages 3"
	Comment   string // for the history entry
	Files     files.Set
	Whiteouts []string
	Merged    bool              // its files are the base's with something added, of no use on another base
	Reasons   map[string]Reason // by path; directories have none
}

// Reason is why a path is in the image.
type Reason struct {
	Owner string // "numpy 1.26.4", "libodbc2 2.3.11-2"; "" if nobody is known
	Why   string // "requirements.txt:3", "needed by usr/local/.../pyodbc.so"
}

// Package is a pick as laid.
type Package struct {
	Name    python.Name
	Version python.Version
	From    string // "image", "wheel", "base", "build"
	Detail  string // wheel file name, or path of its record in the image
	Size    int64  // bytes of its files in the new image, uncompressed
	Files   int
}

// Pick is one package that is to be laid, with where its files come from.
type Pick struct {
	Name    python.Name
	Version python.Version
	// Why is the first requirement line or package that wants it.
	Why string
	// Exactly one of the next three is set.
	Installed *inspect.Distribution // files of the development image
	Wheel     *WheelFiles
	InBase    *inspect.Distribution // already stands in the base, nothing to write
}

// WheelFiles is a wheel as the set of files that it would install. Each regular
// file needs its SHA256, and each ELF file its Note (elfdeps.Info, encoded), as
// the probe of an image would have written it: Make opens no wheel.
type WheelFiles struct {
	FileName string
	Digest   string    // sha256 hex of the wheel file
	Files    files.Set // final paths below the base's scheme
	Built    bool      // made from source in this run or an earlier one
}

// Input is everything that Make decides from.
type Input struct {
	Platform  string
	Dev, Base *inspect.Environment
	Picks     []Pick
	Options   Options
	// LibraryPath is LD_LIBRARY_PATH in the configuration of the new image,
	// DevLibraryPath that of the development image; mostly "".
	LibraryPath, DevLibraryPath string
	// Runtime is the interpreter with all that it needs, if the base has no Python. Base is
	// then the base as if these files stood in it. nil otherwise.
	Runtime *Runtime
	// App is the application with its final paths, laid as the last layer.
	App files.Set
	// Code is byte code by its path in the new image, made for modules that have none
	// in the development image (see [Plan.Uncompiled]).
	Code files.Set
	// Merged are files of the base to which something was added (etc/passwd), laid
	// in a layer of their own.
	Merged files.Set
	// Hints are what is known of packages beside their files.
	Hints *hints.Book
}

// Options change what is laid.
type Options struct {
	// Include and Exclude are globs on paths of the new image, with or without
	// a leading slash. One without a slash inside holds at any depth, "**"
	// stands for any number of directories, and what matches a directory
	// matches all below it. Include takes files of the development image
	// which no package brings; Exclude leaves out what would have come.
	Include, Exclude []string
	Trim             string // "none", "safe" (default), "max"
	NoByteCode       bool   // leave byte code out, as without it the image is smaller
	MaxLayers        int    // new and base layers together; 0 means 40
	BaseLayers       int
}

// Error is why there is no plan, naming what does not fit with need and have.
type Error struct {
	Text string
	Hint string // what to do about it, "" if there is nothing to say
}

func (e *Error) Error() string { return e.Text }

// Hints says what to do now.
func (e *Error) Hints() []string {
	if e.Hint == "" {
		return nil
	}
	return []string{e.Hint}
}

func failf(hint, format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Hint: hint}
}

// Make decides. What does not fit is an *Error; other errors are about reading a
// script or a damaged note.
func Make(in Input) (*Plan, error) {
	p, err := newPlanner(in)
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		p.collect, // the files of each pick
		p.trim,    // less what is not needed at run time
		p.replace, // what they take the place of in the base
		p.place,   // one owner for each path, in the base's tree
		p.application,
		p.byteCode, // beside each module that is laid
		p.records,  // RECORD says what is laid
		p.meet,     // what the base has already, and what vanishes
		p.layRuntime,
		p.include,   // what the user wants beside
		p.links,     // no link leads nowhere
		p.native,    // libraries that all these need
		p.ownership, // records of whose files these are
		p.strip,     // no symbols in libraries
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p.finish()
}
