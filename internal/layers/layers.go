// Package layers turns a plan and the base into a finished image (layers,
// configuration, history) with the same bytes every time.
package layers

import (
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/plan"
)

// Options are everything that shows in the result beside plan and base.
type Options struct {
	Epoch       time.Time // not before 1980-01-02
	Compression string    // "gzip" (default) or "zstd"
	Version     string    // of distill, for the history
	Config      ConfigChange
	Annotations map[string]string // on the manifest
}

// ConfigChange is what the flags say about the configuration; nil keeps the base's.
type ConfigChange struct {
	Entrypoint, Cmd *[]string
	Env             []string // NAME=value, replaces or adds
	User, Workdir   *string
	Labels          map[string]string
}

// Blob is a finished layer blob.
type Blob struct {
	Digest, DiffID v1.Hash
	Size           int64
	Open           func() (io.ReadCloser, error)
}

// Store keeps finished layers by the key of what they are made of. Write calls
// fill with a writer and the store hashes and keeps what is written.
type Store interface {
	Get(key string) (*Blob, bool)
	Put(key string, fill func(w io.Writer) (diffID v1.Hash, err error)) (*Blob, error)
}

// Missing returns the indices of the layers that the store lacks: only their
// content has to be at hand (gathered) when Assemble is called.
func Missing(p *plan.Plan, store Store, opts Options) ([]int, error) { panic("contract") }

// Key names what a layer is made of: two layers with the same key have the same
// bytes. It is "" if the SHA256 of some file is not known yet.
func Key(l *plan.Layer, opts Options) string { panic("contract") }

// Assemble writes the layers that the store lacks and returns the image, whose
// layers stream from the store and from base.
func Assemble(base v1.Image, p *plan.Plan, store Store, opts Options) (v1.Image, error) {
	panic("contract")
}
