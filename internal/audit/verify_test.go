package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps/elftest"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

const site = "usr/local/lib/python3.11/dist-packages"

// common is in every image of the samples.
const common = `
-- links --
usr/bin/python3 -> python3.11
lib -> usr/lib
lib64 -> usr/lib64
-- elf --
usr/lib64/ld-linux-x86-64.so.2 loader 2.36
usr/lib/x86_64-linux-gnu/libc.so.6 libc 2.36
usr/bin/python3.11 python 3.11.2 cpython-311 /lib64/ld-linux-x86-64.so.2
-- usr/lib/python3.11/os.py --
import sys
-- usr/lib/python3.11/site.py --
x = ["dist-packages"]
-- usr/lib/python3.11/json/__init__.py --
from .decoder import loads
-- usr/lib/python3.11/json/decoder.py --
import re
-- usr/lib/python3.11/re.py --
-- usr/lib/python3.11/lib-dynload/_x.cpython-311-x86_64-linux-gnu.so --
not ELF
`

// sample is an image as text, "-- path --" and below it the content. "@" in a path stands
// for the directory of packages. Sections that are no files: elf and links as in
// common, dist (NAME VERSION FILE...: a distribution with the RECORD of these files, and
// what the lines below the name "NAME metadata" say), gone (paths that are taken away),
// base (paths that are inherited), want (severity, code, place and message of each finding).
type sample struct {
	content map[string][]byte
	links   map[string]string
	section map[string]string
}

func (s *sample) parse(text string) {
	name := ""
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "-- "); ok && strings.HasSuffix(n, " --") {
			name = strings.ReplaceAll(strings.TrimSuffix(n, " --"), "@", site)
			s.section[name] = ""
			continue
		}
		s.section[name] += strings.ReplaceAll(line, "@/", site+"/")
	}
	for line := range strings.Lines(s.section["links"]) {
		if from, to, ok := strings.Cut(strings.TrimSpace(line), " -> "); ok {
			s.links[from] = to
		}
	}
	for line := range strings.Lines(s.section["elf"]) {
		if f := strings.Fields(line); len(f) > 1 {
			s.content[f[0]] = elfFile(f[1:]).Bytes()
		}
	}
	for n, text := range s.section {
		if strings.Contains(n, "/") && !strings.HasSuffix(n, " metadata") {
			s.content[n] = []byte(text)
		}
	}
	s.section["elf"], s.section["links"] = "", ""
}

func elfFile(words []string) elftest.File {
	var f elftest.File
	switch words[0] {
	case "loader":
		f = elftest.Loader(words[1], "/lib/x86_64-linux-gnu/", "/usr/lib/")
	case "musl":
		f = elftest.MuslLoader(words[1])
	case "libc":
		f = elftest.File{Soname: "libc.so.6", ROData: "\x00GNU C Library stable release version " + words[1] + ".\x00", VerDef: []string{"GLIBC_2.2.5", "GLIBC_" + words[1]}}
	case "python":
		f = elftest.Python(words[1], words[2], words[3], "libc.so.6")
	case "program":
		f = elftest.File{Program: true, Entry: true, Interp: "/lib64/ld-linux-x86-64.so.2"}
	case "lib":
		if len(words) > 1 && strings.Contains(words[1], ".so") && !strings.Contains(words[1], "=") {
			f.Soname = words[1]
		}
	}
	for _, o := range words {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "needs":
			f.Needed = strings.Split(value, ",")
		case "verneed":
			lib, version, _ := strings.Cut(value, ":")
			f.VerNeed = map[string][]string{lib: {version}}
		case "runpath":
			f.RunPath = value
		case "rpath":
			f.RPath = value
		case "verdef":
			f.VerDef = strings.Split(value, ",")
		case "textrel":
			f.TextRel = true
		case "execstack":
			f.Stack = true
		case "arm64":
			f.Machine = 183
		}
	}
	return f
}

