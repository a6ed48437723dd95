package python

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestParseMetadata(t *testing.T) {
	b, err := os.ReadFile("testdata/METADATA")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "example-project" || m.RawName != "Example_Project" || m.Version.String() != "1.2.0rc1" {
		t.Errorf("got %q (%q) %s", m.Name, m.RawName, m.Version)
	}
	if m.MetadataVersion != "2.4" || m.LicenseExpression != "Apache-2.0 OR BSD-2-Clause" || m.RequiresPython.String() != ">=3.8" {
		t.Errorf("got %+v", m)
	}
	if want := []string{"LICENSE", "licenses/BSD.txt"}; !slices.Equal(m.LicenseFiles, want) {
		t.Errorf("got license files %q, want %q", m.LicenseFiles, want)
	}
	if want := []Name{"test-suite", "term"}; !slices.Equal(m.ProvidesExtra, want) || !slices.Equal(m.Dynamic, []string{"summary"}) {
		t.Errorf("got extras %q, want %q; dynamic %q", m.ProvidesExtra, want, m.Dynamic)
	}
	var got []string
	for _, r := range m.RequiresDist {
		got = append(got, r.String())
	}
	want := []string{
		`numpy>=1.23.2; python_version == "3.11"`,
		`numpy>=1.26.0; python_version >= "3.12"`,
		`python-dateutil>=2.8.2`,
		`tzdata>=2022.7`,
		`importlib-metadata>=4.6; python_version < "3.10"`,
		`colorama; (sys_platform == "win32") and extra == "term"`,
		`pytest>=7.0; extra == "test-suite"`,
		`hypothesis<7,>=6.46.1; extra == "test-suite"`,
		`typing-extensions>=3.6.2.1; python_version < "3.8"`,
	}
	want[5] = `colorama; sys_platform == "win32" and extra == "term"`
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestParseMetadataIsLenient(t *testing.T) {
	for _, c := range []struct{ name, text, version, python, invalid, summary string }{
		{"line ends", "Name: a\r\nVersion: 1\r\nSummary: x\r\n\r\nSummary: y\r\n", "1", "", "", "x"},
		{"old line ends", "Name: a\rVersion: 1\rSummary: x\r\rSummary: y", "1", "", "", "x"},
		{"case", "NAME: a\nversion: 1\nSUMMARY: x\n", "1", "", "", "x"},
		{"byte order mark", "\ufeffName: a\nVersion: 1\n", "1", "", "", ""},
		{"no space", "Name:a\nVersion:1\nSummary:x:y\n", "1", "", "", "x:y"},
		{"folded", "Name: a\nSummary: x\n  y\n\tz\nVersion: 1\n", "1", "", "", "x\ny\nz"},
		{"Latin-1", "Name: a\nVersion: 1\nSummary: caf\xe9\n", "1", "", "", "café"},
		{"invalid Python", "Name: a\nVersion: 1\nRequires-Python: 3.6 and up\n", "1", "", "3.6 and up", ""},
		{"repaired Python", "Name: a\nVersion: 1\nRequires-Python: >=3.6,\n", "1", ">=3.6", "", ""},
		{"first name", "Name: a\nName: b\nVersion: 1\nVersion: 2\n", "1", "", "", ""},
		{"no field", "Name: a\nVersion: 1\nthis is text\nSummary: x\n", "1", "", "", ""},
		{"unknown fields", "X-Y: 1\nName: a\nVersion: 1\n" + strings.Repeat("x", 50) + ": y\n", "1", "", "", ""},
	} {
		m, err := ParseMetadata([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if m.Name != "a" || m.Version.String() != c.version || m.RequiresPython.String() != c.python ||
			m.InvalidRequiresPython != c.invalid || m.Summary != c.summary {
			t.Errorf("%s: got %+v", c.name, m)
		}
	}
}

func TestParseMetadataErrorsNameTheField(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "metadata has no Name",
		"Version: 1\n":            "metadata has no Name",
		"\nName: a\nVersion: 1\n": "metadata has no Name",
		"Name: a\n":               "metadata has no Version",
		"Name: a b\nVersion: 1\n": `metadata field Name: "a b" is no project name`,
		"Name: a\nVersion: one\n": `metadata field Version: "one" is no version`,
		"Name: a\nVersion:\n":     `metadata field Version: "" is no version`,
		"Name: a\nVersion: 1\nRequires-Dist: !\n": `metadata field Requires-Dist: "!", column 1: package name expected`,
	} {
		_, err := ParseMetadata([]byte(text))
		var field *MetadataError
		if !errors.As(err, &field) || err.Error() != want {
			t.Errorf("%q: got error %v, want %s", text, err, want)
		}
	}
}

func TestParseMetadataKeepsTheRestOfBrokenRequirements(t *testing.T) {
	m, err := ParseMetadata([]byte("Name: a\nRequires-Dist: b\nRequires-Dist: !\nRequires-Dist: c\nVersion: 1\n"))
	if err == nil || m == nil || len(m.RequiresDist) != 2 || m.Version.String() != "1" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestParseMetadataIsBounded(t *testing.T) {
	if _, err := ParseMetadata(make([]byte, maxMetadata+1)); err == nil {
		t.Error("17 MiB of metadata are accepted")
	}
}

func TestParseRequiresTxt(t *testing.T) {
	if reqs, _, err := ParseRequiresTxt([]byte("numpy>=1.0 # requires.txt has no such comments\n")); err == nil {
		t.Errorf("a comment behind a requirement is accepted: %v", reqs)
	}
	reqs, extras, err := ParseRequiresTxt([]byte(`numpy>=1.0
# comment
six

[:python_version < "3.8"]
importlib_metadata

[Test_Suite]
pytest>=3
mock ; os_name == "nt"

[test-suite:sys_platform == "win32" or os_name == "nt"]
colorama

[empty]
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range reqs {
		got = append(got, r.String())
	}
	want := []string{
		`numpy>=1.0`,
		`six`,
		`importlib-metadata; python_version < "3.8"`,
		`pytest>=3; extra == "test-suite"`,
		`mock; os_name == "nt" and extra == "test-suite"`,
		`colorama; (sys_platform == "win32" or os_name == "nt") and extra == "test-suite"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := []Name{"test-suite", "empty"}; !slices.Equal(extras, want) {
		t.Errorf("got extras %q, want %q", extras, want)
	}
	for text, want := range map[string]string{
		"[x\na":    `requires.txt:1: heading "[x" is not closed`,
		"a\n\n!":   `requires.txt:3: "!", column 1: package name expected`,
		"[x:y]\na": `requires.txt:2: "(y) and (extra == \"x\")", column 2: marker variable or quoted string expected`,
	} {
		if _, _, err := ParseRequiresTxt([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got error %v, want %s", text, err, want)
		}
	}
}
