package inspect

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// glibcImage is a usual Python image; more sections can follow.
func glibcImage(libc, version string, more ...string) string {
	tag := strings.ReplaceAll(strings.Join(strings.SplitN(version, ".", 3)[:2], "."), ".", "")
	minor := strings.Join(strings.SplitN(version, ".", 3)[:2], ".")
	return fmt.Sprintf(`-- links --
usr/local/bin/python3 -> python%[3]s
-- usr/local/lib/python%[3]s/os.py --
-- elf --
usr/local/bin/python%[3]s python %[1]s %[2]s /lib64/ld-linux-x86-64.so.2
lib64/ld-linux-x86-64.so.2 loader %[4]s
lib/x86_64-linux-gnu/libc.so.6 libc %[4]s
`, version, tag, minor, libc) + strings.Join(more, "\n")
}

func muslImage(version string, more ...string) string {
	return `-- links --
usr/local/bin/python3 -> python3.11
-- usr/local/lib/python3.11/os.py --
-- elf --
usr/local/bin/python3.11 python 3.11.2 311 /lib/ld-musl-x86_64.so.1
lib/ld-musl-x86_64.so.1 musl ` + version + "\n" + strings.Join(more, "\n")
}

// dist is a distribution a 1.0 whose RECORD lists a/x.so.
const dist = `
-- usr/local/lib/python3.11/site-packages/a-1.0.dist-info/METADATA --
Name: a
Version: 1.0
-- usr/local/lib/python3.11/site-packages/a-1.0.dist-info/RECORD --
a/x.so,,
a/foreign.so,,
a-1.0.dist-info/METADATA,,
`

