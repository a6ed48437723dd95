package build

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLines(t *testing.T) {
	text, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(string(text), "\n== ")[1:]
	if len(cases) < 25 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, c := range cases {
		name, rest, _ := strings.Cut(c, "\n")
		log, want, _ := strings.Cut("\n"+rest, "\n-- lines --")
		got := strings.Join(Lines([]byte(log), 3), "\n")
		if want = strings.TrimSpace(want); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

func TestLinesBelievesTheEnd(t *testing.T) {
	probe := "check.c:1:10: fatal error: yaml.h: No such file or directory\n"
	log := probe + strings.Repeat("copying a file\n", 2*farFromEnd) + "foo.c:1:1: error: real\n"
	if got := Lines([]byte(log), 2); !slices.Equal(got, []string{"foo.c:1:1: error: real", strings.TrimSpace(probe)}) {
		t.Errorf("%q", got)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("CMake Error at x:\n\n  text\nerror: a\n --> b\nTraceback (most recent call last):\nA: b\n\xff"), 3)
	f.Fuzz(func(t *testing.T, log []byte, n int) {
		got := Lines(log, n)
		if len(got) > max(n, 0) {
			t.Errorf("%d lines, not %d", len(got), n)
		}
		for _, l := range got {
			if !utf8.ValidString(l) || len(l) > maxLine+len("...") || strings.Contains(l, "\n") || strings.TrimSpace(l) == "" {
				t.Errorf("%q", l)
			}
		}
	})
}

func TestLog(t *testing.T) {
	var kept strings.Builder
	l := NewLog(&kept)
	for _, s := range []string{"a\x1b[31mb\x07\r\n", "50%\r100%\n", "\xc2", "\x9b31m \xe2\x80", "\xae x ü \xc2\xa0\n", "\xff\xfe\n"} {
		if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
			t.Error(n, err)
		}
	}
	want := `a\x1b[31mb\x07` + "\n50%\n100%\n" + `\x9b31m \u202e x ü ` + "\u00a0\n" + "\ufffd\ufffd\n"
	if kept.String() != want || string(l.Tail()) != want {
		t.Errorf("%q", kept.String())
	}
}

func TestLogIsBounded(t *testing.T) {
	var kept strings.Builder
	l := NewLog(&kept)
	chunk := []byte(strings.Repeat("x", 1<<20))
	for i := range 80 {
		fmt.Fprintf(l, "%d\n", i)
		l.Write(chunk)
	}
	if n := kept.Len(); n < MaxLog || n > MaxLog+100 || !strings.HasSuffix(kept.String(), "too long]\n") {
		t.Errorf("%d bytes", n)
	}
	if n := len(l.Tail()); n < maxTail || n > 2*maxTail {
		t.Errorf("a tail of %d bytes", n)
	}
}

func TestLogSeesCodeForOneProcessor(t *testing.T) {
	for text, want := range map[string]bool{"g++ -O3 -march=native -c x.cpp\n": true, "cc -mcpu=native\n": true, "g++ -march=x86-64-v2 -c x.cpp\n": false, "": false} {
		l := NewLog(nil)
		l.Write([]byte(text))
		if l.Native() != want {
			t.Errorf("%q: not %v", text, want)
		}
	}
}

func TestLogOutlivesItsWriter(t *testing.T) {
	l := NewLog(fullDisk{})
	if n, err := l.Write([]byte("text\n")); n != 5 || err != nil || l.Err() == nil || string(l.Tail()) != "text\n" {
		t.Error(n, err, l.Err())
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestAdvice(t *testing.T) {
	const pre, post = "some text\nTraceback (most recent call last):\n  File \"x\", line 1\n", "\n"
	for line, want := range map[string]string{
		"ModuleNotFoundError: No module named 'numpy.distutils'":                            "needs the module numpy to build",
		"ModuleNotFoundError: No module named 'pkg_resources'":                              "pkg_resources",
		"ModuleNotFoundError: No module named 'distutils'":                                  "older Python",
		"error: can't find Rust compiler":                                                   "needs Rust (cargo and rustc)",
		"  Caused by: Cargo metadata failed. Do you have cargo in your PATH?":               "needs Rust (cargo and rustc)",
		"As a reminder, you're using offline mode (--offline) which can sometimes":          "Rust crates are not in the source archive",
		"urllib.error.URLError: <urlopen error [Errno -3] Temporary failure":                "no network",
		"c++: fatal error: Killed signal terminated program cc1plus":                        "more memory",
		"OSError: [Errno 28] No space left on device":                                       "room",
		"LookupError: setuptools-scm was unable to detect version for /build/src/demo-1.0.": "does not say its version",
		"  Compatibility with CMake < 3.5 has been removed from CMake.":                     "older than the CMake",
		"RuntimeError: something else":                                                      "",
	} {
		got := Advice([]byte(pre + line + post))
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q", line, got)
		}
	}
}
