package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// commonMusl is common for an image with musl.
const commonMusl = `
-- links --
usr/bin/python3 -> python3.11
-- elf --
lib/ld-musl-x86_64.so.1 musl 1.2.5
usr/bin/python3.11 python 3.11.2 cpython-311 /lib/ld-musl-x86_64.so.1
-- usr/lib/python3.11/os.py --
import sys
-- usr/lib/python3.11/site.py --
x = ["dist-packages"]
-- usr/lib/python3.11/json/__init__.py --
-- usr/lib/python3.11/lib-dynload/_x.cpython-311-x86_64-linux-musl.so --
not ELF
`

// builtSample reads a sample of testdata/builtwheel: an image like those of [sample], to
// which "base elf" is added for the base, and a wheel of it: "wheel" has its file name,
// then "purelib", "musl" or "unknown base"; "install" its ELF files, "beside" those of
// another wheel.
func builtSample(t *testing.T, text string) (w BuiltWheel, want string) {
	t.Helper()
	read := func(section string) *sample {
		s := &sample{content: map[string][]byte{}, links: map[string]string{}, section: map[string]string{}}
		if strings.Contains(text, "\nmusl\n") {
			s.parse(commonMusl)
		} else {
			s.parse(common)
		}
		s.parse(text)
		s.addELF(section)
		return s
	}
	dev := read("")
	words := strings.Fields(dev.section["wheel"])
	name, err := python.ParseWheelName(words[0])
	if err != nil {
		t.Fatal(err)
	}
	if w.Dev, err = inspect.Read(dev.files(), inspect.Options{Platform: "linux/amd64"}); err != nil {
		t.Fatal(err)
	}
	if w.Base, err = inspect.Read(read("base elf").files(), inspect.Options{Platform: "linux/amd64"}); err != nil {
		t.Fatal(err)
	}
	w.Name, w.Python = name, w.Base.Python
	for _, word := range words[1:] {
		switch word {
		case "purelib":
			w.Purelib = true
		case "unknown-base":
			w.Base = nil
		}
	}
	only := func(section string) files.Set {
		s := &sample{content: map[string][]byte{}, links: map[string]string{}, section: map[string]string{section: dev.section[section]}}
		s.addELF(section)
		return s.files()
	}
	w.Files, w.Beside = only("install"), []files.Set{only("beside")}
	return w, dev.section["want"]
}

// addELF adds the files of a section as those of "elf".
func (s *sample) addELF(section string) {
	for line := range strings.Lines(s.section[section]) {
		if f := strings.Fields(line); len(f) > 1 {
			s.content[f[0]] = elfFile(f[1:]).Bytes()
		}
	}
}

func TestBuiltWheel(t *testing.T) {
	names, err := filepath.Glob("testdata/builtwheel/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no samples", err)
	}
	told := map[string]bool{}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			w, want := builtSample(t, string(text))
			var got strings.Builder
			for _, x := range CheckBuiltWheel(w) {
				told[x.Code] = true
				fmt.Fprintf(&got, "%s %s %s: %s\n", x.Severity, x.Code, x.Place.File, x.Message)
			}
			short := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, site, "@")) }
			if short(got.String()) != short(want) {
				t.Errorf("got\n%s\nwant\n%s", short(got.String()), short(want))
			}
		})
	}
	for _, r := range BuiltWheelRules() {
		if !told[r.Code] {
			t.Errorf("no sample has a finding of %s", r.Code)
		}
	}
}

func TestBuiltWheelWithoutImageIsJudgedByItsTags(t *testing.T) {
	w, _ := builtSample(t, "-- wheel --\nacme-1.0-cp310-cp310-linux_x86_64.whl\n-- install --\n@/acme/_x.cpython-311-x86_64-linux-gnu.so lib runpath=/build/x\n")
	w.Dev, w.Base = nil, nil
	found := CheckBuiltWheel(w)
	if len(found) != 2 || found[0].Code != "wheel-tags" || found[1].Code != "wheel-run-path" || found[0].Package != "acme" || found[0].Version != "1.0" {
		t.Errorf("%+v", found)
	}
}

func TestBuiltWheelDoesNotLeanOnTheVersionBefore(t *testing.T) {
	text := `
-- wheel --
acme-2.0-cp311-cp311-linux_x86_64.whl
-- elf --
@/acme.libs/libown.so.1 lib libown.so.1
-- dist --
acme 1.0 acme.libs/libown.so.1
-- install --
@/acme/_x.cpython-311-x86_64-linux-gnu.so lib needs=libown.so.1 runpath=$ORIGIN/../acme.libs
`
	w, _ := builtSample(t, text)
	found := CheckBuiltWheel(w)
	if len(found) != 1 || found[0].Code != "wheel-library" || found[0].Severity != High {
		t.Errorf("%+v", found)
	}
}

func TestDocumentationListsTheRulesOfBuiltWheels(t *testing.T) {
	text, err := os.ReadFile("../../docs/verify.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range BuiltWheelRules() {
		if !strings.Contains(string(text), "| `"+r.Code+"` | "+r.Severity.String()+" |") {
			t.Errorf("docs/verify.md does not tell of %s", r.Code)
		}
	}
}
