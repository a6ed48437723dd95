package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// e2eArches are the architectures that builds are tested on: all, or with -short only
// that of this machine.
func e2eArches() []string {
	if testing.Short() {
		return []string{runtime.GOARCH}
	}
	return []string{"amd64", "arm64"}
}

// attempt builds once, as the caller of this package does: what the back end asks for
// has to be among the tools.
func attempt(t *testing.T, sb Sandbox, store *cache.Dir, r Request) (*Built, *Log, error) {
	t.Helper()
	log := NewLog(io.Discard)
	r.Log = log
	built, err := Wheel(t.Context(), sb, store, r)
	var more *MoreError
	if errors.As(err, &more) {
		r.Asked = more.Requires
		built, err = Wheel(t.Context(), sb, store, r)
	}
	return built, log, err
}

func TestBuildInImage(t *testing.T) {
	for _, arch := range e2eArches() {
		t.Run(arch, func(t *testing.T) {
			sb := openImage(t, arch)
			store, err := cache.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range smallBuilds(arch) {
				t.Run(c.name, func(t *testing.T) { c.run(t, sb, store, arch) })
			}
		})
	}
}

// smallBuild is a source archive of a few lines.
type smallBuild struct {
	name  string
	files map[string]string // below demo-1.0, but for names that begin with a slash
	tools string
	want  string   // file name of the wheel, or
	err   string   // of the error, and
	lines []string // what Lines finds, in part
}

func (c *smallBuild) run(t *testing.T, sb Sandbox, store *cache.Dir, arch string) {
	contents := map[string]string{}
	for n, text := range c.files {
		if top, ok := strings.CutPrefix(n, "/"); ok {
			contents[top] = text
		} else {
			contents["demo-1.0/"+n] = text
		}
	}
	r := Request{
		Source: archive(t, "demo-1.0.tar.gz", contents), Tools: openTools(t, arch, c.tools), Python: "/usr/bin/python3.11", Path: "/usr/local/bin:/usr/bin:/bin",
		Epoch: 1_700_000_000, Jobs: 2,
	}
	start := time.Now()
	built, log, err := attempt(t, sb, store, r)
	t.Logf("%s", time.Since(start).Round(time.Millisecond))
	if c.err != "" {
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v\n%s", err, log.Tail())
		}
		got := Lines(log.Tail(), 3)
		for _, want := range c.lines {
			if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
				t.Errorf("%q is not in %q\n%s", want, got, log.Tail())
			}
		}
		return
	}
	if err != nil || built.FileName != c.want {
		t.Fatalf("%v %v\n%s", built, err, log.Tail())
	}
	again, _, err := attempt(t, sb, store, r)
	if err != nil || again.Digest != built.Digest {
		t.Errorf("built once more it is %v, %v", again, err)
	}
}

const extension = `#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <zlib.h>
static PyObject *version(PyObject *self, PyObject *args) { return PyUnicode_FromString(zlibVersion()); }
static PyMethodDef methods[] = {{"version", version, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "demo_ext", __DATE__ __TIME__ __FILE__, -1, methods};
PyMODINIT_FUNC PyInit_demo_ext(void) { return PyModule_Create(&module); }
`

