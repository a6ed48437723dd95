package buildkit

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/containerd/errdefs"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	gcr "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// counted is a layer that counts how often it is opened, and how many readers are open.
type counted struct {
	v1.Layer
	opened, open *int
}

func (c counted) Compressed() (io.ReadCloser, error) {
	*c.opened++
	*c.open++
	r, err := c.Layer.Compressed()
	return &countedReader{r, c.open}, err
}

type countedReader struct {
	io.ReadCloser
	open *int
}

func (c *countedReader) Close() error {
	*c.open--
	return c.ReadCloser.Close()
}

func TestStoreReadsALayerOnce(t *testing.T) {
	content := make([]byte, 300_000)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	opened, open := 0, 0
	img, err := mutate.AppendLayers(empty.Image, counted{static.NewLayer(content, gcr.OCIUncompressedLayer), &opened, &open})
	if err != nil {
		t.Fatal(err)
	}
	opened, open = 0, 0
	s, err := newImageStore(img, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	if opened != 0 {
		t.Errorf("opened before anybody asks")
	}
	d := digest.FromBytes(content)
	piece := func(at, n int) {
		t.Helper()
		r, err := s.ReaderAt(t.Context(), ocispecs.Descriptor{Digest: d})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		p := make([]byte, n)
		got, err := r.ReadAt(p, int64(at))
		want := content[at:min(at+n, len(content))]
		if !bytes.Equal(p[:got], want) || (err == io.EOF) != (len(want) < n) || err != nil && err != io.EOF {
			t.Fatalf("at %d: %d bytes, %v", at, got, err)
		}
	}
	for at := 0; at < len(content); at += 32 << 10 {
		piece(at, 32<<10)
	}
	if opened != 1 {
		t.Errorf("a layer that is read in pieces is opened %d times", opened)
	}
	piece(200_000, 10) // from the front
	piece(100, 10)     // backwards
	piece(210_000, 10) // goes on after the first
	piece(110, 10)     // and after the second
	if opened != 3 {
		t.Errorf("opened %d times, want 3", opened)
	}
	s.close()
	if open != 0 {
		t.Errorf("%d readers are left open", open)
	}
}

func TestStoreBoundsReaders(t *testing.T) {
	opened, open := 0, 0
	img, err := mutate.AppendLayers(empty.Image, counted{static.NewLayer(make([]byte, 100), gcr.OCIUncompressedLayer), &opened, &open})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newImageStore(img, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	opened, open = 0, 0
	d := digest.FromBytes(make([]byte, 100))
	for i := 90; i > 50; i-- {
		r, err := s.ReaderAt(t.Context(), ocispecs.Descriptor{Digest: d})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadAt(make([]byte, 1), int64(i)); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	if open > maxParked {
		t.Errorf("%d readers wait", open)
	}
	s.close()
	if open != 0 {
		t.Errorf("%d readers are left open", open)
	}
}

// What a layer yields is checked for its digest and for its size.
func TestStoreChecks(t *testing.T) {
	good := []byte("what it should be")
	for name, bad := range map[string][]byte{"other": []byte("what it shouldn't"), "short": good[:5], "long": append(bytes.Clone(good), 'x')} {
		t.Run(name, func(t *testing.T) {
			var failed error
			d := digest.FromBytes(good)
			s := &imageStore{fail: func(err error) { failed = err }, blobs: map[digest.Digest]*blob{
				d: {digest: d, size: int64(len(good)), open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(bad)), nil }},
			}}
			r, err := s.ReaderAt(t.Context(), ocispecs.Descriptor{Digest: d})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size())); err == nil || failed == nil {
				t.Errorf("read without an error: %v, %v", err, failed)
			}
		})
	}
}

func TestStoreCantBeWritten(t *testing.T) {
	s, err := newImageStore(empty.Image, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	ctx, d := context.Background(), s.manifest
	if _, err := s.Writer(ctx); err == nil {
		t.Error("there is a writer")
	}
	if s.Delete(ctx, d) == nil {
		t.Error("content can be deleted")
	}
	if _, err := s.Info(ctx, digest.FromString("absent")); !errdefs.IsNotFound(err) {
		t.Errorf("absent content: %v", err)
	}
	if _, err := s.ReaderAt(ctx, ocispecs.Descriptor{Digest: digest.FromString("absent")}); !errdefs.IsNotFound(err) {
		t.Errorf("absent content: %v", err)
	}
	info, err := s.Info(ctx, d)
	if err != nil || info.Size == 0 {
		t.Errorf("manifest: %v, %v", info, err)
	}
}
