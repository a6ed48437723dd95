// Package pylock turns a resolution into pylock.toml (PEP 751) and reads such
// files back, those of other tools too.
//
// One file serves all platforms. It is pure: bytes in, values out.
package pylock

import (
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// Lock is the content of a lock file.
type Lock struct {
	CreatedBy      string
	RequiresPython python.Specifiers
	Environments   []*python.Marker // empty: any
	Packages       []*Package
	// Distill is [tool.distill], the zero value in files of other tools.
	Distill Distill
}

// Package is one entry. A package that differs between platforms has one entry
// for each version, with markers that exclude each other.
type Package struct {
	Name           python.Name
	Version        *python.Version // nil: not known before it is built
	Marker         *python.Marker  // nil: everywhere
	RequiresPython python.Specifiers
	Dependencies   []Dependency
	Index          string // URL of the index, "" if unknown
	Sdist          *File
	Wheels         []File
	Archive        *File  // of a direct reference
	Elsewhere      string // "vcs" or "directory": entries that are kept, not understood
	// Distill is [packages.tool.distill].
	Distill Origin
}

// Dependency names another entry.
type Dependency struct {
	Name    python.Name
	Version *python.Version // given if the name alone could mean several
}

// File is a wheel or an archive.
type File struct {
	Name     string // file name, the last part of URL or Path if not given
	URL      string // as [python.ShowURL] leaves it
	Path     string // relative to the lock file, if there is no URL
	Size     int64  // 0 if unknown
	Uploaded time.Time
	Hashes   map[string]string // algorithm -> lower-case hex, never empty unless [ReadUnhashed] read it
}

// Distill is what the standard has no place for.
type Distill struct {
	Platforms []string // in order of the targets
	Python    string   // full version of the interpreter
	// Libc is the C library of each platform, "glibc-2.36"; older locks have none.
	Libc    map[string]string
	Images  []Image
	Options map[string]string // that changed what was chosen
	// Image are the packages of which only the files in the development image
	// exist: nothing that another tool could install.
	Image []*Package
	// Build are the build requirements, each version of a project once for all
	// builds. They are no part of what is installed. They name no dependencies, as
	// each build lists all that it takes.
	Build []*Package
}

// Image is an image that had a say.
type Image struct {
	Role      string // "from", "onto"
	Reference string // without credentials
	Digest    string // "sha256:..."
}

// Origin is where a package comes from on each platform, and why it is there.
type Origin struct {
	On       map[string]string // platform -> "image", or the name of the file
	Extras   []python.Name
	WantedBy []string // "requirements.txt: pandas>=2", "pandas 2.2.3: numpy>=1.26"
	Passed   []string // "2.1.0: needs Python >=3.12, linux/amd64 has 3.11.2"
	Note     string
	Builds   []Build // how it is built, each platform at most once
}

// FromImage is the value of Origin.On for files of the development image.
const FromImage = "image"

// Preferences returns the pins of l as the resolver wants them. Targets that
// none of the markers of an entry is about don't get it.
func (l *Lock) Preferences(targets []resolve.Target) []resolve.Preference {
	var out []resolve.Preference
	for _, list := range [][]*Package{l.Packages, l.Distill.Image} {
		for _, p := range list {
			if p.Version == nil {
				continue
			}
			for t := range targets {
				if ok, err := p.Marker.EvalLock(&targets[t].Markers, nil, nil); err == nil && ok {
					out = append(out, resolve.Preference{Name: p.Name, Version: *p.Version, Target: t})
				}
			}
		}
	}
	return out
}
