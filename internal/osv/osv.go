// Package osv reads advisories in the format of the Open Source Vulnerability
// schema: from a service, or from its export on disk.
//
// Only what is said of PyPI's packages is kept. What comes in is bounded, and
// records that can't be read are named and left out.
package osv

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// DefaultURL is the public service.
const DefaultURL = "https://api.osv.dev"

// ErrDamaged is wrapped by errors about what is not in the format, or over a
// limit.
var ErrDamaged = errors.New("damaged advisory database")

// Package is one version of a project that is asked about.
type Package struct {
	Name    python.Name
	Version python.Version
}

// Limits of what is read. The largest record of the export for PyPI has 1.5 MB,
// all 20,000 together have some 100 MB, and its zip a fifth of that.
const (
	maxRecord  = 16 << 20
	maxRecords = 1 << 20
	maxTotal   = 1 << 30
	maxZip     = 256 << 20
)

// warnings collects what was odd, some of it.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, fmt.Sprintf(format, args...))
}

// maxWarnings is enough to see what is wrong.
const maxWarnings = 10

// Warnings says what could not be read, in a fixed order: the first of it, and
// how much more there is.
func (w *warnings) Warnings() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.list)
	list := slices.Compact(w.list)
	if len(list) <= maxWarnings {
		return slices.Clone(list)
	}
	return append(slices.Clone(list[:maxWarnings]), fmt.Sprintf("%d more records could not be read", len(list)-maxWarnings))
}

// distinct sorts advisories by ID and drops those that occur twice.
func distinct(list []*audit.Advisory) []*audit.Advisory {
	slices.SortStableFunc(list, func(a, b *audit.Advisory) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
	return slices.CompactFunc(list, func(a, b *audit.Advisory) bool { return a.ID == b.ID })
}
