package build

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

func TestMain(m *testing.M) {
	sandbox.Enter()
	os.Exit(m.Run())
}

// realSandbox runs jobs in an unpacked image.
type realSandbox struct {
	engine   sandbox.Engine
	root     string
	platform string
	limits   sandbox.Limits
}

func (s *realSandbox) Run(ctx context.Context, j Job) error {
	dir, err := os.MkdirTemp("", "distill-build-")
	if err != nil {
		return err
	}
	defer sandbox.Remove(dir)
	at := filepath.Join(dir, "place")
	if err := sandbox.Unpack(ctx, at, j.Files, s.engine.Owners()); err != nil {
		return err
	}
	err = s.engine.Run(ctx, s.root, sandbox.Command{
		Args: j.Args, Dir: j.Dir, Env: j.Env, User: sandbox.User{UID: j.User, GID: j.User}, Platform: s.platform, Stdout: j.Log, Stderr: j.Log,
		Mounts: []sandbox.Mount{{Host: at, Path: j.Place}}, ReadOnly: true, Limits: s.limits,
	})
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(at)
	if err != nil {
		return err
	}
	defer root.Close()
	return j.Take(root)
}

// e2eFolder returns the folder that a variable names, or skips the test.
func e2eFolder(t *testing.T, variable, holds string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if os.Getenv("DISTILL_E2E") == "" || dir == "" {
		t.Skipf("set DISTILL_E2E=1 and %s to the folder with %s", variable, holds)
	}
	return dir
}

// openImage returns a sandbox in the development image pydev. Unpacked it stays in the
// folder DISTILL_E2E_ROOTS if that is set.
func openImage(t *testing.T, arch string) *realSandbox {
	t.Helper()
	images := e2eFolder(t, "DISTILL_E2E_IMAGES", "the layouts of the large images")
	e, err := sandbox.Open(t.Context(), os.Getenv("DISTILL_ENGINE"))
	if err != nil {
		t.Fatal(err)
	}
	roots := os.Getenv("DISTILL_E2E_ROOTS")
	if roots == "" {
		roots = t.TempDir()
		t.Cleanup(func() { sandbox.Remove(roots) })
	}
	root := filepath.Join(roots, "pydev-"+arch+"-"+e.Owners().String())
	if _, err := os.Stat(root); err != nil {
		unpackImage(t, root, filepath.Join(images, "pydev"), arch, e.Owners())
	}
	return &realSandbox{engine: e, root: root, platform: "linux/" + arch, limits: sandbox.Limits{Time: 40 * time.Minute}}
}

func unpackImage(t *testing.T, root, layout, arch string, owners sandbox.Owners) {
	t.Helper()
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := image.Open(t.Context(), "oci:"+layout, image.Options{Cache: store})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	img, err := s.Image(t.Context(), v1.Platform{OS: "linux", Architecture: arch})
	if err != nil {
		t.Fatal(err)
	}
	// Gigabytes of installed packages, which a build does not see.
	needed := img.Files.Filter(func(f *files.File) bool { return !strings.HasPrefix(f.Path, "usr/local/") })
	set, closer, err := img.Gather(t.Context(), needed)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	if err := sandbox.Unpack(t.Context(), root, set, owners); err != nil {
		t.Fatal(err)
	}
}

// openTools opens the wheels of the folder DISTILL_E2E_WHEELS/ARCH that have one of the
// names, separated by blanks.
func openTools(t *testing.T, arch, names string) []*wheel.Wheel {
	t.Helper()
	dir := filepath.Join(e2eFolder(t, "DISTILL_E2E_WHEELS", "wheels of build requirements, in one folder for each architecture"), arch)
	var out []*wheel.Wheel
	for n := range strings.FieldsSeq(names) {
		list, _ := filepath.Glob(filepath.Join(dir, n+"-[0-9]*.whl"))
		if len(list) != 1 {
			t.Fatalf("%s: there are %v", n, list)
		}
		f, err := os.Open(list[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		w, err := wheel.Open(filepath.Base(list[0]), f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, w)
	}
	return out
}
