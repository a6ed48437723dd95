package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// Each file in testdata/runtime is a case: a development image with Python, a base
// without, and what comes along. kit_test.go tells how trees are written; a line
//
//	path loader FAMILY VERSION [machine]   is a dynamic loader
func TestNewRuntime(t *testing.T) {
	eachCase(t, "testdata/runtime/*.txtar", func(t *testing.T, input string) string {
		t.Helper()
		return runtimeText(t, runtimeCase(t, input))
	})
}

// runtimeCase is readCase with loaders, and with "trim LEVEL" among the picks.
func runtimeCase(t *testing.T, text string) Input {
	t.Helper()
	var plain strings.Builder
	loaders := map[string][]*files.File{}
	level, section := "", ""
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "-- "); ok {
			section = strings.TrimSuffix(strings.TrimSpace(name), " --")
		}
		words := strings.Fields(line)
		switch {
		case len(words) > 3 && words[1] == "loader":
			loaders[section] = append(loaders[section], loaderFile(words))
		case len(words) == 2 && words[0] == "trim":
			level = words[1]
		default:
			plain.WriteString(line)
		}
	}
	in := readCase(t, plain.String())
	in.Options.Trim = level
	in.Dev.Python.Stdlib = in.Dev.Python.Prefix + "/lib/python3.11"
	in.Dev.Python.LibcVersion = map[string]string{"glibc": "2.36", "musl": "1.2.3"}[in.Dev.Python.Libc.Family]
	in.Dev.Files = in.Dev.Files.Merge(files.NewSet(loaders["dev"]))
	in.Base.Files = in.Base.Files.Merge(files.NewSet(loaders["base"]))
	return in
}

func loaderFile(words []string) *files.File {
	facts := &elfdeps.LoaderFacts{Family: "musl", PathFile: "/etc/ld-musl-x86_64.path"}
	if words[2] == "glibc" {
		facts = &elfdeps.LoaderFacts{Family: "glibc", SystemDirs: []string{"/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/"}, Cache: "/etc/ld.so.cache"}
	}
	i := &elfdeps.Info{Class: 64, Machine: elfdeps.MachineX86_64, Type: elfdeps.TypeDyn, Dynamic: true, Loader: facts, Version: words[3]}
	if len(words) > 4 {
		i.Machine = elfdeps.MachineAArch64
	}
	return &files.File{Path: words[0], Mode: 0o755, Size: 1, SHA256: "01", Content: content("l"), Note: i.Encode()}
}

