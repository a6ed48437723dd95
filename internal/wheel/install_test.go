package wheel

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
)

var demoScheme = Scheme{Purelib: "lib", Platlib: "lib64", Scripts: "usr/bin", Data: "usr", Headers: "usr/include/py", Python: "/usr/bin/python3.11"}

func contentOf(t *testing.T, set files.Set, path string) string {
	t.Helper()
	f, ok := set.Get(path)
	if !ok {
		t.Fatalf("no %s", path)
	}
	b, err := f.ReadAll(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFilesGoWhereTheSchemeSays(t *testing.T) {
	const data = "demo_pkg-1.0.data/"
	z := demo("demo/a.py", "a\n", "demo/tool", "t", "demo/__pycache__/a.cpython-311.pyc", "old",
		data+"purelib/p.py", "p", data+"platlib/q.so", "q", data+"headers/h.h", "h", data+"data/share/man/x.1", "x",
		data+"scripts/run", "#!python -E\nprint()\n", data+"scripts/binary", "\x7fELF", data+"scripts/demo", "replaced",
		demoInfo+"INSTALLER", "pip\n", demoInfo+"REQUESTED", "", demoInfo+"direct_url.json", "{}",
		demoInfo+"entry_points.txt", "[console_scripts]\ndemo = demo.cli:app.main [extra]\n")
	z.file("demo/tool").mode = 0o100775
	set, err := mustOpen(t, z).Files(demoScheme)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for f := range set.All() {
		fmt.Fprintf(&got, "%s %s\n", f.Mode, f.Path)
	}
	const want = `-rw-r--r-- lib/demo/a.py
-rwxr-xr-x lib/demo/tool
-rw-r--r-- lib/demo_pkg-1.0.dist-info/INSTALLER
-rw-r--r-- lib/demo_pkg-1.0.dist-info/METADATA
-rw-r--r-- lib/demo_pkg-1.0.dist-info/RECORD
-rw-r--r-- lib/demo_pkg-1.0.dist-info/WHEEL
-rw-r--r-- lib/demo_pkg-1.0.dist-info/entry_points.txt
-rw-r--r-- lib/p.py
-rw-r--r-- lib64/q.so
-rwxr-xr-x usr/bin/binary
-rwxr-xr-x usr/bin/demo
-rwxr-xr-x usr/bin/run
-rw-r--r-- usr/include/py/demo-pkg/h.h
-rw-r--r-- usr/share/man/x.1
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	for path, want := range map[string]string{
		"usr/bin/run":                          "#!/usr/bin/python3.11\nprint()\n",
		"usr/bin/binary":                       "\x7fELF",
		"lib/demo_pkg-1.0.dist-info/INSTALLER": "distill\n",
		"usr/bin/demo": `#!/usr/bin/python3.11
# -*- coding: utf-8 -*-
import sys
from demo.cli import app

if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".exe")
    sys.exit(app.main())
`,
	} {
		if got := contentOf(t, set, path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestRecordFitsWhatIsInstalled(t *testing.T) {
	z := demo("demo/a, b.py", "a\n", "demo_pkg-1.0.data/scripts/run", "#!python\n", "demo_pkg-1.0.data/platlib/q.so", "q")
	set, err := mustOpen(t, z).Files(demoScheme)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := python.ParseRecord([]byte(contentOf(t, set, "lib/demo_pkg-1.0.dist-info/RECORD")))
	if err != nil || len(lines) != set.Len() {
		t.Fatalf("%d lines for %d files, %v", len(lines), set.Len(), err)
	}
	for _, l := range lines {
		f, ok := set.Get(filepath.Join("lib", l.Path))
		if !ok {
			t.Errorf("%s is not installed", l.Path)
			continue
		}
		if strings.HasSuffix(l.Path, "/RECORD") {
			continue
		}
		if l.Size != f.Size || l.Algorithm != "sha256" || l.Digest != f.SHA256 {
			t.Errorf("%s: %+v, but the file has %d bytes, %s", l.Path, l, f.Size, f.SHA256)
		}
		if sum, err := hashContent(f.Content); err != nil || sum != f.SHA256 {
			t.Errorf("%s: content has %s, %v", l.Path, sum, err)
		}
	}
}

func TestFilesRefusesTwoFilesForOnePath(t *testing.T) {
	z := demo("demo/a.py", "a", "demo_pkg-1.0.data/purelib/demo/a.py", "b")
	if _, err := mustOpen(t, z).Files(demoScheme); err == nil || !strings.Contains(err.Error(), `"lib/demo/a.py"`) {
		t.Errorf("got %v", err)
	}
	z = demo("demo/a.py", "a", "demo_pkg-1.0.data/purelib/demo/a.py", "a")
	if _, err := mustOpen(t, z).Files(demoScheme); err != nil {
		t.Errorf("same content: %v", err)
	}
	z = demo("demo_pkg-1.0.data/lib/x", "a")
	if _, err := mustOpen(t, z).Files(demoScheme); err == nil {
		t.Error("unknown kind of file: taken")
	}
}

func TestPlatlibWheelHasItsDistInfoThere(t *testing.T) {
	z := demo("demo/a.so", "a", demoInfo+"WHEEL", "Wheel-Version: 1.9\nRoot-Is-Purelib: False\n")
	set, err := mustOpen(t, z).Files(demoScheme)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"lib64/demo/a.so", "lib64/demo_pkg-1.0.dist-info/RECORD"} {
		if _, ok := set.Get(p); !ok {
			t.Errorf("no %s", p)
		}
	}
}

func TestShebang(t *testing.T) {
	long := "/" + strings.Repeat("x", 130)
	for interpreter, want := range map[string]string{
		"/usr/bin/python3":    "#!/usr/bin/python3\n",
		"/opt/my env/bin/py":  "#!/bin/sh\n'''exec' \"/opt/my env/bin/py\" \"$0\" \"$@\"\n' '''\n",
		long:                  "#!/bin/sh\n'''exec' " + long + " \"$0\" \"$@\"\n' '''\n",
		long[:maxShebang-3]:   "#!" + long[:maxShebang-3] + "\n",
		long[:maxShebang-3+1]: "#!/bin/sh\n'''exec' " + long[:maxShebang-2] + " \"$0\" \"$@\"\n' '''\n",
	} {
		if got := shebang(interpreter); got != want {
			t.Errorf("%s: got %q, want %q", interpreter, got, want)
		}
	}
}

func TestLaunchersRun(t *testing.T) {
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not on the PATH")
	}
	dir := filepath.Join(t.TempDir(), "with a blank")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(dir, "python")
	if err := os.Symlink(interpreter, linked); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "say")
	p := python.EntryPoint{Group: "console_scripts", Name: "say", Module: "os.path", Attr: "os.getcwd"}
	if err := os.WriteFile(script, launcher(p, linked), 0o700); err != nil {
		t.Fatal(err)
	}
	// sys.exit of a string prints it and exits with 1.
	out, err := exec.Command(script).CombinedOutput()
	if cwd, _ := os.Getwd(); strings.TrimSpace(string(out)) != cwd {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestRelative(t *testing.T) {
	for _, c := range [][3]string{
		{"usr/lib/py", "usr/lib/py/a/b.py", "a/b.py"}, {"usr/lib/py", "usr/bin/x", "../../bin/x"}, {".", "a/b", "a/b"}, {"a", "b", "../b"}, {"a/b", "a/b", "../b"},
	} {
		if got := relative(c[0], c[1]); got != c[2] {
			t.Errorf("%s from %s: got %s, want %s", c[1], c[0], got, c[2])
		}
	}
}