// distribution adds the records of one.
func (s *sample) distribution(line string) {
	f := strings.Fields(line)
	if len(f) < 2 {
		return
	}
	info := site + "/" + f[0] + "-" + f[1] + ".dist-info"
	s.content[info+"/METADATA"] = []byte("Name: " + f[0] + "\nVersion: " + f[1] + "\n" + s.section[f[0]+" metadata"] + "\n")
	list := append(f[2:], path.Base(info)+"/METADATA")
	if _, ok := s.content[info+"/entry_points.txt"]; ok {
		list = append(list, path.Base(info)+"/entry_points.txt")
	}
	var b bytes.Buffer
	for _, n := range list {
		sum := sha256.Sum256(s.content[path.Join(site, n)])
		fmt.Fprintf(&b, "%s,sha256=%s,%d\n", n, base64.RawURLEncoding.EncodeToString(sum[:]), len(s.content[path.Join(site, n)]))
	}
	fmt.Fprintf(&b, "%s/RECORD,,\n", path.Base(info))
	s.content[info+"/RECORD"] = b.Bytes()
}

func (s *sample) files() files.Set {
	for line := range strings.Lines(s.section["dist"]) {
		s.distribution(line)
	}
	var list []*files.File
	for from, to := range s.links {
		list = append(list, &files.File{Path: from, Mode: fs.ModeSymlink | 0o777, Link: to})
	}
	for p, b := range s.content {
		if strings.Contains("\n"+s.section["changed"], "\n"+p+"\n") {
			b = append(b, " # by hand"...)
		}
		list = append(list, probed(p, b))
	}
	return files.NewSet(list).Filter(func(f *files.File) bool { return !strings.Contains("\n"+s.section["gone"], "\n"+f.Path+"\n") })
}

// probed is a file as a reader of images hands it on.
func probed(p string, b []byte) *files.File {
	f := &files.File{Path: p, Mode: 0o644, Size: int64(len(b)), Content: memory(b)}
	pr := inspect.Probe()
	w := pr.Wants(p, f.Size, b[:min(64, len(b))])
	if w&files.WantSHA256 != 0 {
		sum := sha256.Sum256(b)
		f.SHA256 = hex.EncodeToString(sum[:])
	}
	if w&files.WantNote != 0 {
		note, err := pr.Note(p, f.Size, bytes.NewReader(b))
		if err != nil {
			panic(err)
		}
		f.Note = note
	}
	return f
}

type memory []byte

func (m memory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m)), nil }

func TestVerify(t *testing.T) {
	names, err := filepath.Glob("testdata/verify/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no samples", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := sample{content: map[string][]byte{}, links: map[string]string{}, section: map[string]string{}}
			s.parse(common)
			s.parse(string(text))
			env, err := inspect.Read(s.files(), inspect.Options{Platform: "linux/amd64"})
			if err != nil {
				t.Fatal(err)
			}
			found := Verify(env, VerifyOptions{
				Inherited: func(p string) bool { return strings.Contains("\n"+s.section["base"], "\n"+p+"\n") },
				Roots:     strings.Fields(s.section["roots"]),
			})
			var got strings.Builder
			for _, x := range found {
				fmt.Fprintf(&got, "%s %s %s: %s\n", x.Severity, x.Code, strings.ReplaceAll(x.Place.File, site, "@"), strings.ReplaceAll(x.Message, site, "@"))
			}
			if want := strings.ReplaceAll(s.section["want"], site, "@"); strings.TrimSpace(got.String()) != strings.TrimSpace(want) {
				t.Errorf("got\n%swant\n%s", got.String(), want)
			}
		})
	}
}

func TestVerifyWithoutPython(t *testing.T) {
	env, err := inspect.Read(files.Set{}, inspect.Options{Platform: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	found := Verify(env, VerifyOptions{})
	if len(found) != 1 || found[0].Code != "missing-interpreter" || found[0].Severity != High {
		t.Errorf("%+v", found)
	}
}

func TestMergePlatformsKeepsOneOfEach(t *testing.T) {
	one := Finding{Code: "a", ID: "a/x", Severity: High, Message: "m", Platforms: []string{"linux/amd64"}}
	other := one
	other.Platforms = []string{"linux/arm64"}
	third := other
	third.Message = "n"
	got := MergePlatforms([]Finding{one}, []Finding{other, third})
	if len(got) != 2 || len(got[0].Platforms) != 2 || len(got[1].Platforms) != 1 || len(one.Platforms) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestDocumentationListsTheRulesOfVerify(t *testing.T) {
	text, err := os.ReadFile("../../docs/verify.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range VerifyRules() {
		if !strings.Contains(string(text), "`"+r.Code+"`") {
			t.Errorf("docs/verify.md does not tell of %s", r.Code)
		}
	}
}
