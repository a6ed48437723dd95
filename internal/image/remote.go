package image

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/registry"
)

// remoteStore is a repository of a registry. Blobs are kept in the cache.
type remoteStore struct {
	repo  *registry.Repository // nil when offline
	cache *cache.Dir
}

// openRemote looks a tag or digest up and returns the repository and what stands there.
func openRemote(ctx context.Context, ref name.Reference, o Options) (store, v1.Descriptor, error) {
	if o.Offline {
		return openOffline(ref, o.Cache)
	}
	repo, err := registry.Open(ctx, ref.Context(), "pull", registry.Options{Keychain: o.Keychain, Transport: o.Transport, Insecure: o.Insecure})
	if err != nil {
		return nil, v1.Descriptor{}, blameRegistry(err)
	}
	m, err := repo.Manifest(ctx, ref.Identifier())
	if err != nil {
		return nil, v1.Descriptor{}, blameRegistry(err)
	}
	d := v1.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: int64(len(m.Bytes))}
	if err := o.Cache.PutBlob(ctx, d.Digest.String(), d.Size, newBytesReader(m.Bytes)); err != nil {
		return nil, v1.Descriptor{}, blame(err)
	}
	return &remoteStore{repo: repo, cache: o.Cache}, d, nil
}

// openOffline finds a digest in the cache.
func openOffline(ref name.Reference, c *cache.Dir) (store, v1.Descriptor, error) {
	s := &remoteStore{cache: c}
	h, err := v1.NewHash(ref.Identifier())
	if err != nil {
		return nil, v1.Descriptor{}, marked{errors.New(ref.Name() + " is in a registry: offline, only a digest can be found, in the cache"), ErrNetwork}
	}
	size, ok := c.StatBlob(h.String())
	if !ok {
		return nil, v1.Descriptor{}, s.offline(h)
	}
	return s, v1.Descriptor{Digest: h, Size: size}, nil
}

func (s *remoteStore) offline(h v1.Hash) error {
	return marked{errors.New("offline, and " + h.String() + " is not in the cache"), ErrNetwork}
}

func (s *remoteStore) open(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	b, err := s.cache.OpenBlob(d.Digest.String())
	if err == nil {
		if b.Size == d.Size {
			return b, nil
		}
		b.Close()
		return nil, damaged("blob %s has %d bytes, its descriptor says %d", d.Digest, b.Size, d.Size)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if s.repo == nil {
		return nil, s.offline(d.Digest)
	}
	if isImageType(d.MediaType) {
		return s.openManifest(ctx, d)
	}
	r, err := s.repo.Blob(ctx, d)
	if err != nil {
		return nil, blameRegistry(err)
	}
	t, err := s.cache.TeeBlob(d.Digest.String(), d.Size, r)
	if err != nil {
		r.Close()
		return nil, err
	}
	return &fetched{t, r}, nil
}

// openManifest fetches a document, which registries keep apart from blobs.
func (s *remoteStore) openManifest(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	m, err := s.repo.Manifest(ctx, d.Digest.String())
	if err != nil {
		return nil, blameRegistry(err)
	}
	if err := s.cache.PutBlob(ctx, d.Digest.String(), d.Size, newBytesReader(m.Bytes)); err != nil {
		return nil, blame(err)
	}
	return newChecked(newBytesReader(m.Bytes), nopCloser{}, d)
}

// fetched is a blob on its way from the registry into the cache.
type fetched struct {
	tee  io.ReadCloser
	body io.Closer
}

func (f *fetched) Read(p []byte) (int, error) {
	n, err := f.tee.Read(p)
	if err != nil && err != io.EOF {
		err = blameRegistry(err)
	}
	return n, err
}

func (f *fetched) Close() error {
	f.tee.Close()
	return f.body.Close()
}

func (s *remoteStore) at(d v1.Descriptor) (randomBlob, bool) {
	b, err := s.cache.OpenUnchecked(d.Digest.String())
	if err != nil {
		return nil, false
	}
	if b.Size != d.Size {
		b.Close()
		return nil, false
	}
	return b, true
}

// probe asks nobody: what the registry lacks is seen when it is fetched.
func (s *remoteStore) probe(v1.Descriptor) error { return nil }

func (s *remoteStore) forget(d v1.Descriptor) { s.cache.RemoveBlob(d.Digest.String()) }

func (s *remoteStore) Close() error { return nil }
