package layers

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/klauspost/compress/zstd"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/plan"
)

var epoch = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// memory is a Store that forgets at the end of the test.
type memory struct {
	mu    sync.Mutex
	blobs map[string]*Blob
	puts  int
}

func newMemory() *memory { return &memory{blobs: map[string]*Blob{}} }

func (m *memory) Get(key string) (*Blob, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[key]
	return b, ok
}

func (m *memory) Put(key string, fill func(w io.Writer) (v1.Hash, error)) (*Blob, error) {
	var buf bytes.Buffer
	diffID, err := fill(&buf)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	data := buf.Bytes()
	sum := sha256.Sum256(data)
	b := &Blob{
		Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])},
		DiffID: diffID, Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
	m.blobs[key] = b
	return b, nil
}

// content is text whose reader is wrapped by how.
type content struct {
	text string
	how  func(io.Reader) io.Reader
}

func (c content) Open() (io.ReadCloser, error) {
	var r io.Reader = strings.NewReader(c.text)
	if c.how != nil {
		r = c.how(r)
	}
	return io.NopCloser(r), nil
}

func file(path, text string) *files.File {
	sum := sha256.Sum256([]byte(text))
	return &files.File{Path: path, Mode: 0o644, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Content: content{text: text}}
}

func dir(path string) *files.File { return &files.File{Path: path, Mode: fs.ModeDir | 0o755} }
func link(path, to string) *files.File {
	return &files.File{Path: path, Mode: fs.ModeSymlink | 0o777, Link: to}
}

// sample is a plan with one of everything.
func sample() *plan.Plan {
	long := "opt/" + strings.Repeat("long-directory-name/", 6) + strings.Repeat("n", 120) + ".py"
	big := file("opt/a/big.bin", words(600_000))
	h1, h2 := file("opt/a/hard1", "same"), file("opt/a/hard2", "same")
	h1.Inode, h2.Inode = 7, 7
	run := file("opt/a/run", "#!/bin/sh\n")
	run.Mode = 0o755 | fs.ModeSetuid
	run.UID, run.GID = 1000, 3_000_000
	run.Xattrs = map[string]string{"security.capability": "\x01\x00\x00\x02", "user.b": "two", "user.a": "one"}
	return &plan.Plan{Platform: "linux/arm64", Layers: []plan.Layer{
		{Name: "packages that are replaced", Whiteouts: []string{"usr/lib/old", "top"}},
		{Name: "a 1.0", Comment: "from the development image", Files: files.NewSet([]*files.File{
			dir("opt"), dir("opt/a"), big, h1, h2, run, link("opt/a/link", "../b/ünïcode"), file("opt/a/empty", ""),
		})},
		{Name: "small packages 1 of 8", Files: files.NewSet([]*files.File{
			file(long, "x"), file("opt/b/ünïcode", "y"), link("opt/b/far", strings.Repeat("../", 60)+"etc"), file("opt/b/"+strings.Repeat("z", 100), "z"),
		})},
	}}
}

// words is text that compresses as code does: few words, near repetitions, and
// some noise.
func words(n int) string {
	b := make([]byte, 0, n+16)
	x := uint32(1)
	next := func(m uint32) uint32 { x = x*1664525 + 1013904223; return x >> 8 % m }
	list := []string{"def ", "return ", "self.", "import numpy as np\n", "    ", "if not ", ":\n", "(", ")", ", ", " = "}
	for len(b) < n {
		switch next(16) {
		case 0:
			b = append(b, byte(next(256)), byte(next(256)))
		case 1:
			if from := int(next(60000)); from < len(b) {
				from = len(b) - 1 - from
				b = append(b, b[from:min(len(b), from+int(next(70)))]...)
			}
		default:
			b = append(b, list[next(uint32(len(list)))]...)
		}
	}
	return string(b[:n])
}

func assemble(t *testing.T, p *plan.Plan, store Store, opts Options) v1.Image {
	t.Helper()
	if opts.Epoch.IsZero() {
		opts.Epoch = epoch
	}
	img, err := Assemble(empty.Image, p, store, opts)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digestOf(t *testing.T, img v1.Image) string {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// entries reads a layer back with the standard library.
func entriesOf(t *testing.T, l v1.Layer) map[string]*tar.Header {
	t.Helper()
	r, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tr := tar.NewReader(r)
	out := map[string]*tar.Header{}
	last := ""
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.Copy(io.Discard, tr); err != nil {
				t.Fatal(err)
			}
		}
		if name := strings.TrimSuffix(h.Name, "/"); name <= last {
			t.Errorf("%q comes after %q", name, last)
		} else {
			last = name
		}
		out[h.Name] = h
	}
}

