package elfstrip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
)

// Numbers of the gABI.
const (
	typeExec, typeDyn = 2, 3

	shtNull, shtProgbits, shtSymtab, shtStrtab, shtRela, shtNobits, shtRel, shtGroup, shtSymtabShndx = 0, 1, 2, 3, 4, 8, 9, 17, 18

	shfAlloc, shfInfoLink, shfCompressed = 0x2, 0x40, 0x800

	ptLoad = 1
)

// Bounds on the tables that are read; see elfdeps for where they come from.
const (
	maxProgramHeaders = 64 << 10
	maxSections       = 1 << 12
	maxNames          = 1 << 18
	maxGap            = 4096 // bytes between sections that nobody speaks of
	maxTail           = 16   // zeros behind the last part
)

// Find returns how a shared library or program gets smaller; nil if it does not, or
// is no ELF file, or has something in it that is not understood. Errors are about reading
// alone. It reads headers only.
func Find(r io.ReaderAt, size int64) (*Recipe, error) {
	f := &file{r: r, size: size}
	ok, err := f.read()
	if err == nil && ok {
		ok, err = f.isWhole()
	}
	if err != nil || !ok {
		return nil, err
	}
	return f.recipe(), nil
}

// file is what the headers of a file say.
type file struct {
	r     io.ReaderAt
	size  int64
	order binary.ByteOrder
	is64  bool

	ehdr, shoff, shentsize int64
	shstrndx               int
	loads                  bool
	fixed                  []span    // parts that keep their place
	secs                   []section // as in the file
	names                  []byte
}

// span is a part of the file, from up to but without to.
type span struct{ from, to int64 }

type section struct {
	raw       []byte // the header
	kind      uint32
	flags     uint64
	off, size int64
	align     int64
	link      uint32
	info      uint32
	name      string
	gone      bool
}

// at reads n bytes at off; ok is false if they are not all in the file.
func (f *file) at(off, n int64) (b []byte, ok bool, err error) {
	if off < 0 || n < 0 || off > f.size || n > f.size-off {
		return nil, false, nil
	}
	b = make([]byte, n)
	if m, err := f.r.ReadAt(b, off); err != nil && !(errors.Is(err, io.EOF) && m == len(b)) {
		return nil, false, err
	}
	return b, true, nil
}

// word reads an address-sized number; one that is no place in a file is -1.
func (f *file) word(b []byte, i int) int64 {
	var n uint64
	if f.is64 {
		n = f.order.Uint64(b[i:])
	} else {
		n = uint64(f.order.Uint32(b[i:]))
	}
	if n > maxSize {
		return -1
	}
	return int64(n)
}

// read fills f; ok is false if the file is to stay as it is.
func (f *file) read() (ok bool, err error) {
	h, ok, err := f.at(0, min(f.size, 64))
	if err != nil || !ok || len(h) < 52 || string(h[:4]) != "\x7fELF" || h[6] != 1 {
		return false, err
	}
	f.is64 = h[4] == 2
	if h[4] != 1 && h[4] != 2 || f.is64 && len(h) < 64 {
		return false, nil
	}
	switch h[5] {
	case 1:
		f.order = binary.LittleEndian
	case 2:
		f.order = binary.BigEndian
	default:
		return false, nil
	}
	if t := f.order.Uint16(h[16:]); t != typeExec && t != typeDyn {
		return false, nil
	}
	phoff, shoff, tail := f.word(h, 28), f.word(h, 32), 40
	f.ehdr = 52
	if f.is64 {
		phoff, shoff, tail = f.word(h, 32), f.word(h, 40), 52
		f.ehdr = 64
	}
	num := func(i int) int64 { return int64(f.order.Uint16(h[tail+i:])) }
	f.shoff, f.shentsize, f.shstrndx = shoff, num(6), int(num(10))
	if num(0) != f.ehdr {
		return false, nil
	}
	f.fix(0, f.ehdr)
	if ok, err := f.programHeaders(phoff, num(2), num(4)); err != nil || !ok {
		return false, err
	}
	return f.sections(num(8))
}

func (f *file) fix(off, size int64) {
	if size > 0 {
		f.fixed = append(f.fixed, span{off, off + size})
	}
}

func (f *file) programHeaders(off, entry, n int64) (ok bool, err error) {
	want := int64(32)
	if f.is64 {
		want = 56
	}
	if n == 0 || entry != want || n*entry > maxProgramHeaders {
		return false, nil
	}
	b, ok, err := f.at(off, n*entry)
	if err != nil || !ok {
		return false, err
	}
	f.fix(off, n*entry)
	for ; len(b) > 0; b = b[entry:] {
		off, size := f.word(b, 4), f.word(b, 16)
		if f.is64 {
			off, size = f.word(b, 8), f.word(b, 32)
		}
		if off < 0 || size < 0 || size > 0 && (off > f.size || size > f.size-off) {
			return false, nil
		}
		f.fix(off, size)
		f.loads = f.loads || f.order.Uint32(b) == ptLoad
	}
	return f.loads, nil
}

