package inspect

import (
	"testing"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/pysource"
)

func TestSourceIsWhatTheProbeNoted(t *testing.T) {
	read := func(name, text string) *files.File {
		return &files.File{Path: name, Size: int64(len(text)), Note: []byte(note(t, name, []byte(text)))}
	}
	f := Source(read("lib/a/__init__.py", "import os\nx = 1\n"))
	if f == nil || len(f.Imports) != 1 || f.Imports[0].Module != "os" || len(f.Binds) != 2 {
		t.Errorf("package: %+v", f)
	}
	if f := Source(read("lib/a/b.py", "import os\nx = 1\n")); f == nil || len(f.Imports) != 1 || f.Binds != nil {
		t.Errorf("module: %+v", f)
	}
	if f := Source(read("lib/a/c.py", "x = 1\n")); f == nil || !f.IsEmpty() {
		t.Errorf("module without imports: %+v", f)
	}
	site := read("usr/lib/python3.11/site.py", "import sys\ndirs = [\"dist-packages\"]\n")
	if f := Source(site); f == nil || f.Imports[0].Module != "sys" || siteNote(site) != "d" {
		t.Errorf("Debian's site.py: %+v, %q", f, siteNote(site))
	}
	if f := Source(read("bin/a.py", "#!/usr/bin/python3\nimport os\n")); f != nil {
		t.Errorf("script: %+v", f)
	}
	for _, odd := range []string{"P", "P\xff", "M", "S", "S-", "Sd\x01"} {
		if f := Source(&files.File{Path: "a.py", Note: []byte(odd)}); f != nil {
			t.Errorf("%q gives %+v", odd, f)
		}
	}
	var none *pysource.Facts
	e := &Environment{Files: files.NewSet([]*files.File{read("a.py", "import b")})}
	if e.Source("b.py") != none || e.Source("a.py") == none {
		t.Error("wrong file")
	}
}