func runtimeText(t *testing.T, in Input) string {
	t.Helper()
	var b strings.Builder
	r, err := NewRuntime(in)
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%T is no *Error", err)
		} else if e.Hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", e.Hint)
		}
		return b.String()
	}
	l := Layer{Reasons: r.Reasons}
	for f := range r.Files.All() {
		fileText(t, &b, l, f)
		if from := r.From[f.Path]; from != "" {
			fmt.Fprintf(&b, "    from %s\n", from)
		}
		if r.Merged[f.Path] {
			fmt.Fprintf(&b, "    joined with the base's\n")
		}
	}
	for _, x := range r.Trimmed {
		fmt.Fprintf(&b, "trimmed: %s of %s, %d files\n", x.Rule, x.Owner, x.Files)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

// merged is in with the base as if the interpreter stood in it, as the line makes it.
func merged(t *testing.T, in Input) Input {
	t.Helper()
	r, err := NewRuntime(in)
	if err != nil {
		t.Fatal(err)
	}
	base := *in.Base
	base.Files, base.Python = base.Files.Merge(r.Files), in.Dev.Python
	in.Base, in.Runtime = &base, r
	return in
}

const withPick = `
-- dev --
@python usr/local
@owned libz1 1.2 usr/lib/x86_64-linux-gnu/libz.so.1
usr/lib/x86_64-linux-gnu/libz.so.1 elf soname=libz.so.1 needs=libc.so.6
usr/lib/x86_64-linux-gnu/libq.so.1 elf soname=libq.so.1 needs=libz.so.1
usr/local/lib/python3.11/os.py
usr/local/lib/python3.11/lib-dynload/zlib.cpython-311-x86_64-linux-gnu.so elf needs=libz.so.1,libc.so.6
usr/local/lib/python3.11/site-packages/py/q.cpython-311-x86_64-linux-gnu.so elf needs=libq.so.1
usr/local/lib/python3.11/site-packages/py-1.dist-info/RECORD
@dist py 1 py-1.dist-info/RECORD py/
usr/local/lib/python3.11/site-packages/other/__init__.py
usr/local/lib/python3.11/site-packages/other-1.dist-info/RECORD
@dist other 1 other-1.dist-info/RECORD other/
-- base --
-- picks --
`

// The interpreter's layer lies at the bottom and depends on nothing but the two images;
// what packages need beside it goes where it goes on any base.
func TestRuntimeLayerIsTheSameForAllPicks(t *testing.T) {
	layer := func(picks string) (first Layer, names []string) {
		p, err := Make(merged(t, runtimeCase(t, withPick+picks)))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range p.Layers {
			names = append(names, l.Name)
		}
		return p.Layers[0], names
	}
	show := func(l Layer) string {
		var b strings.Builder
		for f := range l.Files.All() {
			fileText(t, &b, l, f)
		}
		return b.String()
	}
	one, names := layer("py image\n")
	if want := []string{"python 3.11.2", "native libraries", "small packages 2 of 8"}; len(names) != 3 || names[0] != want[0] || names[1] != want[1] {
		t.Errorf("layers %q, want %q", names, want)
	}
	two, _ := layer("py image\nother image\n")
	if a, b := show(one), show(two); a != b {
		t.Errorf("with other packages it is\n%s\nnot\n%s", b, a)
	}
	for _, path := range []string{"usr/local/bin/python3.11", "usr/local/lib/python3.11/os.py", triplet + "/libz.so.1", triplet + "/libc.so.6", "etc/passwd"} {
		if _, ok := one.Files.Get(path); !ok {
			t.Errorf("%s is not in the layer", path)
		}
	}
	if _, ok := one.Files.Get(triplet + "/libq.so.1"); ok {
		t.Error("a library that only a package needs is in the layer")
	}
	tmp, ok := one.Files.Get("tmp")
	if !ok || tmp.Mode != fs.ModeDir|fs.ModeSticky|0o777 {
		t.Errorf("/tmp is %v", tmp)
	}
}

// All directories that a base of nothing lacks are in the layer, and in the others those
// that they need themselves.
func TestLayersOnNothingHaveTheirDirectories(t *testing.T) {
	p, err := Make(merged(t, runtimeCase(t, withPick+"py image\n")))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range p.Layers {
		for f := range l.Files.All() {
			for dir := dirOf(f.Path); dir != ""; dir = dirOf(dir) {
				if d, ok := l.Files.Get(dir); !ok || !d.Mode.IsDir() {
					t.Errorf("%s: %s lies in %s, which the layer lacks", l.Name, f.Path, dir)
				}
			}
		}
	}
}

// A virtual environment needs the interpreter that it was made of, by the name that it
// was made with.
func TestNewRuntimeOfVirtualEnvironment(t *testing.T) {
	in := runtimeCase(t, `
-- dev --
@python
usr/lib/python3.11/os.py
opt/venv/pyvenv.cfg = home = /usr/bin
opt/venv/bin/python3 -> /usr/bin/python3
opt/venv/bin/python -> python3
opt/other/bin/python3 -> /usr/bin/python3
opt/venv/lib/python3.11/site-packages/flask.py
-- base --
`)
	outer := in.Dev.Python
	venv, other := *outer, *outer
	venv.Scheme, venv.Prefix, venv.Names = "venv", "opt/venv", []string{"opt/venv/bin/python", "opt/venv/bin/python3"}
	other.Scheme, other.Prefix, other.Names = "venv", "opt/other", []string{"opt/other/bin/python3"}
	in.Dev.Python = &venv
	in.Dev.Interpreters = append(in.Dev.Interpreters, &venv, &other)
	r, err := NewRuntime(in)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"opt/venv/pyvenv.cfg": true, "opt/venv/bin/python": true, "opt/venv/bin/python3": true, "usr/bin/python3": true, "usr/bin/python3.11": true,
		"opt/other/bin/python3": false, "opt/venv/lib/python3.11/site-packages/flask.py": false,
	} {
		if _, ok := r.Files.Get(path); ok != want {
			t.Errorf("%s: %v, want %v", path, ok, want)
		}
	}
}