func TestAssembleIgnoresOrderReadersAndProcessors(t *testing.T) {
	for _, compression := range []string{"gzip", "zstd"} {
		want := digestOf(t, assemble(t, sample(), newMemory(), Options{Compression: compression}))
		p := sample()
		for i := range p.Layers {
			list := slices.Collect(p.Layers[i].Files.All())
			slices.Reverse(list)
			for j, f := range list {
				c := *f
				c.ModTime = int64(j) * 1e6
				if c.Inode != 0 {
					c.Inode += 100
				}
				if t, ok := c.Content.(content); ok {
					how := []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader}[j%3]
					c.Content = content{t.text, how}
				}
				list[j] = &c
			}
			p.Layers[i].Files = files.NewSet(list)
			slices.Reverse(p.Layers[i].Whiteouts)
		}
		before := runtime.GOMAXPROCS(1)
		got := digestOf(t, assemble(t, p, newMemory(), Options{Compression: compression, Epoch: epoch.In(time.FixedZone("x", 3600))}))
		runtime.GOMAXPROCS(before)
		if got != want {
			t.Errorf("%s: got %s, want %s", compression, got, want)
		}
	}
}

func TestAssembleReadsNothingThatTheStoreHas(t *testing.T) {
	store := newMemory()
	opts := Options{Epoch: epoch}
	if missing, err := Missing(sample(), store, opts); err != nil || len(missing) != 3 {
		t.Fatalf("missing %v, %v", missing, err)
	}
	want := digestOf(t, assemble(t, sample(), store, opts))
	p := sample()
	for i := range p.Layers {
		var list []*files.File
		for f := range p.Layers[i].Files.All() {
			c := *f
			c.Content = content{how: func(io.Reader) io.Reader { return iotest.ErrReader(errors.New("read")) }}
			list = append(list, &c)
		}
		p.Layers[i].Files = files.NewSet(list)
	}
	if missing, err := Missing(p, store, opts); err != nil || len(missing) != 0 {
		t.Errorf("missing %v, %v", missing, err)
	}
	if got := digestOf(t, assemble(t, p, store, opts)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if store.puts != 3 {
		t.Errorf("%d layers written", store.puts)
	}
}

func TestKeyCoversEverythingThatShows(t *testing.T) {
	base := file("a/b", "text")
	keys := map[string]string{}
	add := func(what string, f *files.File, opts Options) {
		if opts.Epoch.IsZero() {
			opts.Epoch = epoch
		}
		k := Key(&plan.Layer{Files: files.NewSet([]*files.File{f})}, opts)
		if k == "" {
			t.Fatalf("%s: no key", what)
		}
		if other, ok := keys[k]; ok {
			t.Errorf("%s and %s have the same key", what, other)
		}
		keys[k] = what
	}
	change := func(what string, edit func(f *files.File)) {
		c := *base
		edit(&c)
		add(what, &c, Options{})
	}
	add("base", base, Options{})
	add("epoch", base, Options{Epoch: epoch.Add(time.Second)})
	add("zstd", base, Options{Compression: "zstd"})
	change("path", func(f *files.File) { f.Path = "a/c" })
	change("mode", func(f *files.File) { f.Mode = 0o600 })
	change("setuid", func(f *files.File) { f.Mode |= fs.ModeSetuid })
	change("uid", func(f *files.File) { f.UID = 1 })
	change("gid", func(f *files.File) { f.GID = 1 })
	change("content", func(f *files.File) { f.SHA256 = strings.Repeat("0", 64) })
	change("xattr", func(f *files.File) { f.Xattrs = map[string]string{"user.a": "b"} })
	change("xattr value", func(f *files.File) { f.Xattrs = map[string]string{"user.a": "c"} })
	change("dir", func(f *files.File) { f.Mode = fs.ModeDir | 0o644 })
	change("link", func(f *files.File) { f.Mode, f.Link = fs.ModeSymlink, "x" })
	change("link elsewhere", func(f *files.File) { f.Mode, f.Link = fs.ModeSymlink, "y" })

	c := *base
	c.SHA256 = ""
	unknown := &plan.Layer{Files: files.NewSet([]*files.File{&c})}
	if k := Key(unknown, Options{Epoch: epoch}); k != "" {
		t.Errorf("key %q of a file with unknown content", k)
	}
	// It can be written all the same, to the layer that its content makes.
	store := newMemory()
	p := &plan.Plan{Platform: "linux/amd64", Layers: []plan.Layer{*unknown}}
	assemble(t, p, store, Options{})
	known := Key(&plan.Layer{Files: files.NewSet([]*files.File{base})}, Options{Epoch: epoch})
	if _, ok := store.Get(known); !ok {
		t.Error("the layer is not under the key of its content")
	}
}

func TestLayersReadBack(t *testing.T) {
	img := assemble(t, sample(), newMemory(), Options{})
	list, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 {
		t.Fatalf("%d layers", len(list))
	}
	gone := entriesOf(t, list[0])
	for _, name := range []string{"usr/lib/.wh.old", ".wh.top"} {
		if h := gone[name]; h == nil || h.Size != 0 || h.Typeflag != tar.TypeReg {
			t.Errorf("whiteout %s: %+v", name, h)
		}
	}
	a := entriesOf(t, list[1])
	for name, h := range a {
		if !h.ModTime.Equal(epoch) || h.Uname != "" || h.Gname != "" {
			t.Errorf("%s: time %s, owner %q, group %q", name, h.ModTime, h.Uname, h.Gname)
		}
	}
	if h := a["opt/a/"]; h == nil || h.Typeflag != tar.TypeDir || h.Mode != 0o755 {
		t.Errorf("directory: %+v", h)
	}
	if h := a["opt/a/hard2"]; h == nil || h.Typeflag != tar.TypeLink || h.Linkname != "opt/a/hard1" {
		t.Errorf("hard link: %+v", h)
	}
	if h := a["opt/a/link"]; h == nil || h.Typeflag != tar.TypeSymlink || h.Linkname != "../b/ünïcode" {
		t.Errorf("symbolic link: %+v", h)
	}
	run := a["opt/a/run"]
	if run == nil || run.Mode != 0o4755 || run.Uid != 1000 || run.Gid != 3_000_000 {
		t.Errorf("program: %+v", run)
	} else if v := run.PAXRecords["SCHILY.xattr.security.capability"]; v != "\x01\x00\x00\x02" {
		t.Errorf("capability %q", v)
	}
	if got := len(entriesOf(t, list[2])); got != 4 {
		t.Errorf("%d entries in the last layer", got)
	}
	for i, l := range list {
		checkLayer(t, i, l)
	}
}

// checkLayer compares what a layer yields with what it says about itself.
func checkLayer(t *testing.T, i int, l v1.Layer) {
	t.Helper()
	r, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var plain []byte
	if zr, err := gzip.NewReader(bytes.NewReader(raw)); err == nil {
		if zr.Name != "" || !zr.ModTime.IsZero() || zr.Comment != "" || zr.OS != 255 {
			t.Errorf("layer %d: gzip header %+v", i, zr.Header)
		}
		plain, err = io.ReadAll(zr)
		if err != nil {
			t.Fatal(err)
		}
	} else {
		d, err := zstd.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err = io.ReadAll(d); err != nil {
			t.Fatal(err)
		}
	}
	digest, _ := l.Digest()
	diffID, _ := l.DiffID()
	size, _ := l.Size()
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(raw)); got != digest.String() || size != int64(len(raw)) {
		t.Errorf("layer %d: %s with %d bytes is said to be %s with %d", i, got, len(raw), digest, size)
	}
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(plain)); got != diffID.String() {
		t.Errorf("layer %d: diffID %s is said to be %s", i, got, diffID)
	}
}

