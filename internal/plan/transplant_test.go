package plan

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// Each file in testdata/transplant is a case: both bases, what the layers add, and what
// is said of it.
func TestTransplant(t *testing.T) {
	eachCase(t, "testdata/transplant/*.txtar", func(t *testing.T, input string) string {
		t.Helper()
		return transplantText(t, input)
	})
}

func transplantText(t *testing.T, input string) string {
	t.Helper()
	part := map[string]string{}
	for _, s := range sections(input) {
		part[s.name] = s.text
	}
	whole := func(base string) *inspect.Environment {
		env := readTree(t, base+part["added"])
		// In the order in which Python finds them: its own folder is first.
		slices.SortStableFunc(env.Distributions, func(a, b *inspect.Distribution) int {
			return strings.Compare(b.Location, a.Location)
		})
		return env
	}
	tree := func(text string) files.Set { return readTree(t, text).Files }
	own := map[string]bool{}
	base := tree(part["old"])
	old := whole(part["old"])
	for f := range old.Files.All() {
		if g, ok := base.Get(f.Path); !ok || !isIdentical(f, g) {
			own[f.Path] = true
		}
	}
	tr := Transplant{
		Platform: "linux/amd64", Old: old, New: whole(part["new"]), OldBase: base, NewBase: tree(part["new"]),
		Added:  old.Files.Filter(func(f *files.File) bool { return own[f.Path] }),
		InBase: strings.Split(strings.TrimSpace(part["in base"]), "\n"),
	}
	if part["in base"] == "" {
		tr.InBase = nil
	}
	warnings, err := tr.Check()
	var b strings.Builder
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	for _, w := range warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	if b.Len() == 0 {
		return "fine\n"
	}
	return b.String()
}

func TestRejoin(t *testing.T) {
	zlib := elfdeps.CacheEntry{Name: "libz.so.1", Path: "/lib/libz.so.1", Flags: 0x303}
	odbc := elfdeps.CacheEntry{Name: "libodbc.so.2", Path: "/lib/libodbc.so.2", Flags: 0x303}
	ssl := elfdeps.CacheEntry{Name: "libssl.so.3", Path: "/lib/libssl.so.3", Flags: 0x303}
	gone := elfdeps.CacheEntry{Name: "libgone.so.1", Path: "/lib/libgone.so.1", Flags: 0x303}
	cache := func(list ...elfdeps.CacheEntry) string { return string(elfdeps.EncodeCache(list)) }
	set := func(path, text string) files.Set {
		if text == "" {
			return files.Set{}
		}
		return files.NewSet([]*files.File{newText(path, 0o644, []byte(text))})
	}
	tree := files.NewSet([]*files.File{newText("lib/libz.so.1", 0, nil), newText("lib/libodbc.so.2", 0, nil), newText("lib/libssl.so.3", 0, nil)})
	for _, c := range []struct{ name, path, joined, old, now, want string }{
		{"cache", "etc/ld.so.cache", cache(zlib, odbc), cache(zlib), cache(ssl, zlib, gone), cache(ssl, zlib, odbc)},
		{"cache, none in the bases", "etc/ld.so.cache", cache(odbc, gone), "", "", cache(odbc)},
		{"apk", "lib/apk/db/installed", "P:musl\nV:1\n\nP:odbc\nV:2\n\n", "P:musl\nV:1\n\n", "P:musl\nV:1.1\n\n", "P:musl\nV:1.1\n\nP:odbc\nV:2\n\n"},
		{"apk, none in the bases", "lib/apk/db/installed", "P:odbc\nV:2\n\n", "", "", "P:odbc\nV:2\n\n"},
	} {
		joined, _ := set(c.path, c.joined).Get(c.path)
		f, ok, err := Rejoin(joined, set(c.path, c.old).Merge(tree), set(c.path, c.now).Merge(tree))
		if err != nil || !ok {
			t.Errorf("%s: %v, %v", c.name, ok, err)
			continue
		}
		got, err := f.ReadAll(1 << 20)
		if err != nil || !bytes.Equal(got, []byte(c.want)) {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	if _, ok, err := Rejoin(newText("etc/else", 0, []byte("x")), files.Set{}, tree); ok || err != nil {
		t.Errorf("something else: %v, %v", ok, err)
	}
	if _, _, err := Rejoin(newText("etc/ld.so.cache", 0, []byte("x")), files.Set{}, tree); err == nil {
		t.Error("a damaged cache is joined")
	}
}
