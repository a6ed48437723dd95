package pypi

import (
	"slices"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Project is a project's page, from whichever index answered, joined with what
// the find-links hold of it. It does not change, and costs little as long as
// nobody looks at the files of a release.
type Project struct {
	Name         python.Name
	Index        string   // URL without credentials; "" if only find-links know the project
	Unasked      []string // indexes behind that one, without credentials; see Client.UnsafeBestMatch
	Status       string   // PEP 792, "" if active
	StatusReason string
	Releases     []Release // newest first; versions are distinct
	// Skipped counts rows that are left out: other formats than wheels and source
	// archives, names of other projects, broken rows.
	Skipped int
}

// Release is the files of one version.
type Release struct {
	Version python.Version
	parts   []part // at least one
}

// part is the files of one version on one page.
type part struct {
	page   *flatPage
	number int   // of rows
	at     int64 // where they stand among the page's
	size   int   // in bytes
	sum    uint32
}

// Files returns the files of a release in page order. It decodes them anew each
// time.
func (r *Release) Files() []File {
	if len(r.parts) == 1 {
		return r.parts[0].files()
	}
	var all []File
	for _, p := range r.parts {
		for _, f := range p.files() {
			// The more trusted index comes first and hides the rest.
			if !slices.ContainsFunc(all, func(g File) bool { return g.Name == f.Name }) {
				all = append(all, f)
			}
		}
	}
	return all
}

// Files returns the files of all releases, newest release first.
func (p *Project) Files() []File {
	var all []File
	for i := range p.Releases {
		all = append(all, p.Releases[i].Files()...)
	}
	return all
}

// File is one row of a page: a wheel or a source archive.
type File struct {
	Name           string
	URL            string            // absolute, without credentials and fragment
	Index          string            // where it was listed, without credentials
	Hashes         map[string]string // lower-case hex by algorithm; may be empty
	Size           int64             // 0 if unknown
	Uploaded       time.Time         // zero if unknown
	RequiresPython string            // as written
	Yanked         bool
	YankedReason   string
	CoreMetadata   map[string]string // hashes of .metadata; nil: not offered, empty: offered without hash
}

// Metadata is what is known of the core metadata of a file without a build.
type Metadata struct {
	// Core holds the header lines that decide about dependencies (Metadata-Version,
	// Name, Version, Requires-Python, Requires-Dist, Provides-Extra, Dynamic), in
	// the order of the file, with "\n" at each end.
	Core []byte
	// Guaranteed is false if a build may still say otherwise: a source archive
	// older than PEP 643 whose requirements stand in its egg-info only.
	Guaranteed bool
	// Origin says where it was found: "METADATA", "PKG-INFO", "pyproject.toml"
	// or "requires.txt".
	Origin string
}
