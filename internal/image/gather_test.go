package image_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
)

// noise is text that does not compress to nothing.
func noise(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, n+16)
	for len(b) < n {
		b = strconv.AppendUint(b, r.Uint64(), 36)
	}
	return string(b[:n])
}

// library is an image of two layers with a few large and small files.
func library(k *kit) string {
	lower := []string{"dir lib", "hard lib/early -> lib/a", "file empty "}
	for i := range 12 {
		lower = append(lower, fmt.Sprintf("file lib/%02d %s", i, noise(uint64(i), 20_000)))
	}
	lower[1] = "file lib/a " + noise(99, 300_000)
	lower = append(lower, "hard lib/b -> lib/a")
	upper := []string{"hard lib/c -> lib/b", "file lib/01 replaced", "file lib/.wh.02", "file new " + noise(7, 100_000)}
	return k.finish(k.image("linux/amd64", []layerOf{{tar: tarOf(k.t, lower...)}, {tar: tarOf(k.t, upper...)}}, nil))
}

// smallProbe keeps only small files.
type smallProbe struct{ keepAll }

func (smallProbe) Version() string { return "small" }

func (smallProbe) Wants(_ string, size int64, _ []byte) files.Want {
	if size < 1000 {
		return files.WantContent
	}
	return 0
}

func TestGather(t *testing.T) {
	k := newKit(t)
	i := mustLoad(t, library(k), image.Options{Probe: smallProbe{}})
	want := describe(t, i.Files) // opens one by one
	if n := strings.Count(want, "#1"); n != 3 {
		t.Errorf("%d hard links, want 3", n)
	}
	foreign := files.NewSet([]*files.File{{Path: "foreign", Mode: 0o644, Size: 3, Content: foreignContent{}}})
	got, closer, err := i.Gather(t.Context(), i.Files.Merge(foreign))
	if err != nil {
		t.Fatal(err)
	}
	if text := describe(t, got.Filter(func(f *files.File) bool { return f.Path != "foreign" })); text != want {
		t.Error("gathered content differs from opened content")
	}
	if f, _ := got.Get("foreign"); read(t, f) != "abc" {
		t.Error("a foreign file is another one now")
	}
	small, _ := got.Get("lib/01")
	large, _ := got.Get("lib/a")
	closer.Close()
	if read(t, small) != "replaced" {
		t.Error("a kept file is gone")
	}
	if _, err := large.ReadAll(1 << 30); err == nil {
		t.Error("a gathered file opens after Close")
	}
}

type foreignContent struct{}

func (foreignContent) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("abc")), nil
}

// backwards is a rule that needs all of the content.
type backwards struct{}

func (backwards) Name() string { return "backwards" }

func (backwards) Reader(r io.Reader) io.Reader {
	b, err := io.ReadAll(r)
	if err != nil {
		return strings.NewReader(err.Error())
	}
	slices.Reverse(b)
	return bytes.NewReader(b)
}

func TestGatherReadsTheOriginalsOfRewrittenFiles(t *testing.T) {
	k := newKit(t)
	i := mustLoad(t, library(k), image.Options{})
	f, _ := i.Files.Get("lib/00")
	once := files.Rewritten(f, backwards{}, f.Size)
	twice := files.Rewritten(once, backwards{}, f.Size)
	once.Path, twice.Path = "once", "twice"
	got, closer, err := i.Gather(t.Context(), files.NewSet([]*files.File{once, twice}))
	if err != nil {
		t.Fatal(err)
	}
	want := noise(0, 20_000)
	for _, name := range []string{"once", "twice"} {
		g, _ := got.Get(name)
		text := read(t, g)
		if name == "once" {
			b := []byte(text)
			slices.Reverse(b)
			text = string(b)
		}
		if text != want {
			t.Errorf("%s: other content", name)
		}
	}
	closer.Close()
	g, _ := got.Get("once")
	if _, err := g.ReadAll(1 << 20); err == nil {
		t.Error("it was not the gathered content that was read")
	}
}

func TestGatherNoticesDamage(t *testing.T) {
	k := newKit(t)
	ref := library(k)
	i := mustLoad(t, ref, image.Options{})
	blob := filepath.Join(k.dir, "blobs/sha256", i.Manifest.Layers[0].Digest.Hex)
	data, err := os.ReadFile(blob)
	if err != nil {
		t.Fatal(err)
	}
	first := i.Files.Filter(func(f *files.File) bool { return f.Path == "lib/00" })
	for _, at := range []int{len(data) / 2, len(data) - 3, 20} { // also far behind the wanted file
		bad := bytes.Clone(data)
		bad[at] ^= 1
		os.WriteFile(blob, bad, 0o644)
		if _, _, err := i.Gather(t.Context(), first); !errors.Is(err, image.ErrDamaged) {
			t.Errorf("byte %d: %v", at, err)
		}
		f, _ := i.Files.Get("lib/00")
		if _, err := f.ReadAll(1 << 20); !errors.Is(err, image.ErrDamaged) {
			t.Errorf("byte %d: opened alone: %v", at, err)
		}
	}
	os.WriteFile(blob, data[:len(data)-1], 0o644)
	if _, _, err := i.Gather(t.Context(), first); !errors.Is(err, image.ErrDamaged) {
		t.Errorf("broken off: %v", err)
	}
	os.Remove(blob)
	if _, _, err := i.Gather(t.Context(), first); !errors.Is(err, image.ErrDamaged) {
		t.Errorf("removed: %v", err)
	}
}

