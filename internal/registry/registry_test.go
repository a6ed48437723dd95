package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
)

func TestWhatIsPutComesBack(t *testing.T) {
	r := newServer(t).open(t, Options{})
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
