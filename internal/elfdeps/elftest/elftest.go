// Package elftest makes small ELF files for tests, so that they need no
// compiler. The files are well-formed for a loader's eye and hold no code.
package elftest

import (
	"encoding/binary"
	"sort"
)

// File says what stands in an ELF file; the zero File is a 64-bit little-endian
// x86-64 shared library that needs nothing.
type File struct {
	Machine  uint16 // 0 means 62, x86-64
	Program  bool   // a position-independent program, else a library
	Interp   string
	Soname   string
	Needed   []string
	RPath    string
	RunPath  string
	VerNeed  map[string][]string // library -> versions
	VerDef   []string
	Imports  []string // undefined symbols
	Exports  []string // defined symbols
	ROData   string   // content of .rodata
	Entry    bool     // has an entry point, as loaders and programs do
	Relr     bool
	NoDeflib bool
	TextRel  bool     // by DT_FLAGS
	Stack    bool     // is executable, says PT_GNU_STACK
	Notes    []string // texts of .note.dlopen
}

// Loader returns a file that elfdeps takes for glibc's loader of that version
// with these system directories.
func Loader(version string, dirs ...string) File {
	ro := "\x00/etc/ld.so.cache\x00ld.so (Test) stable release version " + version + ".\x00"
	for _, d := range dirs {
		ro += d + "\x00"
	}
	return File{Soname: "ld-linux-x86-64.so.2", Entry: true, ROData: ro, VerDef: []string{"GLIBC_2.2.5"}}
}

// MuslLoader returns a file that elfdeps takes for musl's loader.
func MuslLoader(version string) File {
	return File{Entry: true, ROData: "\x00%.*s/etc/ld-musl-x86_64.path\x00" + version + "\x00"}
}

// Python returns a program with CPython's constants in it.
func Python(version, tag, interp string, needed ...string) File {
	suffix := ".cpython-" + tag + "-x86_64-linux-gnu.so"
	return File{
		Program: true, Interp: interp, Needed: needed, Entry: true, Exports: []string{"Py_GetVersion"},
		ROData: "\x00" + version + "\x00cpython-" + tag + "\x00" + suffix + "\x00",
	}
}

const headerSize, progSize, sectSize = 64, 56, 64

const gnuStack = 0x6474e551 // PT_GNU_STACK

var le = binary.LittleEndian

// strtab is a string table under construction.
type strtab struct {
	b   []byte
	off map[string]uint32
}

func newStrtab() *strtab { return &strtab{b: []byte{0}, off: map[string]uint32{"": 0}} }

func (t *strtab) add(s string) uint32 {
	off, ok := t.off[s]
	if !ok {
		off = uint32(len(t.b))
		t.b = append(append(t.b, s...), 0)
		t.off[s] = off
	}
	return off
}

// layout collects the parts of the file; addresses equal file offsets.
type layout struct {
	body  []byte // behind the program headers
	start int
}

func (l *layout) add(b []byte) (off uint64) {
	for (l.start+len(l.body))%8 != 0 {
		l.body = append(l.body, 0)
	}
	off = uint64(l.start + len(l.body))
	l.body = append(l.body, b...)
	return off
}

// Bytes returns the file.
func (f File) Bytes() []byte {
	progs := 2
	if f.Interp != "" {
		progs++
	}
	if len(f.Notes) > 0 {
		progs++
	}
	if f.Stack {
		progs++
	}
	l := &layout{start: headerSize + progs*progSize}
	str := newStrtab()
	dyn := f.dynamicTags(str)
	sym := f.symbols(str)
	need, def := f.verneed(str), f.verdef(str)
	symOff, symSize := l.add(sym), uint64(len(sym))
	needOff, defOff := l.add(need), l.add(def)
	strOff := l.add(str.b)
	roOff := l.add([]byte(f.ROData))
	interpOff := l.add(append([]byte(f.Interp), 0))
	note := f.notes()
	noteOff := l.add(note)
	tag := func(t, v uint64) { dyn = append(dyn, t, v) }
	tag(5, strOff)
	tag(10, uint64(len(str.b)))
	tag(6, symOff)
	if len(need) > 0 {
		tag(0x6ffffffe, needOff)
		tag(0x6fffffff, uint64(len(f.VerNeed)))
	}
	if len(def) > 0 {
		tag(0x6ffffffc, defOff)
		tag(0x6ffffffd, uint64(len(f.VerDef)))
	}
	tag(0, 0)
	var dynBytes []byte
	for _, v := range dyn {
		dynBytes = le.AppendUint64(dynBytes, v)
	}
	dynOff := l.add(dynBytes)
	sections, shoff, shnum := f.sections(l, symOff, symSize, strOff, uint64(len(str.b)), roOff)
	total := uint64(l.start + len(l.body))

	out := f.header(progs, shoff, shnum)
	prog := func(kind, off, size uint64) {
		out = le.AppendUint32(out, uint32(kind))
		flags := uint32(4) // readable
		if kind == gnuStack {
			flags = 7
		}
		out = le.AppendUint32(out, flags)
		for _, v := range []uint64{off, off, off, size, size, 8} {
			out = le.AppendUint64(out, v)
		}
	}
	prog(1, 0, total)
	prog(2, dynOff, uint64(len(dynBytes)))
	if f.Interp != "" {
		prog(3, interpOff, uint64(len(f.Interp)+1))
	}
	if len(f.Notes) > 0 {
		prog(4, noteOff, uint64(len(note)))
	}
	if f.Stack {
		prog(gnuStack, 0, 0)
	}
	return append(append(out, l.body...), sections...)
}

