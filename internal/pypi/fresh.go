package pypi

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/r-seed-1713b764/distill/internal/transport"
)

const (
	// defaultFreshness is for answers that say nothing about caching. PyPI says
	// 600 s itself, and uv takes the same for those that are silent.
	defaultFreshness = 600 * time.Second
	// absentFreshness is for "no such project": short, since whoever gets it
	// may be about to upload one.
	absentFreshness = 60 * time.Second
)

// answer is what is known about an answer of an index: when it came, and how long
// it holds.
type answer struct {
	fetched            time.Time
	fresh              time.Duration
	etag, lastModified string
	absent             bool // the answer was "not found": there is no page
	// page is the checksum of the page it came with. A page with another one was
	// written by somebody who did not get to write this.
	page uint32
}

// notFound is the error that an absent page is.
func notFound(at *url.URL) error {
	return fmt.Errorf("%s: %w", transport.RedactURL(at), ErrNotFound)
}

func (a *answer) isFresh(now time.Time) bool {
	age := now.Sub(a.fetched)
	return age >= 0 && age < a.fresh // a clock that was turned back makes nothing fresh
}

func (a *answer) addValidators(h http.Header) {
	if a.etag != "" {
		h.Set("If-None-Match", a.etag)
	}
	if a.lastModified != "" {
		h.Set("If-Modified-Since", a.lastModified)
	}
}

// openPage returns the page that the cache holds under key.
func (c *Client) openPage(key string) (*flatPage, bool) {
	e, ok := c.Cache.OpenEntry("index", key)
	if !ok {
		return nil, false
	}
	p, ok := openPage(e)
	if !ok {
		e.Close()
		c.Cache.Delete("index", key)
		return nil, false
	}
	p.rows.spoiled = func() { c.spoil(key) }
	if !p.rows.isLoaded() && c.state.open.Add(1) > maxOpenPages {
		return p, p.rows.load()
	}
	return p, true
}

// maxOpenPages bounds the pages that stay open since most of them is not read; a
// process may have 1024 files open where nobody asked for more.
const maxOpenPages = 300

// spoil notes that rows of a page are damaged, which is found out long after its
// versions were used.
func (c *Client) spoil(key string) {
	c.Cache.Delete("index", key)
	c.state.spoiled.Store(true)
}

// Spoiled tells whether something that was handed out turned out to be damaged in
// the cache. What was decided by it is worth nothing; the damaged entry is gone,
// so that a new Client will do better.
func (c *Client) Spoiled() bool { return c.state.spoiled.Load() }

// validator returns a header of sane length.
func validator(h http.Header, name string) string {
	if v := h.Get(name); len(v) <= 1024 {
		return v
	}
	return ""
}

// freshness reads Cache-Control and Age (RFC 9111, 4.2); store is false if the
// answer must not be kept.
func freshness(h http.Header) (fresh time.Duration, store bool) {
	fresh = defaultFreshness
	for part := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		key, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "=")
		switch key {
		case "no-store":
			return 0, false
		case "no-cache":
			return 0, true
		case "max-age":
			n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return 0, true
			}
			age, err := strconv.ParseUint(h.Get("Age"), 10, 31)
			if err != nil {
				age = 0
			}
			fresh = time.Duration(max(0, int64(n)-int64(age))) * time.Second
		}
	}
	return fresh, true
}
