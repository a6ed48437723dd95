package distill

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadHintsJoinsFilesToThoseBuiltIn(t *testing.T) {
	name := filepath.Join(t.TempDir(), "acme.toml")
	text := "[[hint]]\npackage = 'Acme_Reports'\nwhy = 'it prints'\nprograms = ['wkhtmltopdf']\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	book, err := readHints([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	if got := book.For("acme-reports"); len(got) != 1 || got[0].Why != "it prints" {
		t.Errorf("got %+v", got)
	}
	if len(book.For("graphviz")) == 0 {
		t.Error("those built in are gone")
	}
}

func TestReadHintsNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("[[hint]]\npackage = 'a'\nwhy = 'b'\nlibrary = ['c']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{bad, bad + ":4: there is no key \"hint.library\""},
		{filepath.Join(dir, "gone.toml"), "gone.toml: no such file or directory"},
		{dir, "not a file of at most"},
	} {
		if _, err := readHints([]string{c.name}); err == nil || !strings.Contains(err.Error(), c.want) || KindOf(err) != Usage {
			t.Errorf("%s: got %v (%v), want %q", c.name, err, KindOf(err), c.want)
		}
	}
}
