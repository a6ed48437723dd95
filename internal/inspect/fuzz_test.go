package inspect

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// FuzzRead reads small images: whatever their lists say, files that are handed on exist,
// lie below the prefix of their RECORD, and are in order; and reading twice
// says the same.
func FuzzRead(f *testing.F) {
	names, _ := filepath.Glob("testdata/read/*.txtar")
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		before, _, _ := bytes.Cut(b, []byte("-- want --"))
		f.Add(string(before))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			t.Skip()
		}
		s := parseSample(text)
		e, err := Read(s.set, Options{Platform: "linux/amd64", Env: s.env})
		if err != nil {
			return
		}
		for _, d := range e.Distributions {
			if !slices.IsSorted(d.Files) || d.Refused != "" && d.FilesFrom == "RECORD" && len(d.Files) > 0 {
				t.Fatalf("%s: %v", d.Info, d.Files)
			}
			roots := append(schemeRoots(d.Location), e.Python.Headers)
			for _, p := range d.Files {
				file, ok := s.set.Get(p)
				if !ok || file.Mode.IsDir() {
					t.Fatalf("%s: %q is not there", d.Info, p)
				}
				if d.FilesFrom == "RECORD" && d.Kind != Develop && !inRoots(p, roots) {
					t.Fatalf("%s: %q is outside the scheme", d.Info, p)
				}
			}
			e.Native(d)
			Fits(d, e, e)
		}
		again, err := Read(s.set, Options{Platform: "linux/amd64", Env: s.env})
		if err != nil || dump(again) != dump(e) {
			t.Fatalf("read twice, got\n%s\nand\n%s", dump(e), dump(again))
		}
	})
}

// FuzzNote condenses any bytes under the names that have a parser.
func FuzzNote(f *testing.F) {
	f.Add([]byte(`{"name": "numpy", "version": "1", "files": ["a"], "paths_data": {"paths": [{"_path": "a", "sha256": "00"}]}}`))
	f.Add([]byte("Name: a\nDescription: b\n c\n\nd"))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{"conda-meta/a.json", "a.dist-info/METADATA", "a.egg", "bin/a", "lib/python3.11/site.py"} {
			n, err := Probe().Note(name, int64(len(b)), bytes.NewReader(b))
			if err != nil {
				t.Fatalf("%s: reading from memory fails: %v", name, err)
			}
			probed(name, b)
			if name == "a.dist-info/METADATA" && bytes.Contains(n, []byte("\n\n")) {
				t.Fatalf("headers with an empty line in them: %q", n)
			}
		}
	})
}
