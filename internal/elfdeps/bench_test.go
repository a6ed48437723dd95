package elfdeps

import (
	"bytes"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps/elftest"
)

// BenchmarkParse is one extension module; a full image has some 6,000.
func BenchmarkParse(b *testing.B) {
	f := elftest.File{
		Needed: []string{"libpthread.so.0", "libm.so.6", "libc.so.6"}, RunPath: "$ORIGIN/../x.libs",
		VerNeed: map[string][]string{"libc.so.6": {"GLIBC_2.2.5", "GLIBC_2.14", "GLIBC_2.17"}, "libm.so.6": {"GLIBC_2.2.5"}},
	}
	for range 500 {
		f.Imports = append(f.Imports, "PyObject_Something")
	}
	data := f.Bytes()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := Parse(bytes.NewReader(data), int64(len(data))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClosure is 200 modules with a library each beside them.
func BenchmarkClosure(b *testing.B) {
	c := loaderCase{elf: []caseELF{{path: "app/m", file: elftest.File{Program: true}}}}
	m := &memTree{elf: map[string]*Info{}, texts: map[string]string{}, links: map[string]string{}}
	m.elf["lib64/ld-linux-x86-64.so.2"] = parse(b, elftest.Loader("2.36", "/lib/").Bytes())
	m.elf["app/m"] = parse(b, c.elf[0].file.Bytes())
	m.elf["app/x.libs/libq.so"] = parse(b, elftest.File{Soname: "libq.so"}.Bytes())
	mod := parse(b, elftest.File{Needed: []string{"libq.so"}, RunPath: "$ORIGIN/x.libs"}.Bytes())
	var all []string
	for i := range 200 {
		p := "app/e" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".so"
		m.elf[p] = mod
		all = append(all, p)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		l, err := NewLoader(m, interps["glibc"], LoaderOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Closure(all, "app/m"); err != nil {
			b.Fatal(err)
		}
	}
}