func smallBuilds(arch string) []smallBuild {
	native := "demo-1.0-cp311-cp311-linux_" + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch] + ".whl"
	const pure = "demo-1.0-py3-none-any.whl"
	system := func(requires, backend string) string {
		return "[build-system]\nrequires = [" + requires + "]\nbuild-backend = '" + backend + "'\n"
	}
	const project = "[project]\nname = 'demo'\nversion = '1.0'\ndescription = 'x'\nrequires-python = '>=3'\n"
	const setup = "from setuptools import setup\nsetup(name='demo', version='1.0', py_modules=['demo'])"
	const cmake = "cmake_minimum_required(VERSION 3.15...3.26)\nproject(demo C)\n"
	const meson = "project('demo', 'c', version: '1.0')\npy = import('python').find_installation()\n"
	return []smallBuild{
		{name: "flit", files: map[string]string{"pyproject.toml": system("'flit_core'", "flit_core.buildapi") + project, "demo.py": "x = 1"}, tools: "flit_core", want: pure},
		{name: "pdm", files: map[string]string{"pyproject.toml": system("'pdm-backend'", "pdm.backend") + project, "demo.py": "x = 1"}, tools: "pdm_backend", want: pure},
		{name: "setup.py", files: map[string]string{"setup.py": setup, "demo.py": "x = 1"}, tools: "setuptools", want: pure},
		{name: "setup.cfg", files: map[string]string{"setup.cfg": "[metadata]\nname = demo\nversion = 1.0\n[options]\npy_modules = demo", "demo.py": "x = 1"}, tools: "setuptools", want: pure},
		{name: "no top folder", files: map[string]string{"/setup.py": setup, "/demo.py": "x = 1"}, tools: "setuptools", want: pure},
		{name: "distutils", files: map[string]string{"setup.py": "from distutils.core import setup\nsetup(name='demo', version='1.0', py_modules=['demo'])", "demo.py": "x = 1"}, tools: "setuptools wheel", want: pure},
		{name: "setup_requires", files: map[string]string{"setup.py": "from setuptools import setup\nsetup(name='demo', version='1.0', py_modules=['demo'], setup_requires=['packaging (>=20)'])\nexit()", "demo.py": "x = 1"},
			tools: "setuptools packaging", want: pure},
		{name: "back end of its own", files: map[string]string{"pyproject.toml": system("'flit_core'", "own:back") + "backend-path = ['_tools']\n" + project,
			"_tools/own.py": "class back:\n    from flit_core.buildapi import build_wheel\n    build_wheel = staticmethod(build_wheel)", "demo.py": "x = 1"}, tools: "flit_core", want: pure},
		{name: "programs", files: map[string]string{"setup.py": "import subprocess\nsubprocess.check_call(['meson', '--version'])\nsubprocess.check_call(['cython', '--version'])\nsubprocess.check_call(['ninja', '--version'])\n" +
			"import sys\nsubprocess.check_call([sys.executable, '-c', 'import Cython, mesonbuild; import sys; assert not any(\"-packages\" in p for p in sys.path), sys.path'])\n" + setup, "demo.py": "x = 1"},
			tools: "setuptools meson cython ninja", want: pure},
		{name: "extension", files: map[string]string{"setup.py": "from setuptools import setup, Extension\nsetup(name='demo', version='1.0', ext_modules=[Extension('demo_ext', ['ext.c'], libraries=['z'])])", "ext.c": extension},
			tools: "setuptools", want: native},
		{name: "meson", files: map[string]string{"pyproject.toml": system("'meson-python'", "mesonpy") + project, "ext.c": extension,
			"meson.build": meson + "py.extension_module('demo_ext', 'ext.c', install: true, dependencies: dependency('zlib'), c_args: ['-g'])"},
			tools: "meson_python meson ninja pyproject_metadata packaging", want: native},
		{name: "scikit-build-core", files: map[string]string{"pyproject.toml": system("'scikit-build-core'", "scikit_build_core.build") + project, "ext.c": extension,
			"CMakeLists.txt": cmake + "find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)\nfind_package(ZLIB REQUIRED)\n" +
				"Python_add_library(demo_ext MODULE ext.c WITH_SOABI)\ntarget_compile_options(demo_ext PRIVATE -g)\ntarget_link_libraries(demo_ext PRIVATE ZLIB::ZLIB)\ninstall(TARGETS demo_ext DESTINATION .)"},
			tools: "scikit_build_core cmake ninja packaging pathspec", want: native},
		{name: "scikit-build", files: map[string]string{"setup.py": "from skbuild import setup\nsetup(name='demo', version='1.0', packages=['demo'])", "demo/__init__.py": "", "demo/ext.c": extension,
			"pyproject.toml": system("'scikit-build', 'setuptools', 'cmake', 'ninja'", "setuptools.build_meta"),
			"CMakeLists.txt": cmake + "find_package(PythonExtensions REQUIRED)\nadd_library(demo_ext MODULE demo/ext.c)\npython_extension_module(demo_ext)\ntarget_link_libraries(demo_ext z)\ninstall(TARGETS demo_ext LIBRARY DESTINATION demo)"},
			tools: "scikit_build setuptools cmake ninja distro packaging wheel", want: native},
		{name: "no header", files: map[string]string{"setup.py": "from setuptools import setup, Extension\nsetup(name='demo', version='1.0', ext_modules=[Extension('demo_ext', ['ext.c'])])", "ext.c": "#include <no/such/header.h>"},
			tools: "setuptools", err: "exit code 1", lines: []string{"ext.c:1:10: fatal error: no/such/header.h: No such file or directory"}},
		{name: "no library", files: map[string]string{"setup.py": "from setuptools import setup, Extension\nsetup(name='demo', version='1.0', ext_modules=[Extension('demo_ext', ['ext.c'], libraries=['nosuch', 'z'])])", "ext.c": extension},
			tools: "setuptools", err: "exit code 1", lines: []string{"cannot find -lnosuch"}},
		{name: "no module", files: map[string]string{"setup.py": "import numpy\n" + setup}, tools: "setuptools", err: "exit code 1", lines: []string{"ModuleNotFoundError: No module named 'numpy'"}},
		{name: "no dependency of meson", files: map[string]string{"pyproject.toml": system("'meson-python'", "mesonpy") + project, "meson.build": meson + "dependency('nosuch')"},
			tools: "meson_python meson ninja pyproject_metadata packaging", err: "exit code 1", lines: []string{`meson.build:3:0: ERROR: Dependency "nosuch" not found (tried pkg-config)`}},
		{name: "no package of CMake", files: map[string]string{"pyproject.toml": system("'scikit-build-core'", "scikit_build_core.build") + project, "CMakeLists.txt": cmake + "find_package(HDF5000 REQUIRED)"},
			tools: "scikit_build_core cmake ninja packaging pathspec", err: "exit code 1", lines: []string{`CMake Error at CMakeLists.txt:3 (find_package): By not providing "FindHDF5000.cmake"`}},
		{name: "no Rust", files: map[string]string{"pyproject.toml": system("'maturin'", "maturin") + project, "Cargo.toml": "[package]\nname = 'demo'\nversion = '1.0.0'\n[lib]\ncrate-type = ['cdylib']\n[dependencies]\npyo3 = '0.22'", "src/lib.rs": ""},
			tools: "maturin", err: "exit code 1", lines: []string{"rust"}},
		{name: "no Rust for setuptools", files: map[string]string{"setup.py": "from setuptools import setup\nfrom setuptools_rust import RustExtension\nsetup(name='demo', version='1.0', rust_extensions=[RustExtension('demo_rust')])",
			"pyproject.toml": system("'setuptools', 'setuptools-rust'", "setuptools.build_meta"), "Cargo.toml": "[package]\nname = 'demo'\nversion = '1.0.0'\n"},
			tools: "setuptools setuptools_rust semantic_version", err: "exit code 1", lines: []string{"can't find Rust compiler"}},
	}
}