func (f *file) sections(n int64) (ok bool, err error) {
	want := int64(40)
	if f.is64 {
		want = 64
	}
	if f.shoff <= 0 || f.shentsize != want || n < 2 || n > maxSections || int64(f.shstrndx) >= n || f.shstrndx == 0 {
		return false, nil
	}
	table, ok, err := f.at(f.shoff, n*want)
	if err != nil || !ok {
		return false, err
	}
	for ; len(table) > 0; table = table[want:] {
		s, ok := f.section(table[:want])
		if !ok {
			return false, nil
		}
		f.secs = append(f.secs, s)
	}
	str := f.secs[f.shstrndx]
	if str.kind != shtStrtab || str.flags&shfAlloc != 0 || str.size > maxNames {
		return false, nil
	}
	if f.names, ok, err = f.at(str.off, str.size); err != nil || !ok {
		return false, err
	}
	for i := range f.secs {
		s := &f.secs[i]
		at := int64(f.order.Uint32(s.raw))
		if at >= int64(len(f.names)) {
			return false, nil
		}
		end := bytes.IndexByte(f.names[at:], 0)
		if end < 0 {
			return false, nil
		}
		s.name = string(f.names[at : at+int64(end)])
	}
	f.judge()
	return true, nil
}

// section reads one header.
func (f *file) section(b []byte) (section, bool) {
	s := section{raw: b, kind: f.order.Uint32(b[4:])}
	if f.is64 {
		s.flags, s.off, s.size = f.order.Uint64(b[8:]), f.word(b, 24), f.word(b, 32)
		s.link, s.info, s.align = f.order.Uint32(b[40:]), f.order.Uint32(b[44:]), f.word(b, 48)
	} else {
		s.flags, s.off, s.size = uint64(f.order.Uint32(b[8:])), f.word(b, 16), f.word(b, 20)
		s.link, s.info, s.align = f.order.Uint32(b[24:]), f.order.Uint32(b[28:]), f.word(b, 32)
	}
	if s.kind == shtNull || s.kind == shtNobits {
		s.off, s.size = 0, 0 // nothing of the file
		return s, true
	}
	if s.off < 0 || s.size < 0 || s.off > f.size || s.size > f.size-s.off || s.align < 0 || s.align > 1<<16 {
		return s, false
	}
	if s.flags&shfAlloc != 0 {
		f.fix(s.off, s.size)
	}
	return s, true
}

// isWhole tells whether the file ends where its last part does, or with zeros (patchelf
// leaves one): more would be data that a program carries behind itself.
func (f *file) isWhole() (ok bool, err error) {
	end := f.shoff + f.shentsize*int64(len(f.secs))
	for _, s := range f.fixed {
		end = max(end, s.to)
	}
	for _, s := range f.secs {
		end = max(end, s.off+s.size)
	}
	if f.size-end > maxTail {
		return false, nil
	}
	tail, ok, err := f.at(end, f.size-end)
	return ok && len(bytes.Trim(tail, "\x00")) == 0, err
}

// judge decides which sections go.
func (f *file) judge() {
	for i := range f.secs {
		s := &f.secs[i]
		s.gone = s.kind != shtNull && s.flags&shfAlloc == 0 && i != f.shstrndx && isForDebuggers(s)
	}
	for i := range f.secs {
		s := &f.secs[i]
		if s.flags&shfAlloc != 0 || i == f.shstrndx || s.gone {
			continue
		}
		switch s.kind {
		case shtStrtab: // of the symbols, or of sections that go
			used := slices.ContainsFunc(f.secs, func(o section) bool { return !o.gone && int(o.link) == i && o.kind != shtNull })
			s.gone = !used
		case shtRel, shtRela: // relocations that a linker has applied
			s.gone = f.isGone(s.link) || f.isGone(s.info)
		}
	}
}

func (f *file) isGone(i uint32) bool { return int64(i) < int64(len(f.secs)) && f.secs[i].gone }

// isForDebuggers tells whether nothing but a debugger or linker reads a section that
// is not loaded.
func isForDebuggers(s *section) bool {
	switch s.kind {
	case shtSymtab, shtSymtabShndx, shtGroup:
		return true
	case shtProgbits:
	default:
		return s.kind == shtNobits && strings.HasPrefix(s.name, ".debug")
	}
	switch s.name {
	case ".comment", ".gdb_index", ".gnu_debugdata", ".line", ".stab", ".stabstr", ".GCC.command.line", ".gnu_debugaltlink":
		return true
	}
	for _, p := range []string{".debug_", ".zdebug_", ".gnu.debuglto_", ".gnu.lto_", ".gnu.linkonce.wi.", ".stab.", ".debug."} {
		if strings.HasPrefix(s.name, p) {
			return true
		}
	}
	return false
}