func (f File) header(progs int, shoff uint64, shnum int) []byte {
	out := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	machine := f.Machine
	if machine == 0 {
		machine = 62
	}
	out = le.AppendUint16(out, 3) // ET_DYN
	out = le.AppendUint16(out, machine)
	out = le.AppendUint32(out, 1)
	var entry uint64
	if f.Entry {
		entry = headerSize
	}
	out = le.AppendUint64(out, entry)
	out = le.AppendUint64(out, headerSize)
	out = le.AppendUint64(out, shoff)
	out = le.AppendUint32(out, 0)
	for _, v := range []int{headerSize, progSize, progs, sectSize, shnum, shnum - 1} {
		out = le.AppendUint16(out, uint16(v))
	}
	return out
}

func (f File) dynamicTags(str *strtab) []uint64 {
	var dyn []uint64
	add := func(t uint64, v uint64) { dyn = append(dyn, t, v) }
	for _, n := range f.Needed {
		add(1, uint64(str.add(n)))
	}
	if f.Soname != "" {
		add(14, uint64(str.add(f.Soname)))
	}
	if f.RPath != "" {
		add(15, uint64(str.add(f.RPath)))
	}
	if f.RunPath != "" {
		add(29, uint64(str.add(f.RunPath)))
	}
	if f.Relr {
		add(36, 0)
	}
	if f.TextRel {
		add(30, 4)
	}
	var flags1 uint64
	if f.Program {
		flags1 |= 0x08000000
	}
	if f.NoDeflib {
		flags1 |= 0x800
	}
	if flags1 != 0 {
		add(0x6ffffffb, flags1)
	}
	return dyn
}

func (f File) symbols(str *strtab) []byte {
	out := make([]byte, 24)
	one := func(name string, section uint16) {
		out = le.AppendUint32(out, str.add(name))
		out = append(out, 0x12, 0) // global function
		out = le.AppendUint16(out, section)
		out = append(out, make([]byte, 16)...)
	}
	for _, s := range f.Imports {
		one(s, 0)
	}
	for _, s := range f.Exports {
		one(s, 1)
	}
	return out
}

func (f File) verneed(str *strtab) []byte {
	libs := make([]string, 0, len(f.VerNeed))
	for lib := range f.VerNeed {
		libs = append(libs, lib)
	}
	sort.Strings(libs)
	var out []byte
	for i, lib := range libs {
		versions := f.VerNeed[lib]
		next := uint32(16 + 16*len(versions))
		if i == len(libs)-1 {
			next = 0
		}
		out = le.AppendUint16(out, 1)
		out = le.AppendUint16(out, uint16(len(versions)))
		out = le.AppendUint32(out, str.add(lib))
		out = le.AppendUint32(out, 16)
		out = le.AppendUint32(out, next)
		for j, v := range versions {
			step := uint32(16)
			if j == len(versions)-1 {
				step = 0
			}
			out = le.AppendUint32(out, 0)
			out = le.AppendUint16(out, 0)
			out = le.AppendUint16(out, uint16(j+2))
			out = le.AppendUint32(out, str.add(v))
			out = le.AppendUint32(out, step)
		}
	}
	return out
}

func (f File) verdef(str *strtab) []byte {
	var out []byte
	for i, v := range f.VerDef {
		next := uint32(28)
		if i == len(f.VerDef)-1 {
			next = 0
		}
		for _, h := range []uint16{1, 0, uint16(i + 2), 1} {
			out = le.AppendUint16(out, h)
		}
		for _, w := range []uint32{0, 20, next, str.add(v), 0} {
			out = le.AppendUint32(out, w)
		}
	}
	return out
}

func (f File) notes() []byte {
	var out []byte
	for _, text := range f.Notes {
		desc := append([]byte(text), 0)
		out = le.AppendUint32(out, 4)
		out = le.AppendUint32(out, uint32(len(desc)))
		out = le.AppendUint32(out, 0x407c0c0a)
		out = append(out, "FDO\x00"...)
		out = append(out, desc...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	return out
}

func (f File) sections(l *layout, symOff, symSize, strOff, strSize, roOff uint64) (b []byte, shoff uint64, n int) {
	names := newStrtab()
	type sect struct {
		name      string
		kind      uint32
		off, size uint64
	}
	list := []sect{{}, {".dynsym", 11, symOff, symSize}, {".dynstr", 3, strOff, strSize}, {".rodata", 1, roOff, uint64(len(f.ROData))}}
	for _, s := range list {
		names.add(s.name)
	}
	names.add(".shstrtab")
	list = append(list, sect{".shstrtab", 3, l.add(names.b), uint64(len(names.b))})
	shoff = l.add(nil)
	for _, s := range list {
		b = le.AppendUint32(b, names.off[s.name])
		b = le.AppendUint32(b, s.kind)
		for _, v := range []uint64{0, s.off, s.off, s.size, 0, 8, 0} {
			b = le.AppendUint64(b, v)
		}
	}
	return b, shoff, len(list)
}
