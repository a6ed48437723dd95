package pypi

import (
	"encoding/binary"
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
	entryFormat     = "distill answer 1\n"
)

// pageEntry is an answer in the cache.
type pageEntry struct {
	fetched            time.Time
	fresh              time.Duration
	etag, lastModified string
	absent             bool // the answer was "not found"
	body               []byte
}

// answer returns the body, or the error that an absent page is.
func (e *pageEntry) answer(at *url.URL) ([]byte, error) {
	if e.absent {
		return nil, fmt.Errorf("%s: %w", transport.RedactURL(at), ErrNotFound)
	}
	return e.body, nil
}

func (e *pageEntry) isFresh(now time.Time) bool {
	age := now.Sub(e.fetched)
	return age >= 0 && age < e.fresh // a clock that was turned back makes nothing fresh
}

func (e *pageEntry) addValidators(h http.Header) {
	if e.absent {
		return
	}
	if e.etag != "" {
		h.Set("If-None-Match", e.etag)
	}
	if e.lastModified != "" {
		h.Set("If-Modified-Since", e.lastModified)
	}
}

// readEntry returns what the cache holds under key.
func (c *Client) readEntry(key string) (e pageEntry, ok bool) {
	b, ok := c.Cache.Get("index", key)
	if !ok {
		return e, false
	}
	d := flatDecoder{s: string(b[:min(len(b), 4<<10)])}
	if d.bytes(len(entryFormat)) != entryFormat {
		return e, false
	}
	e.fetched = time.Unix(int64(d.num()), 0)
	e.fresh = time.Duration(d.num()) * time.Second
	e.etag, e.lastModified = d.str(), d.str()
	e.absent = d.num() == 1
	e.body = b[min(len(b), 4<<10)-len(d.s):]
	return e, !d.short
}

// writeEntry stores an answer that came at now with the given header, nil for
// one that is absent. A cache that cannot be written is no reason to stop.
func (c *Client) writeEntry(key string, e pageEntry, now time.Time, h http.Header) {
	e.fetched, e.fresh = now, absentFreshness
	if h != nil {
		var store bool
		if e.fresh, store = freshness(h); !store {
			c.Cache.Delete("index", key)
			return
		}
		if v := validator(h, "ETag"); v != "" {
			e.etag = v
		}
		if v := validator(h, "Last-Modified"); v != "" {
			e.lastModified = v
		}
	}
	b := []byte(entryFormat)
	b = binary.AppendUvarint(b, uint64(max(0, e.fetched.Unix())))
	b = binary.AppendUvarint(b, uint64(e.fresh/time.Second))
	b = appendString(b, e.etag)
	b = appendString(b, e.lastModified)
	b = binary.AppendUvarint(b, map[bool]uint64{true: 1}[e.absent])
	if err := c.Cache.Put("index", key, append(b, e.body...)); err != nil {
		c.logf("%v", err)
	}
}

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
