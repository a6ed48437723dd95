package cache_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

func open(t *testing.T) *cache.Dir {
	t.Helper()
	d, err := cache.Open(filepath.Join(t.TempDir(), "a", "cache"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func digest(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }

func put(t *testing.T, d *cache.Dir, s string) string {
	t.Helper()
	if err := d.PutBlob(t.Context(), digest(s), int64(len(s)), strings.NewReader(s)); err != nil {
		t.Fatal(err)
	}
	return digest(s)
}

// find returns the one file of the cache whose name contains s.
func find(t *testing.T, d *cache.Dir, s string) string {
	t.Helper()
	var found []string
	filepath.WalkDir(d.Path(), func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.Contains(name, s) {
			found = append(found, name)
		}
		return nil
	})
	if len(found) != 1 {
		t.Fatalf("%d files contain %q in their name: %q", len(found), s, found)
	}
	return found[0]
}

// leftovers returns the number of temporary files.
func leftovers(t *testing.T, d *cache.Dir) int {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(d.Path(), "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestBlobRoundTrip(t *testing.T) {
	d := open(t)
	dg := put(t, d, "hello")
	for range 2 {
		b, err := d.OpenBlob(dg)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(b)
		if string(got) != "hello" || b.Size != 5 {
			t.Errorf("%q, size %d", got, b.Size)
		}
		b.Close()
	}
	if n := leftovers(t, d); n != 0 {
		t.Errorf("%d temporary files left", n)
	}
	long := fmt.Sprintf("sha512:%x", sha512.Sum512([]byte("hello")))
	if err := d.PutBlob(t.Context(), long, -1, strings.NewReader("hello")); err != nil {
		t.Error(err)
	}
	if size, ok := d.StatBlob(long); !ok || size != 5 {
		t.Errorf("StatBlob: %d %v", size, ok)
	}
}

func TestPutBlobStoresNothingWrong(t *testing.T) {
	d := open(t)
	dg := digest("hello")
	for name, c := range map[string]struct {
		size int64
		r    io.Reader
		want error
	}{
		"other bytes": {5, strings.NewReader("jello"), cache.ErrDigest},
		"too short":   {5, strings.NewReader("hell"), cache.ErrDigest},
		"too long":    {5, strings.NewReader("hello!"), cache.ErrDigest},
		"endless":     {5, neverEnding('x'), cache.ErrDigest},
		"size wrong":  {4, strings.NewReader("hello"), cache.ErrDigest},
		"read error":  {5, io.MultiReader(strings.NewReader("he"), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF},
	} {
		if err := d.PutBlob(t.Context(), dg, c.size, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if _, err := d.OpenBlob(dg); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the blob is there (%v)", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.PutBlob(ctx, dg, 5, strings.NewReader("hello")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if n := leftovers(t, d); n != 0 {
		t.Errorf("%d temporary files left", n)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

func TestNamesThatAreNoDigests(t *testing.T) {
	d := open(t)
	for _, bad := range []string{"", "sha256:", "sha256:../../etc/passwd", "md5:d41d8cd98f00b204e9800998ecf8427e",
		"sha256:" + strings.Repeat("A", 64), "sha256:" + strings.Repeat("a", 63), strings.Repeat("a", 64)} {
		if _, err := d.OpenBlob(bad); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("OpenBlob(%q): %v", bad, err)
		}
		if err := d.PutBlob(t.Context(), bad, -1, strings.NewReader("")); err == nil {
			t.Errorf("PutBlob(%q) works", bad)
		}
	}
	for _, bad := range []string{"", "blobs", "tmp", "../x", "a/b", "A"} {
		if err := d.Put(bad, "k", nil); err == nil {
			t.Errorf("Put into bucket %q works", bad)
		}
	}
}

func TestDamagedBlobIsAbsent(t *testing.T) {
	d := open(t)
	dg := put(t, d, "hello")
	name := find(t, d, dg[7:])
	if err := os.WriteFile(name, []byte("jello"), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chtimes(name, time.Time{}, time.Unix(1e9, 0))
	again, err := cache.Open(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*cache.Dir{d, again} { // known as good before the damage, and not known
		if _, err := d.OpenBlob(dg); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v, want fs.ErrNotExist", err)
		}
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("the damaged blob is still there")
	}
	put(t, d, "hello")
	if b, err := d.OpenBlob(dg); err != nil {
		t.Error(err)
	} else {
		b.Close()
	}
}

func TestTeeBlobStoresOnlyAtTheEnd(t *testing.T) {
	d := open(t)
	r, err := d.TeeBlob(digest("hello"), 5, iotest.OneByteReader(strings.NewReader("hello")))
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(r, make([]byte, 5))
	if _, ok := d.StatBlob(digest("hello")); ok {
		t.Error("stored before the end was seen")
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
	r.Close()
	if _, ok := d.StatBlob(digest("hello")); !ok {
		t.Error("not stored")
	}
	r, _ = d.TeeBlob(digest("other"), 5, strings.NewReader("other"))
	r.Read(make([]byte, 3))
	r.Close()
	if n := leftovers(t, d); n != 0 {
		t.Errorf("%d temporary files left", n)
	}
}

func TestBlobWriter(t *testing.T) {
	d := open(t)
	w, err := d.CreateBlob()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "hel")
	io.WriteString(w, "lo")
	got, size, err := w.Commit()
	w.Abort()
	if err != nil || got != digest("hello") || size != 5 {
		t.Errorf("%s %d %v", got, size, err)
	}
	b, err := d.OpenBlob(got)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	w, _ = d.CreateBlob()
	io.WriteString(w, "x")
	w.Abort()
	if n := leftovers(t, d); n != 0 {
		t.Errorf("%d temporary files left", n)
	}
}

func TestEntries(t *testing.T) {
	d := open(t)
	if _, ok := d.Get("index", "k"); ok {
		t.Error("an absent entry is there")
	}
	for _, v := range []string{"one", "", "two"} {
		if err := d.Put("index", "a key / with\nanything", []byte(v)); err != nil {
			t.Fatal(err)
		}
		if got, ok := d.Get("index", "a key / with\nanything"); !ok || string(got) != v {
			t.Errorf("%q %v, want %q", got, ok, v)
		}
	}
	if _, ok := d.Get("metadata", "a key / with\nanything"); ok {
		t.Error("buckets are mixed up")
	}
	d.Delete("index", "a key / with\nanything")
	if _, ok := d.Get("index", "a key / with\nanything"); ok {
		t.Error("deleted, but there")
	}
}

func TestManyWriters(t *testing.T) {
	d := open(t)
	other, err := cache.Open(d.Path()) // as another process would
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("0123456789", 50_000)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			d := []*cache.Dir{d, other}[i%2]
			if err := d.PutBlob(context.Background(), digest(big), -1, strings.NewReader(big)); err != nil {
				t.Error(err)
			}
			if b, err := d.OpenBlob(digest(big)); err != nil {
				t.Error(err)
			} else {
				b.Close()
			}
			if err := d.Put("facts", "k", bytes.Repeat([]byte{byte(i)}, 10_000)); err != nil {
				t.Error(err)
			}
			if v, ok := d.Get("facts", "k"); !ok || len(v) != 10_000 || v[0] != v[9_999] {
				t.Errorf("a torn entry of %d bytes, %v", len(v), ok)
			}
		})
	}
	wg.Wait()
}

func TestLockLetsOneIn(t *testing.T) {
	d := open(t)
	var inside, made int
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			defer d.Lock("x")()
			if inside++; inside != 1 {
				t.Error("two inside")
			}
			if _, ok := d.Get("facts", "x"); !ok {
				made++
				d.Put("facts", "x", []byte("v"))
			}
			inside--
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

func TestTempHasNoName(t *testing.T) {
	d := open(t)
	f, err := d.Temp()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n := leftovers(t, d); n != 0 {
		t.Errorf("%d names", n)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Error(err)
	}
}

func TestUnusableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	_, err := cache.Open(filepath.Join(file, "cache"))
	if !errors.Is(err, cache.ErrFolder) || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("%v", err)
	}
	if os.Getuid() != 0 {
		dir := t.TempDir()
		os.Chmod(dir, 0o500)
		if _, err := cache.Open(filepath.Join(dir, "cache")); !errors.Is(err, cache.ErrFolder) {
			t.Errorf("%v", err)
		}
	}
}

func TestFolderVanishes(t *testing.T) {
	d := open(t)
	w, err := d.CreateBlob()
	if err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(d.Path())
	if _, _, err := w.Commit(); !errors.Is(err, cache.ErrFolder) {
		t.Errorf("%v, want ErrFolder", err)
	}
	put(t, d, "again") // the folder is made anew
}

func TestInfoPruneClean(t *testing.T) {
	d := open(t)
	put(t, d, "hello")
	put(t, d, "hello2")
	d.Put("index", "k", []byte("v"))
	foreign := filepath.Join(d.Path(), "index", "notes.txt")
	os.WriteFile(foreign, []byte("mine"), 0o600)
	list, err := d.Info(t.Context())
	if err != nil || len(list) != 2 || list[0] != (cache.Usage{Part: "blobs", Files: 2, Bytes: 11}) || list[1].Part != "index" || list[1].Files != 1 {
		t.Errorf("%v %v", list, err)
	}
	long := time.Unix(1e9, 0)
	os.Chtimes(find(t, d, digest("hello2")[7:]), time.Time{}, long)
	if u, err := d.Prune(t.Context(), long.Add(time.Hour)); err != nil || u.Files != 1 || u.Bytes != 6 {
		t.Errorf("%v %v", u, err)
	}
	if u, err := d.Clean(t.Context()); err != nil || u.Files != 2 {
		t.Errorf("%v %v", u, err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error("a file that is not ours was removed")
	}
	put(t, d, "hello")
}

func TestUseIsNoted(t *testing.T) {
	d := open(t)
	dg := put(t, d, "hello")
	name := find(t, d, dg[7:])
	os.Chtimes(name, time.Time{}, time.Now().Add(-72*time.Hour))
	b, err := d.OpenBlob(dg)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if u, err := d.Prune(t.Context(), time.Now().Add(-48*time.Hour)); err != nil || u.Files != 0 {
		t.Errorf("pruned although just used: %v %v", u, err)
	}
}

func FuzzDamagedEntryIsAbsent(f *testing.F) {
	f.Add([]byte{}, 0, byte(1))
	f.Add([]byte("distill1"), 3, byte(0x80))
	f.Add([]byte("some value of an entry"), 45, byte(0xff))
	d, err := cache.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value []byte, at int, flip byte) {
		if err := d.Put("facts", "k", value); err != nil {
			t.Fatal(err)
		}
		var name string
		filepath.WalkDir(filepath.Join(d.Path(), "facts"), func(n string, e fs.DirEntry, _ error) error {
			if e.Type().IsRegular() {
				name = n
			}
			return nil
		})
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		i := int(uint(at) % uint(len(data)))
		data[i] ^= flip
		if flip == 0 { // cut instead
			data = data[:i]
		}
		os.WriteFile(name, data, 0o600)
		if got, ok := d.Get("facts", "k"); ok {
			t.Errorf("byte %d changed by %#x, and %q is returned", i, flip, got)
		}
	})
}
