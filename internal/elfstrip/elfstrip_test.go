package elfstrip

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
)

// part is a section of a made-up file, in the order of the file.
type part struct {
	name  string
	kind  uint32
	flags uint64
	data  []byte
	link  uint32
}

// build returns an ELF file of two segments: everything up to and with the part named
// .text, and perhaps a second one for the parts named .late, which patchelf would add
// behind all else.
func build(is64 bool, order binary.ByteOrder, parts []part, tail []byte) []byte {
	ehdr, phent, shent := 52, 32, 40
	if is64 {
		ehdr, phent, shent = 64, 56, 64
	}
	b := make([]byte, ehdr+2*phent)
	word := func(at int, n uint64) {
		if is64 {
			order.PutUint64(b[at:], n)
			return
		}
		order.PutUint32(b[at:], uint32(n))
	}
	names := []byte{0}
	offs := make([]int, len(parts))
	nameAt := make([]int, len(parts)+1)
	var loadEnd, lateFrom, lateEnd int
	for i, p := range parts {
		b = append(b, make([]byte, -len(b)&7)...)
		offs[i] = len(b)
		b = append(b, p.data...)
		switch {
		case p.name == ".late":
			lateFrom, lateEnd = offs[i], len(b)
		case p.flags&shfAlloc != 0:
			loadEnd = len(b)
		}
		nameAt[i] = len(names)
		names = append(append(names, p.name...), 0)
	}
	nameAt[len(parts)] = len(names)
	names = append(append(names, ".shstrtab"...), 0)
	strAt := len(b)
	b = append(b, names...)
	b = append(b, make([]byte, -len(b)&7)...)
	shoff := len(b)
	b = append(b, make([]byte, shent*(len(parts)+2))...)
	header := func(i, name int, kind uint32, flags uint64, off, size int, link uint32) {
		h := shoff + i*shent
		order.PutUint32(b[h:], uint32(name))
		order.PutUint32(b[h+4:], kind)
		if is64 {
			word(h+8, flags)
			word(h+24, uint64(off))
			word(h+32, uint64(size))
			order.PutUint32(b[h+40:], link)
			word(h+48, 8)
			return
		}
		word(h+8, flags)
		word(h+16, uint64(off))
		word(h+20, uint64(size))
		order.PutUint32(b[h+24:], link)
		word(h+32, 8)
	}
	for i, p := range parts {
		header(i+1, nameAt[i], p.kind, p.flags, offs[i], len(p.data), p.link)
	}
	header(len(parts)+1, nameAt[len(parts)], shtStrtab, 0, strAt, len(names), 0)

	copy(b, "\x7fELF\x01\x01\x01")
	if is64 {
		b[4] = 2
	}
	if order == binary.BigEndian {
		b[5] = 2
	}
	order.PutUint16(b[16:], typeDyn)
	order.PutUint16(b[18:], 62)
	order.PutUint32(b[20:], 1)
	t := 40
	if is64 {
		word(32, uint64(ehdr))
		word(40, uint64(shoff))
		t = 52
	} else {
		word(28, uint64(ehdr))
		word(32, uint64(shoff))
	}
	for i, n := range []int{ehdr, phent, 2, shent, len(parts) + 2, len(parts) + 1} {
		order.PutUint16(b[t+2*i:], uint16(n))
	}
	segment := func(i, off, size int) {
		h := ehdr + i*phent
		order.PutUint32(b[h:], ptLoad)
		if is64 {
			word(h+8, uint64(off))
			word(h+16, uint64(off))
			word(h+32, uint64(size))
			word(h+40, uint64(size))
			return
		}
		word(h+4, uint64(off))
		word(h+8, uint64(off))
		word(h+16, uint64(size))
		word(h+20, uint64(size))
	}
	segment(0, 0, loadEnd)
	segment(1, lateFrom, lateEnd-lateFrom)
	return append(b, tail...)
}

func fill(n int, c byte) []byte { return bytes.Repeat([]byte{c}, n) }

// usual are the sections of a library with debug information.
func usual() []part {
	return []part{
		{name: ".dynsym", kind: 11, flags: shfAlloc, data: fill(48, 1)},
		{name: ".text", kind: shtProgbits, flags: shfAlloc, data: fill(1000, 2)},
		{name: ".comment", kind: shtProgbits, data: fill(100, 3)},
		{name: ".debug_info", kind: shtProgbits, data: fill(9000, 4)},
		{name: ".symtab", kind: shtSymtab, data: fill(4800, 5), link: 6},
		{name: ".strtab", kind: shtStrtab, data: fill(300, 0)},
		{name: ".note.stapsdt", kind: 7, data: fill(30, 7)},
	}
}

