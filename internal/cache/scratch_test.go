//go:build unix

package cache_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

func TestScratchStaysUntilItIsReleased(t *testing.T) {
	d, err := cache.Open(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	dir, release, err := d.Scratch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, releaseOther, err := d.Scratch(t.Context())
	if err != nil || other == dir {
		t.Fatalf("%s, %v", other, err)
	}
	defer releaseOther()
	if err := fillWith("x")(filepath.Join(dir, "place")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil || !there(filepath.Join(dir, "place", "text")) {
		t.Errorf("prune takes what is used: %v", err)
	}
	release()
	release()
	if there(dir) || !there(other) {
		t.Errorf("left: %v", inRoots(t, d))
	}
}

func TestScratchOfAKilledProcessGoes(t *testing.T) {
	d, err := cache.Open(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	dir, release, err := d.Scratch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()
	// Nobody holds its key any more.
	if err := fillWith("x")(filepath.Join(dir, "place")); err != nil {
		t.Fatal(err)
	}
	_, let := tree(t, d, "another")
	defer let()
	if there(dir) {
		t.Errorf("left: %v", inRoots(t, d))
	}
}

func TestScratchFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache")
	d, err := cache.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "roots"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Scratch(t.Context()); !errors.Is(err, cache.ErrFolder) {
		t.Errorf("%v", err)
	}
}
