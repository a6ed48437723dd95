package hints

import (
	"strings"
	"testing"
)

func TestBuiltInIsInOrderOfPackage(t *testing.T) {
	b := BuiltIn()
	if len(b.list) == 0 {
		t.Fatal("no hints")
	}
	for i := 1; i < len(b.list); i++ {
		if b.list[i].Package < b.list[i-1].Package {
			t.Errorf("%s stands after %s", b.list[i].Package, b.list[i-1].Package)
		}
	}
}

func TestParse(t *testing.T) {
	b, err := Parse("site.toml", []byte(`
[[hint]]
package = "Python_Magic"
why = "libmagic reads its database by a compiled-in path"
when = ["magic/*.py", "/usr/bin/file"]
libraries = ["libmagic.so.1", "libmagic_*.so"]
files = ["/usr/share/misc/magic.mgc"]
programs = ["file"]

[[hint]]
package = "python-magic"
why = "tests are part of it"
keep = ["magic/testing/**"]
`))
	if err != nil {
		t.Fatal(err)
	}
	got := b.For("python-magic")
	if len(got) != 2 || got[0].Programs[0] != "file" || len(got[0].When) != 2 || got[1].Keep[0] != "magic/testing/**" {
		t.Errorf("got %+v", got)
	}
	if other := b.For("magic"); other != nil {
		t.Errorf("magic has %+v", other)
	}
	var none *Book
	if none.For("magic") != nil || len(none.Join(b).For("python-magic")) != 2 {
		t.Error("an empty book is not empty")
	}
}

func TestParseErrorsNameThePlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nlibs = ['c']\n", `f.toml:4: there is no key "hint.libs"`},
		{"[[hint]]\npackage = 'a'\nwhy = 'b\n", "f.toml:3: "},
		{"[[hint]]\npackage = 'a'\nwhy = ['b']\n", "f.toml:3: "},
		{"[hint]\npackage = 'a'\n", "f.toml"},
		{"[[hint]]\npackage = '-'\nwhy = 'b'\n", `f.toml: hint 1 ("-"): package: "-" is no project name`},
		{"[[hint]]\npackage = 'a'\nprograms = ['x']\n", `f.toml: hint 1 ("a"): why: it has no reason`},
		{"[[hint]]\npackage = 'a'\nwhy = \"b\\nc\"\nprograms = ['x']\n", "why: more than one line"},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\n", "it names nothing"},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nlibraries = ['/usr/lib/x.so']\n", `libraries: "/usr/lib/x.so" is no name: it has a path`},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nlibraries = ['']\n", `libraries: "" is no pattern`},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nprograms = ['..']\n", "programs: \"..\" is no name"},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nfiles = ['etc/x']\n", `files: "etc/x" has no slash before it`},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nfiles = ['/etc/../x']\n", "has a . or .. in it"},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nfiles = ['/etc/[']\n", "is no pattern"},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nfiles = [\"/etc/\\u0007\"]\n", "is no name of a file"},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nkeep = ['/a/**']\n", "begins with no slash"},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nkeep = ['" + strings.Repeat("a", 2000) + "']\n", "is no name of a file"},
		{"[[hint]]\npackage = 'a'\nwhy = 'b'\nkeep = [" + strings.Repeat("'a',", 300) + "]\n", "keep: 300 entries, more than 256"},
		{strings.Repeat("[[hint]]\n", 5000), "f.toml: 5000 hints, more than 4096"},
		{strings.Repeat("# a comment\n", 1<<17), "f.toml: "},
	} {
		b, err := Parse("f.toml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: got %v, %v, want %q", c.text, b, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(builtIn)
	f.Add([]byte("[[hint]]\npackage = 'a'\nwhy = 'b'\nkeep = ['c/**']\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Parse("f.toml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.toml:") {
				t.Errorf("%v does not name the file", err)
			}
			return
		}
		for _, h := range b.list {
			if h.Package == "" || h.Why == "" {
				t.Errorf("a hint about %q, because %q", h.Package, h.Why)
			}
			for _, f := range h.Files {
				if f[0] != '/' || strings.Contains(f, "..") && strings.Contains(f, "/../") {
					t.Errorf("file %q", f)
				}
			}
		}
	})
}
