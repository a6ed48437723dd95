package needs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
func realImage(t testing.TB, name, arch string) needs.Image {
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

// TestRealImages has what of each package's needs is missing in each image, in both
// architectures.
func TestRealImages(t *testing.T) {
	missing := map[string]map[string]string{
		"pydev": {
			"h5py 3.11.0": "", "h5py 2.10.0": "", "lxml 5.3.0": "", "pyodbc 5.2.0": "", "psycopg2 2.9.10": "", "bottleneck 1.4.2": "", "thrift 0.21.0": "", "sasl 0.3.1": "",
			"scipy 1.14.1": "", "pillow 11.0.0": "", "python-ldap 3.4.4": "OpenLDAP", "pycairo 1.27.0": "cairo", "pymssql 2.3.2": "FreeTDS",
		},
		"alpine-py": {
			"bottleneck 1.4.2": "", "thrift 0.21.0": "", "psutil 6.1.0": "", "lxml 5.3.0": "libxml2 libxslt", "pyodbc 5.2.0": "unixODBC", "h5py 3.11.0": "HDF5",
		},
		"conda-like": {
			"h5py 3.11.0": "C compiler", "bottleneck 1.4.2": "C compiler",
		},
	}
	for _, name := range []string{"pydev", "alpine-py", "conda-like"} {
		for _, arch := range []string{"amd64", "arm64"} {
			t.Run(name+"/"+arch, func(t *testing.T) {
				img := realImage(t, name, arch)
				for pkg, want := range missing[name] {
					n, v, _ := strings.Cut(pkg, " ")
					version, err := python.ParseVersion(v)
					if err != nil {
						t.Fatal(err)
					}
					r := needs.Check(needs.BuiltIn().For(python.Name(n), version, needs.Hints{}), img)
					var got []string
					for _, i := range r.Missing() {
						got = append(got, i.Need.Name)
					}
					if len(r.Items) == 0 || strings.Join(got, " ") != want {
						t.Errorf("%s: missing %q, want %q\n%s", pkg, got, want, r.Text())
					}
				}
			})
		}
	}
}

// TestFoundIsThere compares what is found with the image: what is said to be there is,
// and every name that is said to be missing is in no folder of headers, programs or
// libraries.
func TestFoundIsThere(t *testing.T) {
	for _, name := range []string{"pydev", "alpine-py", "conda-like"} {
		for _, arch := range []string{"amd64", "arm64"} {
			t.Run(name+"/"+arch, func(t *testing.T) {
				img := realImage(t, name, arch)
				bases := map[string][]string{}
				for f := range img.Files.All() {
					base := filepath.Base(f.Path)
					bases[base] = append(bases[base], f.Path)
				}
				version, _ := python.ParseVersion("1000")
				for _, pkg := range needs.BuiltIn().Names() {
					r := needs.Check(needs.BuiltIn().For(pkg, version, needs.Hints{}), img)
					for _, i := range r.Items {
						compare(t, img, bases, fmt.Sprintf("%s: %s", pkg, i.Need.Name), i)
					}
				}
			})
		}
	}
}

func compare(t *testing.T, img needs.Image, bases map[string][]string, what string, i needs.Item) {
	t.Helper()
	if i.Found != "" {
		if _, _, ok := img.Files.Lookup(i.Found); !ok {
			t.Errorf("%s: found %s, which is not there", what, i.Found)
		}
		return
	}
	look := slices.Concat(i.Need.Programs, i.Need.Libraries)
	for _, p := range i.Need.PkgConfig {
		look = append(look, p+".pc")
	}
	if i.Need.Header != "" {
		look = append(look, filepath.Base(i.Need.Header))
	}
	for _, base := range look {
		for _, p := range bases[base] {
			// What lies in an installed project (lxml's copies of headers) no build sees.
			if f, ok := img.Files.Get(p); !ok || f.Mode.IsDir() || strings.Contains(p, "/site-packages/") {
				continue
			}
			if base != filepath.Base(i.Need.Header) || strings.HasSuffix(p, "/"+i.Need.Header) {
				t.Errorf("%s: said to be missing, and there is %s", what, p)
			}
		}
	}
}

// TestShowReports shows what of each source archive in a folder is found in each image.
func TestShowReports(t *testing.T) {
	dir := os.Getenv("DISTILL_E2E_SDISTS")
	if dir == "" {
		t.Skip("set DISTILL_E2E_SDISTS to a folder of source archives, too")
	}
	for _, name := range []string{"pydev", "alpine-py", "conda-like"} {
		for _, arch := range []string{"amd64", "arm64"} {
			t.Run(name+"/"+arch, func(t *testing.T) {
				img := realImage(t, name, arch)
				for _, l := range outlines(t, dir) {
					t.Logf("%s\n%s", l.Name, needs.Check(l, img).Text())
				}
			})
		}
	}
}

// outlines reads the source archives of a folder.
func outlines(t *testing.T, dir string) (list []needs.List) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
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

func BenchmarkCheck(b *testing.B) {
	img := realImage(b, "pydev", "amd64")
	version, _ := python.ParseVersion("3.11")
	l := needs.BuiltIn().For("h5py", version, needs.Hints{})
	for b.Loop() {
		needs.Check(l, img)
	}
}
