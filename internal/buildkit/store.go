package buildkit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageStore shows one image as a store of content that can only be read: its manifest,
// its configuration and its layers, by digest. A node asks it for what it lacks.
type imageStore struct {
	content.Store // nil: what is not below is not there
	manifest      digest.Digest
	blobs         map[digest.Digest]*blob
	mu            sync.Mutex
	parked        []*stream // those that nobody reads; the oldest first
	closed        bool
	fail          func(error) // is told what a reader met: a node knows only part of it
}

// blob is one part of the image.
type blob struct {
	digest digest.Digest
	size   int64
	open   func() (io.ReadCloser, error)
}

// newImageStore reads what the image consists of.
func newImageStore(image v1.Image, fail func(error)) (*imageStore, error) {
	s := &imageStore{blobs: map[digest.Digest]*blob{}, fail: fail}
	manifest, err := image.RawManifest()
	if err != nil {
		return nil, err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	s.manifest = s.addBytes(manifest)
	s.addBytes(config)
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		d, err := l.Digest()
		if err != nil {
			return nil, err
		}
		size, err := l.Size()
		if err != nil {
			return nil, err
		}
		s.blobs[digest.Digest(d.String())] = &blob{digest: digest.Digest(d.String()), size: size, open: l.Compressed}
	}
	return s, nil
}

func (s *imageStore) addBytes(b []byte) digest.Digest {
	d := digest.FromBytes(b)
	s.blobs[d] = &blob{digest: d, size: int64(len(b)), open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
	return d
}

// storeID is the name of the store in a session, reference what a step calls the image. Both
// are the same for the same image, so that a node knows the layers that it has.
const storeID = "distill-image"

func (s *imageStore) reference() string { return "distill/image@" + s.manifest.String() }

// Info implements [content.Store].
func (s *imageStore) Info(_ context.Context, d digest.Digest) (content.Info, error) {
	b, ok := s.blobs[d]
	if !ok {
		return content.Info{}, fmt.Errorf("content %s: %w", d, errdefs.ErrNotFound)
	}
	return content.Info{Digest: d, Size: b.size}, nil
}

// ReaderAt implements [content.Store].
func (s *imageStore) ReaderAt(_ context.Context, d ocispecs.Descriptor) (content.ReaderAt, error) {
	b, ok := s.blobs[d.Digest]
	if !ok {
		return nil, fmt.Errorf("content %s: %w", d.Digest, errdefs.ErrNotFound)
	}
	return &blobReader{store: s, blob: b}, nil
}

// The store can't be written to, and shows nothing but by digest.

// Update implements [content.Store].
func (s *imageStore) Update(context.Context, content.Info, ...string) (content.Info, error) {
	return content.Info{}, errdefs.ErrFailedPrecondition
}

// Walk implements [content.Store].
func (s *imageStore) Walk(context.Context, content.WalkFunc, ...string) error { return nil }

// Delete implements [content.Store].
func (s *imageStore) Delete(context.Context, digest.Digest) error {
	return errdefs.ErrFailedPrecondition
}

// Status implements [content.Store].
func (s *imageStore) Status(context.Context, string) (content.Status, error) {
	return content.Status{}, errdefs.ErrNotFound
}

// ListStatuses implements [content.Store].
func (s *imageStore) ListStatuses(context.Context, ...string) ([]content.Status, error) {
	return nil, nil
}

// Abort implements [content.Store].
func (s *imageStore) Abort(context.Context, string) error { return errdefs.ErrNotFound }

// Writer implements [content.Store].
func (s *imageStore) Writer(context.Context, ...content.WriterOpt) (content.Writer, error) {
	return nil, errdefs.ErrFailedPrecondition
}

func (s *imageStore) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, t := range s.parked {
		t.r.Close()
	}
	s.parked = nil
}

// maxParked bounds the streams that wait for their next reader. Layers are fetched a few
// at a time.
const maxParked = 16

// stream is a blob that has been read up to some place.
type stream struct {
	blob *blob
	r    io.ReadCloser
	at   int64
	sum  hash.Hash
}

// resume returns a stream of b that stands at or before offset: the nearest that waits, or
// a new one. A node reads a layer in pieces and asks for each anew.
func (s *imageStore) resume(b *blob, offset int64) (*stream, error) {
	s.mu.Lock()
	best := -1
	for i, t := range s.parked {
		if t.blob == b && t.at <= offset && (best < 0 || t.at > s.parked[best].at) {
			best = i
		}
	}
	if best >= 0 {
		t := s.parked[best]
		s.parked = append(s.parked[:best], s.parked[best+1:]...)
		s.mu.Unlock()
		return t, nil
	}
	s.mu.Unlock()
	r, err := b.open()
	if err != nil {
		return nil, err
	}
	return &stream{blob: b, r: r, sum: sha256.New()}, nil
}

// park keeps a stream for the next reader.
func (s *imageStore) park(t *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || t.at >= t.blob.size {
		t.r.Close()
		return
	}
	if len(s.parked) >= maxParked {
		s.parked[0].r.Close()
		s.parked = s.parked[1:]
	}
	s.parked = append(s.parked, t)
}

// read fills p from where the stream stands. At the end of the blob its digest has to be
// the one that it is known by.
func (t *stream) read(p []byte) (int, error) {
	n, err := io.ReadFull(t.r, p[:min(int64(len(p)), t.blob.size-t.at)])
	t.sum.Write(p[:n])
	t.at += int64(n)
	if err != nil {
		return n, fmt.Errorf("layer %s ends after %d of %d bytes: %w", t.blob.digest, t.at, t.blob.size, err)
	}
	if t.at < t.blob.size {
		return n, nil
	}
	if more, err := t.r.Read(make([]byte, 1)); more > 0 || err != nil && err != io.EOF {
		return 0, fmt.Errorf("layer %s has more than its %d bytes", t.blob.digest, t.blob.size)
	}
	if t.blob.digest.Algorithm() == digest.SHA256 && hex.EncodeToString(t.sum.Sum(nil)) != t.blob.digest.Encoded() {
		return 0, fmt.Errorf("layer %s has other content than its digest says", t.blob.digest)
	}
	return n, nil
}

// skip reads up to offset.
func (t *stream) skip(offset int64) error {
	buf := make([]byte, 64<<10)
	for t.at < offset {
		if _, err := t.read(buf[:min(int64(len(buf)), offset-t.at)]); err != nil {
			return err
		}
	}
	return nil
}

// blobReader reads a blob from any place; it is quick only in its order.
type blobReader struct {
	store *imageStore
	blob  *blob
	mu    sync.Mutex
	cur   *stream
}

// Size implements [content.ReaderAt].
func (r *blobReader) Size() int64 { return r.blob.size }

// ReadAt implements [io.ReaderAt].
func (r *blobReader) ReadAt(p []byte, offset int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if offset < 0 {
		return 0, errors.New("negative offset")
	}
	if offset >= r.blob.size {
		return 0, io.EOF
	}
	if r.cur != nil && r.cur.at > offset {
		r.store.park(r.cur)
		r.cur = nil
	}
	if r.cur == nil {
		t, err := r.store.resume(r.blob, offset)
		if err != nil {
			r.store.fail(err)
			return 0, err
		}
		r.cur = t
	}
	n, err := 0, r.cur.skip(offset)
	if err == nil {
		n, err = r.cur.read(p)
	}
	if err != nil {
		r.cur.r.Close()
		r.cur = nil
		r.store.fail(err)
		return n, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close implements [io.Closer]; where it stood, the next reader may go on.
func (r *blobReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cur != nil {
		r.store.park(r.cur)
		r.cur = nil
	}
	return nil
}
