package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// Wheels that work are found to. The layout DISTILL_WHEEL_IMAGE is the development image of
// the wheels in the folder DISTILL_WHEELS, for DISTILL_WHEEL_ARCH (amd64).
func TestWorkingWheelsHaveNoErrors(t *testing.T) {
	layout, dir, arch := os.Getenv("DISTILL_WHEEL_IMAGE"), os.Getenv("DISTILL_WHEELS"), os.Getenv("DISTILL_WHEEL_ARCH")
	if layout == "" || dir == "" {
		t.Skip("set DISTILL_WHEEL_IMAGE to a layout and DISTILL_WHEELS to a folder with wheels for it")
	}
	if arch == "" {
		arch = "amd64"
	}
	env := environment(t, layout, arch)
	names, _ := filepath.Glob(filepath.Join(dir, "*.whl"))
	native := 0
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		w, err := wheel.Open(filepath.Base(name), bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Logf("%s is left out: %v", filepath.Base(name), err)
			continue
		}
		py := env.Python
		set, err := w.Files(wheel.Scheme{Purelib: py.Purelib, Platlib: py.Platlib, Scripts: py.Scripts, Data: py.Data, Headers: py.Headers, Python: "/" + py.Path})
		if err != nil {
			t.Fatal(err)
		}
		set = withNotes(t, set)
		for f := range set.All() {
			if inspect.ELF(f) != nil {
				native++
				break
			}
		}
		for _, x := range audit.CheckBuiltWheel(audit.BuiltWheel{Name: w.Name, Purelib: w.RootIsPurelib, Files: set, Python: py, Dev: env}) {
			if x.Severity.AtLeast(audit.High) {
				t.Errorf("%s: %s %s: %s", filepath.Base(name), x.Code, x.Place.File, x.Message)
			} else {
				t.Logf("%s: %s %s %s: %s", filepath.Base(name), x.Severity, x.Code, x.Place.File, x.Message)
			}
		}
	}
	t.Logf("%d wheels, %d with native code", len(names), native)
}

func environment(t *testing.T, layout, arch string) *inspect.Environment {
	t.Helper()
	store := os.Getenv("DISTILL_CACHE_DIR")
	if store == "" {
		store = t.TempDir()
	}
	c, err := cache.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	src, err := image.Open(t.Context(), "oci:"+layout, image.Options{Cache: c, Probe: inspect.Probe()})
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
	t.Fatalf("no %s in %s", arch, layout)
	return nil
}

// withNotes reads what the probe of an image would note of ELF files.
func withNotes(t *testing.T, set files.Set) files.Set {
	t.Helper()
	var list []*files.File
	for f := range set.All() {
		g := *f
		if f.IsRegular() && f.Size > 64 {
			b, err := f.ReadAll(f.Size)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.HasPrefix(b, []byte("\x7fELF")) {
				if g.Note, err = inspect.Probe().Note(f.Path, f.Size, bytes.NewReader(b)); err != nil {
					t.Fatal(err)
				}
			}
		}
		list = append(list, &g)
	}
	return files.NewSet(list)
}
