package distill

import (
	"encoding/json"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/layers"
)

// layerStore keeps finished layers in the cache: the blob by its digest, and
// what it is made of as a small entry that leads to it.
type layerStore struct{ cache *cache.Dir }

// layerEntry is the small entry.
type layerEntry struct {
	Digest, DiffID v1.Hash
	Size           int64
}

const layerBucket = "layers"

// Get implements [layers.Store].
func (s layerStore) Get(key string) (*layers.Blob, bool) {
	text, ok := s.cache.Get(layerBucket, key)
	if !ok {
		return nil, false
	}
	var e layerEntry
	if json.Unmarshal(text, &e) != nil {
		return nil, false
	}
	blob, err := s.cache.OpenBlob(e.Digest.String())
	if err != nil {
		return nil, false
	}
	defer blob.Close()
	return s.blob(e), blob.Size == e.Size
}

// Put implements [layers.Store].
func (s layerStore) Put(key string, fill func(w io.Writer) (v1.Hash, error)) (*layers.Blob, error) {
	w, err := s.cache.CreateBlob()
	if err != nil {
		return nil, err
	}
	diffID, err := fill(w)
	if err != nil {
		w.Abort()
		return nil, err
	}
	digest, size, err := w.Commit()
	if err != nil {
		return nil, err
	}
	e := layerEntry{DiffID: diffID, Size: size}
	if e.Digest, err = v1.NewHash(digest); err != nil {
		return nil, err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	if key != "" {
		if err := s.cache.Put(layerBucket, key, text); err != nil {
			return nil, err
		}
	}
	return s.blob(e), nil
}

func (s layerStore) blob(e layerEntry) *layers.Blob {
	return &layers.Blob{
		Digest: e.Digest, DiffID: e.DiffID, Size: e.Size,
		Open: func() (io.ReadCloser, error) { return s.cache.OpenBlob(e.Digest.String()) },
	}
}
