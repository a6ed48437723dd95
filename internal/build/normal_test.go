package build

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

const demoWheel = "demo-1.0-py3-none-any.whl"

// packed packs entries "name", "content" with the given method, time and mode.
func packed(t testing.TB, method uint16, at time.Time, mode fs.FileMode, entries ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		h := &zip.FileHeader{Name: entries[i], Method: method, Modified: at}
		h.SetMode(mode)
		if strings.HasSuffix(h.Name, "/") {
			h.SetMode(mode | fs.ModeDir)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, entries[i+1])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// kept lets a request keep a wheel, and returns what is then in the cache.
func kept(t testing.TB, content string, epoch int64) (*Built, []byte, error) {
	t.Helper()
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(t.TempDir(), demoWheel)
	if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := &Request{Epoch: epoch}
	built, err := r.keep(f, demoWheel, store)
	if err != nil {
		return nil, nil, err
	}
	blob, err := store.OpenBlob(built.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	text, err := io.ReadAll(blob)
	if err != nil || int64(len(text)) != built.Size {
		t.Fatal(err, len(text), built.Size)
	}
	return built, text, nil
}

// demoEntries are those of a wheel of demo 1.0, RECORD last.
func demoEntries(more ...string) []string {
	entries := append([]string{
		"demo.py", "x = 1\n", "demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n", "demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
	}, more...)
	var record strings.Builder
	for i := 0; i < len(entries); i += 2 {
		if !strings.HasSuffix(entries[i], "/") {
			record.WriteString(recordLineOf(entries[i], entries[i+1]))
		}
	}
	return append(entries, "demo-1.0.dist-info/RECORD", record.String()+"demo-1.0.dist-info/RECORD,,\n")
}

func TestKeepSetsWhatIsNoContent(t *testing.T) {
	const epoch = 1_700_000_000
	entries := demoEntries("demo_tool.py", "#!/bin/sh\n", "a,b.txt", strings.Repeat("text ", 1000))
	_, want, err := kept(t, packed(t, zip.Deflate, time.Unix(1_600_000_000, 0), 0o644, entries...), epoch)
	if err != nil {
		t.Fatal(err)
	}
	var pairs [][2]string
	for i := 0; i < len(entries); i += 2 {
		pairs = append(pairs, [2]string{entries[i], entries[i+1]})
	}
	slices.Reverse(pairs)
	turned := []string{"demo/", ""}
	for _, p := range pairs {
		turned = append(turned, p[0], p[1])
	}
	_, got, err := kept(t, packed(t, zip.Store, time.Unix(1_500_000_001, 0), 0o600, turned...), epoch)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("another order, time, method and mode give another wheel: %v", err)
	}
	// The same bytes as with earlier versions: else Recipe needs another number.
	built, _, err := kept(t, packed(t, zip.Store, time.Unix(0, 0), 0o644, entries...), epoch)
	if err != nil || built.Digest != goldenWheel {
		t.Errorf("%v, %v: the wheel is not what it was", built, err)
	}
}

const goldenWheel = "sha256:1dd887ab6cff370db690e9d9bd06d1e8cd275c6021c772848ce9c0db81050435"

func TestKeepWritesWhatInstallersExpect(t *testing.T) {
	entries := demoEntries("zz.py", "", "bin/tool", "#!/bin/sh\n", "demo/__pycache__/a.cpython-311.pyc", "code", "demo/old.pyc", "code", "demo-1.0.dist-info/RECORD.jws", "signed")
	_, text, err := kept(t, packed(t, zip.Deflate, time.Now(), 0o700, entries...), 0)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		mode := fs.FileMode(0o755)
		if strings.HasSuffix(f.Name, "RECORD") {
			mode = 0o644
		}
		if f.Mode() != mode || f.Flags&8 != 0 || len(f.Extra) > 0 || !f.Modified.Equal(time.Date(1980, 1, 2, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: %v, flags %x, %v", f.Name, f.Mode(), f.Flags, f.Modified)
		}
	}
	if got := strings.Join(names, " "); got != "bin/tool demo.py demo/old.pyc zz.py demo-1.0.dist-info/METADATA demo-1.0.dist-info/WHEEL demo-1.0.dist-info/RECORD" {
		t.Error(got)
	}
	w, err := wheel.Open(demoWheel, bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	set, err := w.Files(wheel.Scheme{Purelib: "lib", Platlib: "lib", Scripts: "bin", Data: "data", Headers: "include", Python: "/usr/bin/python3"})
	if err != nil {
		t.Fatal(err)
	}
	for f := range set.All() { // reading compares with RECORD
		if _, err := f.ReadAll(1 << 20); err != nil {
			t.Error(err)
		}
	}
}

func TestKeepRefuses(t *testing.T) {
	good := demoEntries()
	record := len(good) - 1
	lying := slices.Clone(good)
	lying[1] = "x = 2\n"
	short := slices.Clone(good)
	short[record] = strings.Replace(short[record], "demo.py", "other.py", 1)
	for _, c := range []struct{ name, content, want string }{
		{"RECORD lies", packed(t, zip.Deflate, time.Now(), 0o644, lying...), "but RECORD says"},
		{"RECORD misses one", packed(t, zip.Deflate, time.Now(), 0o644, short...), "not listed in RECORD"},
		{"no RECORD", packed(t, zip.Deflate, time.Now(), 0o644, good[:record-1]...), "RECORD"},
		{"cut", packed(t, zip.Deflate, time.Now(), 0o644, good...)[:200], "damaged"},
		{"empty", "", "damaged"},
	} {
		if _, _, err := kept(t, c.content, 0); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), ErrResult.Error()) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzKeep: what is kept is a wheel, and keeping it once more changes nothing.
func FuzzKeep(f *testing.F) {
	for _, mode := range []fs.FileMode{0o644, 0o755} {
		f.Add([]byte(packed(f, zip.Store, time.Unix(1_600_000_000, 0), mode, demoEntries("demo/", "", "a,b", "x", "demo/__pycache__/a.pyc", "x")...)))
		f.Add([]byte(packed(f, zip.Deflate, time.Unix(0, 0), mode, demoEntries("demo-1.0.data/scripts/run", "#!python\n")...)))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		_, first, err := kept(t, string(content), 1_700_000_000)
		if err != nil {
			return
		}
		if _, err := wheel.Open(demoWheel, bytes.NewReader(first), int64(len(first))); err != nil {
			t.Error(err)
		}
		if _, again, err := kept(t, string(first), 1_700_000_000); err != nil || !bytes.Equal(first, again) {
			t.Errorf("kept once more it is another: %v", err)
		}
	})
}

// BenchmarkKeep keeps a wheel of 64 files with 1 MiB each.
func BenchmarkKeep(b *testing.B) {
	var more []string
	for i := range 64 {
		var text strings.Builder
		for n := 0; text.Len() < 1<<20; n++ {
			fmt.Fprintf(&text, "line %d of %d: %x\n", n, i, n*n*7919)
		}
		more = append(more, fmt.Sprintf("demo/%d.txt", i), text.String())
	}
	var content bytes.Buffer
	z := zip.NewWriter(&content)
	entries := demoEntries(more...)
	for i := 0; i < len(entries); i += 2 {
		w, _ := z.Create(entries[i])
		io.WriteString(w, entries[i+1])
	}
	z.Close()
	at := filepath.Join(b.TempDir(), demoWheel)
	os.WriteFile(at, content.Bytes(), 0o644)
	store, err := cache.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		f, err := os.Open(at)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := (&Request{}).keep(f, demoWheel, store); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}
