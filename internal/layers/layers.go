// Package layers turns a plan and the base into a finished image (layers,
// configuration, history) with the same bytes every time.
//
// Time, user, host, insertion order and number of processors do not show in the
// result. It writes tar headers itself and compresses with one pinned encoder at
// one setting, so that a digest of today is the digest of next year.
package layers

import (
	"fmt"
	"io"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/plan"
)

// Options are everything that shows in the result beside plan and base.
type Options struct {
	Epoch       time.Time // not before 1980-01-02
	Compression string    // "gzip" (default) or "zstd"
	Version     string    // of distill, for the history
	Config      ConfigChange
	Annotations map[string]string // on the manifest
	// Record is put into the configuration as a label, completed with what is
	// known only when the layers are; nil for none.
	Record *Record
}

// ConfigChange is what the flags say about the configuration; nil keeps the base's.
type ConfigChange struct {
	Entrypoint *[]string         `json:"entrypoint,omitempty"`
	Cmd        *[]string         `json:"cmd,omitempty"`
	Env        []string          `json:"env,omitempty"` // NAME=value, replaces or adds
	User       *string           `json:"user,omitempty"`
	Workdir    *string           `json:"workdir,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Blob is a finished layer blob.
type Blob struct {
	Digest, DiffID v1.Hash
	Size           int64
	Open           func() (io.ReadCloser, error)

	kind    types.MediaType // "": as the options say
	history *v1.History     // nil: as the plan says
}

// Store keeps finished layers by the key of what they are made of. Put calls
// fill with a writer, and hashes and keeps what is written; nothing is kept if fill
// fails. Stores are safe for use by several goroutines.
type Store interface {
	Get(key string) (*Blob, bool)
	Put(key string, fill func(w io.Writer) (diffID v1.Hash, err error)) (*Blob, error)
}

// Earliest is the first epoch that can be: zip files know no time before 1980
// in any zone.
var Earliest = time.Date(1980, 1, 2, 0, 0, 0, 0, time.UTC)

// Missing returns the indices of the layers that the store lacks: only their
// content has to be at hand (gathered) when Assemble is called. A layer without
// a key is among them.
func Missing(p *plan.Plan, store Store, opts Options) ([]int, error) {
	if err := check(opts); err != nil {
		return nil, err
	}
	var missing []int
	for i := range p.Layers {
		key := Key(&p.Layers[i], opts)
		if key != "" {
			if _, ok := store.Get(key); ok {
				continue
			}
		}
		missing = append(missing, i)
	}
	return missing, nil
}

// Assemble writes the layers that the store lacks and returns the image, whose
// layers stream from the store and from base. Layers are written side by side;
// no more than one buffer of each is in memory.
func Assemble(base v1.Image, p *plan.Plan, store Store, opts Options) (v1.Image, error) {
	if err := check(opts); err != nil {
		return nil, err
	}
	blobs := make([]*Blob, len(p.Layers))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range p.Layers {
		g.Go(func() (err error) {
			if blobs[i], err = finish(&p.Layers[i], store, opts); err != nil {
				return fmt.Errorf("layer %q: %w", p.Layers[i].Name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return newImage(base, p, blobs, opts)
}

// finish returns the blob of one layer, from the store if it is there.
func finish(l *plan.Layer, store Store, opts Options) (*Blob, error) {
	entries, err := list(l)
	if err != nil {
		return nil, err
	}
	if err := identifyAll(entries); err != nil {
		return nil, err
	}
	key := keyOf(entries, opts)
	if b, ok := store.Get(key); ok {
		return b, nil
	}
	return store.Put(key, func(w io.Writer) (v1.Hash, error) { return write(w, entries, opts) })
}

func check(opts Options) error {
	if opts.Epoch.Before(Earliest) {
		return fmt.Errorf("epoch %s is before %s", opts.Epoch.UTC().Format(time.RFC3339), Earliest.Format(time.RFC3339))
	}
	if opts.Epoch.Unix() > maxEpoch {
		return fmt.Errorf("epoch %s is later than a tar header can say", opts.Epoch.UTC().Format(time.RFC3339))
	}
	switch opts.Compression {
	case "", "gzip", "zstd":
		return nil
	}
	return fmt.Errorf("compression %q: there is gzip and zstd", opts.Compression)
}