// What the standard library leaves behind, by level.
func TestStdlibRules(t *testing.T) {
	for _, c := range []struct {
		path, safe, max string
	}{
		{"os.py", "", ""},
		{"test/support/__init__.py", "tests", "tests"},
		{"unittest/__init__.py", "", ""},
		{"unittest/test/test_case.py", "tests", "tests"},
		{"lib2to3/tests/data/x.py", "tests", "tests"},
		{"lib2to3/pgen2/driver.py", "", "lib2to3"},
		{"idlelib/idle.py", "editor and demos", "editor and demos"},
		{"turtledemo/tree.py", "editor and demos", "editor and demos"},
		{"config-3.11-x86_64-linux-gnu/libpython3.11.a", "headers and static libraries", "headers and static libraries"},
		{"config-3.11-x86_64-linux-gnu/Makefile", "headers and static libraries", "headers and static libraries"},
		{"ensurepip/__init__.py", "", "wheels of pip"},
		{"ensurepip/_bundled/pip-22.3.1-py3-none-any.whl", "wheels of pip", "wheels of pip"},
		{"pydoc_data/topics.py", "", "help texts"},
		{"_sysconfigdata__linux_x86_64-linux-gnu.py", "", ""},
		{"lib-dynload/_testcapi.cpython-311-x86_64-linux-gnu.so", "tests", "tests"},
		{"lib-dynload/xxlimited_35.cpython-311-x86_64-linux-gnu.so", "tests", "tests"},
		{"lib-dynload/_xxsubinterpreters.cpython-311-x86_64-linux-gnu.so", "", ""},
		{"lib-dynload/nis.cpython-311-x86_64-linux-gnu.so", "NIS", "NIS"},
		{"lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", "", ""},
		{"__pycache__/os.cpython-311.pyc", ruleByteCode, ruleByteCode},
		{"tkinter/__init__.py", "", "Tk"},
		{"distutils/command/wininst-9.0.exe", "Windows", "Windows"},
	} {
		for level, want := range map[string]string{"safe": c.safe, "max": c.max} {
			s := &stdlib{dir: "usr/lib/python3.11", level: level, tkinter: true}
			if got := s.leaves(&files.File{Path: "usr/lib/python3.11/" + c.path}); got != want {
				t.Errorf("%s at %s: got %q, want %q", c.path, level, got, want)
			}
		}
		s := &stdlib{dir: "usr/lib/python3.11", level: "none"}
		if got := s.leaves(&files.File{Path: "usr/lib/python3.11/" + c.path}); got != "" && got != ruleByteCode {
			t.Errorf("%s at none: got %q", c.path, got)
		}
	}
	without := &stdlib{dir: "usr/lib/python3.11", level: "safe"}
	if got := without.leaves(&files.File{Path: "usr/lib/python3.11/tkinter/__init__.py"}); got == "" {
		t.Error("tkinter stays without its extension module")
	}
}

// Nothing depends on the order in which files are found.
func TestNewRuntimeIsDeterministic(t *testing.T) {
	cases, err := filepath.Glob("testdata/runtime/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range cases {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		input, want, _ := strings.Cut(string(text), "-- want --\n")
		for range 3 {
			in := runtimeCase(t, input)
			slices.Reverse(in.Dev.Interpreters)
			if got := runtimeText(t, in); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
			}
		}
	}
}
