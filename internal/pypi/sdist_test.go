package pypi

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"
)

// makeSdist packs files (name, content, ...) below demo-1.0/.
func makeSdist(t testing.TB, format string, nameContent ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	if format == ".zip" {
		w := zip.NewWriter(&b)
		for i := 0; i < len(nameContent); i += 2 {
			e, _ := w.Create("demo-1.0/" + nameContent[i])
			e.Write([]byte(nameContent[i+1]))
		}
		w.Close()
		return b.Bytes()
	}
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(nameContent); i += 2 {
		h := &tar.Header{Name: "demo-1.0/" + nameContent[i], Mode: 0o644, Size: int64(len(nameContent[i+1])), Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(nameContent[i+1]))
	}
	w.Close()
	z.Close()
	return b.Bytes()
}

// sdistCases are archives and what is to be found in them.
var sdistCases = []struct {
	name, origin string
	guaranteed   bool
	want         string // of Requires-Dist and Provides-Extra, one a line
	files        []string
}{
	{"PEP 643", "PKG-INFO", true, "Requires-Dist: a>1", []string{"PKG-INFO", "Metadata-Version: 2.2\nName: demo\nVersion: 1.0\nRequires-Dist: a>1\n", "pyproject.toml", "junk"}},
	{"PEP 643 without requirements", "PKG-INFO", true, "", []string{"PKG-INFO", "Metadata-Version: 2.4\nName: demo\nVersion: 1.0\nDynamic: Classifier\n"}},
	{"project table", "pyproject.toml", true, "Provides-Extra: x-y\nRequires-Dist: a>1\nRequires-Dist: b; python_version < \"3.9\" and extra == \"x-y\"", []string{
		"PKG-INFO", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
		"pyproject.toml", "[project]\nname='Demo'\ndynamic=['version']\ndependencies=['a>1']\n[project.optional-dependencies]\nx_y=['b; python_version<\"3.9\"']\n"}},
	{"dynamic project table", "requires.txt", false, "Provides-Extra: x\nRequires-Dist: a>1\nRequires-Dist: b; extra == \"x\"", []string{
		"PKG-INFO", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: wrong\n", "pyproject.toml", "[project]\nname='demo'\nversion='1.0'\ndynamic=['dependencies']\n",
		"src/demo.egg-info/requires.txt", "a>1\n\n[x]\nb\n"}},
	{"setuptools of old", "requires.txt", false, "Requires-Dist: a>1", []string{"PKG-INFO", "Metadata-Version: 1.0\nName: demo\nVersion: 1.0\n", "demo.egg-info/requires.txt", "a>1\n"}},
	{"distutils", "PKG-INFO", false, "", []string{"PKG-INFO", "Metadata-Version: 1.0\nName: demo\nVersion: 1.0\n", "setup.py", "x"}},
	{"flit of old", "PKG-INFO", false, "Requires-Dist: a>1", []string{"PKG-INFO", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: a>1\n"}},
	{"vendored egg-info is not ours", "PKG-INFO", false, "", []string{"PKG-INFO", "Metadata-Version: 1.1\nName: demo\nVersion: 1.0\n", "lib/x/y.egg-info/requires.txt", "no\n", "tests/PKG-INFO", "Name: other\n"}},
	{"dynamic", "", false, "", []string{"PKG-INFO", "Metadata-Version: 2.2\nName: demo\nVersion: 1.0\nDynamic: Requires-Dist\n"}},
	{"nothing", "", false, "", []string{"setup.py", "x"}},
	{"deep pyproject", "", false, "", []string{"pyproject.toml", "x = " + strings.Repeat("[", 100_000)}},
	{"broken requires.txt", "", false, "", []string{"PKG-INFO", "Metadata-Version: 1.0\nName: demo\nVersion: 1.0\n", "demo.egg-info/requires.txt", "a >>> 1 (\n"}},
	{"broken pyproject", "", false, "", []string{"pyproject.toml", "[project]\nname='demo'\nversion='1.0'\ndependencies=['a >>> (']\n"}},
}

func TestSdistMetadata(t *testing.T) {
	for _, format := range []string{".tar.gz", ".zip"} {
		for _, c := range sdistCases {
			ix := newIndex(t)
			ix.project("demo", "demo-1.0"+format, makeSdist(t, format, c.files...), "")
			client := testClient(t, ix.simple())
			f := firstFile(t, client)
			for range 2 { // the second time from what is known
				m, err := client.Metadata(t.Context(), f)
				if c.origin == "" {
					if !errors.Is(err, ErrDynamic) {
						t.Errorf("%s%s: got %+v, %v", c.name, format, m, err)
					}
					continue
				}
				if err != nil || m.Origin != c.origin || m.Guaranteed != c.guaranteed || header(m.Core, "Version") != "1.0" {
					t.Errorf("%s%s: got %s %v %q, %v", c.name, format, m.Origin, m.Guaranteed, m.Core, err)
				}
				if got := requirementLines(m.Core); got != c.want {
					t.Errorf("%s%s: got\n%s\nwant\n%s", c.name, format, got, c.want)
				}
			}
			if n := client.Stats().Wholes; n != 1 {
				t.Errorf("%s%s: fetched %d times", c.name, format, n)
			}
		}
	}
}

// requirementLines returns Provides-Extra, then Requires-Dist.
func requirementLines(core []byte) string {
	var extras, list []string
	for line := range strings.Lines(string(core)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "Provides-Extra:"):
			extras = append(extras, line)
		case strings.HasPrefix(line, "Requires-Dist:"):
			list = append(list, line)
		}
	}
	return strings.Join(append(extras, list...), "\n")
}

func TestDamagedSdists(t *testing.T) {
	good := makeSdist(t, ".tar.gz", "a", strings.Repeat("x", 10_000), "PKG-INFO", "Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n")
	for name, data := range map[string][]byte{
		"truncated": good[:len(good)/2], "no gzip": []byte("no archive at all"), "empty": {},
		"other project": makeSdist(t, ".tar.gz", "PKG-INFO", "Metadata-Version: 2.2\nName: other\nVersion: 1.0\n"),
	} {
		ix := newIndex(t)
		ix.project("demo", "demo-1.0.tar.gz", data, "")
		if len(data) == 0 {
			ix.pages["/files/demo-1.0.tar.gz"] = ix.pages["/nothing"]
			ix.files["/files/demo-1.0.tar.gz"] = []byte{}
		}
		c := testClient(t, ix.simple())
		if _, err := c.Metadata(t.Context(), firstFile(t, c)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "demo-1.0.tar.gz") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSdistBombEnds(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "demo-1.0/zeros", Mode: 0o644, Size: 3 << 20})
	w.Write(make([]byte, 3<<20))
	w.Close()
	nothing := func(string, int64, func(int64) ([]byte, error)) (bool, error) { return false, nil }
	if err := walkTar(bytes.NewReader(b.Bytes()), 1<<20, nothing); !errors.Is(err, errUnpacked) {
		t.Errorf("got %v", err)
	}
	if err := walkTar(bytes.NewReader(b.Bytes()), 4<<20, nothing); err != nil {
		t.Errorf("within the limit: %v", err)
	}
}
