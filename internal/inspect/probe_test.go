package inspect

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps/elftest"
	"github.com/r-seed-1713b764/distill/internal/files"
)

func TestProbeWantsLittle(t *testing.T) {
	elf := string(elftest.File{}.Bytes()[:64])
	pyc := "\xa7\r\r\n\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06\x00\x00"
	object := strings.Replace(elf, "\x03\x00\x3e\x00", "\x01\x00\x3e\x00", 1)
	const c, n, d = files.WantContent, files.WantNote, files.WantSHA256
	for _, x := range []struct {
		path, head string
		size       int64
		want       files.Want
	}{
		{"usr/lib/x86_64-linux-gnu/libz.so.1", elf, 1000, n | d},
		{"usr/sbin/fsck", elf, 1000, n},
		{"usr/include/python3.11/greenlet/greenlet.h", "#", 10, d},
		{"usr/lib/crt1.o", object, 1000, 0},
		{"usr/local/lib/python3.11/site-packages/a/x.so", elf, 1 << 30, n | d},
		{"usr/local/lib/python3.11/site-packages/a/x.py", "import", 1000, n | d},
		{"usr/local/lib/python3.11/site-packages/a/x.py", "import", 9 << 20, d},
		{"usr/local/bin/rst2html.py", "#!/usr/bin/python3", 1000, n | d},
		{"usr/local/lib/python3.11/site-packages/a/__pycache__/x.cpython-311.pyc", pyc, 1000, n | d},
		{"usr/local/lib/python3.11/site-packages/a/__pycache__/x.cpython-311.opt-1.pyc", pyc, 1000, 0},
		{"usr/local/lib/python3.11/site-packages/a/__pycache__/x.cpython-311.pyc", "\xa7", 1000, 0},
		{"usr/local/lib/python3.11/site-packages/a/x.pyc", pyc, 1000, d},
		{"usr/lib/python3.11/__pycache__/os.cpython-311.pyc", pyc, 1000, n | d},
		{"usr/local/lib/python3.11/site-packages/a-1.dist-info/RECORD", "a", 1000, c | d},
		{"usr/local/lib/python3.11/site-packages/a-1.dist-info/RECORD", "a", 1 << 30, d},
		{"usr/local/lib/python3.11/site-packages/a-1.dist-info/METADATA", "M", 1000, n | d},
		{"usr/local/lib/python3.11/site-packages/a-1.dist-info/METADATA", "M", 17 << 20, d},
		{"usr/local/lib/python3.11/site-packages/a-1.dist-info/licenses/LICENSE", "M", 1000, d},
		{"usr/lib/python3/dist-packages/six-1.egg-info", "M", 1000, n | d},
		{"usr/local/bin/app", "#!/usr/bin/python3\n", 1000, n | d},
		{"usr/local/bin/tool", "\x00\x01", 1000, d},
		{"usr/local/share/man/man1/x.1", "x", 10, d},
		{"usr/local/lib/libmkl.so.2", "x", 10, d},
		{"usr/share/doc/x/copyright", "x", 10, 0},
		{"usr/lib/python3.11/os.py", "x", 10, n | d},
		{"usr/lib/python3.11/site.py", "x", 10, n | d},
		{"opt/conda/share/x", "x", 10, d},
		{"opt/conda/conda-meta/numpy-1.json", "{", 5 << 20, n},
		{"opt/conda/pkgs/cache/x.json", "{", 5 << 20, 0},
		{"etc/shadow", "root", 100, 0},
		{"var/lib/dpkg/status", "P", 10 << 20, c},
		{"var/lib/dpkg/info/libc6:amd64.list", "/", 100, c},
		{"var/lib/dpkg/info/libc6:amd64.postinst", "#!/bin/sh", 100, 0},
		{"lib/apk/db/installed", "C", 100, c},
		{"usr/glibc-compat/etc/ld.so.cache", "g", 100, c},
	} {
		if got := Probe().Wants(x.path, x.size, []byte(x.head)); got != x.want {
			t.Errorf("%s: got %03b, want %03b", x.path, got, x.want)
		}
	}
}