// strip returns the file without its symbols, nil if it stays as it is.
func strip(t testing.TB, file []byte) []byte {
	t.Helper()
	r, err := Find(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		return nil
	}
	again, err := Decode(r.Encode())
	if err != nil {
		t.Fatalf("the recipe can't be read back: %v", err)
	}
	if again.Of != r.Of || again.Size != r.Size || again.Zeros != r.Zeros || again.Of != int64(len(file)) {
		t.Fatalf("the recipe reads back as %d -> %d (%d zeros), not %d -> %d (%d) of %d", again.Of, again.Size, again.Zeros, r.Of, r.Size, r.Zeros, len(file))
	}
	out, err := io.ReadAll(again.Reader(iotest.DataErrReader(bytes.NewReader(file))))
	if err != nil {
		t.Fatal(err)
	}
	small, err := io.ReadAll(iotest.OneByteReader(again.Reader(iotest.HalfReader(bytes.NewReader(file)))))
	if err != nil || !bytes.Equal(out, small) {
		t.Fatalf("another way of reading gives another file (%v)", err)
	}
	if int64(len(out)) != r.Size {
		t.Fatalf("%d bytes, not %d", len(out), r.Size)
	}
	return out
}

// sameLoaded checks that nothing changed which is loaded, or has a number by which it
// is known.
func sameLoaded(t *testing.T, file, out []byte) {
	t.Helper()
	a, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	b, err := elf.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Progs) != len(b.Progs) {
		t.Fatalf("%d segments, not %d", len(b.Progs), len(a.Progs))
	}
	head := 40
	if a.Class == elf.ELFCLASS32 {
		head = 32
	}
	if !bytes.Equal(file[:head], out[:head]) {
		t.Error("the header differs before the place of the table")
	}
	for i, p := range a.Progs {
		q := b.Progs[i]
		if p.ProgHeader != q.ProgHeader {
			t.Errorf("segment %d is %+v, not %+v", i, q.ProgHeader, p.ProgHeader)
		}
		from := max(int(p.Off), 64) // the header may be part of it
		if to := int(p.Off + p.Filesz); from < to && !bytes.Equal(file[from:to], out[from:to]) {
			t.Errorf("segment %d has other bytes", i)
		}
	}
	for i, s := range a.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		if i >= len(b.Sections) || b.Sections[i].Name != s.Name || b.Sections[i].Offset != s.Offset || b.Sections[i].Addr != s.Addr {
			t.Errorf("section %d %s is not where it was", i, s.Name)
		}
	}
	for _, s := range b.Sections {
		if s.Type == elf.SHT_SYMTAB || s.Name == ".debug_info" || s.Name == ".comment" {
			t.Errorf("section %s is still there", s.Name)
		}
	}
	x, errA := a.DynamicSymbols()
	y, errB := b.DynamicSymbols()
	if errA == nil && (errB != nil || !slices.Equal(x, y)) {
		t.Errorf("dynamic symbols differ (%v)", errB)
	}
}

func TestStripLeavesWhatIsLoaded(t *testing.T) {
	for _, is64 := range []bool{true, false} {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			for _, tail := range []string{"", "\x00"} {
				file := build(is64, order, usual(), []byte(tail))
				out := strip(t, file)
				if out == nil {
					t.Fatalf("64 bits %v, %v: stays as it is", is64, order)
				}
				sameLoaded(t, file, out)
				if len(out) > len(file)-9000-4800 {
					t.Errorf("%d bytes of %d are left", len(out), len(file))
				}
				f, err := elf.NewFile(bytes.NewReader(out))
				if err != nil {
					t.Fatal(err)
				}
				s := f.Section(".note.stapsdt")
				if s == nil {
					t.Fatal("a note that is no part of debugging is gone")
				}
				if b, err := s.Data(); err != nil || !bytes.Equal(b, fill(30, 7)) {
					t.Errorf("the note reads %q, %v", b, err)
				}
				if strip(t, out) != nil {
					t.Error("the result can be stripped again")
				}
			}
		}
	}
}

// What patchelf puts behind the symbols keeps its place, and the symbols become zeros.
func TestStripZeroesWhatLiesBetweenSegments(t *testing.T) {
	parts := append(usual(), part{name: ".late", kind: shtProgbits, flags: shfAlloc, data: fill(500, 9)})
	file := build(true, binary.LittleEndian, parts, nil)
	out := strip(t, file)
	if out == nil {
		t.Fatal("stays as it is")
	}
	sameLoaded(t, file, out)
	if bytes.Contains(out, fill(50, 4)) || bytes.Contains(out, fill(50, 5)) {
		t.Error("symbols are still there")
	}
	if !bytes.Contains(out, fill(30, 7)) {
		t.Error("the note is gone")
	}
}

func TestStripRefuses(t *testing.T) {
	good := func() []byte { return build(true, binary.LittleEndian, usual(), nil) }
	change := func(at int, to ...byte) []byte {
		b := good()
		copy(b[at:], to)
		return b
	}
	if strip(t, good()) == nil {
		t.Fatal("the file that the others are made of stays as it is")
	}
	for name, file := range map[string][]byte{
		"no ELF":                    []byte("#!/bin/sh\n"),
		"nothing":                   {},
		"an archive behind it":      append(good(), "PK\x05\x06 and more than a few zeros"...),
		"an object file":            change(16, 1),
		"another version":           change(6, 2),
		"no table of sections":      change(40, 0, 0, 0, 0),
		"a table outside":           change(40, 0xff, 0xff, 0xff, 0x7f),
		"no segments":               change(56, 0, 0),
		"a segment outside":         change(64+32, 0xff, 0xff, 0xff, 0x7f),
		"more sections than a file": change(60, 0xff, 0xff),
		"names in no section":       change(62, 0xff, 0xff),
		"little to gain":            build(true, binary.LittleEndian, usual()[:3], nil),
		"half of it":                good()[:2000],
	} {
		if strip(t, file) != nil {
			t.Errorf("%s: is stripped", name)
		}
	}
}

