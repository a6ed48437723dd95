package wheelcache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// TestRealRegistry runs against the registry that DISTILL_E2E_REGISTRY names
// (host:port), e.g. docker-registry on loopback; it leaves a few small blobs there.
func TestRealRegistry(t *testing.T) {
	host := os.Getenv("DISTILL_E2E_REGISTRY")
	if host == "" {
		t.Skip("DISTILL_E2E_REGISTRY names no registry")
	}
	now := time.Now().String() // a key that is not there yet
	sum := sha256.Sum256([]byte(now))
	key := hex.EncodeToString(sum[:])
	here, there := machine(t), machine(t)
	c := openRef(t, host+"/distill-test/wheels:e2e")
	if _, err := c.Fetch(t.Context(), key, []byte(record), here); !errors.Is(err, ErrAbsent) {
		t.Fatalf("before: %v", err)
	}
	e := built(t, here, strings.Repeat("the wheel of "+now, 100_000))
	for range 2 {
		if err := c.Store(t.Context(), key, e, here); err != nil {
			t.Fatal(err)
		}
	}
	got, err := openRef(t, host+"/distill-test/wheels:e2e").Fetch(t.Context(), key, []byte(record), there)
	if err != nil || !got.same(&e) || read(t, there, e.Digest) != read(t, here, e.Digest) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := c.Store(t.Context(), key, built(t, here, "another"), here); !errors.Is(err, ErrDiffers) {
		t.Errorf("another wheel: %v", err)
	}
	if _, err := c.Fetch(t.Context(), key, []byte("{}"), there); !errors.Is(err, ErrEntry) {
		t.Errorf("another record: %v", err)
	}
	asks := Entry{Record: []byte(record), Asked: []string{"cython>=3"}}
	other := openRef(t, host+"/distill-test/wheels:asks")
	if err := other.Store(t.Context(), key, asks, here); err != nil {
		t.Fatal(err)
	}
	if got, err := other.Fetch(t.Context(), key, []byte(record), there); err != nil || !got.same(&asks) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestRealRegistryPlain stores what the registry would take if it knew only images.
func TestRealRegistryPlain(t *testing.T) {
	host := os.Getenv("DISTILL_E2E_REGISTRY")
	if host == "" {
		t.Skip("DISTILL_E2E_REGISTRY names no registry")
	}
	d := machine(t)
	c := openRef(t, host+"/distill-test/wheels:plain")
	c.plain.Store(true)
	e := built(t, d, "the wheel")
	store(t, c, e, d)
	if got := fetch(t, c, machine(t)); !got.same(&e) {
		t.Errorf("%+v", got)
	}
}
