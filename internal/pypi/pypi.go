// Package pypi talks to a package index: pages, metadata, files.
//
// It speaks the simple repository API (PEP 503, 592, 629, 658, 691, 700, 714,
// 792) as JSON and as HTML, over http, https and file URLs, and keeps what it
// read in the cache: pages as long as HTTP allows, metadata and files for good.
// It decides nothing about versions.
package pypi

import (
	"errors"
	"net/http"
	"net/url"
	"sync"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// DefaultIndex is the simple API of the Python Package Index.
const DefaultIndex = "https://pypi.org/simple/"

// maxRequests is how many requests are under way at most, as with uv; more of
// them make no index faster.
const maxRequests = 50

// Errors that callers act on. Network and authorisation errors are those of
// package transport.
var (
	ErrNotFound = errors.New("no such project on the index")
	ErrDynamic  = errors.New("its metadata is known only after a build")
	ErrOffline  = errors.New("not in the cache, and --offline is set")
	ErrHash     = errors.New("the content is not what the index announced")
	ErrDamaged  = errors.New("damaged or unsupported")
	ErrURL      = errors.New("no URL of an index")
)

// Client is useful with Cache set. It is safe for several goroutines and has at
// most 50 requests under way. Its fields must not change after the first call.
type Client struct {
	Cache     *cache.Dir
	Transport http.RoundTripper // nil: transport.New
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
	// It is asked for https only, and for the hosts of Indexes and FindLinks.
	Netrc        func(host string) (user, password string, ok bool)
	TrustedHosts []string                         // certificates not verified; only if Transport is nil
	Log          func(format string, args ...any) // may be nil

	once  sync.Once
	state state
}

// WithUser returns a URL with user and password in it, or raw as it is if both
// are empty or it is no URL.
func WithUser(raw, user, password string) string {
	u, err := url.Parse(raw)
	if err != nil || user == "" && password == "" {
		return raw
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}
