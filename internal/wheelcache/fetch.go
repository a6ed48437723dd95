package wheelcache

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/registry"
)

// Fetch returns the entry of a key, a sha256 in hex. Its wheel is in store, with
// its digest checked; what is in the wheel is not looked at. An entry that was
// made of something else than record is as good as none.
//
// The error wraps [ErrAbsent] if there is none, is an [*Error] if the cache can't
// be read or holds something odd, or is the one of the context or of store.
func (c *Cache) Fetch(ctx context.Context, key string, record []byte, store *cache.Dir) (*Entry, error) {
	tag, err := c.tag(key)
	if err != nil {
		return nil, err
	}
	repo, err := c.read.use(ctx)
	if err != nil {
		return nil, c.failed(ctx, &c.read, err)
	}
	e, _, err := lookUp(ctx, repo, tag, record)
	if err == nil && e.Digest != "" {
		err = fetchWheel(ctx, repo, e, store)
	}
	if err != nil {
		return nil, c.failed(ctx, &c.read, err)
	}
	return e, nil
}

// lookUp returns the entry of a tag, without its wheel, and whether it looks like
// an image.
func lookUp(ctx context.Context, repo *registry.Repository, tag string, record []byte) (e *Entry, plain bool, err error) {
	m, err := repo.Manifest(ctx, tag)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, false, fmt.Errorf("%s: %w", tag, ErrAbsent)
	}
	if err != nil {
		return nil, false, err
	}
	if m.MediaType != types.OCIManifestSchema1 {
		return nil, false, fmt.Errorf("%s: its type is %.80q: %w", tag, m.MediaType, ErrEntry)
	}
	if e, plain, err = readManifest(m.Bytes, record); err != nil {
		return nil, false, fmt.Errorf("%s: %w", tag, err)
	}
	return e, plain, nil
}

// fetchWheel gets the wheel of an entry unless it is in the store.
func fetchWheel(ctx context.Context, repo *registry.Repository, e *Entry, store *cache.Dir) error {
	if size, ok := store.StatBlob(e.Digest); ok && size == e.Size {
		b, err := store.OpenBlob(e.Digest) // whether it is whole
		if err == nil {
			return b.Close()
		}
	}
	d := descriptor{Digest: e.Digest, Size: e.Size}
	r, err := repo.Blob(ctx, d.v1())
	if err != nil {
		return err
	}
	defer r.Close()
	return store.PutBlob(ctx, e.Digest, e.Size, r)
}

// failed makes an error one of this cache, unless it is about something else.
func (c *Cache) failed(ctx context.Context, s *side, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, cache.ErrFolder), errors.Is(err, ErrAbsent):
		return err
	}
	s.note(err)
	return &Error{Name: c.repo.Name(), Writing: s == &c.write, Err: err}
}
