package cache

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestOpenEntryReadsParts(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, firstPart - 100, firstPart - 46, firstPart, firstPart + 1, 10 * firstPart} {
		value := make([]byte, size)
		for i := range value {
			value[i] = byte(i * 7)
		}
		if err := d.Put("index", "key", value); err != nil {
			t.Fatal(err)
		}
		e, ok := d.OpenEntry("index", "key")
		if !ok || e.Size() != int64(size) || !bytes.HasPrefix(value, e.First) {
			t.Fatalf("%d bytes: %v, size %d", size, ok, e.Size())
		}
		got, err := io.ReadAll(io.NewSectionReader(e, 0, e.Size()))
		if err != nil || !bytes.Equal(got, value) {
			t.Errorf("%d bytes: %v, got %d", size, err, len(got))
		}
		for _, off := range []int{0, size / 2, size - 1} {
			b := make([]byte, 1)
			if off < 0 {
				continue
			}
			if n, err := e.ReadAt(b, int64(off)); off < size && (n != 1 || err != nil || b[0] != value[off]) {
				t.Errorf("at %d of %d: %d, %v, %d", off, size, n, err, b[0])
			}
		}
		// It stays what it was when somebody puts another in its place.
		if err := d.Put("index", "key", []byte("other")); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(io.NewSectionReader(e, 0, e.Size())); err != nil || !bytes.Equal(got, value) {
			t.Errorf("%d bytes: afterwards %v, got %d", size, err, len(got))
		}
		e.Close()
	}
}

func TestOpenEntryRefusesDamage(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.OpenEntry("index", "none"); ok {
		t.Error("there is no such entry")
	}
	for _, size := range []int{100, 10 * firstPart} {
		if err := d.Put("index", "key", make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		name, err := d.entryName("index", "key")
		if err != nil {
			t.Fatal(err)
		}
		// An entry of another key, as if two had one name.
		other, err := d.entryName("index", "other")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(other), 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, bad := range map[string][]byte{"magic": append([]byte("x"), b[1:]...), "key": b, "short": b[:20], "empty": nil} {
			if err := os.WriteFile(other, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, ok := d.OpenEntry("index", "other"); ok {
				t.Errorf("%d bytes, %s: it was opened", size, what)
			}
		}
	}
}
