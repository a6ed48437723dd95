package files_test

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/r-seed-1713b764/distill/internal/files"
)

type text string

func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(t))), nil }

// tree makes a set from lines like "usr/bin/", "bin -> usr/bin", "etc/os = text".
func tree(lines ...string) files.Set {
	var list []*files.File
	for _, l := range lines {
		if p, link, ok := strings.Cut(l, " -> "); ok {
			list = append(list, &files.File{Path: p, Mode: fs.ModeSymlink | 0o777, Link: link})
		} else if p, c, ok := strings.Cut(l, " = "); ok {
			list = append(list, &files.File{Path: p, Mode: 0o644, Size: int64(len(c)), Content: text(c)})
		} else if p, ok := strings.CutSuffix(l, "/"); ok {
			list = append(list, &files.File{Path: p, Mode: fs.ModeDir | 0o700})
		} else {
			list = append(list, &files.File{Path: l, Mode: 0o644, Content: text("")})
		}
	}
	return files.NewSet(list)
}

func paths(s files.Set) string { return join(slices.Collect(s.All())) }

func join(list []*files.File) string {
	var out []string
	for _, f := range list {
		out = append(out, f.Path)
	}
	return strings.Join(out, " ")
}

func TestNewSetSortsAndKeepsTheLaterOfTwo(t *testing.T) {
	s := tree("b = 1", "a = 1", "b = 22")
	if got := paths(s); got != "a b" {
		t.Errorf("paths %q", got)
	}
	if f, _ := s.Get("b"); f.Size != 2 {
		t.Errorf("b has %d bytes, want the later one's 2", f.Size)
	}
	if _, ok := s.Get("c"); ok {
		t.Error("c is there")
	}
}

func TestChildrenAndUnder(t *testing.T) {
	s := tree("a", "d/", "d/x", "d-e", "i-j", "i/k/l", "i/k/m", "i.z", "z/")
	for _, c := range []struct{ dir, children, under string }{
		{"", "a d d-e i i-j i.z z", "a d d-e d/x i-j i.z i/k/l i/k/m z"},
		{"d", "d/x", "d/x"},
		{"i", "i/k", "i/k/l i/k/m"},
		{"i/k", "i/k/l i/k/m", "i/k/l i/k/m"},
		{"z", "", ""},
		{"nowhere", "", ""},
		{"a", "", ""},
	} {
		if got := join(slices.Collect(s.Children(c.dir))); got != c.children {
			t.Errorf("Children(%q): %q, want %q", c.dir, got, c.children)
		}
		if got := join(slices.Collect(s.Under(c.dir))); got != c.under {
			t.Errorf("Under(%q): %q, want %q", c.dir, got, c.under)
		}
	}
}

func TestMergeAndFilter(t *testing.T) {
	a, b := tree("a = 1", "b = 1", "d = 1"), tree("b = 22", "c = 22", "e = 22")
	m := a.Merge(b, tree("a = 333"))
	if got := paths(m); got != "a b c d e" {
		t.Errorf("paths %q", got)
	}
	for p, want := range map[string]int64{"a": 3, "b": 2, "c": 2, "d": 1} {
		if f, _ := m.Get(p); f.Size != want {
			t.Errorf("%s has %d bytes, want %d", p, f.Size, want)
		}
	}
	if got := paths(m.Filter(func(f *files.File) bool { return f.Size > 1 })); got != "a b c e" {
		t.Errorf("filtered %q", got)
	}
	if got := paths(files.Set{}.Merge(a)); got != "a b d" {
		t.Errorf("merge into the empty set: %q", got)
	}
}

func TestLookupFollowsLinksInsideTheRoot(t *testing.T) {
	s := tree("bin -> usr/bin", "usr/bin/env", "usr/bin/python3 -> python3.11", "usr/bin/python3.11",
		"usr/bin/python -> /etc/alternatives/python", "etc/alternatives/python -> /bin/python3",
		"opt/out -> ../../../../usr", "loop -> loop2", "loop2 -> loop", "self/x -> .", "dangling -> gone/away",
		"opt/abs -> //usr//bin/", "dots -> a/../usr/bin/env", "a -> opt")
	for name, want := range map[string]string{
		"bin/env": "usr/bin/env", "/bin/python": "usr/bin/python3.11", "opt/out/bin/env": "usr/bin/env",
		"../../bin/../bin/env": "usr/bin/env", "self/x/x/x": "self", "": "", "/": "", "usr": "usr",
		"opt/abs/env": "usr/bin/env", "dots": "usr/bin/env", "bin//env/": "usr/bin/env", "./bin/./env": "usr/bin/env",
	} {
		f, final, ok := s.Lookup(name)
		if !ok || final != want || f.Path != want {
			t.Errorf("Lookup(%q): %q %v, want %q", name, final, ok, want)
		}
	}
	for _, name := range []string{"loop", "loop/x", "dangling", "nothing", "bin/nothing", "us"} {
		if _, _, ok := s.Lookup(name); ok {
			t.Errorf("Lookup(%q) finds something", name)
		}
	}
	if got, ok := s.Resolve("dangling/x"); !ok || got != "gone/away/x" {
		t.Errorf("Resolve of a dangling link: %q %v", got, ok)
	}
	if got, ok := s.ResolveParent("bin/python"); !ok || got != "usr/bin/python" {
		t.Errorf("ResolveParent: %q %v", got, ok)
	}
	if _, ok := s.ResolveParent("loop/x"); ok {
		t.Error("ResolveParent follows a loop")
	}
}

func TestReadAllHasALimit(t *testing.T) {
	f, _ := tree("a = 12345").Get("a")
	if b, err := f.ReadAll(5); err != nil || string(b) != "12345" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := f.ReadAll(4); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
	d := &files.File{Path: "d", Mode: fs.ModeDir}
	if _, err := d.Open(); err == nil {
		t.Error("a directory opens")
	}
}

func TestFSIsAFileSystem(t *testing.T) {
	s := tree("a = hello", "d/e/f = x", "d-x = y", "empty/", "d/link -> e/f", "d/up -> /a")
	if err := fstest.TestFS(s.FS(), "a", "d/e/f", "d-x", "empty", "d/link", "d/up"); err != nil {
		t.Error(err)
	}
	b, err := fs.ReadFile(s.FS(), "d/up")
	if err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	if to, err := fs.ReadLink(s.FS(), "d/up"); err != nil || to != "/a" {
		t.Errorf("%q, %v", to, err)
	}
	fifo := files.NewSet([]*files.File{{Path: "p", Mode: fs.ModeNamedPipe | 0o600}})
	if _, err := fifo.FS().Open("p"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a pipe: %v", err)
	}
}

func FuzzResolveStaysInTheRoot(f *testing.F) {
	f.Add("a/../../b", "../../x", "/y")
	f.Add("l/l/l", "l/l", "..")
	f.Fuzz(func(t *testing.T, name, link1, link2 string) {
		s := tree("x/y/z")
		s = s.Merge(files.NewSet([]*files.File{
			{Path: "l", Mode: fs.ModeSymlink, Link: link1}, {Path: "x/m", Mode: fs.ModeSymlink, Link: link2}}))
		for _, n := range []string{name, "l/" + name, "x/m/" + name} {
			final, ok := s.Resolve(n)
			if ok && final != "" && !strings.Contains(final, "\x00") && files.Clean(final) != final {
				t.Errorf("Resolve(%q) = %q, not a clean path", n, final)
			}
		}
	})
}
