package files

import (
	"bytes"
	"io"
	"testing"
)

// double writes each byte twice.
type double string

func (d double) Name() string { return "double " + string(d) }

func (double) Reader(r io.Reader) io.Reader {
	b, _ := io.ReadAll(r)
	var out []byte
	for _, c := range b {
		out = append(out, c, c)
	}
	return bytes.NewReader(out)
}

type bytesContent string

func (c bytesContent) Open() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader([]byte(c))), nil
}

func textOf(t *testing.T, f *File) string {
	t.Helper()
	b, err := f.ReadAll(100)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRewrittenContentIsKnownByItsRule(t *testing.T) {
	f := &File{Path: "a", Size: 2, SHA256: "5a", Inode: 3, Note: []byte("n"), Content: bytesContent("ab")}
	once := Rewritten(f, double("x"), 4)
	twice := Rewritten(once, double("y"), 8)
	if textOf(t, once) != "aabb" || textOf(t, twice) != "aaaabbbb" || once.Inode != 0 || once.Note != nil {
		t.Errorf("%q, %q", textOf(t, once), textOf(t, twice))
	}
	for _, c := range []struct {
		f    *File
		want string
	}{
		{f, "5a"}, {once, "double x of 5a"}, {twice, "double y of double x of 5a"},
		{Rewritten(&File{Path: "b"}, double("x"), 1), ""},
		{&File{SHA256: "7b", Of: f, Rewrite: double("x")}, "7b"},
	} {
		if got := c.f.Identity(); got != c.want {
			t.Errorf("identity %q, want %q", got, c.want)
		}
	}
	if twice.Original() != f || f.Original() != f {
		t.Error("another original")
	}
}

func TestRereadKeepsTheRules(t *testing.T) {
	f := &File{Path: "a", Size: 2, SHA256: "5a", Content: bytesContent("ab")}
	twice := Rewritten(Rewritten(f, double("x"), 4), double("y"), 8)
	twice.Path = "elsewhere"
	g := twice.Reread(bytesContent("cd"))
	if textOf(t, g) != "ccccdddd" || g.Path != "elsewhere" || g.Identity() != twice.Identity() {
		t.Errorf("%+v %q", g, textOf(t, g))
	}
	if textOf(t, f.Reread(bytesContent("cd"))) != "cd" || textOf(t, twice) != "aaaabbbb" {
		t.Error("the file itself has changed")
	}
}
