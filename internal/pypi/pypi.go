// Package pypi talks to a package index: pages, metadata, files.
package pypi

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Client is useful with Cache set. It is safe for several goroutines and has at
// most 50 requests under way.
type Client struct {
	Cache     *cache.Dir
	Transport http.RoundTripper
	// Indexes in order of trust; empty means PyPI. URLs may hold credentials, which
	// go to that exact host and port only and never show in messages.
	Indexes   []string
	FindLinks []string // folders, file: or http(s) URLs of pages or of files
	NoIndex   bool
	Offline   bool
	// UnsafeBestMatch joins the versions of all indexes; otherwise the first
	// index that knows a project is the only one asked (dependency confusion).
	UnsafeBestMatch bool
	// Netrc returns user and password for a host, for URLs without credentials.
	Netrc        func(host string) (user, password string, ok bool)
	TrustedHosts []string
	Log          func(format string, args ...any) // may be nil
}

// Project is a project's page, from whichever index answered.
type Project struct {
	Name    python.Name
	Index   string // URL without credentials
	Status  string // PEP 792, "" if active
	Files   []File // in page order; broken rows left out and counted in Skipped
	Skipped int
}

// File is one row of a page.
type File struct {
	Name           string
	URL            string // absolute, without credentials
	Hashes         map[string]string
	Size           int64 // 0 if unknown
	Uploaded       time.Time
	RequiresPython string // as written
	Yanked         bool
	YankedReason   string
	CoreMetadata   map[string]string // hashes of .metadata; nil: not offered, empty: offered without hash
}

// Project returns a page. An unknown project is an error that wraps ErrNotFound.
func (c *Client) Project(ctx context.Context, name python.Name) (*Project, error) { panic("contract") }

// Metadata returns the core metadata of a wheel or, if it is static (PEP 643,
// or a version without dynamic fields), of a source archive. ErrDynamic means
// only a build can tell.
func (c *Client) Metadata(ctx context.Context, f File) ([]byte, error) { panic("contract") }

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
