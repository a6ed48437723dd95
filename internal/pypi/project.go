package pypi

import (
	"context"
	"io"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Project is a project's page, from whichever index answered, joined with what
// the find-links hold of it. It does not change, and costs little as long as
// nobody looks at the files of a release.
type Project struct {
	Name         python.Name
	Index        string // URL without credentials; "" if only find-links know the project
	Status       string // PEP 792, "" if active
	StatusReason string
	Releases     []Release // newest first; versions are distinct
	// Skipped counts rows that are left out: other formats than wheels and source
	// archives, names of other projects, broken rows.
	Skipped int
}

// Release is the files of one version.
type Release struct {
	Version python.Version
	files   []File
}

// Files returns the files of a release in page order. It decodes them anew each
// time.
func (r *Release) Files() []File { return r.files }

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

// Project returns a page. An unknown project is an error that wraps ErrNotFound.
func (c *Client) Project(ctx context.Context, name python.Name) (*Project, error) { panic("contract") }

// Metadata returns the core metadata of a wheel or of a source archive. ErrDynamic
// means only a build can tell.
func (c *Client) Metadata(ctx context.Context, f File) (Metadata, error) { panic("contract") }

// Download fetches the file into the cache and returns it opened, checked
// against every hash that is offered. digest is its sha256 in hex.
func (c *Client) Download(ctx context.Context, f File) (r ReadAtCloser, size int64, digest string, err error) {
	panic("contract")
}

// ReadAtCloser is a random-access file.
type ReadAtCloser interface {
	io.ReaderAt
	io.Closer
}

// Stats counts requests that were sent, retries included.
type Stats struct {
	Pages, NotModified       int // pages asked for; answers 304 among them
	Metadata, Ranges, Wholes int // .metadata files, parts of wheels, whole files
	Retries                  int
	Bytes                    int64 // of bodies
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats { panic("contract") }