func TestSparseFiles(t *testing.T) {
	// GNU tar wrote testdata/sparse.tar with --sparse: "before", "holes" (1 MiB with
	// "start" at 0 and "end" at the end), "after"; once for each of its formats.
	for _, format := range []string{"gnu", "pax-0.0", "pax-0.1", "pax-1.0"} {
		t.Run(format, func(t *testing.T) {
			data, err := os.ReadFile("testdata/sparse-" + format + ".tar")
			if err != nil {
				t.Fatal(err)
			}
			k := newKit(t)
			i := mustLoad(t, k.finish(k.image("linux/amd64", []layerOf{{tar: data}}, nil)), image.Options{})
			got, closer, err := i.Gather(t.Context(), i.Files)
			if err != nil {
				t.Fatal(err)
			}
			defer closer.Close()
			for name, want := range map[string]string{"before": "before\n", "after": "after\n", "holes": "start" + strings.Repeat("\x00", 1<<20-8) + "end"} {
				for how, set := range map[string]files.Set{"opened": i.Files, "gathered": got} {
					f, ok := set.Get(name)
					if !ok {
						t.Fatalf("no file %s", name)
					}
					if text := read(t, f); text != want {
						t.Errorf("%s %s: %d bytes", how, name, len(text))
					}
				}
			}
		})
	}
}

func TestProbe(t *testing.T) {
	k := newKit(t)
	huge := strings.Repeat(noise(5, 100_000), 90) // more than is held in memory
	ref := k.finish(k.image("linux/amd64", []layerOf{{tar: tarOf(t, "file a hello", "file b ", "file huge "+huge, "hard z -> a", "dir d", "sym s -> a")}}, nil))
	c := newCache(t)
	for _, run := range []string{"cold", "warm"} {
		var done, total int64
		i := mustLoad(t, ref, image.Options{Cache: c, Probe: keepAll{}, Progress: progressTo(&done, &total)})
		for path, want := range map[string][2]string{
			"a":    {"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "a has 5 bytes"},
			"b":    {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "b has 0 bytes"},
			"z":    {"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "a has 5 bytes"},
			"huge": {sha256Hex(huge), fmt.Sprintf("huge has %d bytes", len(huge))},
			"d":    {"", ""},
			"s":    {"", ""},
		} {
			f, ok := i.Files.Get(path)
			if !ok || f.SHA256 != want[0] || string(f.Note) != want[1] {
				t.Errorf("%s: %s %q", run, path, f.Note)
			}
		}
		if done != total || total != i.Manifest.Layers[0].Size {
			t.Errorf("%s: progress ends at %d of %d", run, done, total)
		}
	}
}

func progressTo(done, total *int64) func(string, int64, int64) {
	var mu sync.Mutex
	return func(p string, d, t int64) {
		mu.Lock()
		defer mu.Unlock()
		if p != "linux/amd64" {
			panic(p)
		}
		*done, *total = max(*done, d), t
	}
}

// TestWarmRunReadsNoLayer changes a layer in place: only a run that reads it notices.
func TestWarmRunReadsNoLayer(t *testing.T) {
	k := newKit(t)
	ref := library(k)
	c := newCache(t)
	cold := mustLoad(t, ref, image.Options{Cache: c, Probe: smallProbe{}})
	blob := filepath.Join(k.dir, "blobs/sha256", cold.Manifest.Layers[0].Digest.Hex)
	data, _ := os.ReadFile(blob)
	bad := bytes.Clone(data)
	bad[len(bad)/2] ^= 1
	os.WriteFile(blob, bad, 0o644)
	warm := mustLoad(t, ref, image.Options{Cache: c, Probe: smallProbe{}})
	list := func(s files.Set) string {
		var b strings.Builder
		for f := range s.All() {
			g := *f
			g.Content = nil
			fmt.Fprintf(&b, "%+v\n", g)
		}
		return b.String()
	}
	if list(warm.Files) != list(cold.Files) {
		t.Error("a warm run sees another tree")
	}
	for _, p := range []files.Probe{nil, keepAll{}, keepAll{"2"}} {
		if _, err := load(t, ref, image.Options{Cache: c, Probe: p}); !errors.Is(err, image.ErrDamaged) {
			t.Errorf("the facts for one probe serve another: %v", err)
		}
	}
	os.Truncate(blob, 100)
	if _, err := load(t, ref, image.Options{Cache: c, Probe: smallProbe{}}); !errors.Is(err, image.ErrDamaged) {
		t.Errorf("a blob of another size: %v", err)
	}
	os.Remove(blob)
	if _, err := load(t, ref, image.Options{Cache: c, Probe: smallProbe{}}); !errors.Is(err, image.ErrDamaged) {
		t.Errorf("a missing blob: %v", err)
	}
}

func TestHeaderFacts(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "su", Typeflag: tar.TypeReg, Mode: 0o6755, Uid: 7, Gid: 70_000, Size: 1, Format: tar.FormatPAX,
		PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"}})
	w.Write([]byte("x"))
	w.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777})
	w.WriteHeader(&tar.Header{Name: "pax_global_header", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}, Format: tar.FormatPAX})
	w.Close()
	k := newKit(t)
	i := mustLoad(t, k.finish(k.image("linux/amd64", []layerOf{{tar: b.Bytes()}}, nil)), image.Options{})
	su, _ := i.Files.Get("su")
	if su.Mode != fs.ModeSetuid|fs.ModeSetgid|0o755 || su.UID != 7 || su.GID != 70_000 || su.Xattrs["security.capability"] != "\x01\x00\x00\x02" {
		t.Errorf("%+v", su)
	}
	tmp, _ := i.Files.Get("tmp")
	if tmp.Mode != fs.ModeDir|fs.ModeSticky|0o777 || i.Files.Len() != 2 {
		t.Errorf("%+v", tmp)
	}
}