func TestReaderNoticesAnotherFile(t *testing.T) {
	file := build(true, binary.LittleEndian, usual(), nil)
	r, err := Find(bytes.NewReader(file), int64(len(file)))
	if err != nil || r == nil {
		t.Fatal(r, err)
	}
	if _, err := io.ReadAll(r.Reader(bytes.NewReader(file[:len(file)-1]))); err != io.ErrUnexpectedEOF {
		t.Errorf("a shorter one gives %v", err)
	}
	if _, err := io.ReadAll(r.Reader(bytes.NewReader(append(file, 0)))); err == nil {
		t.Error("a longer one gives no error")
	}
}

// A library of gcc is loaded and works after stripping, and has no section more than strip leaves it.
func TestStripLikeBinutils(t *testing.T) {
	for _, tool := range []string{"gcc", "strip", "readelf"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	dir := t.TempDir()
	src := filepath.Join(dir, "a.c")
	text := "#include <stdio.h>\nstatic int twice(int n) { return 2 * n; }\nint answer(void) { return twice(21); }\nint main(void) { printf(\"%d\\n\", answer()); return 0; }\n"
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"-pie", "-fPIE"}, {"-no-pie"}, {"-static"}} {
		prog := filepath.Join(dir, "a")
		if out, err := exec.Command("gcc", append(flags, "-g3", "-Wl,--build-id", "-o", prog, src)...).CombinedOutput(); err != nil {
			t.Logf("gcc %v: %v: %s", flags, err, out)
			continue
		}
		file, err := os.ReadFile(prog)
		if err != nil {
			t.Fatal(err)
		}
		out := strip(t, file)
		if out == nil {
			t.Fatalf("%v: stays as it is", flags)
		}
		sameLoaded(t, file, out)
		if err := os.WriteFile(prog, out, 0o755); err != nil {
			t.Fatal(err)
		}
		if got, err := exec.Command(prog).Output(); err != nil || string(got) != "42\n" {
			t.Errorf("%v: it says %q, %v", flags, got, err)
		}
		if said, err := exec.Command("readelf", "-aW", prog).CombinedOutput(); err != nil || bytes.Contains(said, []byte("Warning")) || bytes.Contains(said, []byte("Error")) {
			t.Errorf("%v: readelf: %v\n%s", flags, err, said)
		}
		theirs := filepath.Join(dir, "b")
		if err := os.WriteFile(theirs, file, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := exec.Command("strip", "--strip-unneeded", "-R", ".comment", theirs).Run(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if n := int64(len(out)); n > info.Size()+1024 {
			t.Errorf("%v: %d bytes, %d with strip", flags, n, info.Size())
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add(build(true, binary.LittleEndian, usual(), nil))
	f.Add(build(false, binary.BigEndian, usual(), nil))
	f.Add(build(true, binary.LittleEndian, append(usual(), part{name: ".late", kind: shtProgbits, flags: shfAlloc, data: fill(500, 9)}), nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		out := strip(t, file)
		if out == nil {
			return
		}
		e := &file2{file}
		for _, s := range e.segments() {
			for i := s.from; i < s.to && i < int64(len(file)); i++ {
				if i >= 64 && (i >= int64(len(out)) || file[i] != out[i]) {
					t.Fatalf("byte %d of a segment is lost", i)
				}
			}
		}
	})
}

// file2 reads segments once more, simply.
type file2 struct{ b []byte }

func (f *file2) segments() []span {
	x := &file{r: bytes.NewReader(f.b), size: int64(len(f.b))}
	if ok, err := x.read(); !ok || err != nil {
		return nil
	}
	h, order := f.b, x.order
	at, n, entry := int64(order.Uint32(h[28:])), int(order.Uint16(h[44:])), int64(32)
	if x.is64 {
		at, n, entry = int64(order.Uint64(h[32:])), int(order.Uint16(h[56:])), 56
	}
	var out []span
	for range n {
		p := h[at:]
		off, size := int64(order.Uint32(p[4:])), int64(order.Uint32(p[16:]))
		if x.is64 {
			off, size = int64(order.Uint64(p[8:])), int64(order.Uint64(p[32:]))
		}
		out = append(out, span{off, off + size})
		at += entry
	}
	return out
}

func FuzzDecode(f *testing.F) {
	file := build(true, binary.LittleEndian, usual(), nil)
	r, err := Find(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		if again, err := Decode(r.Encode()); err != nil || again.Size != r.Size || again.Of != r.Of {
			t.Fatalf("it reads back as %v, %v", again, err)
		}
	})
}
