package python

import (
	"slices"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	for in, want := range map[string]Name{
		"Django": "django", "zope.interface": "zope-interface", "a-_.b": "a-b", "A": "a", "0": "0", "ruamel_yaml": "ruamel-yaml",
	} {
		if got, err := ParseName(in); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-a", "a-", "_", "a b", "föo", "a/b", "a\n", ".", "a[x]"} {
		if got, err := ParseName(in); err == nil {
			t.Errorf("%q is taken for %q", in, got)
		}
	}
}

func TestMarkerEnvFor(t *testing.T) {
	for in, want := range map[string][2]string{
		"3.11.2": {"3.11", "3.11.2"}, "3.13.0rc1": {"3.13", "3.13.0rc1"}, "3.8": {"3.8", "3.8.0"}, "3.14.0a1.dev2+x": {"3.14", "3.14.0a1.dev2"},
	} {
		env := MarkerEnvFor(mustVersion(t, in), "aarch64")
		if got := [2]string{env.PythonVersion, env.PythonFullVersion}; got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
		if env.PlatformMachine != "aarch64" || env.SysPlatform != "linux" || env.PlatformRelease != "" || env.ImplementationVersion != want[1] {
			t.Errorf("%s: got %+v", in, env)
		}
	}
}

func TestMarkersOfSeveralExtras(t *testing.T) {
	env := MarkerEnvFor(mustVersion(t, "3.11.2"), "x86_64")
	for _, c := range []struct {
		marker string
		extras []Name
		want   bool
	}{
		{`extra == "A_b"`, nil, false},
		{`extra == "A_b"`, []Name{"x", "a-b"}, true},
		{`extra == "a" and python_version < "3"`, []Name{"a"}, false},
		{`extra == "a" or python_version > "3"`, nil, true},
		{`extra == "a" and extra == "b"`, []Name{"a", "b"}, false}, // as in pip: one at a time
		{`extra != "a"`, []Name{"a", "b"}, true},
		{`extra != "a"`, nil, true},
		{`python_version > "3"`, []Name{"a", "b"}, true},
	} {
		m, err := ParseMarker(c.marker)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Eval(&env, c.extras...); err != nil || got != c.want {
			t.Errorf("%s with %q is %v, %v, want %v", c.marker, c.extras, got, err, c.want)
		}
	}
	var always *Marker
	if ok, err := always.Eval(&env); !ok || err != nil || always.MentionsExtra() || always.String() != "" {
		t.Error("the nil marker is not always true")
	}
}

func TestMarkersAreBounded(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("(", 5000) + "os_name == 'a'" + strings.Repeat(")", 5000),
		strings.Repeat("os_name == 'a' or ", 20000) + "os_name == 'a'",
	} {
		if _, err := ParseMarker(text); err == nil {
			t.Errorf("%.20s... is accepted", text)
		} else if len(err.Error()) > 1000 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
	if _, err := ParseSpecifiers(strings.Repeat("==1,", 5000)); err == nil {
		t.Error("5000 specifiers are accepted")
	}
	if _, err := ParseVersion("1." + strings.Repeat("0", 20000)); err == nil {
		t.Error("a version of 20000 digits is accepted")
	}
}

// TestTagsOfOldPythons checks what the vectors leave out.
func TestTagsOfOldPythons(t *testing.T) {
	first := func(major, minor int, abis ...string) []string {
		tags := TagsFor(TagTarget{Implementation: "cp", Major: major, Minor: minor, ABIs: abis, Arch: "x86_64", Libc: Libc{"glibc", 2, 5}})
		var out []string
		for _, tag := range tags.All() {
			if tag.Platform == "manylinux1_x86_64" {
				out = append(out, tag.Python+"-"+tag.ABI)
			}
		}
		return out[:min(4, len(out))]
	}
	for _, c := range []struct{ got, want []string }{
		{first(3, 7), []string{"cp37-cp37m", "cp37-abi3", "cp37-none", "cp36-abi3"}},
		{first(3, 7, "cp37m"), []string{"cp37-cp37m", "cp37-abi3", "cp37-none", "cp36-abi3"}},
		{first(3, 8), []string{"cp38-cp38", "cp38-abi3", "cp38-none", "cp37-abi3"}},
		{first(2, 7), []string{"cp27-cp27mu", "cp27-none", "py27-none", "py2-none"}},
		{first(3, 15, "cp315t"), []string{"cp315-cp315t", "cp315-abi3t", "cp315-none", "cp314-abi3t"}},
		{first(3, 11, "cp311d", "cp311", "abi3", "none"), []string{"cp311-cp311d", "cp311-cp311", "cp311-abi3", "cp311-none"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestLinuxTagsAreLast(t *testing.T) {
	tags := TagsFor(TagTarget{Implementation: "cp", Major: 3, Minor: 11, Arch: "aarch64", Libc: Libc{"musl", 1, 2}})
	rank := func(file string) int {
		w, err := ParseWheelName(file)
		if err != nil {
			t.Fatal(err)
		}
		rank, ok := tags.Rank(w)
		if !ok {
			t.Fatalf("%s does not fit", file)
		}
		return rank
	}
	if rank("a-1-cp311-cp311-linux_aarch64.whl") < rank("a-1-cp311-cp311-musllinux_1_0_aarch64.whl") {
		t.Error("linux_aarch64 is before musllinux_1_0_aarch64")
	}
	if rank("a-1-cp311-cp311-linux_aarch64.musllinux_1_2_aarch64.whl") != 0 {
		t.Error("the best tag of a file does not count")
	}
}

func TestParseSdistNameOfAProject(t *testing.T) {
	for _, c := range []struct {
		file    string
		project Name
		want    string
	}{
		{"a-b-1.0.tar.gz", "a-b", "1.0"},
		{"a_b-1.0.tar.gz", "a-b", "1.0"},
		{"A.b-1.0.zip", "a-b", "1.0"},
		{"a-1.0-1.tar.gz", "a", "1.0.post1"},
		{"a-1-2.0.tar.gz", "a-1", "2.0"},
		{"a-1.0.tar.bz2", "a", "1.0"},
		{"zope.interface-5.0.0.tgz", "zope-interface", "5.0.0"},
	} {
		if got, err := ParseSdistName(c.file, c.project); err != nil || got.String() != c.want {
			t.Errorf("%s of %s is %s, %v, want %s", c.file, c.project, got, err, c.want)
		}
	}
	for _, file := range []string{"a.tar.gz", "b-1.0.tar.gz", "a-1.0.whl", "a-one.tar.gz", "a-1.0.exe"} {
		if got, err := ParseSdistName(file, "a"); err == nil {
			t.Errorf("%s is taken for %s", file, got)
		}
	}
}

func TestPosString(t *testing.T) {
	for want, pos := range map[string]Pos{"": {}, "a.txt": {File: "a.txt"}, "a.txt:3": {"a.txt", 3}} {
		if got := pos.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Finding the project in a name costs time for each hyphen.
func TestFileNamesAreBounded(t *testing.T) {
	long := strings.Repeat("a-", 1<<20)
	if _, err := ParseSdistName(long+"1.tar.gz", "a"); err == nil || len(err.Error()) > 1000 {
		t.Errorf("got error %.100v", err)
	}
	if _, err := ParseWheelName(long + "1-py3-none-any.whl"); err == nil || len(err.Error()) > 1000 {
		t.Errorf("got error %.100v", err)
	}
}
