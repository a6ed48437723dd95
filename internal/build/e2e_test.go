package build

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
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

func crcOf(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }

// realSandbox runs jobs in an unpacked image.
type realSandbox struct {
	engine   sandbox.Engine
	root     string
	platform string
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
		Mounts: []sandbox.Mount{{Host: at, Path: j.Place}}, ReadOnly: true, Limits: sandbox.Limits{Time: 20 * time.Minute},
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

// openTools opens the wheels of a folder that have one of the names.
func openTools(t *testing.T, dir string, names ...string) []*wheel.Wheel {
	t.Helper()
	var out []*wheel.Wheel
	for _, n := range names {
		list, _ := filepath.Glob(filepath.Join(dir, n+"-*.whl"))
		if len(list) != 1 {
			t.Fatalf("%s: %v", n, list)
		}
		f, err := os.Open(list[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		info, _ := f.Stat()
		w, err := wheel.Open(filepath.Base(list[0]), f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, w)
	}
	return out
}

const extension = `#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <zlib.h>
static PyObject *version(PyObject *self, PyObject *args) { return PyUnicode_FromString(zlibVersion()); }
static PyMethodDef methods[] = {{"version", version, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "demo_ext", "", -1, methods};
PyMODINIT_FUNC PyInit_demo_ext(void) { return PyModule_Create(&module); }
`

// hostileSetup tries what a build must not be able to do, and fails if any of it works.
const hostileSetup = `
import os, socket, sys
from setuptools import setup
bad = []
for name in ("TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"):
    if name in os.environ: bad.append("environment " + name)
for path in ("/etc/demo", "/usr/lib/demo", "/root/demo", "/demo"):
    try: open(path, "w").close(); bad.append("wrote " + path)
    except OSError: pass
try: socket.create_connection(("1.1.1.1", 53), 2); bad.append("network")
except OSError: pass
if os.listdir(os.path.expanduser("~")): bad.append("home")
if os.fork() == 0:
    os.setsid()
    while True: pass
if bad: sys.exit("got through: " + ", ".join(bad))
setup(name="demo", version="1.0", py_modules=["demo"])
`

func TestBuildInImage(t *testing.T) {
	images, tools := os.Getenv("DISTILL_E2E_IMAGES"), os.Getenv("DISTILL_E2E_WHEELS")
	if os.Getenv("DISTILL_E2E") == "" || images == "" || tools == "" {
		t.Skip("needs large images: set DISTILL_E2E=1, DISTILL_E2E_IMAGES to the folder of their layouts and DISTILL_E2E_WHEELS to one with wheels of build back ends")
	}
	t.Setenv("TOKEN", "secret")
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			if testing.Short() && arch != runtime.GOARCH {
				t.Skip("emulated builds take minutes")
			}
			buildIn(t, filepath.Join(images, "pydev"), tools, arch)
		})
	}
}

func buildIn(t *testing.T, layout, tools, arch string) {
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sb := unpackImage(t, store, layout, arch)
	flit := "[build-system]\nrequires = ['flit_core']\nbuild-backend = 'flit_core.buildapi'\n[project]\nname = 'demo'\nversion = '1.0'\ndescription = 'x'\nrequires-python = '>=3'"
	for _, c := range []struct {
		name  string
		files map[string]string
		tools []string
		want  string // file name of the wheel
		err   string
	}{
		{"flit", map[string]string{"pyproject.toml": flit, "demo.py": "x = 1"}, []string{"flit_core"}, "demo-1.0-py3-none-any.whl", ""},
		{"setup.py", map[string]string{"setup.py": "from setuptools import setup\nsetup(name='demo', version='1.0', py_modules=['demo'])", "demo.py": "x = 1"},
			[]string{"setuptools"}, "demo-1.0-py3-none-any.whl", ""},
		{"extension", map[string]string{"setup.py": "from setuptools import setup, Extension\nsetup(name='demo', version='1.0', ext_modules=[Extension('demo_ext', ['ext.c'], libraries=['z'])])", "ext.c": extension},
			[]string{"setuptools"}, "demo-1.0-cp311-cp311-linux_" + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch] + ".whl", ""},
		{"broken", map[string]string{"setup.py": "from setuptools import setup, Extension\nsetup(name='demo', version='1.0', ext_modules=[Extension('demo_ext', ['ext.c'])])", "ext.c": "#include <no/such/header.h>"},
			[]string{"setuptools"}, "", "exit code 1"},
		{"hostile", map[string]string{"setup.py": hostileSetup, "demo.py": "x = 1"}, []string{"setuptools"}, "demo-1.0-py3-none-any.whl", ""},
	} {
		contents := map[string]string{}
		for n, text := range c.files {
			contents["demo-1.0/"+n] = text
		}
		var log bytes.Buffer
		r := Request{
			Source: archive(t, "demo-1.0.tar.gz", contents), Tools: openTools(t, tools, c.tools...), Python: "/usr/bin/python3.11", Path: "/usr/local/bin:/usr/bin:/bin",
			Epoch: 1_700_000_000, Log: &log,
		}
		start := time.Now()
		built, err := Wheel(t.Context(), sb, store, r)
		var more *MoreError
		if errors.As(err, &more) {
			r.Asked = more.Requires
			built, err = Wheel(t.Context(), sb, store, r)
		}
		t.Logf("%s: %s", c.name, time.Since(start).Round(time.Millisecond))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(log.String(), "no/such/header.h") {
				t.Errorf("%s: %v\n%s", c.name, err, log.String())
			}
			continue
		}
		if err != nil || built.FileName != c.want {
			t.Errorf("%s: %v %v\n%s", c.name, built, err, log.String())
			continue
		}
		again, err := Wheel(t.Context(), sb, store, r)
		if err != nil || again.Digest != built.Digest {
			t.Errorf("%s: built once more it is %v, %v", c.name, again, err)
		}
	}
}

func unpackImage(t *testing.T, store *cache.Dir, layout, arch string) *realSandbox {
	t.Helper()
	e, err := sandbox.Open(t.Context(), os.Getenv("DISTILL_ENGINE"))
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
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	if err := sandbox.Unpack(t.Context(), root, set, e.Owners()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sandbox.Remove(root) })
	return &realSandbox{e, root, "linux/" + arch}
}
