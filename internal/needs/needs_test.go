package needs

import (
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// text is the content of a file.
type text string

func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(t))), nil }

// tree makes a set of files: "a" is empty, "a*" a program, "a -> b" a link, "a = b" has
// the content b, and "a/" is a folder.
func tree(names ...string) files.Set {
	var list []*files.File
	for _, n := range names {
		f := &files.File{Path: n, Mode: 0o644, Content: text("")}
		if p, link, ok := strings.Cut(n, " -> "); ok {
			f.Path, f.Link, f.Mode, f.Content = p, link, fs.ModeSymlink|0o777, nil
		} else if p, content, ok := strings.Cut(n, " = "); ok {
			f.Path, f.Content, f.Size = p, text(content), int64(len(content))
		} else if p, ok := strings.CutSuffix(n, "*"); ok {
			f.Path, f.Mode = p, 0o755
		} else if p, ok := strings.CutSuffix(n, "/"); ok {
			f.Path, f.Mode, f.Content = p, fs.ModeDir|0o755, nil
		}
		list = append(list, f)
	}
	return files.NewSet(list)
}

func version(t *testing.T, s string) python.Version {
	t.Helper()
	v, err := python.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func debian(names ...string) Image {
	return Image{
		Files:  tree(append(names, "var/lib/dpkg/status")...),
		Prefix: "usr", Stdlib: "usr/lib/python3.11", Arch: "aarch64",
	}
}

// book has packages for tests that don't depend on what is built in.
func book(t *testing.T) *Book {
	t.Helper()
	b, err := Read("test.toml", []byte(testBook))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const testBook = `
[compilers.c]
program = ["cc", "gcc", "clang"]
apk = ["build-base"]
apt = ["gcc", "libc6-dev"]
[compilers."c++"]
program = ["c++", "g++"]
apt = ["g++"]
[compilers.rust]
program = ["cargo"]
apt = ["cargo"]

[h5py]
docs = "https://example.org/h5py"
compilers = ["c"]
[[h5py.needs]]
name = "HDF5"
header = "hdf5.h"
pkg-config = ["hdf5", "hdf5-serial"]
library = ["libhdf5.so"]
env = ["HDF5_DIR"]
apk = ["hdf5-dev"]
apt = ["libhdf5-dev"]
[[h5py.needs]]
name = "MPI"
program = ["mpicc"]
optional = true
apt = ["libopenmpi-dev"]
[[h5py.needs]]
name = "lzo"
header = "lzo/lzo1x.h"
versions = "<3"
apt = ["liblzo2-dev"]

[acme-pg]
[[acme-pg.needs]]
name = "pg_config"
program = ["pg_config"]
apt = ["libpq-dev"]
`

func names(items []Item) (out []string) {
	for _, i := range items {
		out = append(out, i.Need.Name)
	}
	return out
}

func TestReportSaysWhereAndWhatToAdd(t *testing.T) {
	l := book(t).For("h5py", version(t, "3.11"), Hints{})
	img := debian("usr/bin/cc*", "usr/bin/pkgconf*", "usr/include/stdio.h", "usr/include/python3.11/Python.h", "usr/include/hdf5/serial/hdf5.h", "usr/bin/mpicc*")
	got := Check(l, img).Text()
	want := `building needs a C compiler (apk: build-base, apt: gcc libc6-dev): found /usr/bin/cc
building needs Python.h (apk: python3-dev, apt: python3-dev, rpm: python3-devel): found /usr/include/python3.11
building needs hdf5.h (apk: hdf5-dev, apt: libhdf5-dev): found /usr/include/hdf5/serial
building may need mpicc (apt: libopenmpi-dev): found /usr/bin/mpicc`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got = Check(l, debian("usr/bin/cc*")).Text()
	want = `building needs Python.h (apk: python3-dev, apt: python3-dev, rpm: python3-devel): not in the image: add python3-dev (apt)
building needs hdf5.h (apk: hdf5-dev, apt: libhdf5-dev): not in the image: add libhdf5-dev (apt)
building needs a C compiler (apk: build-base, apt: gcc libc6-dev): found /usr/bin/cc
building may need stdio.h (apk: musl-dev, apt: libc6-dev, rpm: glibc-devel): not in the image: add libc6-dev (apt)
building may need mpicc (apt: libopenmpi-dev): not in the image: add libopenmpi-dev (apt)`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNeedsOfAVersion(t *testing.T) {
	b := book(t)
	for _, c := range []struct {
		version string
		hints   Hints
		want    string
	}{
		{"3.11", Hints{}, "C compiler, headers of Python, HDF5 | headers of the C library, MPI"},
		{"2.10.0", Hints{}, "C compiler, headers of Python, HDF5, lzo | headers of the C library, MPI"},
		// What the archive says by guess is left out beside the book.
		{"3.11", Hints{PkgConfig: []string{"zlib"}, Libraries: []string{"odbc"}}, "C compiler, headers of Python, HDF5 | headers of the C library, MPI"},
		{"3.11", Hints{Downloads: []string{"freetype"}}, "C compiler, headers of Python, HDF5 | headers of the C library, MPI, to download freetype"},
		// What it says by PEP 725 is joined.
		{"3.11", Hints{External: externals(t, "dep:generic/zlib", "dep:virtual/compiler/c", "dep:virtual/compiler/cxx", "dep:generic/HDF5")},
			"C compiler, C++ compiler, headers of Python, HDF5, zlib | headers of the C library, MPI"},
	} {
		l := b.For("h5py", version(t, c.version), c.hints)
		var sure, unsure []string
		for _, n := range l.Needs {
			if n.Sure {
				sure = append(sure, n.Name)
			} else {
				unsure = append(unsure, n.Name)
			}
		}
		if got := strings.Join(sure, ", ") + " | " + strings.Join(unsure, ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.version, got, c.want)
		}
	}
}

func externals(t *testing.T, list ...string) (out []External) {
	t.Helper()
	for _, s := range list {
		x, err := ParseExternal(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

func TestNeedsOfAnUnknownPackage(t *testing.T) {
	l := book(t).For("acme", version(t, "1"), Hints{
		Languages: []string{"c", "cython", "rust"}, Certain: []string{"rust"}, Crates: true,
		PkgConfig: []string{"cairo-gobject", "acme-1.0", "openmp"}, Headers: []string{"zlib.h", "acme.h"}, Programs: []string{"swig"},
		Libraries: []string{"ssl", "acme"}, Names: []string{"OpenSSL", "LibXml2", "Whatever"},
	})
	want := `needs a Rust compiler (apt: cargo)
needs crates that are not in the archive
may need a C compiler (apk: build-base, apt: gcc libc6-dev)
may need Python.h (apk: python3-dev, apt: python3-dev, rpm: python3-devel)
may need stdio.h (apk: musl-dev, apt: libc6-dev, rpm: glibc-devel)
may need cairo.h (apk: cairo-dev, apt: libcairo2-dev, rpm: cairo-devel)
may need acme-1.0.pc (apk: pc:acme-1.0, rpm: pkgconfig(acme-1.0))
may need omp.h (apk: build-base, apt: gcc, rpm: gcc)
may need zlib.h (apk: zlib-dev, apt: zlib1g-dev, rpm: zlib-devel)
may need acme.h
may need swig (apk: swig, apt: swig, rpm: swig)
may need openssl/ssl.h (apk: openssl-dev, apt: libssl-dev, rpm: openssl-devel)
may need libacme.so
may need libxml/xmlversion.h (apk: libxml2-dev, apt: libxml2-dev, rpm: libxml2-devel)`
	var got []string
	for _, n := range l.Needs {
		s := Item{Need: n, Found: "x"}.Text("")
		s, _, _ = strings.Cut(s, ": found")
		s, _, _ = strings.Cut(s, ", and a build")
		got = append(got, strings.TrimPrefix(s, "building "))
	}
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	if r := Check(l, debian("usr/bin/cargo*")); !slices.Equal(names(r.Missing()), []string{"crates that are not in the archive"}) {
		t.Errorf("missing %v", names(r.Missing()))
	}
}

// pygraphviz has asked for swig as a build requirement since 2.0, and before for that of
// the image.
func TestProgramsOfBuildRequirementsAreNotNeeded(t *testing.T) {
	b := book(t)
	b.entries["acme-pg"].needs[0].Programs = []string{"swig"}
	for _, c := range []struct {
		tools []string
		want  int
	}{{nil, 1}, {[]string{"cmake"}, 1}, {[]string{"cmake", "swig"}, 0}} {
		if r := Check(b.For("acme-pg", version(t, "1"), Hints{Tools: c.tools}), debian()); len(r.Missing()) != c.want {
			t.Errorf("%v: %v", c.tools, names(r.Missing()))
		}
	}
}