func note(t *testing.T, name string, b []byte) string {
	t.Helper()
	n, err := Probe().Note(name, int64(len(b)), bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return string(n)
}

func TestByteCodeIsKnownByItsHeader(t *testing.T) {
	text := "\xa7\r\r\n\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06\x00\x00and the rest"
	const name = "lib/python3.11/__pycache__/a.cpython-311.pyc"
	h, ok := ByteCode(&files.File{Path: name, Note: []byte(note(t, name, []byte(text)))})
	if !ok || h.Magic != 3495 || !h.IsOf(0x04030201, 0x605) || h.IsOf(0x04030202, 0x605) {
		t.Errorf("%+v, %v", h, ok)
	}
	for _, odd := range []string{"", "short", strings.Repeat("x", 20)} {
		if n := note(t, name, []byte(odd)); n != "" {
			t.Errorf("%q gives the note %q", odd, n)
		}
	}
	for _, odd := range []string{"", "B", "B0123456789abcdef", "Sd"} {
		if h, ok := ByteCode(&files.File{Note: []byte(odd)}); ok {
			t.Errorf("%q is byte code: %+v", odd, h)
		}
	}
}

func TestNotesAreCondensed(t *testing.T) {
	meta := "Name: a\nDescription: one\n two\n\tthree\nVersion: 1\n\nName: not\n"
	if got := note(t, "a-1.dist-info/METADATA", []byte(meta)); got != "MName: a\nVersion: 1\n" {
		t.Errorf("metadata: %q", got)
	}
	script := "#!/opt/venv/bin/python\n" + strings.Repeat("# long\n", 1000)
	if got := note(t, "usr/bin/a", []byte(script)); got != script[:maxScript] {
		t.Errorf("script: %q", got)
	}
	if got := note(t, "usr/local/bin/rst2html.py", []byte(script)); got != script[:maxScript] {
		t.Errorf("script with a suffix: %q", got)
	}
	if got := note(t, "usr/lib/x.so", []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00torn")); got != "" {
		t.Errorf("damaged ELF: %q", got)
	}
}

func zippedEgg(t *testing.T, entries map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range []string{"docopt.py", "EGG-INFO/PKG-INFO", "EGG-INFO/requires.txt"} {
		w, err := z.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, entries[n]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestZippedEggs(t *testing.T) {
	const dir = "usr/local/lib/python3.11/site-packages"
	egg := zippedEgg(t, map[string]string{"EGG-INFO/PKG-INFO": "Name: docopt\nVersion: 0.6.2\n\nlong", "EGG-INFO/requires.txt": "six\n"})
	s := parseSample(glibcImage("2.36", "3.11.2", "-- "+dir+"/easy-install.pth --", "docopt-0.6.2-py3.11.egg", "torn.egg", ""))
	s.set = s.set.Merge(files.NewSet([]*files.File{
		probed(dir+"/docopt-0.6.2-py3.11.egg", egg), probed(dir+"/torn.egg", egg[:len(egg)/2]),
	}))
	e, err := Read(s.set, Options{})
	if err != nil || len(e.Distributions) != 1 {
		t.Fatal(err, e.Distributions)
	}
	d := e.Distributions[0]
	if d.Name != "docopt" || d.Version.String() != "0.6.2" || d.Kind != Egg || len(d.Files) != 1 ||
		d.PathEntry != dir+"/docopt-0.6.2-py3.11.egg" || len(d.Metadata.RequiresDist) != 1 {
		t.Errorf("got %+v", d)
	}
}

type broken struct{ err error }

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, b.err }

func TestNoteTellsReadErrors(t *testing.T) {
	want := errors.New("layer is gone")
	for _, name := range []string{"a/METADATA", "x.egg", "conda-meta/a.json", "lib/python3/site.py", "bin/x"} {
		if _, err := Probe().Note(name, 1000, broken{want}); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOptionsChooseTheInterpreter(t *testing.T) {
	text := glibcImage("2.36", "3.11.2", "opt/py/bin/python3.12 python 3.12.1 312 /lib64/ld-linux-x86-64.so.2", "-- opt/py/lib/python3.12/os.py --")
	s := parseSample(text)
	for _, c := range []struct{ path, want string }{
		{"", "usr/local/bin/python3.11"},
		{"/opt/py/bin/python3.12", "opt/py/bin/python3.12"},
		{"usr/local/bin/python3", "usr/local/bin/python3.11"},
	} {
		e, err := Read(s.set, Options{Python: c.path})
		if err != nil || e.Python.Path != c.want || len(e.Interpreters) != 2 {
			t.Errorf("%q: %v, %v", c.path, e.Python, err)
		}
	}
	for _, p := range []string{"/usr/bin/python9", "/etc"} {
		if _, err := Read(s.set, Options{Python: p}); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%q: %v", p, err)
		}
	}
}
