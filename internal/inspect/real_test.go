package inspect_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// realEnvironment reads a platform of an image in the folder DISTILL_IMAGES, which
// fixtures/images/images.sh fills.
func realEnvironment(t *testing.T, name, arch string) *inspect.Environment {
	t.Helper()
	dir := filepath.Join(os.Getenv("DISTILL_IMAGES"), name)
	if _, err := os.Stat(dir); os.Getenv("DISTILL_IMAGES") == "" || err != nil {
		t.Skipf("set DISTILL_IMAGES to a folder with the layout %s (fixtures/images/images.sh makes it)", name)
	}
	store := os.Getenv("DISTILL_CACHE_DIR")
	if store == "" {
		store = t.TempDir()
	}
	c, err := cache.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	src, err := image.Open(t.Context(), "oci:"+dir, image.Options{Cache: c, Probe: inspect.Probe()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	for _, p := range src.Platforms {
		if p.Architecture != arch {
			continue
		}
		img, err := src.Image(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		e, err := inspect.Read(img.Files, inspect.Options{Platform: p.String(), Env: img.Config.Config.Env})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	t.Skipf("no %s in %s", arch, name)
	return nil
}

// TestAgreesWithPython compares Read with what each image's own Python says.
func TestAgreesWithPython(t *testing.T) {
	for _, name := range []string{"pydev", "conda-like", "alpine-py"} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile("testdata/truth/" + name + "-amd64.txt")
			if err != nil {
				t.Fatal(err)
			}
			e := realEnvironment(t, name, "amd64")
			var want, got []string
			for line := range strings.Lines(string(b)) {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
					want = append(want, line)
				}
			}
			for _, p := range e.Python.SysPath {
				got = append(got, "path "+p)
			}
			got = append(got, "version "+e.Python.Version.String(), "suffix "+e.Python.ExtSuffix)
			for _, d := range e.Distributions {
				got = append(got, fmt.Sprintf("dist %s %s %s %d", d.Name, d.Version, d.Info, len(d.Metadata.RequiresDist)))
			}
			for _, l := range got {
				if !slices.Contains(want, l) {
					t.Errorf("Python does not say %q", l)
				}
			}
			for _, l := range want {
				if !slices.Contains(got, l) {
					t.Errorf("Python says %q", l)
				}
			}
		})
	}
}

func TestRealImagesFitTheirBases(t *testing.T) {
	for _, c := range []struct{ dev, base, arch string }{
		{"pydev", "pyslim", "amd64"}, {"pydev", "pyslim", "arm64"},
		{"conda-like", "conda-slim", "amd64"}, {"conda-like", "conda-slim", "arm64"},
		{"alpine-py", "alpine-py-slim", "amd64"}, {"alpine-py", "alpine-py-slim", "arm64"},
	} {
		t.Run(c.dev+"/"+c.arch, func(t *testing.T) {
			dev, base := realEnvironment(t, c.dev, c.arch), realEnvironment(t, c.base, c.arch)
			f := inspect.NewFitter(dev, base)
			for _, d := range dev.Distributions {
				if why := f.Fits(d); why != "" && d.Name != "acme-live" {
					t.Errorf("%s %s: %s", d.Name, d.Version, why)
				}
				if len(d.Files) == 0 {
					t.Errorf("%s %s: no files (%s)", d.Name, d.Version, d.FilesFrom)
				}
			}
		})
	}
}

func TestRealPlatformsDiffer(t *testing.T) {
	a, b := realEnvironment(t, "pydev", "amd64"), realEnvironment(t, "pydev", "arm64")
	got := map[string]inspect.Difference{}
	for _, d := range inspect.Diff(a, b) {
		got[d.What] = d
	}
	for what, want := range map[string][2]string{
		"numba": {"0.60.0", "0.59.1"}, "mkl": {"2024.2.0", ""}, "tbb": {"2021.13.0", ""}, "pillow": {"10.4.0", "10.3.0"},
	} {
		if d := got[what]; d.A != want[0] || d.B != want[1] {
			t.Errorf("%s: %+v, want %v", what, d, want)
		}
	}
	if len(got) > 20 {
		t.Errorf("%d differences: %v", len(got), got)
	}
}
