package python

import (
	"slices"
	"strings"
	"testing"
)

func TestParseRecord(t *testing.T) {
	const digest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	const hexDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	got, err := ParseRecord([]byte("\ufeff" + strings.Join([]string{
		"a/__init__.py,sha256=" + digest + ",0",
		"../../../bin/tool,sha256=" + digest + "=,12\r",
		`"with, comma.py",sha256=` + digest + ",1",
		`"with ""quotes"".py",,`,
		"no-hash.pyc,,",
		"only-path",
		"no-size,SHA256=" + digest,
		"",
		"a-1.0.dist-info/RECORD,,",
		"old,md5=1B2M2Y8AsgTpgAmY7PhCfg,5",
	}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := []RecordEntry{
		{"a/__init__.py", "sha256", hexDigest, 0},
		{"../../../bin/tool", "sha256", hexDigest, 12},
		{"with, comma.py", "sha256", hexDigest, 1},
		{`with "quotes".py`, "", "", -1},
		{"no-hash.pyc", "", "", -1},
		{"only-path", "", "", -1},
		{"no-size", "sha256", hexDigest, -1},
		{"a-1.0.dist-info/RECORD", "", "", -1},
		{"old", "md5", "d41d8cd98f00b204e9800998ecf8427e", 5},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

func TestParseRecordErrorsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"a,sha256=x!,1":              `RECORD:1: "a": hash "sha256=x!" is not ALGORITHM=BASE64`,
		"a\nb,sha256,1":              `RECORD:2: "b": hash "sha256" is not ALGORITHM=BASE64`,
		"a\n\nb,,one":                `RECORD:3: "b": size "one" is no number`,
		"a,,-1":                      `RECORD:1: "a": size "-1" is no number`,
		",sha256=aa,1":               `RECORD:1: path is empty`,
		"a,,1,more":                  `RECORD:1: 4 columns, not 3`,
		"\"a\nb\",,\nc,=aa,":         `RECORD:3: "c": hash "=aa" is not ALGORITHM=BASE64`,
		strings.Repeat(",", 1000000): `RECORD:1: path is empty`,
	} {
		if _, err := ParseRecord([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.40q: got error %v, want %s", text, err, want)
		}
	}
}

func TestParseEntryPoints(t *testing.T) {
	got, err := ParseEntryPoints([]byte(`# comment
; another one
[console_scripts]
tool = package.module:main
tool-x=package.module : cli.main [extra1, Extra_2]
  indented = a:b

[gui_scripts]
gui = package:gui

[pytest11]
plugin = package.plugin
odd = package/templates/x.html
spaced = package.module
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []EntryPoint{
		{"console_scripts", "tool", "package.module", "main", nil},
		{"console_scripts", "tool-x", "package.module", "cli.main", []Name{"extra1", "extra-2"}},
		{"console_scripts", "indented", "a", "b", nil},
		{"gui_scripts", "gui", "package", "gui", nil},
		{"pytest11", "plugin", "package.plugin", "", nil},
		{"pytest11", "odd", "package/templates/x.html", "", nil},
		{"pytest11", "spaced", "package.module", "", nil},
	}
	if !slices.EqualFunc(got, want, func(a, b EntryPoint) bool {
		return a.Group == b.Group && a.Name == b.Name && a.Module == b.Module && a.Attr == b.Attr && slices.Equal(a.Extras, b.Extras)
	}) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	for text, want := range map[string]string{
		"a = b:c":                        `entry_points.txt:1: "a = b:c" stands before the first [group]`,
		"[console_scripts]\n\nx":         `entry_points.txt:3: "x" is not NAME = MODULE:ATTR`,
		"[console_scripts]\n= a:b":       `entry_points.txt:2: "= a:b" is not NAME = MODULE:ATTR`,
		"[console_scripts]\nx = a-b:c":   `entry_points.txt:2: script "x": "a-b:c" is not MODULE:ATTR`,
		"[console_scripts]\nx = a:b; os": `entry_points.txt:2: script "x": "a:b; os" is not MODULE:ATTR`,
		"[console_scripts]\nx = a.b":     `entry_points.txt:2: script "x": "a.b" is not MODULE:ATTR`,
		"[gui_scripts]\nx = a:b [x":      `entry_points.txt:2: script "x": "a:b [x" is not MODULE:ATTR`,
	} {
		if _, err := ParseEntryPoints([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got error %v, want %s", text, err, want)
		}
	}
}
