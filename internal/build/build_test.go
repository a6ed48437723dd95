package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"archive/zip"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// archive packs lines "path text" into a source archive.
func archive(t *testing.T, name string, contents map[string]string) Source {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	var paths []string
	for p := range contents {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		w.WriteHeader(&tar.Header{Name: p, Mode: 0o644, Size: int64(len(contents[p])), Typeflag: tar.TypeReg})
		io.WriteString(w, contents[p])
	}
	w.Close()
	z.Close()
	return Source{FileName: name, Content: bytes.NewReader(b.Bytes()), Size: int64(b.Len())}
}

func TestReadSystem(t *testing.T) {
	for _, c := range []struct{ name, pyproject, want, err string }{
		{"no file", "", "setuptools.build_meta:__legacy__ [] setuptools>=40.8.0", ""},
		{"no table", "[tool.black]\n", "setuptools.build_meta:__legacy__ [] setuptools>=40.8.0", ""},
		{"no back end", "[build-system]\nrequires = ['setuptools', 'cython']", "setuptools.build_meta:__legacy__ [] setuptools cython", ""},
		{"flit", "[build-system]\nrequires = ['flit_core >=3.2,<4']\nbuild-backend = 'flit_core.buildapi'", "flit_core.buildapi [] flit-core<4,>=3.2", ""},
		{"in tree", "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['back', '.']", "own [back .] ", ""},
		{"out of tree", "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['../x']", "", `backend-path "../x" leads out`},
		{"no module", "[build-system]\nrequires = []\nbuild-backend = 'os; x'", "", `"os; x" is no build-backend`},
		{"no TOML", "[build-system", "", "pyproject.toml: "},
		{"no requirement", "[build-system]\nrequires = ['???']", "", "???"},
		{"deep", "a = " + strings.Repeat("[", 100_000), "", "too deeply"},
		{"large", "#" + strings.Repeat("x", maxPyproject), "", "more than 1048576 bytes"},
	} {
		files := map[string]string{"demo-1.0/README": "", "demo-1.0/sub/pyproject.toml": "broken", "demo-1.0/setup.py": ""}
		if c.pyproject != "" {
			files["demo-1.0/pyproject.toml"] = c.pyproject
		}
		s, err := ReadSystem(archive(t, "demo-1.0.tar.gz", files))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !errors.Is(err, ErrSource) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var requires []string
		for _, r := range s.Requires {
			requires = append(requires, r.String())
		}
		if got := fmt.Sprintf("%s %v %s", s.Backend, s.BackendPath, strings.Join(requires, " ")); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
	flat := archive(t, "demo-1.0.tar.gz", map[string]string{"./pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'own'", "demo/x.py": ""})
	if s, err := ReadSystem(flat); err != nil || s.Backend != "own" {
		t.Errorf("without a top folder: %+v, %v", s, err)
	}
	for name, content := range map[string]string{"demo-1.0.tar.gz": "no gzip", "demo-1.0.zip": "no zip", "demo-1.0.tar.xz": "", "demo-1.0.tar.bz2": "x"} {
		if _, err := ReadSystem(Source{name, strings.NewReader(content), int64(len(content))}); !errors.Is(err, ErrSource) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRecipe fails when what runs inside has changed and Recipe has not.
func TestRecipe(t *testing.T) {
	sum := sha256.Sum256([]byte(driver + siteCustomize))
	if want := fmt.Sprintf("2-%x", sum[:8]); Recipe != want {
		t.Errorf("Recipe is %q, must be %q", Recipe, want)
	}
}

func FuzzReadSystem(f *testing.F) {
	f.Add([]byte("[build-system]\nrequires = ['a>1', 'b; python_version < \"3\"']\nbuild-backend = 'a.b:c'\nbackend-path = ['x']"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSystem(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(s.Backend, " ;'\"()\n") {
			t.Errorf("back end %q", s.Backend)
		}
		for _, p := range s.BackendPath {
			if !filepath.IsLocal(p) {
				t.Errorf("backend-path %q", p)
			}
		}
	})
}

// fakeSandbox lays files out, and leaves what it is told to.
type fakeSandbox struct {
	leave map[string]string // "out/result.json" -> text; "->" makes a link
	err   error
	job   Job
}

func (s *fakeSandbox) Run(_ context.Context, j Job) error {
	s.job = j
	if s.err != nil {
		return s.err
	}
	dir, err := os.MkdirTemp("", "fake-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	os.Mkdir(filepath.Join(dir, "out"), 0o755)
	for name, text := range s.leave {
		if to, ok := strings.CutPrefix(text, "->"); ok {
			os.Symlink(to, filepath.Join(dir, name))
			continue
		}
		os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return j.Take(root)
}

// recordLineOf is a file's line in RECORD.
func recordLineOf(name, content string) string {
	sum := sha256.Sum256([]byte(content))
	if strings.Contains(name, ",") {
		name = `"` + name + `"`
	}
	return fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(content))
}

func TestWheel(t *testing.T) {
	const name = "demo-1.0-py3-none-any.whl"
	source := archive(t, "demo-1.0.tar.gz", map[string]string{"demo-1.0/pyproject.toml": "[build-system]\nrequires = ['flit_core']\nbuild-backend = 'flit_core.buildapi'"})
	failed := errors.New("exit code 1")
	answer := func(text string) string { return `{"requires": ["cython"], "wheel": "` + text + `"}` }
	for _, c := range []struct {
		name  string
		leave map[string]string
		err   error
		want  string // of the error
	}{
		{"good", map[string]string{"out/result.json": answer(name), "out/" + name: packed(t, zip.Store, time.Unix(0, 0), 0o644, demoEntries()...)}, nil, ""},
		{"failed", nil, failed, "building demo-1.0.tar.gz: exit code 1"},
		{"no result", nil, nil, "no such file"},
		{"asks for more", map[string]string{"out/result.json": answer("")}, nil, "the build asks for cython"},
		{"no JSON", map[string]string{"out/result.json": "["}, nil, "unexpected end"},
		{"large result", map[string]string{"out/result.json": strings.Repeat(" ", maxResult+1)}, nil, "more than 1048576 bytes"},
		{"result is a link", map[string]string{"out/result.json": "->/etc/passwd"}, nil, "is no file"},
		{"wheel is a link", map[string]string{"out/result.json": answer(name), "out/" + name: "->/etc/passwd"}, nil, "is no file"},
		{"no wheel", map[string]string{"out/result.json": answer(name)}, nil, "no such file"},
		{"no zip", map[string]string{"out/result.json": answer(name), "out/" + name: "text"}, nil, "damaged or unsupported wheel"},
		{"another project", map[string]string{"out/result.json": answer("other-1.0-py3-none-any.whl")}, nil, "it gives other 1.0"},
		{"another version", map[string]string{"out/result.json": answer("demo-2.0-py3-none-any.whl")}, nil, "it gives demo 2.0"},
		{"a path", map[string]string{"out/result.json": answer("../demo-1.0-py3-none-any.whl")}, nil, "no usable wheel"},
	} {
		store, err := cache.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		sb := &fakeSandbox{leave: c.leave, err: c.err}
		built, err := Wheel(t.Context(), sb, store, Request{Source: source, Python: "/usr/bin/python3", Path: "/usr/bin", Epoch: 1_700_000_000})
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			if c.name == "asks for more" {
				var more *MoreError
				if !errors.As(err, &more) || len(more.Requires) != 1 {
					t.Errorf("%s: %v", c.name, err)
				}
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, ok := store.StatBlob(built.Digest); !ok || built.FileName != name || built.Size == 0 {
			t.Errorf("%+v", built)
		}
		for f := range sb.job.Files.All() {
			if f.UID != user || f.ModTime != 1_700_000_000 || f.Mode&^(fs.ModeDir|0o755) != 0 {
				t.Errorf("%+v", f)
			}
		}
		env := strings.Join(sb.job.Env, "\n")
		if !strings.Contains(env, "PATH=/build/env/bin:/usr/bin\n") || !strings.Contains(env, "SOURCE_DATE_EPOCH=1700000000\n") {
			t.Error(env)
		}
	}
}

// leaving returns a sandbox whose builds leave these files, and a request.
func leaving(t *testing.T, leave map[string]string) (*fakeSandbox, Request) {
	t.Helper()
	source := archive(t, "demo-1.0.tar.gz", map[string]string{"demo-1.0/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'own'\nbackend-path = ['.']"})
	return &fakeSandbox{leave: leave}, Request{Source: source, Python: "/usr/bin/python3", Path: "/usr/bin", Epoch: 1_700_000_000}
}

// taskOf returns what a job tells the driver.
func taskOf(t *testing.T, j Job) string {
	t.Helper()
	f, ok := j.Files.Get("task.json")
	if !ok {
		t.Fatal("no task.json")
	}
	text, err := f.ReadAll(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRequires(t *testing.T) {
	for _, c := range []struct{ answer, want, err string }{
		{`{"requires": []}`, "", ""},
		{`{"requires": ["Ninja>=1.8.2", "numpy (>=1.20,<3)", "ninja >= 1.8.2", "cmake>=3; platform_machine != 'x'"]}`, `cmake>=3; platform_machine != "x"|ninja>=1.8.2|numpy<3,>=1.20`, ""},
		{`{"requires": ["???"]}`, "", "asks for what is no requirement"},
		{`{"requires": 7}`, "", "no usable wheel"},
	} {
		sb, r := leaving(t, map[string]string{"out/result.json": c.answer})
		got, err := Requires(t.Context(), sb, r)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.answer, err)
			}
			continue
		}
		if err != nil || got == nil || strings.Join(got, "|") != c.want {
			t.Errorf("%s: %q, %v", c.answer, got, err)
		}
		if text := taskOf(t, sb.job); !strings.Contains(text, `"hook":"requires"`) || !strings.Contains(text, `"backend":"own","backend_path":["."],"asked":null`) {
			t.Error(text)
		}
	}
}

func TestMetadata(t *testing.T) {
	const good = "Metadata-Version: 2.1\nName: Demo\nVersion: 1.0.0\n"
	for _, c := range []struct {
		name  string
		leave map[string]string
		err   string
		built bool
	}{
		{"hook", map[string]string{"out/result.json": `{"metadata": true}`, "out/METADATA": good}, "", false},
		{"no hook", map[string]string{"out/result.json": `{"wheel": "demo-1.0-py3-none-any.whl"}`, "out/demo-1.0-py3-none-any.whl": packed(t, zip.Store, time.Unix(0, 0), 0o644, demoEntries()...)}, "", true},
		{"asks for more", map[string]string{"out/result.json": `{"requires": ["ninja"]}`}, "the build asks for ninja", false},
		{"nothing", map[string]string{"out/result.json": `{"metadata": true}`}, "no such file", false},
		{"a link", map[string]string{"out/result.json": `{"metadata": true}`, "out/METADATA": "->/etc/passwd"}, "is no file", false},
		{"another project", map[string]string{"out/result.json": `{"metadata": true}`, "out/METADATA": strings.Replace(good, "Demo", "other", 1)}, "it gives other 1.0.0", false},
		{"another version", map[string]string{"out/result.json": `{"metadata": true}`, "out/METADATA": strings.Replace(good, "1.0.0", "1.0+local", 1)}, "it gives demo 1.0+local", false},
		{"no metadata", map[string]string{"out/result.json": `{"metadata": true}`, "out/METADATA": "text"}, "METADATA: ", false},
		{"large", map[string]string{"out/result.json": `{"metadata": true}`, "out/METADATA": good + strings.Repeat(" ", maxMetadata)}, "more than 16777216 bytes", false},
	} {
		store, err := cache.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		sb, r := leaving(t, c.leave)
		text, built, err := Metadata(t.Context(), sb, store, r)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || text != nil || built != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || !strings.HasPrefix(strings.ToLower(string(text)), "metadata-version: 2.1\nname: demo\n") || (built != nil) != c.built {
			t.Errorf("%s: %q, %v, %v", c.name, text, built, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	r := Request{Path: "/usr/bin", Env: []string{"CC=clang", "PYTHONPATH=/app", "PYTHONSTARTUP=/x", "HOME=/root", "PATH=/app/bin", "MAKEFLAGS=-j64", "CARGO_HOME=/opt/cargo"}, Jobs: 3, Epoch: 17}
	got := strings.Join(r.environment(), "\n") + "\n"
	for _, want := range []string{"CC=clang\n", "CARGO_HOME=/opt/cargo\n", "PATH=/build/env/bin:/usr/bin\n", "HOME=/build/home\n", "TMPDIR=/build/tmp\n", "MAKEFLAGS=-j3\n", "SOURCE_DATE_EPOCH=17\n", "PYTHONPATH=/build/site\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, other := range []string{"/app", "PYTHONSTARTUP", "/root", "-j64"} {
		if strings.Contains(got, other) {
			t.Errorf("%s in\n%s", other, got)
		}
	}
	r.Jobs = 0
	if got := strings.Join(r.environment(), "\n"); !strings.Contains(got, "MAKEFLAGS=-j64") || strings.Contains(got, "CMAKE_BUILD_PARALLEL_LEVEL") {
		t.Error(got)
	}
}