// realBuilds are archives of the index, with the tools that their pyproject.toml and back
// ends ask for, and part of the error if this image can't build them.
var realBuilds = []struct{ archive, tools, err string }{
	{"tomli-2.5.0.tar.gz", "flit_core", ""},
	{"attrs-26.1.0.tar.gz", "hatchling hatch_vcs hatch_fancy_pypi_readme setuptools_scm vcs_versioning packaging pathspec pluggy trove_classifiers typing_extensions setuptools", ""},
	{"rich-15.0.0.tar.gz", "poetry_core", ""},
	{"black-20.8b1.tar.gz", "setuptools setuptools_scm vcs_versioning wheel packaging typing_extensions", ""},
	{"python-Levenshtein-0.12.2.tar.gz", "setuptools", ""},
	{"pyyaml-6.0.4.tar.gz", "setuptools cython", ""},
	{"markupsafe-3.0.4.tar.gz", "setuptools", ""},
	{"ujson-6.1.0.tar.gz", "setuptools setuptools_scm vcs_versioning packaging", ""},
	{"psutil-7.2.2.tar.gz", "setuptools", ""},
	{"msgpack-1.2.4.tar.gz", "setuptools", ""},
	{"cffi-2.1.1.tar.gz", "setuptools", ""},
	{"regex-2026.11.19.tar.gz", "setuptools", ""},
	{"bottleneck-1.6.0.tar.gz", "setuptools versioneer numpy", ""},
	{"thrift-0.25.0.tar.gz", "setuptools wheel packaging", ""},
	{"pyodbc-5.5.0.tar.gz", "setuptools", ""},
	{"pygraphviz-1.11.zip", "setuptools", ""},
	{"pygraphviz-2.0.4.tar.gz", "setuptools swig", ""},
	{"levenshtein-0.27.5.tar.gz", "scikit_build_core packaging pathspec cmake ninja cython", ""},
	{"contourpy-1.3.2.tar.gz", "meson_python meson ninja pyproject_metadata packaging pybind11", ""},
	{"h5py-3.16.0.tar.gz", "setuptools cython numpy pkgconfig packaging", ""},
	{"lxml-6.1.3.tar.gz", "setuptools cython", ""},
	{"psycopg2-2.9.13.tar.gz", "setuptools", ""},
	{"python_ldap-3.4.8.tar.gz", "setuptools", "lber.h: No such file or directory"},
	{"hnswlib-0.8.0.tar.gz", "setuptools numpy pybind11", ""},
	{"uwsgi-2.0.31.tar.gz", "setuptools", ""},
}

