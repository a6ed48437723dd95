package ospkg

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mapTree is a tree of texts; links are followed in directories as far as the tests
// need it, one hop at the top.
type mapTree struct {
	files map[string]string
	links map[string]string
}

func (m mapTree) place(p string) string {
	p = path.Clean("/" + p)[1:]
	top, rest, ok := strings.Cut(p, "/")
	if to, isLink := m.links[top]; ok && isLink {
		p = to + "/" + rest
	}
	return p
}

func (m mapTree) Place(p string) (string, bool) {
	p = m.place(p)
	_, isFile := m.files[p]
	_, isLink := m.links[p]
	return p, isFile || isLink
}

func (m mapTree) ReadFile(p string, limit int64) ([]byte, bool) {
	b, ok := m.files[m.place(p)]
	return []byte(b), ok && int64(len(b)) <= limit
}

func (m mapTree) List(dir string) []string {
	var out []string
	for p := range m.files {
		if rest, ok := strings.CutPrefix(p, dir+"/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// parseTree reads the format of txtar: "-- name --" lines, each with the text of
// a file below it. "links" and "want" are not files.
func parseTree(text string) (m mapTree, want string) {
	m = mapTree{files: map[string]string{}, links: map[string]string{}}
	name := ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSuffix(line, "\n")
		if n, ok := strings.CutPrefix(trimmed, "-- "); ok && strings.HasSuffix(n, " --") {
			name = strings.TrimSuffix(n, " --")
			m.files[name] = ""
			continue
		}
		m.files[name] += line
	}
	for line := range strings.Lines(m.files["links"]) {
		if from, to, ok := strings.Cut(strings.TrimSpace(line), " -> "); ok {
			m.links[from] = to
		}
	}
	want = m.files["want"]
	for _, n := range []string{"", "links", "want"} {
		delete(m.files, n)
	}
	return m, want
}

func readTree(t testing.TB, name string) (m mapTree, want string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return parseTree(string(b))
}

func dump(d *Database) string {
	var b strings.Builder
	for _, p := range d.Packages {
		fmt.Fprintf(&b, "%s %s %s (%s, source %s %s)\n", p.Name, p.Version, p.Arch, p.Format, p.Source, p.SourceVersion)
		if len(p.Depends) > 0 {
			fmt.Fprintf(&b, "  depends %s\n", strings.Join(p.Depends, "; "))
		}
		if len(p.Provides) > 0 {
			fmt.Fprintf(&b, "  provides %s\n", strings.Join(p.Provides, "; "))
		}
		if p.License != "" {
			fmt.Fprintf(&b, "  licence %s\n", p.License)
		}
		for _, l := range p.LicenseFiles {
			fmt.Fprintf(&b, "  licence %s\n", l)
		}
		for _, f := range p.Files {
			fmt.Fprintf(&b, "  %s\n", f)
		}
	}
	for _, w := range d.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

func TestReadOnTrees(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) < 3 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		m, want := readTree(t, name)
		if got := dump(Read(m)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestOwnerAndPackage(t *testing.T) {
	m, _ := readTree(t, "testdata/alpine.txtar")
	d := Read(m)
	if p := d.Owner("bin/sh"); p == nil || p.Name != "another" {
		t.Errorf("bin/sh belongs to %v", p)
	}
	if p := d.Owner("bin/gone"); p != nil {
		t.Errorf("bin/gone belongs to %v", p)
	}
	if p := d.Package("musl"); p == nil || p.Version != "1.2.5-r10" {
		t.Errorf("musl is %v", p)
	}
	if p := d.Package("glibc"); p != nil {
		t.Errorf("glibc is %v", p)
	}
	var none *Database
	if none.Owner("x") != nil || none.Package("x") != nil {
		t.Error("no database owns something")
	}
}

func TestStanzasAreTheWholeRecord(t *testing.T) {
	m, _ := readTree(t, "testdata/debian.txtar")
	for _, p := range Read(m).Packages {
		if !strings.Contains(m.files["var/lib/dpkg/status"]+"\n", string(p.Stanza)+"\n") || strings.HasSuffix(string(p.Stanza), "\n") {
			t.Errorf("%s: %q", p.Name, p.Stanza)
		}
		if first, _, _ := strings.Cut(string(p.Stanza), "\n"); first != "Package: "+p.Name {
			t.Errorf("%s: begins with %q", p.Name, first)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"debian", "distroless", "alpine"} {
		b, err := os.ReadFile("testdata/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := parseTree(string(b))
		d := Read(m)
		for i, p := range d.Packages {
			if !isName(p.Name) || p.Version == "" {
				t.Fatalf("package %q %q", p.Name, p.Version)
			}
			if i > 0 && d.Packages[i-1].Name > p.Name {
				t.Fatalf("%q after %q", p.Name, d.Packages[i-1].Name)
			}
			for _, file := range p.Files {
				if final, ok := m.Place(file); !ok || final != file {
					t.Fatalf("%q is not in the tree", file)
				}
			}
		}
	})
}
