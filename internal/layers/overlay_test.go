package layers

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/plan"
)

// What is laid on a base is what a reader of the image sees: whiteouts hide, a
// file takes the place of a directory, links of both kinds and owners stay.
func TestImageReadsBackAsPlanned(t *testing.T) {
	for _, compression := range []string{"gzip", "zstd"} {
		opts := Options{Epoch: epoch, Compression: compression}
		first := &plan.Plan{Platform: "linux/arm64", Layers: []plan.Layer{{Name: "base", Files: files.NewSet([]*files.File{
			dir("usr"), dir("usr/lib"), dir("usr/lib/old"), file("usr/lib/old/a.py", "a"), file("usr/lib/old/b.py", "b"),
			dir("usr/lib/flat"), file("usr/lib/flat/x", "x"), file("usr/lib/keep", "keep"), file("usr/lib/top", "gone"),
			file("usr/lib/changed", "before"), link("lib", "usr/lib"),
		})}}}
		base := assemble(t, first, newMemory(), opts)
		second := sample()
		second.Layers[0].Whiteouts = []string{"usr/lib/old", "usr/lib/flat", "usr/lib/top"}
		second.Layers[1].Files = second.Layers[1].Files.Merge(files.NewSet([]*files.File{
			file("usr/lib/flat", "now a file"), file("usr/lib/changed", "after"),
		}))
		img, err := Assemble(base, second, newMemory(), opts)
		if err != nil {
			t.Fatal(err)
		}
		got := readBack(t, img)
		for path, want := range map[string]string{
			"usr/lib/keep": "keep", "usr/lib/changed": "after", "usr/lib/flat": "now a file", "lib": "-> usr/lib",
			"opt/a/hard2": "same", "opt/a/link": "-> ../b/ünïcode", "opt/b/ünïcode": "y", "opt/a/empty": "",
			"usr/lib/old": "nothing", "usr/lib/old/a.py": "nothing", "usr/lib/flat/x": "nothing", "usr/lib/top": "nothing",
		} {
			if text := textAt(t, got, path); text != want {
				t.Errorf("%s: %s is %q, want %q", compression, path, text, want)
			}
		}
		for f := range got.All() {
			if strings.Contains(f.Path, ".wh.") {
				t.Errorf("%s is there", f.Path)
			}
			if f.ModTime != epoch.Unix() {
				t.Errorf("%s has time %d", f.Path, f.ModTime)
			}
		}
		h1, _ := got.Get("opt/a/hard1")
		h2, _ := got.Get("opt/a/hard2")
		if h1.Inode == 0 || h1.Inode != h2.Inode {
			t.Errorf("hard links have inodes %d and %d", h1.Inode, h2.Inode)
		}
		run, _ := got.Get("opt/a/run")
		if run.UID != 1000 || run.GID != 3_000_000 || run.Xattrs["security.capability"] != "\x01\x00\x00\x02" {
			t.Errorf("program %+v", run)
		}
	}
}

// readBack writes an image as an OCI folder and opens that.
func readBack(t *testing.T, img v1.Image) files.Set {
	t.Helper()
	dir := t.TempDir()
	p := v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
		Platform: &p, Annotations: map[string]string{"org.opencontainers.image.ref.name": "latest"},
	}})
	if _, err := layout.Write(dir, index); err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := image.Open(context.Background(), "oci:"+dir, image.Options{Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	opened, err := s.Image(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return opened.Files
}

func textAt(t *testing.T, set files.Set, path string) string {
	t.Helper()
	f, ok := set.Get(path)
	if !ok {
		return "nothing"
	}
	if f.IsSymlink() {
		return "-> " + f.Link
	}
	r, err := f.Open()
	if err != nil {
		return fmt.Sprint(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}
