package modules_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/modules"
	"github.com/r-seed-1713b764/distill/internal/pysource"
)

// tree makes a set of lines "path", "path = text" and "path -> target".
func tree(text string) (files.Set, map[string]string) {
	var list []*files.File
	content := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if p, to, ok := strings.Cut(line, " -> "); ok {
			list = append(list, &files.File{Path: p, Mode: fs.ModeSymlink | 0o777, Link: to})
			continue
		}
		p, text, _ := strings.Cut(strings.TrimSuffix(line, " ="), " = ")
		content[p] = strings.ReplaceAll(text, `\n`, "\n")
		list = append(list, &files.File{Path: p, Mode: 0o644})
	}
	return files.NewSet(list), content
}

const sample = `
lib/os.py = import sys
lib/json/__init__.py = from .decoder import x
lib/json/decoder.py = import re, _json
lib/re.py =
site/both/__init__.py =
site/both.py =
site/ext.cpython-311-x86_64-linux-gnu.so
site/ext.py =
site/stable.abi3.so
site/plain.so
site/coded.pyc
site/other.cpython-310-x86_64-linux-gnu.so
site/ns/one.py =
more/ns/two.py =
site/old/__init__.py = __import__('pkg_resources').declare_namespace(__name__)
more/old/part.py =
site/link -> real
site/real/__init__.py =
site/real/sub.py =
site/filelink.py -> real/sub.py
site/broken.py -> nowhere
site/lazy/__init__.py = def __getattr__(name): pass
site/graft/__init__.py = sys.modules['x'] = y
site/star/__init__.py = from .impl import *
site/star/impl.py =
site/pkg/__init__.py = A = 1\nfrom . import a as b
site/pkg/a.py = from .c import x\nfrom ..real import sub\nfrom ... import far
site/pkg/c.py = try:\n  import nowhere\nexcept ImportError:\n  from . import fallback\ntry:\n  import re\nexcept ImportError:\n  from . import unneeded
site/eggs.zip
`

func newTree(t *testing.T) *modules.Tree {
	t.Helper()
	set, content := tree(sample)
	return modules.New(set, modules.Options{
		SysPath: []string{"lib", "site", "more", "site/eggs.zip", "absent"}, ExtSuffix: ".cpython-311-x86_64-linux-gnu.so",
		Builtins: []string{"_json", "math"}, Minor: 11, Archives: map[string][]string{"site/eggs.zip": {"zipped"}},
		Source: func(f *files.File) *pysource.Facts { return pysource.ScanPackage([]byte(content[f.Path])) },
	})
}

func TestFind(t *testing.T) {
	tr := newTree(t)
	for name, want := range map[string]string{
		"os": "lib/os.py", "json.decoder": "lib/json/decoder.py", "both": "site/both/__init__.py", "ext": "site/ext.cpython-311-x86_64-linux-gnu.so",
		"stable": "site/stable.abi3.so", "plain": "site/plain.so", "coded": "site/coded.pyc", "ns.one": "site/ns/one.py", "ns.two": "more/ns/two.py",
		"old.part": "more/old/part.py", "link.sub": "site/real/sub.py", "filelink": "site/real/sub.py",
		"math": "built in", "sys": "built in", "zipimport": "built in", "posixpath": "built in", "zipped": "built in",
		"other": "missing", "broken": "missing", "nowhere": "missing", "ns.three": "missing", "pkg.nothing": "missing", "lazy.sub": "missing",
		"nowhere.at.all": "missing", "tkinter": "missing",
		"os.path": "unknown", "graft.x": "unknown", "zipped.sub": "unknown", "ext.sub": "unknown",
	} {
		m, known := tr.Find(name)
		got := "missing"
		switch {
		case m != nil && m.File != "":
			got = m.File
		case m != nil:
			got = "built in"
		case !known:
			got = "unknown"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// needs writes what a statement of a module asks for, with ! for what is missing and ? for what may be.
func needs(t *testing.T, tr *modules.Tree, module, statement string) string {
	t.Helper()
	m, _ := tr.Find(module)
	var out []string
	for _, i := range pysource.Scan([]byte(statement)).Imports {
		for _, n := range tr.Needs(m, &i) {
			text := n.Name
			switch {
			case n.Missing():
				text += "!"
			case n.Module == nil && !n.Attribute:
				text += "?"
			case n.Module == nil:
				text += "="
			}
			out = append(out, text)
		}
	}
	return strings.Join(out, " ")
}

func TestNeeds(t *testing.T) {
	tr := newTree(t)
	for _, c := range []struct{ module, statement, want string }{
		{"os", "import json.decoder", "json json.decoder"},
		{"os", "import nowhere.at", "nowhere!"},
		{"pkg", "from . import a, A, b, __version__, Z", "pkg pkg.a pkg.A= pkg.b= pkg.__version__= pkg.Z!"},
		{"pkg.a", "from .c import x", "pkg pkg.c"},
		{"pkg.a", "from .gone import x", "pkg pkg.gone!"},
		{"pkg.a", "from ..x import y", "..x!"},
		{"os", "from lazy import x", "lazy lazy.x?"},
		{"os", "from star import x, _y", "star star.x? star._y!"},
		{"os", "from graft import x\nimport graft.y", "graft graft.x= graft graft.y?"},
		{"os", "from re import anything", "re"},
		{"os", "from pkg import *", "pkg"},
	} {
		if got := needs(t, tr, c.module, c.statement); got != c.want {
			t.Errorf("%s: %q: %s, want %s", c.module, c.statement, got, c.want)
		}
	}
}

func TestReachFollowsWhatIsRequired(t *testing.T) {
	var out []string
	for _, m := range newTree(t).Reach([]string{"pkg", "json.decoder"}) {
		out = append(out, m.Name)
	}
	want := "pkg json json.decoder pkg.a re _json pkg.c"
	if got := strings.Join(out, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWithoutBuiltinsTheStandardLibraryIsBelieved(t *testing.T) {
	tr := modules.New(files.Set{}, modules.Options{Source: func(*files.File) *pysource.Facts { return nil }})
	if m, _ := tr.Find("_decimal"); m == nil || m.Kind != modules.Compiled {
		t.Errorf("%+v", m)
	}
	if m, known := tr.Find("requests"); m != nil || !known {
		t.Errorf("%+v, %v", m, known)
	}
}

func FuzzFind(f *testing.F) {
	for _, n := range []string{"os", "json.decoder", "a..b", ".", "pkg.", "\x00"} {
		f.Add(n)
	}
	set, content := tree(sample)
	f.Fuzz(func(t *testing.T, name string) {
		tr := modules.New(set, modules.Options{SysPath: []string{"lib", "site"}, Minor: 11, Source: func(f *files.File) *pysource.Facts {
			return pysource.ScanPackage([]byte(content[f.Path]))
		}})
		if m, known := tr.Find(name); m != nil && (m.Name != name || !known) {
			t.Fatalf("%q gives %+v, %v", name, m, known)
		}
	})
}
