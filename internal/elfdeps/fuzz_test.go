package elfdeps

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps/elftest"
)

func FuzzParse(f *testing.F) {
	for _, e := range []elftest.File{
		elftest.Loader("2.36", "/lib/", "/usr/lib/"), elftest.MuslLoader("1.2.5"), elftest.Python("3.11.2", "311", "/lib64/ld.so"),
		{Soname: "libb.so", Needed: []string{"libc.so.6"}, RPath: "$ORIGIN", VerNeed: map[string][]string{"libc.so.6": {"GLIBC_2.34"}},
			VerDef: []string{"B_1"}, Imports: []string{"dlopen"}, ROData: "libtbb.so.12\x00", Notes: []string{"[]"}},
	} {
		f.Add(e.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := Parse(bytes.NewReader(b), int64(len(b)))
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("reading from memory fails: %v", err)
		}
		if i == nil {
			return
		}
		got, err := Decode(i.Encode())
		if err != nil || !reflect.DeepEqual(i, got) {
			t.Fatalf("%v: %+v is decoded as %+v", err, i, got)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add((&Info{Needed: []string{"a"}, Loader: &LoaderFacts{}, Python: &PythonFacts{}}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(i.Encode())
		if err != nil || !reflect.DeepEqual(i, again) {
			t.Fatalf("%v: %+v is decoded as %+v", err, i, again)
		}
	})
}

func FuzzParseCache(f *testing.F) {
	names, _ := filepath.Glob("testdata/cache/*")
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(EncodeCache([]CacheEntry{{Name: "a", Path: "/b/a", HWCaps: "x86-64-v3"}, {Name: "c", Path: "/d", LegacyHWCap: 1 << 61}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseCache(b)
		if err != nil {
			return
		}
		again, err := ParseCache(EncodeCache(list))
		if err != nil || len(again) != len(list) {
			t.Fatalf("%v: %d entries become %d", err, len(list), len(again))
		}
	})
}

func FuzzLoader(f *testing.F) {
	f.Add("liba.so", "$ORIGIN/../x:/y", "libb.so", "/z:${LIB}")
	f.Fuzz(func(t *testing.T, need, rpath, soname, env string) {
		c := loaderCase{
			elf: []caseELF{{path: "app/m"}, {path: "y/" + need}},
			env: env,
		}
		c.elf[0].file = elftest.File{Program: true, Needed: []string{need}, RPath: rpath}
		c.elf[1].file = elftest.File{Soname: soname, Needed: []string{soname, need}, RunPath: rpath}
		m := &memTree{elf: map[string]*Info{}, texts: map[string]string{}, links: map[string]string{"z": "/y", "loop": "loop"}}
		for _, e := range c.elf {
			b := e.file.Bytes()
			i, err := Parse(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Skip() // a name with a NUL in it
			}
			m.elf[e.path] = i
		}
		for family, interp := range interps {
			m.elf[interp[1:]] = &Info{Class: 64, Machine: MachineX86_64, Type: TypeDyn, Loader: &LoaderFacts{Family: family, SystemDirs: []string{"/lib/"}}}
			l, err := NewLoader(m, interp, LoaderOptions{LibraryPath: env})
			if err != nil {
				t.Fatal(err)
			}
			closure, err := l.Closure(nil, "app/m")
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range closure.Objects {
				if m.elf[o.Real] == nil {
					t.Fatalf("%q is not in the tree", o.Real)
				}
			}
		}
	})
}
