package plan

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/elfstrip"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// library is an ELF file of one segment with a symbol table of 8000 bytes behind it.
func library(t *testing.T) (text []byte, note []byte) {
	t.Helper()
	b := make([]byte, 64+56+200)
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	symtab := len(b)
	b = append(b, bytes.Repeat([]byte{7}, 8000)...)
	names := len(b)
	b = append(b, "\x00.symtab\x00.shstrtab\x00\x00\x00\x00\x00\x00"...)
	table := len(b)
	b = append(b, make([]byte, 3*64)...)
	section := func(i int, name, kind uint32, off, size int) {
		h := b[table+64*i:]
		le.PutUint32(h, name)
		le.PutUint32(h[4:], kind)
		le.PutUint64(h[24:], uint64(off))
		le.PutUint64(h[32:], uint64(size))
	}
	section(1, 1, 2, symtab, 8000)
	section(2, 9, 3, names, 19)
	le.PutUint16(b[16:], 3)
	le.PutUint16(b[18:], elfdeps.MachineX86_64)
	le.PutUint64(b[32:], 64)
	le.PutUint64(b[40:], uint64(table))
	for i, n := range []int{64, 56, 1, 64, 3, 2} {
		le.PutUint16(b[52+2*i:], uint16(n))
	}
	le.PutUint32(b[64:], 1)
	le.PutUint64(b[64+32:], uint64(symtab))
	le.PutUint64(b[64+40:], uint64(symtab))

	r, err := elfstrip.Find(bytes.NewReader(b), int64(len(b)))
	if err != nil || r == nil {
		t.Fatalf("the library can't be stripped: %v", err)
	}
	i := elfdeps.Info{Class: 64, Machine: elfdeps.MachineX86_64, Type: elfdeps.TypeDyn, Strip: r.Encode()}
	return b, i.Encode()
}

const stripTree = `@python p
p/lib/python3.11/site-packages/a/__init__.py
p/lib/python3.11/site-packages/a/_x.so
p/lib/python3.11/site-packages/a/fips.so
p/lib/python3.11/site-packages/a/liby.so.1
p/lib/python3.11/site-packages/a/.liby.so.1.hmac
p/lib/python3.11/site-packages/a-1.dist-info/RECORD
@dist a 1 a-1.dist-info/RECORD a/
`

// stripPlan returns the plan of a package whose libraries have symbols.
func stripPlan(t *testing.T, trim string, pick func(dev *inspect.Environment) Pick) *Plan {
	t.Helper()
	dev := readTree(t, stripTree)
	text, note := library(t)
	var list []*files.File
	for f := range dev.Files.All() {
		if strings.Contains(f.Path, ".so") && !strings.HasSuffix(f.Path, ".hmac") && strings.Contains(f.Path, "/a/") {
			f = &files.File{Path: f.Path, Mode: 0o644, Size: int64(len(text)), SHA256: f.SHA256, Content: content(text), Note: note}
		}
		list = append(list, f)
	}
	dev.Files = files.NewSet(list)
	p, err := Make(Input{
		Platform: "linux/amd64", Dev: dev, Base: readTree(t, "@python p\n"), Picks: []Pick{pick(dev)},
		Options: Options{Trim: trim, NoByteCode: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStripLeavesSymbolsOut(t *testing.T) {
	installed := func(dev *inspect.Environment) Pick {
		d := dev.Distributions[0]
		return Pick{Name: d.Name, Version: d.Version, Installed: d}
	}
	wheel := func(dev *inspect.Environment) Pick {
		d := dev.Distributions[0]
		return Pick{Name: d.Name, Version: d.Version, Wheel: &WheelFiles{FileName: "a-1-py3-none-any.whl", Files: dev.Files.Filter(func(f *files.File) bool {
			return strings.Contains(f.Path, "site-packages/")
		})}}
	}
	for name, pick := range map[string]func(*inspect.Environment) Pick{"image": installed, "wheel": wheel} {
		for _, trim := range []string{"safe", "max"} {
			p := stripPlan(t, trim, pick)
			sizes := map[string]int64{}
			var record string
			for _, l := range p.Layers {
				for f := range l.Files.All() {
					sizes[baseOf(f.Path)] = f.Size
					if baseOf(f.Path) == "RECORD" {
						b, err := f.ReadAll(1 << 20)
						if err != nil {
							t.Fatal(err)
						}
						record = string(b)
					}
					if baseOf(f.Path) == "_x.so" {
						checkContent(t, f)
					}
				}
			}
			whole := sizes["fips.so"]
			if whole < 8000 || sizes["liby.so.1"] != whole {
				t.Errorf("%s, %s: libraries that are checked at run time have %d and %d bytes", name, trim, whole, sizes["liby.so.1"])
			}
			if isSmall := sizes["_x.so"] <= whole-8000+64; isSmall != (trim == "max") {
				t.Errorf("%s, %s: the library has %d of %d bytes", name, trim, sizes["_x.so"], whole)
			}
			if trim == "max" && !strings.Contains(record, "a/_x.so,,\n") {
				t.Errorf("%s: RECORD says of a stripped file\n%s", name, record)
			}
			reported := len(p.Trimmed) == 1 && p.Trimmed[0].Rule == "symbols" && p.Trimmed[0].Files == 1 && p.Trimmed[0].Bytes > 7000
			if reported != (trim == "max") {
				t.Errorf("%s, %s: reported is %v", name, trim, p.Trimmed)
			}
		}
	}
}

// checkContent reads a file to its end, which has to be where its size says.
func checkContent(t *testing.T, f *files.File) {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); err != nil || n != f.Size {
		t.Errorf("%s: %d bytes of %d, %v", f.Path, n, f.Size, err)
	}
}
