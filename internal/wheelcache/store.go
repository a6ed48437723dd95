package wheelcache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/registry"
)

// Store puts the entry of a key, a sha256 in hex, into the cache; its wheel is
// taken from store. What stands there already stays: the same entry is no error,
// another one gives an [*Error] that wraps [ErrDiffers]. Something that is no entry
// of this record is replaced.
//
// The error is an [*Error] if the cache can't be written to, or the one of the
// context or of store. Of two that store at the same moment the later one wins, and
// nobody notices: registries have no way to write if nothing is there.
func (c *Cache) Store(ctx context.Context, key string, e Entry, store *cache.Dir) error {
	tag, err := c.tag(key)
	if err != nil {
		return err
	}
	if err := e.check(); err != nil {
		return fmt.Errorf("entry of %s: %w", e.FileName, err)
	}
	repo, err := c.write.use(ctx)
	if err == nil {
		err = c.storeIn(ctx, repo, tag, &e, store)
	}
	if err != nil {
		return c.failed(ctx, &c.write, err)
	}
	return nil
}

func (c *Cache) storeIn(ctx context.Context, repo *registry.Repository, tag string, e *Entry, store *cache.Dir) error {
	there, plain, err := lookUp(ctx, repo, tag, e.Record)
	switch {
	case err == nil && there.same(e):
		// Some registries lose blobs of what is there.
		return putBlobs(ctx, repo, newDocument(e, plain), e, store)
	case err == nil:
		return compare(there, e)
	case errors.Is(err, ErrAbsent):
	case errors.Is(err, registry.ErrAuth):
		// Some registries say so of a repository that writing would create.
	case errors.Is(err, ErrEntry):
		c.log(fmt.Sprintf("%s: replacing what stands in the wheel cache: %v", c.repo.Name(), err))
	default:
		return err
	}
	put := func(plain bool) error {
		d := newDocument(e, plain)
		if err := putBlobs(ctx, repo, d, e, store); err != nil {
			return err
		}
		// Sending takes long enough for somebody else to come.
		if there, _, err := lookUp(ctx, repo, tag, e.Record); err == nil {
			return compare(there, e)
		}
		return repo.PutManifest(ctx, tag, d.manifest.MediaType, d.bytes())
	}
	plain = c.plain.Load()
	err = put(plain)
	if plain || !isRefusal(err) {
		return err
	}
	if put(true) != nil {
		return err
	}
	c.plain.Store(true)
	return nil
}

// compare tells how what is there differs.
func compare(there, e *Entry) error {
	if there.same(e) {
		return nil
	}
	return fmt.Errorf("%w: %s has %s, theirs is %s with %s", ErrDiffers, e.FileName, e.Digest, there.FileName, there.Digest)
}

// putBlobs sends what the registry does not have.
func putBlobs(ctx context.Context, repo *registry.Repository, d *document, e *Entry, store *cache.Dir) error {
	text := func(s []byte) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(s)), nil }
	}
	layer := text([]byte(emptyLayer))
	if e.Digest != "" {
		layer = func() (io.ReadCloser, error) {
			b, err := store.OpenBlob(e.Digest)
			if err != nil {
				return nil, err
			}
			return b, nil
		}
	}
	if err := putBlob(ctx, repo, &d.manifest.Layers[0], layer); err != nil {
		return err
	}
	return putBlob(ctx, repo, &d.manifest.Config, text(d.config))
}

func putBlob(ctx context.Context, repo *registry.Repository, d *descriptor, open func() (io.ReadCloser, error)) error {
	has, err := repo.HasBlob(ctx, d.v1().Digest)
	if has || err != nil && !errors.Is(err, registry.ErrAuth) {
		return err
	}
	_, err = repo.PutBlob(ctx, d.v1(), registry.Upload{Open: open})
	return err
}

// isRefusal tells whether a registry looked at a manifest and does not want it:
// some keep a list of types (400, MANIFEST_INVALID), others call it unsupported.
func isRefusal(err error) bool {
	var a *registry.AnswerError
	if !errors.As(err, &a) {
		return false
	}
	switch a.Status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}