func TestAssembleRefuses(t *testing.T) {
	wrong := file("a", "text")
	wrong.SHA256 = strings.Repeat("0", 64)
	short := file("a", "text")
	short.Size = 5
	long := file("a", "text")
	long.Size = 3
	negative := file("a", "text")
	negative.Size = -1
	for _, c := range []struct {
		name string
		f    *files.File
		want string
	}{
		{"wrong content", wrong, `a has sha256 982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1, not 000`},
		{"short", short, "a ends after 4 of 5 bytes"},
		{"long", long, "a is longer than 3 bytes"},
		{"negative", negative, "a\" has a size of -1 bytes"},
		{"device", &files.File{Path: "dev/sda", Mode: fs.ModeDevice}, `"dev/sda" is neither file, directory nor link`},
		{"pipe", &files.File{Path: "p", Mode: fs.ModeNamedPipe}, `"p" is neither`},
		{"whiteout", file("a/.wh.b", ""), "can't begin with .wh."},
		{"opaque", file("a/.wh..wh..opq", ""), "can't begin with .wh."},
		{"below a whiteout name", file("a/.wh.b/c", ""), "can't begin with .wh."},
		{"absolute", file("/etc/passwd", ""), "is no path of an image"},
		{"outside", file("../x", ""), "is no path of an image"},
		{"not clean", file("a//b", ""), "is no path of an image"},
		{"NUL", file("a\x00b", ""), "is no path of an image"},
		{"empty link", link("a", ""), "is a link to \"\""},
		{"odd attribute", &files.File{Path: "a", Mode: fs.ModeDir, Xattrs: map[string]string{"a=b": ""}}, "extended attribute"},
	} {
		p := &plan.Plan{Platform: "linux/amd64", Layers: []plan.Layer{{Name: "x", Files: files.NewSet([]*files.File{c.f})}}}
		store := newMemory()
		_, err := Assemble(empty.Image, p, store, Options{Epoch: epoch})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if len(store.blobs) > 0 {
			t.Errorf("%s: something was kept", c.name)
		}
	}
	twice := &plan.Plan{Platform: "linux/amd64", Layers: []plan.Layer{{Name: "x", Whiteouts: []string{"a", "a"}}}}
	if _, err := Assemble(empty.Image, twice, newMemory(), Options{Epoch: epoch}); err == nil {
		t.Error("a name twice in a layer")
	}
	for _, opts := range []Options{{}, {Epoch: Earliest.Add(-time.Second)}, {Epoch: epoch, Compression: "xz"}} {
		if _, err := Assemble(empty.Image, sample(), newMemory(), opts); err == nil {
			t.Errorf("%+v was taken", opts)
		}
	}
}