func TestV1(t *testing.T) {
	k := newKit(t)
	i := mustLoad(t, library(k), image.Options{})
	if err := validate.Image(i.V1); err != nil {
		t.Error(err)
	}
	d, _ := i.V1.Digest()
	if d != i.Digest {
		t.Errorf("digest %s, not %s", d, i.Digest)
	}
	layers, _ := i.V1.Layers()
	if l, err := i.V1.LayerByDigest(i.Manifest.Layers[1].Digest); err != nil || l != layers[1] {
		t.Errorf("LayerByDigest: %v", err)
	}
	if l, err := i.V1.LayerByDiffID(i.Config.RootFS.DiffIDs[0]); err != nil || l != layers[0] {
		t.Errorf("LayerByDiffID: %v", err)
	}
	if _, err := i.V1.LayerByDigest(v1.Hash{}); err == nil {
		t.Error("a layer without a digest")
	}
	blob := filepath.Join(k.dir, "blobs/sha256", i.Manifest.Layers[0].Digest.Hex)
	data, _ := os.ReadFile(blob)
	data[len(data)-1] ^= 1
	os.WriteFile(blob, data, 0o644)
	for what, open := range map[string]func() (io.ReadCloser, error){"compressed": layers[0].Compressed, "uncompressed": layers[0].Uncompressed} {
		r, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, image.ErrDamaged) {
			t.Errorf("%s, damaged: %v", what, err)
		}
		r.Close()
	}
}

// TestGatherReadsParts has a layer that is large enough to be read in parts.
func TestGatherReadsParts(t *testing.T) {
	var lines []string
	want := map[string]string{}
	for i := range 20 {
		path := fmt.Sprintf("f%02d", i)
		want[path] = noise(uint64(i), 550_000+i*10_000)
		lines = append(lines, "file "+path+" "+want[path])
	}
	text := tarOf(t, lines...)
	for form, l := range map[string]layerOf{
		"gzip":  {tar: text},
		"plain": {tar: text, stored: text, mediaType: "application/vnd.oci.image.layer.v1.tar"},
	} {
		t.Run(form, func(t *testing.T) {
			k := newKit(t)
			c := newCache(t)
			i := mustLoad(t, k.finish(k.image("linux/amd64", []layerOf{l}, nil)), image.Options{Cache: c})
			gather := func(paths ...string) error {
				set := i.Files.Filter(func(f *files.File) bool { return slices.Contains(paths, f.Path) })
				got, closer, err := i.Gather(t.Context(), set)
				if err != nil {
					return err
				}
				defer closer.Close()
				for f := range got.All() {
					if read(t, f) != want[f.Path] {
						t.Errorf("%s has other content", f.Path)
					}
				}
				return nil
			}
			for _, paths := range [][]string{{"f00"}, {"f19"}, {"f10", "f11", "f12"}, {"f00", "f18", "f19"}, {"f02", "f09", "f16"}, slices.Sorted(maps.Keys(want))} {
				if err := gather(paths...); err != nil {
					t.Errorf("%v: %v", paths, err)
				}
			}
			blob := filepath.Join(k.dir, "blobs/sha256", i.Manifest.Layers[0].Digest.Hex)
			data, _ := os.ReadFile(blob)
			for _, at := range []int{1000, len(data) / 2, len(data) - 2000} {
				bad := bytes.Clone(data)
				bad[at] ^= 4
				os.WriteFile(blob, bad, 0o644)
				if err := gather(slices.Sorted(maps.Keys(want))...); !errors.Is(err, image.ErrDamaged) {
					t.Errorf("byte %d of %d: %v", at, len(data), err)
				}
			}
			bad := bytes.Clone(data)
			bad[len(data)/2] ^= 4
			os.WriteFile(blob, bad, 0o644)
			if err := gather("f19"); err != nil {
				t.Errorf("the last file, which a change in the middle does not touch: %v", err)
			}
			os.WriteFile(blob, data, 0o644)
			c.Clean(t.Context())
			if err := gather("f15"); err != nil {
				t.Errorf("without what the cache knew: %v", err)
			}
		})
	}
}
