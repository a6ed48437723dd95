// Package plan turns a resolution and environments into the exact files of each
// new layer, each with its reason.
package plan

import (
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Plan is what will stand on top of the base for one platform.
type Plan struct {
	Platform string
	Layers   []Layer
	Packages []Package // in order of name
	Warnings []string
}

// Layer is one new layer. Files holds regular files, links, and the directories
// that the base lacks; Whiteouts are paths of the base that are to vanish.
type Layer struct {
	Name      string // "native libraries", "numpy 1.26.4", "packages a-f"
	Comment   string // for the history entry
	Files     files.Set
	Whiteouts []string
	Reasons   map[string]Reason // by path
}

// Reason is why a path is in the image.
type Reason struct {
	Owner string // "numpy 1.26.4", "libodbc2 2.3.11-2"
	Why   string // "requirements.txt:3", "needed by usr/local/.../pyodbc.so"
}

// Package is a pick as laid.
type Package struct {
	Name    python.Name
	Version python.Version
	From    string // "image", "wheel", "base", "build"
	Detail  string // wheel file name, or dev image path
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
}

// Options change what is laid.
type Options struct {
	Include, Exclude []string // globs on paths of the new image
	Trim             string   // "none", "safe", "max"
	MaxLayers        int      // new and base layers together; 0 means 40
	BaseLayers       int
}

// Make decides. An error names what does not fit, with need and have.
func Make(in Input) (*Plan, error) { panic("contract") }
