// Package inspect turns an image's files into an [Environment]: interpreter,
// libc, installed distributions, OS packages, and the native needs of each.
package inspect

import (
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/ospkg"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Environment is what is installed in one platform of an image.
type Environment struct {
	Platform string // "linux/amd64", "linux/arm64"
	Files    files.Set
	// Python is the interpreter that runs when PATH is asked for python3, nil if
	// there is none. Interpreters holds all, Python first.
	Python       *Interpreter
	Interpreters []*Interpreter
	// Distributions are those that Python can import, in order of name, then of
	// sys.path; all but the first of a name are Shadowed.
	Distributions []*Distribution
	// OS holds the packages of dpkg and apk with the files that they own.
	OS *ospkg.Database
	// OSRelease is os-release's PRETTY_NAME, "" if there is none.
	OSRelease string
	// Conda holds the packages of all conda prefixes, in order of record.
	Conda []*CondaPackage
	// LibraryPath is the LD_LIBRARY_PATH of the image's configuration.
	LibraryPath string
	// Warnings are oddities worth telling, in a fixed order.
	Warnings []string

	condaOwner map[string]*CondaPackage
}

// Interpreter is one Python found in an image. Paths have no leading slash.
type Interpreter struct {
	Path           string         // of the real file, "usr/bin/python3.11"
	Names          []string       // links that lead to it, "usr/bin/python3"
	Version        python.Version // 3.11.2
	Implementation string         // "cpython"
	Scheme         string         // "debian", "conda", "prefix", "venv"
	Prefix         string         // "usr", "usr/local", "opt/anaconda3"
	Stdlib         string         // "usr/lib/python3.11"
	// Purelib, Platlib, Scripts, Data: where an installer puts new packages
	// ("usr/local/lib/python3.11/dist-packages", "usr/local/bin", "usr/local").
	Purelib, Platlib, Scripts, Data, Headers string
	SysPath                                  []string // directories and zip files, in import order
	Loader                                   string   // PT_INTERP, "lib64/ld-linux-x86-64.so.2"
	Libc                                     python.Libc
	ExtSuffix                                string   // ".cpython-311-x86_64-linux-gnu.so"
	Builtins                                 []string // modules compiled in, sorted; nil if unknown
	Markers                                  python.MarkerEnv
	Tags                                     *python.Tags

	ABI         string // "cp311", "cp313t"
	Arch        string // "x86_64", "aarch64"
	LibcVersion string // in full: "2.36", "1.2.5"; "" if unknown
	// SiteDirs are the directories that site.py looks into for packages, there or
	// not, in order.
	SiteDirs []string
	// PthImports are the .pth files with lines of code, which distill does not run.
	PthImports []string
	// ExternallyManaged is the marker of PEP 668, "" if there is none.
	ExternallyManaged string

	venv string       // root of the virtual environment, "" if it is none
	base *Interpreter // whose packages a venv sees, too
}

// Kind says how a distribution is recorded.
type Kind string

// The kinds of records.
const (
	DistInfo Kind = "dist-info"
	EggInfo  Kind = "egg-info"      // a folder
	EggFile  Kind = "egg-info file" // distutils, no list of files
	Egg      Kind = "egg"           // a folder or zip on easy-install.pth
	Develop  Kind = "develop"       // egg-link, or an editable of PEP 660
	Conda    Kind = "conda"         // known to conda-meta only
)

// Distribution is one installed project.
type Distribution struct {
	Name     python.Name
	Version  python.Version
	Metadata *python.Metadata
	Kind     Kind
	Info     string // path of the dist-info, egg-info ... in the tree
	Location string // the sys.path directory that holds it
	// Files are the paths that belong to it, sorted, those that exist; FilesFrom
	// names the list they come from: "RECORD", "installed-files.txt",
	// "conda-meta", "dpkg", "apk", "top_level.txt".
	Files     []string
	FilesFrom string
	Missing   []string // in the list, not in the image
	Modified  []string // content differs from the digest in the list
	// Refused is why its files can't be taken at all (a RECORD line outside the
	// installation scheme, an unreadable list); "" if they can.
	Refused   string
	Owner     string // OS or conda package that owns its record, "python3-six"
	Installer string
	// Binary is the platform that the wheel it was installed from was made for, if that
	// is one by which an index serves many machines ("manylinux_2_17_x86_64"); "" for what
	// runs anywhere, and for what was built where it stands.
	Binary    string
	Editable  string // path that a develop install points to
	DirectURL string // of direct_url.json, credentials removed
	Shadowed  bool
	// PathEntry is the sys.path entry that only this distribution needs, so that a
	// .pth file has to bring it along (an egg, the source folder of a develop install);
	// "" for what lies in one of the interpreter's SiteDirs.
	PathEntry string

	order    int       // place of Location on sys.path
	infoFile string    // file whose owner owns the record
	list     *fileList // while reading: RECORD or installed-files.txt
	links    []string  // .egg-link files
}

// fileList is a list of files that a distribution came with.
type fileList struct {
	path string // of the list itself
	base string // its lines are relative to this
	text []byte
}

// Options say what is asked of an image.
type Options struct {
	Platform string
	Env      []string // of the image's configuration, for PATH, PYTHONPATH
	// Python is the path of the interpreter to take, "" for the first on PATH.
	Python string
}
