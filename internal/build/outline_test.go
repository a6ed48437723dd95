package build

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// show writes an outline as the cases in testdata/outline have it.
func show(o *Outline, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	line := func(what string, list []string) {
		if len(list) > 0 {
			fmt.Fprintf(&b, "%s %s\n", what, strings.Join(list, " "))
		}
	}
	h := o.Hints
	for _, x := range h.External {
		if x.Optional {
			b.WriteString("external optional " + x.Text + "\n")
		} else {
			b.WriteString("external " + x.Text + "\n")
		}
	}
	line("languages", h.Languages)
	line("certain", h.Certain)
	if h.Crates {
		b.WriteString("crates\n")
	}
	line("pc", h.PkgConfig)
	line("headers", h.Headers)
	line("programs", h.Programs)
	line("libraries", h.Libraries)
	line("names", h.Names)
	line("tools", h.Tools)
	line("downloads", h.Downloads)
	if h.Untranslated != "" {
		b.WriteString("no cython for " + h.Untranslated + "\n")
	}
	line("untranslated", o.Untranslated)
	return b.String()
}

func TestOutline(t *testing.T) {
	cases, err := filepath.Glob("testdata/outline/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	for _, p := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(p), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(p)
			if err != nil {
				t.Fatal(err)
			}
			contents, want := map[string]string{}, ""
			for _, f := range a.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				contents["acme-1.0/"+f.Name] = string(f.Data)
			}
			for _, s := range []Source{archive(t, "acme-1.0.tar.gz", contents), zipped(t, contents)} {
				if got := show(ReadOutline(s)); got != want {
					t.Errorf("%s: got\n%s\nwant\n%s", s.FileName, got, want)
				}
			}
		})
	}
}

func TestOutlineOfAnArchiveWithoutATopFolder(t *testing.T) {
	s := archive(t, "acme-1.0.tar.gz", map[string]string{
		"meson.build": "project('acme', 'c')\nsubdir('src')", "pyproject.toml": "[build-system]\nrequires = ['meson-python']", "src/meson.build": "dependency('libone')",
	})
	want := "languages c\ncertain c\npc libone\ntools meson ninja\n"
	if got := show(ReadOutline(s)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func zipped(t *testing.T, contents map[string]string) Source {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range contents { // the order is of no consequence
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(text))
	}
	w.Close()
	return Source{FileName: "acme-1.0.zip", Content: bytes.NewReader(b.Bytes()), Size: int64(b.Len())}
}

func TestOutlineOfDamagedArchives(t *testing.T) {
	whole := archive(t, "a-1.tar.gz", map[string]string{"a-1/setup.py": strings.Repeat("x = 'y'\n", 1000)})
	for _, s := range []Source{
		{FileName: "a-1.tar.gz", Content: bytes.NewReader(nil)},
		{FileName: "a-1.zip", Content: bytes.NewReader([]byte("PK"))},
		{FileName: "a-1.tar.xz", Content: bytes.NewReader(nil)},
		{FileName: "a-1.tar.gz", Content: whole.Content, Size: whole.Size / 2},
	} {
		if o, err := ReadOutline(s); !errors.Is(err, ErrSource) {
			t.Errorf("%s of %d bytes: %v, %v", s.FileName, s.Size, o, err)
		}
	}
}

// A link, or a file twice, is nothing to stumble over.
func TestOutlineOfOddEntries(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Name: "./a-1/pyproject.toml", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		{Name: "a-1/setup.py", Typeflag: tar.TypeLink, Linkname: "a-1/x"},
		{Name: "a-1/", Typeflag: tar.TypeDir},
		{Name: "pyproject.toml", Typeflag: tar.TypeReg},
		{Name: "a-1/../../setup.py", Typeflag: tar.TypeReg},
		{Name: "a-1/" + strings.Repeat("d/", 5000) + "a.c", Typeflag: tar.TypeReg},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	o, err := ReadOutline(Source{FileName: "a-1.tar", Content: bytes.NewReader(b.Bytes()), Size: int64(b.Len())})
	if err != nil || show(o, nil) != "" {
		t.Errorf("%v %v", show(o, nil), err)
	}
}

// Texts that are long, or nest deeply, take linear time.
func TestOutlineIsLinear(t *testing.T) {
	const n = maxBuildFile / 4
	for name, text := range map[string]string{
		"brackets": strings.Repeat("([{", n/3), "quotes": strings.Repeat(`'"`, n/2), "triple": strings.Repeat(`"""'`, n/4), "calls": strings.Repeat("a(", n/2),
		"names": strings.Repeat("a", n), "dots": strings.Repeat("a.", n/2), "backslashes": "'" + strings.Repeat(`\`, n-1), "comments": strings.Repeat("#", n),
		"pkg-config": strings.Repeat("pkgconfig('lib',", n/16), "assignments": strings.Repeat("a = 'b'\n", n/8), "index": strings.Repeat("]=", n/2),
	} {
		start := time.Now()
		contents := map[string]string{"a-1/setup.py": text, "a-1/meson.build": text, "a-1/CMakeLists.txt": text}
		if _, err := ReadOutline(archive(t, "a-1.tar.gz", contents)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: %s", name, took)
		}
	}
}

func FuzzOutline(f *testing.F) {
	cases, _ := filepath.Glob("testdata/outline/*.txtar")
	for _, p := range cases {
		a, err := txtar.ParseFile(p)
		if err != nil {
			f.Fatal(err)
		}
		texts := map[string][]byte{}
		for _, file := range a.Files {
			texts[file.Name] = file.Data
		}
		f.Add(texts["pyproject.toml"], texts["setup.py"], texts["meson.build"], texts["CMakeLists.txt"])
	}
	f.Fuzz(func(t *testing.T, pyproject, setup, meson, cmake []byte) {
		contents := map[string]string{
			"a-1/pyproject.toml": string(pyproject), "a-1/setup.py": string(setup), "a-1/meson.build": string(meson), "a-1/CMakeLists.txt": string(cmake),
			"a-1/a.c": "", "a-1/b.pyx": "", "a-1/Cargo.lock": string(setup),
		}
		s := archive(t, "a-1.tar.gz", contents)
		o, err := ReadOutline(s)
		if err != nil {
			if !errors.Is(err, ErrSource) {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := ReadOutline(s)
		if err != nil || show(o, nil) != show(again, nil) {
			t.Errorf("read once more it is\n%s\nnot\n%s", show(again, err), show(o, nil))
		}
		h := o.Hints
		for _, list := range [][]string{h.Languages, h.PkgConfig, h.Programs, h.Libraries, h.Names, h.Downloads} {
			for _, s := range list {
				if s == "" || len(s) > 200 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
					t.Errorf("%q", s)
				}
			}
			if !slices.IsSorted(list) {
				t.Errorf("%q is not sorted", list)
			}
		}
	})
}

// TestShowOutlines shows what is read of the source archives in a folder.
func TestShowOutlines(t *testing.T) {
	dir := os.Getenv("DISTILL_E2E_SDISTS")
	if dir == "" {
		t.Skip("set DISTILL_E2E_SDISTS to a folder of source archives")
	}
	list, _ := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
	for _, p := range list {
		f, err := os.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		info, _ := f.Stat()
		start := time.Now()
		o, err := ReadOutline(Source{FileName: filepath.Base(p), Content: f, Size: info.Size()})
		took := time.Since(start).Round(time.Millisecond)
		f.Close()
		if err != nil {
			t.Error(err)
			continue
		}
		t.Logf("%s, in %s\n%s", filepath.Base(p), took, show(o, nil))
	}
}
