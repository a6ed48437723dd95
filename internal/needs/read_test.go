package needs

import (
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/python"
)

func TestBuiltInIsWhole(t *testing.T) {
	b := BuiltIn()
	for _, lang := range []string{"c", "c++", "fortran", "go", "rust"} {
		n, ok := b.compilers[lang]
		if !ok || len(n.Packages.APK) == 0 || len(n.Packages.APT) == 0 || len(n.Packages.RPM) == 0 {
			t.Errorf("compiler of %s: %+v", lang, n)
		}
	}
	for _, name := range b.Names() {
		e := b.entries[name]
		if !strings.HasPrefix(e.docs, "https://") {
			t.Errorf("%s: docs %q", name, e.docs)
		}
		if len(e.compilers)+len(e.needs) == 0 {
			t.Errorf("%s needs nothing", name)
		}
		for _, n := range e.needs {
			if len(n.Packages.APK)+len(n.Packages.APT)+len(n.Packages.RPM) == 0 {
				t.Errorf("%s: nothing carries %s", name, n.Name)
			}
		}
	}
}

func TestBuiltInIsInOrder(t *testing.T) {
	var last string
	for line := range strings.Lines(string(needsText)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "[")
		if !ok || strings.HasPrefix(name, "[") || strings.HasPrefix(name, "compilers.") {
			continue
		}
		name = strings.TrimSuffix(name, "]")
		if n, err := python.ParseName(name); err != nil || string(n) != name {
			t.Errorf("%q is no name in normal form", name)
		}
		if name < last {
			t.Errorf("%s stands after %s", name, last)
		}
		last = name
	}
}

// The names of PEP 725's own examples, and those that are most used in its trials.
func TestNamesOfExternalDependenciesAreKnown(t *testing.T) {
	for _, url := range strings.Fields(`
		dep:generic/openssl dep:generic/libffi dep:generic/pkg-config dep:generic/ninja dep:virtual/interface/blas dep:virtual/interface/lapack
		dep:virtual/interface/mpi dep:virtual/interface/openmp dep:generic/libjpeg dep:generic/zlib dep:generic/lcms2 dep:generic/freetype
		dep:generic/libimagequant dep:generic/libraqm dep:generic/libtiff dep:generic/libxcb dep:generic/libwebp dep:generic/openjpeg dep:generic/tk
		dep:generic/XCB dep:generic/git dep:generic/hdf5 dep:generic/libxml2 dep:generic/libxslt dep:generic/sqlite3 dep:generic/unixodbc
		dep:generic/libpq dep:generic/postgresql dep:generic/zeromq dep:generic/libsodium dep:generic/geos dep:generic/proj dep:generic/gdal
		dep:generic/boost-cpp dep:generic/eigen dep:generic/fftw dep:generic/gsl dep:generic/openblas dep:generic/cmake dep:generic/swig dep:generic/make
		dep:generic/llvm dep:generic/protobuf dep:generic/re2 dep:generic/c-ares dep:generic/libyaml dep:generic/lz4 dep:generic/zstd dep:generic/bzip2 dep:generic/xz`) {
		l := BuiltIn().For("acme", version(t, "1"), Hints{External: externals(t, url)})
		if len(l.Needs) != 1 || !l.Needs[0].Sure || l.Needs[0].Packages.String() == "" {
			t.Errorf("%s: %+v", url, l.Needs)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	const need = "[[a.needs]]\nname = 'x'\nheader = 'x.h'\n"
	for _, c := range []struct{ text, want string }{
		{"[a]\nfoo = 1", `test.toml:2: there is no key "a.foo"`},
		{need + "versions = 'new'", "test.toml: [a]: need 1 (\"x\"): versions: "},
		{"[a]\ncompilers = ['c']", `test.toml: [a]: there is no compiler of "c"`},
		{"[a]\nc = {program = ['cc'], name = 'x'}", "test.toml: [a]: compilers stand in [compilers]"},
		{"[compilers]\ndocs = 'x'", "test.toml: [compilers]: it holds compilers, and is no package"},
		{"[compilers.c]\napk = ['gcc']", "test.toml: [compilers]: c: it names nothing to look for"},
		{"[compilers.c]\nheader = 'x.h'", "test.toml: [compilers]: c: it names no program"},
		{"[compilers.algol]\nprogram = ['a']", `test.toml:1: there is no key "compilers.algol"`},
		{"[A]\n[a]\n", "test.toml: [a]: a has two entries"},
		{"['a b']\n", "test.toml: [a b]: "},
		{"[[a.needs]]\nheader = 'x.h'", `test.toml: [a]: need 1 (""): it has no name`},
		{"[[a.needs]]\nname = 'x'", `test.toml: [a]: need 1 ("x"): it names nothing to look for`},
		{"[[a.needs]]\nname = 'x'\nheader = '/x.h'", `is not below an include folder`},
		{"[[a.needs]]\nname = 'x'\nheader = '../x.h'", `is not below an include folder`},
		{need + "apt = ['']", "apt: an empty entry"},
		{need + "program = ['bin/x']", `program: "bin/x" is no name`},
		{need + "apt = ['a b']", `apt: "a b" is no name`},
		{need + `apt = ["a\u0007"]`, "has a control character"},
		{need + "apt = ['" + strings.Repeat("a", 600) + "']", "apt: 600 bytes, more than 512"},
		{need + "apt = [" + strings.Repeat("'a',", 65) + "]", "apt: 65 entries, more than 64"},
		{"a = 1", "test.toml:1: "},
		{"a = " + strings.Repeat("[", 1000), "test.toml: brackets nest too deeply"},
		{strings.Repeat("#", maxText+1), "test.toml: 4194305 bytes, more than 4194304"},
	} {
		b, err := Read("test.toml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v, %v; want %q", c.text, b, err, c.want)
		}
	}
}

func TestReadSaysTheSameOfTheSame(t *testing.T) {
	first := Check(BuiltIn().For("acme", version(t, "1"), all()), debian()).Text()
	for range 5 {
		b, err := Read("needs.toml", needsText)
		if err != nil {
			t.Fatal(err)
		}
		again := Check(b.For("acme", version(t, "1"), all()), debian()).Text()
		if again != first {
			t.Fatalf("got\n%s\nand\n%s", first, again)
		}
	}
}

// all are hints that reach most names.
func all() Hints {
	h := Hints{Languages: []string{"c", "c++", "fortran", "go", "rust"}}
	for k := range BuiltIn().names {
		space, name, _ := strings.Cut(k, " ")
		switch space {
		case "pc":
			h.PkgConfig = append(h.PkgConfig, name)
		case "name":
			h.Names = append(h.Names, name)
		}
	}
	slices.Sort(h.PkgConfig)
	slices.Sort(h.Names)
	return h
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(testBook))
	f.Add([]byte("[a]\ndocs='x'\ncompilers=['c']\n[[a.needs]]\nname='x'\nheader='x.h'\nversions='>=3'\n[compilers.c]\nprogram=['cc']"))
	f.Add([]byte("a.needs=[{name='x',library=['y'],env=['E']}]"))
	img := debian("usr/bin/cc*")
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Read("f.toml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.toml:") {
				t.Errorf("%v", err)
			}
			return
		}
		for _, n := range b.Names() {
			r := Check(b.For(n, version(t, "1.0"), Hints{}), img)
			if strings.ContainsAny(strings.ReplaceAll(r.Text(), "\n", ""), "\x00\x1b\r") {
				t.Errorf("%q", r.Text())
			}
			for _, i := range r.Missing() {
				if i.Found != "" || i.Need.Name == "" {
					t.Errorf("%+v", i)
				}
			}
		}
	})
}
