package pypi

import (
	"sync"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// flatRows are the rows of a page, of which some are read. Safe for several
// goroutines.
type flatRows struct {
	entry    *cache.Entry
	at, size int64  // where they stand in the entry
	spoiled  func() // is told of rows that are damaged; may be nil

	mu     sync.Mutex
	window string // what is read
	from   int64  // where the window begins
	next   int    // how much is read at the next time
}

// Who looks at one version of a package often looks at the next: more is read
// each time.
const (
	firstWindow = 4 << 10
	mostWindow  = 256 << 10
)

// part returns n bytes from at, ok false if they can't be read.
func (r *flatRows) part(at int64, n int) (s string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at < r.from || at+int64(n) > r.from+int64(len(r.window)) {
		r.next = min(max(2*r.next, firstWindow), mostWindow)
		b := make([]byte, min(int64(max(n, r.next)), r.size-at))
		if _, err := r.entry.ReadAt(b, r.at+at); err != nil {
			return "", false
		}
		r.window, r.from = asString(b), at
	}
	return r.window[at-r.from : at-r.from+int64(n)], true
}

// load reads all rows and closes the entry.
func (r *flatRows) load() bool {
	defer r.entry.Close()
	b := make([]byte, r.size)
	if _, err := r.entry.ReadAt(b, r.at); err != nil && r.size > 0 {
		return false
	}
	r.window, r.from = asString(b), 0
	return true
}

// isLoaded tells whether nothing is left to read.
func (r *flatRows) isLoaded() bool { return r.from == 0 && int64(len(r.window)) == r.size }