func environment(t testing.TB, text string) *Environment {
	t.Helper()
	s := parseSample(text)
	e, err := Read(s.set, Options{Platform: "linux/amd64", Env: s.env})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const site = "usr/local/lib/python3.11/site-packages/"

// elsewhere is a base whose Python has another prefix.
const elsewhere = "-- links --\nusr/bin/python3 -> python3.11\n-- usr/lib/python3.11/os.py --\n-- elf --\nusr/bin/python3.11 python 3.11.2 311 /lib64/ld-linux-x86-64.so.2\nlib64/ld-linux-x86-64.so.2 loader 2.36\nlib/x86_64-linux-gnu/libc.so.6 libc 2.36\n"

func TestFitsNamesNeedAndHave(t *testing.T) {
	dev := func(more ...string) string { return glibcImage("2.38", "3.11.2", append(more, dist)...) }
	for _, c := range []struct{ name, dev, base, want string }{
		{"pure", dev(), glibcImage("2.36", "3.11.9"), ""},
		{"same libc", dev(site + "a/x.so lib a needs=libc.so.6 verneed=libc.so.6:GLIBC_2.17"), glibcImage("2.36", "3.11.2"), ""},
		{"newer libc", dev(site + "a/x.so lib a needs=libc.so.6 verneed=libc.so.6:GLIBC_2.17,GLIBC_2.38"), glibcImage("2.36", "3.11.2"),
			site + "a/x.so needs GLIBC_2.38 of libc.so.6, which has GLIBC_2.36 in the base"},
		{"other minor", dev(), glibcImage("2.36", "3.12.1"), "made for Python 3.11, the base has Python 3.12"},
		{"no Python", dev(), "-- etc/os-release --\n", "the base image has no Python"},
		{"other libc, pure", dev(), muslImage("1.2.5"), ""},
		{"other libc", dev(site + "a/x.so lib a needs=libc.so.6"), muslImage("1.2.5"), "made for glibc, the base has musl"},
		{"library that comes along fits",
			dev("usr/lib/libq.so.1 lib libq.so.1 needs=libc.so.6 verneed=libc.so.6:GLIBC_2.17", site+"a/x.so lib a needs=libq.so.1"), glibcImage("2.36", "3.11.2"), ""},
		{"library that comes along does not fit",
			dev("usr/lib/libq.so.1 lib libq.so.1 needs=libc.so.6 verneed=libc.so.6:GLIBC_2.38", site+"a/x.so lib a needs=libq.so.1"), glibcImage("2.36", "3.11.2"),
			"usr/lib/libq.so.1 needs GLIBC_2.38 of libc.so.6, which has GLIBC_2.36 in the base"},
		{"library that stays is judged by what it defines",
			dev("usr/lib/libq.so.1 lib libq.so.1 verdef=Q_1,Q_2", site+"a/x.so lib a needs=libq.so.1 verneed=libq.so.1:Q_2"),
			glibcImage("2.36", "3.11.2", "usr/lib/libq.so.1 lib libq.so.1 verdef=Q_1"), site + "a/x.so needs Q_2 of libq.so.1, which has Q_1 in the base"},
		{"newer libstdc++ is brought along",
			dev("usr/lib/libstdc++.so.6 lib libstdc++.so.6 verdef=GLIBCXX_3.4.32", site+"a/x.so lib a needs=libstdc++.so.6 verneed=libstdc++.so.6:GLIBCXX_3.4.32"),
			glibcImage("2.36", "3.11.2", "usr/lib/libstdc++.so.6 lib libstdc++.so.6 verdef=GLIBCXX_3.4.30"), ""},
		{"missing in both", dev(site + "a/x.so lib a needs=libnowhere.so.1"), glibcImage("2.36", "3.11.2"), ""},
		{"file for another machine", dev(site + "a/foreign.so lib a machine=183 needs=libc.so.6 verneed=libc.so.6:GLIBC_2.99"), glibcImage("2.36", "3.11.2"), ""},
		{"relr on old musl", muslImage("1.2.5", site+"a/x.so lib a relr", dist), muslImage("1.2.3"),
			site + "a/x.so has DT_RELR relocations, which need musl 1.2.4; the base has 1.2.3"},
		{"relr on new musl", muslImage("1.2.5", site+"a/x.so lib a relr", dist), muslImage("1.2.4"), ""},
		{"other place", dev(), elsewhere,
			""},
		{"other place, of the OS", dev("-- var/lib/dpkg/status --\nPackage: python3-a\nStatus: install ok installed\nVersion: 1\n-- var/lib/dpkg/info/python3-a.list --\n/" + site + "a-1.0.dist-info/METADATA\n"), elsewhere,
			"installed in /usr/local/lib/python3.11/site-packages, where the base's Python does not look (it takes /usr/lib/python3.11/site-packages), and made by python3-a for that place"},
		{"other place, bound to the old one", dev(site + "a/x.so lib a needs=libc.so.6 rpath=/usr/local/lib"), elsewhere,
			"installed in /usr/local/lib/python3.11/site-packages, where the base's Python does not look (it takes /usr/lib/python3.11/site-packages), and " + site + "a/x.so finds libraries by /usr/local/lib"},
	} {
		d, b := environment(t, c.dev), environment(t, c.base)
		if len(d.Distributions) != 1 {
			t.Fatalf("%s: %d distributions", c.name, len(d.Distributions))
		}
		if got := Fits(d.Distributions[0], d, b); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFitsRefusesWhatCantBeTaken(t *testing.T) {
	e := environment(t, glibcImage("2.36", "3.11.2"))
	for _, d := range []*Distribution{{Refused: "RECORD: bad"}} {
		if got := Fits(d, e, e); got == "" {
			t.Errorf("%+v fits", d)
		}
	}
}

func TestNativeNeeds(t *testing.T) {
	e := environment(t, glibcImage("2.36", "3.11.2",
		site+"a/x.so lib a needs=libc.so.6,libq.so.1,libown.so,libgone.so.2 rpath=$ORIGIN verneed=libc.so.6:GLIBC_2.17",
		site+"a/libown.so lib libown.so needs=libq.so.1",
		"usr/lib/libq.so.1 lib libq.so.1",
		`-- var/lib/dpkg/status --
Package: libq1
Status: install ok installed
Version: 1
-- var/lib/dpkg/info/libq1.list --
/usr/lib/libq.so.1`,
		strings.ReplaceAll(dist, "a/foreign.so", "a/libown.so")))
	got := e.Native(e.Distributions[0])
	want := &NativeNeeds{
		ELF:  []string{site + "a/libown.so", site + "a/x.so"},
		Libc: "glibc", Arch: "x86_64", Versions: map[string]string{"GLIBC": "2.17"},
		Libraries: []NativeLibrary{
			{Name: "libc.so.6", Path: "lib/x86_64-linux-gnu/libc.so.6", By: site + "a/x.so"},
			{Name: "libgone.so.2", By: site + "a/x.so"},
			{Name: "libq.so.1", Path: "usr/lib/libq.so.1", By: site + "a/libown.so", Owner: "libq1"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDiffTellsVersionsAndWhatOnlyOneHas(t *testing.T) {
	version := func(s string) python.Version {
		v, err := python.ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	a := environment(t, glibcImage("2.36", "3.11.2"))
	b := environment(t, muslImage("1.2.5"))
	a.Distributions = []*Distribution{{Name: "mkl", Version: version("2024.1")}, {Name: "numpy", Version: version("1.26.4")}, {Name: "six", Version: version("1.16")}}
	b.Distributions = []*Distribution{{Name: "numpy", Version: version("1.26.3")}, {Name: "numpy", Version: version("1.0"), Shadowed: true}, {Name: "six", Version: version("1.16")}}
	want := []Difference{{"libc", "glibc 2.36", "musl 1.2.5"}, {"mkl", "2024.1", ""}, {"numpy", "1.26.4", "1.26.3"}}
	if got := Diff(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
