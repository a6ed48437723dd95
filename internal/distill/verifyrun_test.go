package distill

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Enter()
	os.Exit(m.Run())
}

// tellLog shows the steps of a test.
type tellLog struct{ *testing.T }

func (t tellLog) Step(platform, step string)  { t.Log(platform, step) }
func (tellLog) Bytes(_, _ string, _, _ int64) {}
func (t tellLog) Begin(platform, step string) func() {
	t.Log(platform, step)
	return func() { t.Log(platform, step, "is over") }
}
func (t tellLog) Output(platform, step, line string) { t.Log(platform, step, line) }
func (t tellLog) Warn(text string)                   { t.Log("warning:", text) }

func acme(path, text string) *files.File {
	return &files.File{Path: path, Mode: 0o644, Size: int64(len(text)), Content: textContent(text)}
}

// realImage opens one platform of a large image with more files in it.
func realImage(t *testing.T, h *Host, name string, p v1.Platform, more ...*files.File) *opened {
	t.Helper()
	dir := os.Getenv("DISTILL_E2E_IMAGES")
	if os.Getenv("DISTILL_E2E") == "" || dir == "" {
		t.Skip("needs large images: set DISTILL_E2E=1, and DISTILL_E2E_IMAGES to the folder of their layouts")
	}
	s, err := image.Open(t.Context(), "oci:"+filepath.Join(dir, name), h.imageOptions("", false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	img, err := s.Image(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	img.Files = img.Files.Merge(files.NewSet(more))
	env, err := inspect.Read(img.Files, inspect.Options{Platform: platformName(p), Env: img.Config.Config.Env})
	if err != nil {
		t.Fatal(err)
	}
	return &opened{image: img, env: env}
}

const acmeAt = "usr/local/lib/python3.11/dist-packages/"

// acmeModules are the modules of a distribution, one an oddity.
var acmeModules = map[string]string{
	"acme_good/__init__.py":        "print('chatter')\nfrom . import part",
	"acme_good/part.py":            "",
	"acme_space/inner/deep.py":     "",
	"acme_crash.py":                "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
	"acme_illegal.py":              "import os, signal\nos.kill(os.getpid(), signal.SIGILL)",
	"acme_ends.py":                 "import os\nos._exit(5)",
	"acme_part.py":                 "import acme_good.lost",
	"acme_library.py":              "import ctypes\nctypes.CDLL('libacme.so.7')",
	"acme_syntax.py":               "def",
	"acme_optional.py":             "import somebody_elses",
	"acme_program.py":              "raise SystemExit('usage: acme')",
	"acme_setup.py":                "class ImproperlyConfigured(Exception): pass\nraise ImproperlyConfigured('set ACME_SETTINGS')",
	"acme_standard.py":             "import acme_good, wsgiref.lost",
	"acme_network.py":              "import socket\ntry: socket.create_connection(('1.1.1.1', 53), 2)\nexcept OSError: pass\nelse: raise RuntimeError('network')",
	"tests/test_all.py":            "raise RuntimeError('tests are not imported')",
	"acme_data/notes.txt":          "",
	"acme-1.0.dist-info/INSTALLER": "pip",
	"acme-1.0.dist-info/METADATA":  "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n",
}

func acmeFiles() []*files.File {
	var out []*files.File
	var record strings.Builder
	for name, text := range acmeModules {
		out = append(out, acme(acmeAt+name, text))
		record.WriteString(name + ",,\n")
	}
	record.WriteString("acme-1.0.dist-info/RECORD,,\n")
	return append(out, acme(acmeAt+"acme-1.0.dist-info/RECORD", record.String()))
}

func TestRunTellsBrokenModules(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{Cache: c, Teller: tellLog{t}}
	o := realImage(t, h, "pyslim", v1.Platform{OS: "linux", Architecture: "amd64"}, acmeFiles()...)
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.py"), filepath.Join(dir, "bad.py")
	os.WriteFile(good, []byte("import acme_good, os\nassert os.getcwd() == '/' and os.environ['PATH'] and 'TOKEN' not in os.environ"), 0o600)
	os.WriteFile(bad, []byte("print('first words')\nraise RuntimeError('last words')"), 0o600)
	t.Setenv("TOKEN", "secret")
	runs, found, err := h.runImages(t.Context(), []*opened{o}, nil, RunOptions{Smoke: []string{good, bad}, Engine: os.Getenv("DISTILL_ENGINE")})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"acme_crash":    "crashes: SIGSEGV",
		"acme_illegal":  "crashes: SIGILL",
		"acme_ends":     "ends the process, exit code 5",
		"acme_part":     "ModuleNotFoundError: No module named 'acme_good.lost'",
		"acme_library":  "OSError: libacme.so.7: cannot open shared object file",
		"acme_syntax":   "SyntaxError",
		"acme_standard": "ModuleNotFoundError: No module named 'wsgiref.lost'",
		bad:             "last words",
	}
	for _, f := range found[0] {
		text := want[f.Place.File]
		if text == "" || !strings.Contains(f.Message, text) || f.Severity != audit.High {
			t.Errorf("%s %s: %s", f.Code, f.Place.File, f.Message)
		}
		delete(want, f.Place.File)
	}
	for place := range want {
		t.Errorf("nothing is said about %s", place)
	}
	var notes []string
	for _, n := range runs[0].Optional {
		notes = append(notes, n.Module)
	}
	if !slices.Equal(notes, []string{"acme_optional", "acme_program", "acme_setup"}) {
		t.Errorf("optional: %v", runs[0].Optional)
	}
	if s := runs[0].Smoke; len(s) != 2 || !s[0].OK || s[1].OK {
		t.Errorf("%+v", s)
	}
	if runs[0].Modules < 3 {
		t.Errorf("%d modules imported", runs[0].Modules)
	}
}

func TestTopModules(t *testing.T) {
	list := acmeFiles()
	list = append(list, acme(acmeAt+"acme_native.cpython-311-x86_64-linux-gnu.so", ""), acme(acmeAt+"acme_other.cpython-310-x86_64-linux-gnu.so", ""))
	env := &inspect.Environment{
		Files:  files.NewSet(list),
		Python: &inspect.Interpreter{ExtSuffix: ".cpython-311-x86_64-linux-gnu.so", Purelib: strings.TrimSuffix(acmeAt, "/"), Platlib: "usr/lib/x"},
	}
	d := &inspect.Distribution{Name: "acme", Location: strings.TrimSuffix(acmeAt, "/")}
	for f := range env.Files.All() {
		d.Files = append(d.Files, f.Path)
	}
	want := "acme_crash acme_ends acme_good acme_illegal acme_library acme_native acme_network acme_optional acme_part acme_program acme_setup acme_space.inner.deep acme_standard acme_syntax"
	if got := strings.Join(topModules(env, d), " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAccountOf(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "etc"), 0o755)
	os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte("root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:1001:App:/home/app:/bin/sh\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "etc/group"), []byte("root:x:0:\nweb:x:33:app\n"), 0o644)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for spec, want := range map[string]struct {
		user sandbox.User
		home string
		err  error
	}{
		"":         {sandbox.User{}, "/root", nil},
		"app":      {sandbox.User{UID: 1000, GID: 1001}, "/home/app", nil},
		"1000":     {sandbox.User{UID: 1000, GID: 1001}, "/home/app", nil},
		"app:web":  {sandbox.User{UID: 1000, GID: 33}, "/home/app", nil},
		"5000:7":   {sandbox.User{UID: 5000, GID: 7}, "", nil},
		"nobody":   {err: errors.New(`no "nobody" in /etc/passwd`)},
		"app:lost": {sandbox.User{UID: 1000, GID: 1001}, "", errors.New(`no "lost" in /etc/group`)},
	} {
		user, home, err := accountOf(root, spec)
		if (err == nil) != (want.err == nil) || err != nil && err.Error() != want.err.Error() {
			t.Errorf("%q: %v", spec, err)
		}
		if err == nil && (user != want.user || home != want.home) {
			t.Errorf("%q: %v %q", spec, user, home)
		}
	}
}
