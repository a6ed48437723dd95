package build

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// lister is a back end that answers with what it sees: the files of the archive, and what
// there is of its process.
const lister = `
import os, sys, tempfile
def prepare_metadata_for_build_wheel(folder):
    os.mkdir(os.path.join(folder, "demo-1.0.dist-info"))
    with open(os.path.join(folder, "demo-1.0.dist-info", "METADATA"), "w") as f:
        for at, dirs, names in os.walk("."):
            dirs.sort()
            for n in sorted(names):
                p = os.path.join(at, n)
                link = os.readlink(p) if os.path.islink(p) else "%o %d" % (os.stat(p).st_mode & 0o777, os.stat(p).st_mtime)
                f.write("%s: %s\n" % (os.path.relpath(p), link))
        f.write("temp %s\n" % os.path.basename(tempfile.mkdtemp()))
        f.write("packages %s\n" % any("-packages" in p for p in sys.path))
        f.write("first %s\n" % os.path.basename(os.path.dirname(sys.modules["sitecustomize"].__file__)))
    return "demo-1.0.dist-info"
def get_requires_for_build_wheel():
    return ["b>1", "a"]
def build_wheel(folder):
    exit(7)
class silent:
    def build_wheel(folder): os._exit(0)
class dying:
    def build_wheel(folder): os.kill(os.getpid(), 9)
class other:
    def build_wheel(folder): return os.path.join(folder, "x.whl")
`

// drive lays a task out and runs the driver with the Python of this machine, outside of
// any sandbox, and returns what it prints and leaves.
func drive(t *testing.T, hook, backend, sdist string, content []byte, asked []string) (out, code string, left map[string]string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	r := &Request{Source: Source{sdist, bytes.NewReader(content), int64(len(content))}, Asked: asked, Python: python, Path: os.Getenv("PATH"), Epoch: 1_700_000_000}
	set, err := r.files(&System{Backend: backend, BackendPath: []string{"."}}, hook)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for f := range set.All() {
		layFile(t, dir, f)
	}
	cmd := exec.Command(python, "-S", "-B", "driver.py")
	cmd.Dir = dir
	for _, v := range r.environment() {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(v, place+"/", dir+"/"))
	}
	text, err := cmd.CombinedOutput()
	if err != nil {
		code = err.Error()
	}
	left = map[string]string{}
	for _, name := range []string{resultAt, metadataAt} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			left[name] = string(text)
		}
	}
	return string(text), code, left
}

