package needs

import (
	"strings"
	"testing"
)

// TestCheckLooksWhereBuildsLook has a need a case, and what of the image meets it.
func TestCheckLooksWhereBuildsLook(t *testing.T) {
	hdf5 := Need{Name: "HDF5", Header: "hdf5.h", PkgConfig: []string{"hdf5"}, Programs: []string{"h5cc"}, Libraries: []string{"libhdf5.so"}, Env: []string{"HDF5_DIR"}}
	zlib := Need{Name: "zlib", Header: "zlib.h", Libraries: []string{"libz.so"}}
	xml := Need{Name: "libxml2", Header: "libxml/xmlversion.h", PkgConfig: []string{"libxml-2.0"}}
	for _, c := range []struct {
		name string
		need Need
		env  string
		tree string
		want string
	}{
		{"include", hdf5, "", "usr/include/hdf5.h", "/usr/include"},
		{"include of the architecture", hdf5, "", "usr/include/aarch64-linux-gnu/hdf5.h", "/usr/include/aarch64-linux-gnu"},
		{"include of another architecture", hdf5, "", "usr/include/x86_64-linux-gnu/hdf5.h", ""},
		{"local first", hdf5, "", "usr/include/hdf5.h usr/local/include/hdf5.h", "/usr/local/include"},
		{"below, called like it", hdf5, "", "usr/include/hdf5/serial/hdf5.h", "/usr/include/hdf5/serial"},
		{"below, called with lib", xml, "", "usr/include/libxml2/libxml/xmlversion.h", "/usr/include/libxml2"},
		{"below something else", zlib, "", "usr/include/node/zlib.h usr/include/linux/zlib.h", ""},
		{"too far below", hdf5, "", "usr/include/hdf5/a/b/c/hdf5.h", ""},
		{"pkg-config of the architecture", hdf5, "", "usr/lib/aarch64-linux-gnu/pkgconfig/hdf5.pc", "/usr/lib/aarch64-linux-gnu/pkgconfig/hdf5.pc"},
		{"pkg-config", hdf5, "", "usr/share/pkgconfig/hdf5.pc", "/usr/share/pkgconfig/hdf5.pc"},
		{"PKG_CONFIG_PATH", hdf5, "PKG_CONFIG_PATH=/opt/x/lib/pkgconfig:relative", "opt/x/lib/pkgconfig/hdf5.pc", "/opt/x/lib/pkgconfig/hdf5.pc"},
		{"PKG_CONFIG_LIBDIR", hdf5, "PKG_CONFIG_LIBDIR=/opt/x", "opt/x/hdf5.pc", "/opt/x/hdf5.pc"},
		{"PKG_CONFIG_LIBDIR only", hdf5, "PKG_CONFIG_LIBDIR=/opt/x", "usr/share/pkgconfig/hdf5.pc", ""},
		{"headers that zig brings", Need{Name: "Linux headers", Header: "linux/ethtool.h"}, "", "usr/lib/zig/lib/libc/include/any-linux-any/linux/ethtool.h",
			"/usr/lib/zig/lib/libc/include/any-linux-any"},
		{"omp.h of gcc", Need{Name: "OpenMP", Header: "omp.h"}, "", "usr/lib/gcc/aarch64-linux-gnu/12/include/omp.h", "/usr/lib/gcc/aarch64-linux-gnu/12/include"},
		{"elsewhere", hdf5, "", "opt/x/lib/pkgconfig/hdf5.pc opt/x/include/hdf5.h opt/x/bin/h5cc*", ""},
		{"CPATH", hdf5, "CPATH=/opt/x/include", "opt/x/include/hdf5.h", "/opt/x/include"},
		{"LIBRARY_PATH", hdf5, "LIBRARY_PATH=/opt/x/lib", "opt/x/lib/libhdf5.so", "/opt/x/lib/libhdf5.so"},
		{"program", hdf5, "", "usr/bin/h5cc*", "/usr/bin/h5cc"},
		{"program that is none", hdf5, "", "usr/bin/h5cc", ""},
		{"program on PATH only", hdf5, "PATH=/opt/x/bin", "usr/bin/h5cc*", ""},
		{"program through links", hdf5, "", "usr/bin/h5cc.real* etc/alternatives/h5cc -> /usr/bin/h5cc.real usr/bin/h5cc -> /etc/alternatives/h5cc", "/usr/bin/h5cc"},
		{"library", zlib, "", "usr/lib/aarch64-linux-gnu/libz.so -> libz.so.1 usr/lib/aarch64-linux-gnu/libz.so.1", "/usr/lib/aarch64-linux-gnu/libz.so"},
		{"library to link statically", zlib, "", "usr/lib/libz.a", "/usr/lib/libz.a"},
		{"library to run with only", zlib, "", "usr/lib/aarch64-linux-gnu/libz.so.1", ""},
		{"dangling link", zlib, "", "usr/lib/libz.so -> libz.so.9", ""},
		{"link in a circle", zlib, "", "usr/lib/libz.so -> libz.so", ""},
		{"folder of the name", zlib, "", "usr/include/zlib.h/", ""},
		{"merged usr", zlib, "", "lib -> usr/lib usr/lib/libz.so", "/usr/lib/libz.so"},
		{"variable", hdf5, "HDF5_DIR=/opt/hdf5", "opt/hdf5/include/hdf5.h usr/include/hdf5.h", "HDF5_DIR=/opt/hdf5"},
		{"variable to the headers", hdf5, "HDF5_DIR=/opt/hdf5/include", "opt/hdf5/include/hdf5.h", "HDF5_DIR=/opt/hdf5/include"},
		{"variable that leads nowhere", hdf5, "HDF5_DIR=/opt/hdf5", "opt/hdf5/x usr/include/hdf5.h", "/usr/include"},
		{"variable of another kind", hdf5, "HDF5_DIR=1.14", "", "HDF5_DIR=1.14"},
		{"variable that is empty", hdf5, "HDF5_DIR=", "", ""},
	} {
		img := debian(split(c.tree)...)
		img.Env = []string{c.env}
		i := Check(List{Needs: []Need{c.need}}, img).Items[0]
		got := i.Found
		if i.Env != "" {
			got = i.Env + "=" + strings.TrimPrefix(c.env, "HDF5_DIR=")
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// split splits a list of files of [tree], in which " -> " belongs to a name.
func split(list string) []string {
	var out []string
	for _, s := range strings.Fields(strings.ReplaceAll(list, " -> ", "\x00")) {
		out = append(out, strings.ReplaceAll(s, "\x00", " -> "))
	}
	return out
}

const sysconfig = "# system configuration generated and used by the sysconfig module\nbuild_time_vars = {'ABIFLAGS': '',\n 'AR': 'ar',\n 'CC': 'aarch64-linux-gnu-gcc -pthread',\n" +
	" 'CFLAGS': '-Wall '\n           '-O2',\n 'CXX': 'aarch64-linux-gnu-g++ -pthread'}\n"

func TestCompilerIsThatOfTheInterpreter(t *testing.T) {
	b := book(t)
	for _, c := range []struct {
		name, lang, notes, tree string
		found, set              string
	}{
		{"the image's", "c", sysconfig, "usr/bin/acme-cc* usr/bin/gcc*", "/usr/bin/acme-cc", ""},
		{"its own", "c", sysconfig, "usr/bin/cc* usr/bin/aarch64-linux-gnu-gcc*", "/usr/bin/aarch64-linux-gnu-gcc", ""},
		{"another", "c", sysconfig, "usr/bin/clang* usr/bin/gcc*", "/usr/bin/gcc", "CC=gcc"},
		{"none", "c", sysconfig, "usr/bin/ccache*", "", ""},
		{"its own by path", "c", "{'CC': '/opt/cc -O2'}", "opt/cc* usr/bin/cc*", "/opt/cc", ""},
		{"unknown", "c", "CC = gcc", "usr/bin/cc*", "/usr/bin/cc", ""},
		{"odd", "c", "{'CC': gcc", "usr/bin/cc*", "/usr/bin/cc", ""},
		{"its own for C++", "c++", sysconfig, "usr/bin/aarch64-linux-gnu-g++* usr/bin/g++*", "/usr/bin/aarch64-linux-gnu-g++", ""},
		{"another for C++", "c++", sysconfig, "usr/bin/g++*", "/usr/bin/g++", "CXX=g++"},
		{"C++ by gcc", "c++", " 'CXX': 'gcc',\n", "usr/bin/gcc*", "", ""},
		{"C++ by gcc, and there", "c++", " 'CXX': 'gcc',\n", "usr/bin/gcc* usr/bin/c++*", "/usr/bin/c++", ""},
		{"Rust", "rust", sysconfig, "usr/bin/cargo*", "/usr/bin/cargo", ""},
	} {
		img := debian(append(split(c.tree), "usr/lib/python3.11/_sysconfigdata__linux_aarch64-linux-gnu.py = "+c.notes)...)
		img.Env = []string{"CC=acme-cc -m64"}
		l := b.For("acme", version(t, "1"), Hints{Languages: []string{c.lang}})
		r := Check(l, img)
		if got := r.Items[0]; got.Found != c.found || strings.Join(r.Set(), " ") != c.set {
			t.Errorf("%s: found %q, to set %q; want %q, %q", c.name, got.Found, r.Set(), c.found, c.set)
		}
	}
}

func TestAdviceFitsTheImage(t *testing.T) {
	l := BuiltIn().For("acme", version(t, "1"), Hints{External: externals(t, "dep:virtual/compiler/c", "dep:generic/openssl")})
	for _, c := range []struct {
		name string
		tree string
		img  Image
		want string // what to add for the compiler, the headers of Python and OpenSSL
	}{
		{"Debian", "var/lib/dpkg/status", Image{Prefix: "usr", Stdlib: "usr/lib/python3.11"}, "gcc libc6-dev (apt) python3-dev (apt) libssl-dev (apt)"},
		{"distroless", "var/lib/dpkg/status.d/base", Image{Prefix: "usr", Stdlib: "usr/lib/python3.11"}, "gcc libc6-dev (apt) python3-dev (apt) libssl-dev (apt)"},
		{"Alpine", "lib/apk/db/installed", Image{Prefix: "usr", Stdlib: "usr/lib/python3.12"}, "build-base (apk) python3-dev (apk) openssl-dev (apk)"},
		{"Fedora", "usr/lib/sysimage/rpm/rpmdb.sqlite", Image{Prefix: "usr", Stdlib: "usr/lib64/python3.12"}, "gcc (rpm) python3-devel (rpm) openssl-devel (rpm)"},
		// Debian's headers are those of Debian's Python.
		{"own Python", "var/lib/dpkg/status", Image{Prefix: "usr/local", Stdlib: "usr/local/lib/python3.12"}, "gcc libc6-dev (apt) libssl-dev (apt)"},
		{"another Python", "var/lib/dpkg/status usr/bin/python3.11* usr/bin/python3 -> python3.11", Image{Prefix: "usr", Stdlib: "usr/lib/python3.13"},
			"gcc libc6-dev (apt) python3.13-dev (apt) libssl-dev (apt)"},
		{"conda", "var/lib/dpkg/status opt/conda/conda-meta/history", Image{Prefix: "opt/conda", Stdlib: "opt/conda/lib/python3.12"}, "c-compiler (conda) openssl (conda)"},
		{"conda on Alpine", "lib/apk/db/installed opt/conda/lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py", Image{Prefix: "opt/conda", Stdlib: "opt/conda/lib/python3.12"}, ""},
		{"nothing", "etc/passwd", Image{Prefix: "usr", Stdlib: "usr/lib/python3.11"}, ""},
		{"asked for", "etc/passwd", Image{Prefix: "usr", Stdlib: "usr/lib/python3.11", Manager: "rpm"}, "gcc (rpm) python3-devel (rpm) openssl-devel (rpm)"},
	} {
		c.img.Files = tree(split(c.tree)...)
		r := Check(l, c.img)
		var got []string
		for _, i := range r.Missing() {
			if _, add, ok := strings.Cut(i.Text(r.Manager), ": add "); ok {
				got = append(got, add)
			}
		}
		if s := strings.Join(got, " "); s != c.want || len(r.Missing()) != 3 {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

func TestPkgConfigIsMissedWhereOnlyItLeads(t *testing.T) {
	l := book(t).For("h5py", version(t, "3.11"), Hints{})
	for tree, want := range map[string]bool{
		"usr/include/hdf5/serial/hdf5.h":                     true,
		"usr/include/hdf5/serial/hdf5.h usr/bin/pkgconf*":    false,
		"usr/include/hdf5/serial/hdf5.h usr/bin/pkg-config*": false,
		"usr/include/hdf5.h":                                 false,
		"usr/lib/pkgconfig/hdf5.pc":                          true,
	} {
		got := strings.Contains(strings.Join(names(Check(l, debian(split(tree)...)).Unsure()), " "), "pkg-config")
		if got != want {
			t.Errorf("%s: %v, want %v", tree, got, want)
		}
	}
}

func TestPythonHeadersAreTheInterpreters(t *testing.T) {
	l := book(t).For("acme", version(t, "1"), Hints{Languages: []string{"c"}})
	for _, c := range []struct {
		prefix, stdlib, tree string
		want                 string
	}{
		{"usr", "usr/lib/python3.11", "usr/include/python3.11/Python.h", "/usr/include/python3.11"},
		{"usr", "usr/lib/python3.11", "usr/include/python3.12/Python.h usr/local/include/python3.11/Python.h", ""},
		{"usr", "usr/lib64/python3.12", "usr/include/python3.12/Python.h", "/usr/include/python3.12"},
		{"usr/local", "usr/local/lib/python3.13t", "usr/local/include/python3.13t/Python.h", "/usr/local/include/python3.13t"},
		{"opt/venv", "usr/lib/python3.11", "usr/include/python3.11/Python.h", "/usr/include/python3.11"},
		{"", "", "usr/include/python3.11/Python.h", ""},
	} {
		img := Image{Files: tree(split(c.tree)...), Prefix: c.prefix, Stdlib: c.stdlib, Arch: "x86_64"}
		for _, i := range Check(l, img).Items {
			if i.Need.kind == pythonHeader && i.Found != c.want {
				t.Errorf("%s: %q, want %q", c.tree, i.Found, c.want)
			}
		}
	}
}
