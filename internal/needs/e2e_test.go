package needs_test

import (
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/needs"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// realImage reads one platform of an image.
func realImage(t *testing.T, name, arch string) needs.Image {
	t.Helper()
	dir := os.Getenv("DISTILL_E2E_IMAGES")
	if os.Getenv("DISTILL_E2E") == "" || dir == "" {
		t.Skip("needs large images: set DISTILL_E2E=1 and DISTILL_E2E_IMAGES to the folder of their layouts")
	}
	at := os.Getenv("DISTILL_CACHE_DIR")
	if at == "" {
		at = t.TempDir()
	}
	store, err := cache.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	s, err := image.Open(t.Context(), "oci:"+filepath.Join(dir, name), image.Options{Cache: store, Probe: inspect.Probe()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	img, err := s.Image(t.Context(), v1.Platform{OS: "linux", Architecture: arch})
	if err != nil {
		t.Fatal(err)
	}
	e, err := inspect.Read(img.Files, inspect.Options{Platform: "linux/" + arch, Env: img.Config.Config.Env})
	if err != nil {
		t.Fatal(err)
	}
	return needs.Image{
		Files: img.Files, Env: img.Config.Config.Env, Prefix: e.Python.Prefix, Stdlib: e.Python.Stdlib, Arch: e.Python.Arch, Markers: &e.Python.Markers,
	}
}

// outlines reads the source archives of a folder.
func outlines(t *testing.T) (list []needs.List) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(os.Getenv("DISTILL_E2E_SDISTS"), "*.tar.gz"))
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		info, _ := f.Stat()
		o, err := build.ReadOutline(build.Source{FileName: filepath.Base(p), Content: f, Size: info.Size()})
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		name, version, err := python.SplitSdistName(filepath.Base(p))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, needs.BuiltIn().For(name, version, o.Hints))
	}
	return list
}

// TestShowReports shows what of each source archive is found in each image.
func TestShowReports(t *testing.T) {
	for _, name := range []string{"pydev", "alpine-py", "conda-like"} {
		for _, arch := range []string{"amd64", "arm64"} {
			t.Run(name+"/"+arch, func(t *testing.T) {
				img := realImage(t, name, arch)
				for _, l := range outlines(t) {
					t.Logf("%s\n%s", l.Name, needs.Check(l, img).Text())
				}
			})
		}
	}
}