func layFile(t *testing.T, dir string, f *files.File) {
	t.Helper()
	at := filepath.Join(dir, f.Path)
	if f.Mode.IsDir() {
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := f.ReadAll(1 << 24)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(at), 0o755)
	}
	if err == nil {
		err = os.WriteFile(at, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func tarOf(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		text := ""
		if h.Typeflag == 0 {
			text = "text"
			if strings.HasSuffix(h.Name, "/own.py") {
				text = lister
			}
			h.Size = int64(len(text))
		}
		h.ModTime = time.Unix(1_600_000_000, 0)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	w.Close()
	return b.Bytes()
}

func TestDriverUnpacks(t *testing.T) {
	content := tarOf(t,
		tar.Header{Name: "demo-1.0/own.py", Mode: 0o400}, tar.Header{Name: "demo-1.0/run.sh", Mode: 0o111}, tar.Header{Name: "./demo-1.0/sub/none", Mode: 0},
		tar.Header{Name: "demo-1.0/first", Mode: 0o666}, tar.Header{Name: "demo-1.0/hard", Typeflag: tar.TypeLink, Linkname: "demo-1.0/first"},
		tar.Header{Name: "demo-1.0/soft", Typeflag: tar.TypeSymlink, Linkname: "../../etc/passwd"}, tar.Header{Name: "demo-1.0/lost", Typeflag: tar.TypeLink, Linkname: "../x"},
		tar.Header{Name: "demo-1.0/dir", Typeflag: tar.TypeDir, Mode: 0}, tar.Header{Name: "demo-1.0/dir/in", Mode: 0o644}, tar.Header{Name: "demo-1.0/pipe", Typeflag: tar.TypeFifo},
		tar.Header{Name: "demo-1.0/../../out/evil", Mode: 0o644}, tar.Header{Name: "/tmp/distill-evil", Mode: 0o644}, tar.Header{Name: "demo-1.0/first", Mode: 0o644},
		// What is written through a link of the archive would be outside.
		tar.Header{Name: "demo-1.0/away", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, tar.Header{Name: "demo-1.0/away/distill-evil", Mode: 0o644},
	)
	out, code, left := drive(t, hookMetadata, "own", "demo-1.0.tar", content, []string{})
	want := "first: 644 1600000000\nhard: 644 1600000000\nown.py: 644 1600000000\nrun.sh: 755 1600000000\nsoft: ../../etc/passwd\naway/distill-evil: 644 1600000000\ndir/in: 644 1600000000\nsub/none: 644 1600000000\ntemp tmp00000000\npackages False\nfirst site\n"
	if code != "" || left[metadataAt] != want || left[resultAt] != `{"metadata": true}` {
		t.Errorf("%s %s\n%s", code, out, left[metadataAt])
	}
	for _, name := range []string{"lost", "pipe", "../../out/evil", "/tmp/distill-evil", "away"} {
		if !strings.Contains(out, "not unpacked: ") || !strings.Contains(out, name) {
			t.Errorf("%s is not told of in\n%s", name, out)
		}
	}
}

func TestDriverTakesZipWithoutTop(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"own.py": lister, "run.sh": "x", "../evil": "x", "sub/": ""} {
		h := &zip.FileHeader{Name: name, Modified: time.Unix(1_600_000_000, 0).UTC()}
		h.SetMode(0o100)
		if text == "" {
			h.SetMode(0o755 | os.ModeDir)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	z.Close()
	out, code, left := drive(t, hookMetadata, "own", "demo-1.0.zip", b.Bytes(), []string{})
	if code != "" || !strings.HasPrefix(left[metadataAt], "own.py: 755 1600000000\nrun.sh: 755 1600000000\ntemp ") || !strings.Contains(out, "not unpacked: '../evil'") {
		t.Errorf("%s %s\n%s", code, out, left[metadataAt])
	}
}

func TestDriverCallsHooks(t *testing.T) {
	content := tarOf(t, tar.Header{Name: "demo-1.0/own.py", Mode: 0o644})
	for _, c := range []struct {
		hook, backend string
		asked         []string
		result, code  string
		prints        string
	}{
		{hookRequires, "own", nil, `{"requires":["b>1","a"]}`, "", ""},
		{hookRequires, "own:silent", []string{"x"}, `{"requires":[]}`, "", ""},
		{hookWheel, "own", nil, `{"requires":["b>1","a"]}`, "", ""},
		{hookWheel, "own:other", nil, `{"requires":[],"wheel":"x.whl"}`, "", ""},
		{hookWheel, "own:other", []string{}, `{"wheel":"x.whl"}`, "", ""},
		{hookMetadata, "own:other", []string{"a"}, `{"wheel":"x.whl"}`, "", ""},
		{hookWheel, "own", []string{}, "", "exit status 7", ""},
		{hookWheel, "own:silent", []string{}, "", "exit status 1", "the back end ended the process without an answer"},
		{hookWheel, "own:silent", nil, "", "exit status 1", "the back end ended the process without an answer"},
		{hookWheel, "own:dying", []string{}, "", "exit status 137", "the build was killed by signal 9"},
		{hookWheel, "missing", []string{}, "", "exit status 1", "ModuleNotFoundError: No module named 'missing'"},
	} {
		out, code, left := drive(t, c.hook, c.backend, "demo-1.0.tar", content, c.asked)
		got := left[resultAt]
		if got != "" {
			var compact bytes.Buffer
			if err := json.Compact(&compact, []byte(got)); err != nil {
				t.Error(err)
			}
			got = compact.String()
		}
		if got != c.result || code != c.code || !strings.Contains(out, c.prints) {
			t.Errorf("%s of %s: %q, %q\n%s", c.hook, c.backend, got, code, out)
		}
	}
	if out, code, _ := drive(t, hookWheel, "own", "demo-1.0.tar", tarOf(t), []string{}); code == "" || !strings.Contains(out, "the source archive is empty") {
		t.Error(out, code)
	}
}
