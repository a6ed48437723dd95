package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	memory "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// open starts a server and returns the repository team/app on it, with waits
// that take no time.
func open(t *testing.T, h http.Handler, o Options) (*Repository, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	r, err := Open(context.Background(), repo(t, srv, "team/app"), "pull,push", o)
	if err != nil {
		t.Fatal(err)
	}
	r.pause = func(context.Context, time.Duration) error { return nil }
	return r, srv
}

func repo(t *testing.T, srv *httptest.Server, path string) name.Repository {
	t.Helper()
	n, err := name.NewRepository(strings.TrimPrefix(srv.URL, "http://") + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func inMemory() http.Handler { return memory.New(memory.Logger(log.New(io.Discard, "", 0))) }

func descriptor(data []byte) v1.Descriptor {
	sum := sha256.Sum256(data)
	return v1.Descriptor{Size: int64(len(data)), Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}}
}

func upload(data []byte) Upload {
	return Upload{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

func TestWhatIsPutComesBack(t *testing.T) {
	r, _ := open(t, inMemory(), Options{})
	ctx := context.Background()
	for _, data := range [][]byte{nil, []byte("hello"), bytes.Repeat([]byte("0123456789"), 100_000)} {
		d := descriptor(data)
		if has, err := r.HasBlob(ctx, d.Digest); has || err != nil {
			t.Fatalf("HasBlob before: %v, %v", has, err)
		}
		if _, err := r.PutBlob(ctx, d, upload(data)); err != nil {
			t.Fatal(err)
		}
		if has, err := r.HasBlob(ctx, d.Digest); !has || err != nil {
			t.Fatalf("HasBlob after: %v, %v", has, err)
		}
		rc, err := r.Blob(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(rc)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes, %v; want %d", len(got), err, len(data))
		}
		if err := rc.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err := r.Manifest(ctx, "1.0")
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("manifest that is not there: %v", err)
	}
}