func TestBuildRealArchives(t *testing.T) {
	dir := e2eFolder(t, "DISTILL_E2E_SDISTS", "source archives of the index")
	for _, arch := range e2eArches() {
		t.Run(arch, func(t *testing.T) {
			sb := openImage(t, arch)
			store, err := cache.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range realBuilds {
				t.Run(c.archive, func(t *testing.T) {
					f, err := os.Open(filepath.Join(dir, c.archive))
					if err != nil {
						t.Skip(err)
					}
					defer f.Close()
					info, err := f.Stat()
					if err != nil {
						t.Fatal(err)
					}
					buildTwice(t, sb, store, Request{
						Source: Source{c.archive, f, info.Size()}, Tools: openTools(t, arch, c.tools), Python: "/usr/bin/python3.11", Path: "/usr/local/bin:/usr/bin:/bin", Epoch: 1_700_000_000, Jobs: 2,
					}, c.err)
				})
			}
		})
	}
}

// rawSandbox notes the digests of wheels as back ends have written them.
type rawSandbox struct {
	Sandbox
	digests []string
}

func (s *rawSandbox) Run(ctx context.Context, j Job) error {
	take := j.Take
	j.Take = func(root *os.Root) error {
		list, _ := fs.Glob(root.FS(), "out/*.whl")
		for _, name := range list {
			text, err := root.ReadFile(name)
			if err != nil {
				return err
			}
			s.digests = append(s.digests, fmt.Sprintf("%x", sha256.Sum256(text)))
		}
		return take(root)
	}
	return s.Sandbox.Run(ctx, j)
}

// buildTwice builds with two jobs, then with one, and compares.
func buildTwice(t *testing.T, sb Sandbox, store *cache.Dir, r Request, fails string) {
	raw := &rawSandbox{Sandbox: sb}
	sb = raw
	start := time.Now()
	built, log, err := attempt(t, sb, store, r)
	took := time.Since(start)
	if fails != "" {
		if err == nil || !strings.Contains(strings.Join(Lines(log.Tail(), 3), "\n"), fails) {
			t.Errorf("%v\n%q\n%s", err, Lines(log.Tail(), 3), log.Tail())
		}
		return
	}
	if err != nil {
		t.Fatalf("%v\n%q\n%s", err, Lines(log.Tail(), 3), log.Tail())
	}
	r.Jobs = 1
	again, log, err := attempt(t, sb, store, r)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.Tail())
	}
	t.Logf("%s %d bytes in %s: %s", built.FileName, built.Size, took.Round(100*time.Millisecond), built.Digest)
	if len(raw.digests) > 1 && raw.digests[0] != raw.digests[1] {
		t.Log("as the back end writes it, the wheel is another one each time")
	}
	if again.Digest != built.Digest {
		t.Errorf("built once more it is %s", again.Digest)
		keepDifferent(t, store, built, again)
	}
}

// keepDifferent leaves two wheels in the folder DISTILL_E2E_KEEP, to be compared.
func keepDifferent(t *testing.T, store *cache.Dir, list ...*Built) {
	dir := os.Getenv("DISTILL_E2E_KEEP")
	if dir == "" {
		return
	}
	for i, b := range list {
		blob, err := store.OpenBlob(b.Digest)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(blob)
		blob.Close()
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, string(rune('a'+i)), b.FileName)
		if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
			err = os.WriteFile(to, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
