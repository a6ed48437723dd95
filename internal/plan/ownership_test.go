package plan

import (
	"strings"
	"testing"
)

func TestCondaReduced(t *testing.T) {
	const record = `{"name": "libxml2", "size": 12345678901234567, "files": ["lib/libxml2.so.2", "include/x.h", "lib/libxml2.so"],
"paths_data": {"paths_version": 1, "paths": [{"_path": "lib/libxml2.so.2", "sha256": "ab", "path_type": "hardlink"}, {"_path": "include/x.h"}]}, "other": {"b": 1, "a": [2]}}`
	got, err := condaReduced([]byte(record), func(path string) bool { return strings.HasSuffix(path, ".so.2") })
	want := `{
  "files": [
    "lib/libxml2.so.2"
  ],
  "name": "libxml2",
  "other": {
    "b": 1,
    "a": [
      2
    ]
  },
  "paths_data": {
    "paths": [
      {
        "_path": "lib/libxml2.so.2",
        "sha256": "ab",
        "path_type": "hardlink"
      }
    ],
    "paths_version": 1
  },
  "size": 12345678901234567
}
`
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	if got, err := condaReduced([]byte(`{"name": "a", "files": 7}`), nil); err != nil || !strings.Contains(string(got), `"files": 7`) {
		t.Errorf("a list that is none: %s, %v", got, err)
	}
	for _, text := range []string{"", "[]", `{"name": `} {
		if _, err := condaReduced([]byte(text), nil); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestODBCLibraries(t *testing.T) {
	const text = "[ODBC Drivers]\nX = Installed\n; Driver = libno.so\n[X]\nDriver=/opt/x/libx.so\n Setup = libxS.so \nDRIVER64 = libx64.so\nFileUsage=1\nDriver = /opt/x/libx.so\nDriver =\n"
	if got, want := strings.Join(odbcLibraries(text), " "), "/opt/x/libx.so libxS.so libx64.so"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseDlopenNote(t *testing.T) {
	list := parseDlopenNote(`[{"feature":"zlib","soname":["libz.so.1","libz.so.2"],"priority":"suggested"},{"soname":["a"]}]`)
	if len(list) != 2 || list[0].Priority != "suggested" || len(list[0].Soname) != 2 || list[1].Priority != "" {
		t.Errorf("got %+v", list)
	}
	for _, text := range []string{"", "{}", `[{"soname":"x"}]`, "[[[["} {
		if list := parseDlopenNote(text); list != nil {
			t.Errorf("%q gives %+v", text, list)
		}
	}
}
