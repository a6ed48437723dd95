package elfdeps

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds on what is read of one file. The kernel reads at most 64 KiB of program
// headers; the rest is some ten times the largest in 12,000 files of images.
const (
	maxProgramHeaders = 64 << 10
	maxSections       = 1 << 14
	maxDynamic        = 1 << 20
	maxStrings        = 64 << 20
	maxVersions       = 1 << 20
	maxNotes          = 1 << 16
	maxNeeded         = 1 << 12
	maxName           = 4096
	maxNames          = 1 << 20 // all names of a file together
)

// Parse reads the parts of an ELF file that matter. It returns nil and no error
// for anything that is not ELF. An error wraps [ErrDamaged] or is one of
// reading. It reads little of the file, and is bounded however large the tables
// claim to be.
func Parse(r io.ReaderAt, size int64) (*Info, error) {
	var head [64]byte
	if size < 16 {
		return nil, nil
	}
	n, err := r.ReadAt(head[:min(size, 64)], 0)
	if err != nil && !(errors.Is(err, io.EOF) && int64(n) == min(size, 64)) {
		return nil, err
	}
	if string(head[:4]) != "\x7fELF" {
		return nil, nil
	}
	p := &parser{r: r, size: size, info: &Info{}}
	if err := p.header(head[:n]); err != nil {
		return nil, err
	}
	if err := p.programHeaders(); err != nil {
		return nil, err
	}
	if err := p.dynamic(); err != nil {
		return nil, err
	}
	p.info.PIE = p.info.Type == TypeDyn && (p.pieFlag || p.info.Interp != "" && p.info.Soname == "")
	if err := p.content(); err != nil {
		return nil, err
	}
	return p.info, nil
}

type parser struct {
	r     io.ReaderAt
	size  int64
	order binary.ByteOrder
	info  *Info

	phoff, shoff     uint64
	phentsize, phnum int
	shentsize, shnum int
	shstrndx         int
	entry            uint64
	loads            []segment
	dyn              segment // PT_DYNAMIC
	notes            []segment
	pieFlag          bool
	dynstr           []byte
	named            int // bytes of names read so far
	secs             []section
	secsRead         bool
}

// segment is a part of the file and where it is mapped.
type segment struct {
	off, vaddr, filesz uint64
	flags              uint32
}

func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...))
}

// at reads n bytes at off; what lies outside the file is damage.
func (p *parser) at(off, n uint64, what string) ([]byte, error) {
	if off > uint64(p.size) || n > uint64(p.size)-off {
		return nil, damaged("%s lies outside the file", what)
	}
	b := make([]byte, n)
	if m, err := p.r.ReadAt(b, int64(off)); err != nil && !(errors.Is(err, io.EOF) && m == len(b)) {
		return nil, err
	}
	return b, nil
}

// upTo is at for a table of unknown size: it returns fewer bytes at the end of
// the file.
func (p *parser) upTo(off, n uint64, what string) ([]byte, error) {
	if off > uint64(p.size) {
		return nil, damaged("%s lies outside the file", what)
	}
	return p.at(off, min(n, uint64(p.size)-off), what)
}

func (p *parser) is64() bool { return p.info.Class == 64 }

// word reads an address-sized number at i of b.
func (p *parser) word(b []byte, i int) uint64 {
	if p.is64() {
		return p.order.Uint64(b[i:])
	}
	return uint64(p.order.Uint32(b[i:]))
}

func (p *parser) header(h []byte) error {
	switch h[4] {
	case 1:
		p.info.Class = 32
	case 2:
		p.info.Class = 64
	default:
		return damaged("class %d", h[4])
	}
	switch h[5] {
	case 1:
		p.order = binary.LittleEndian
	case 2:
		p.order, p.info.BigEndian = binary.BigEndian, true
	default:
		return damaged("byte order %d", h[5])
	}
	want, rest := 52, 40 // where the fixed-size tail begins
	if p.is64() {
		want, rest = 64, 52
	}
	if len(h) < want {
		return damaged("header of %d bytes", len(h))
	}
	p.info.Type = p.order.Uint16(h[16:])
	p.info.Machine = p.order.Uint16(h[18:])
	if p.is64() {
		p.entry, p.phoff, p.shoff = p.word(h, 24), p.word(h, 32), p.word(h, 40)
	} else {
		p.entry, p.phoff, p.shoff = p.word(h, 24), p.word(h, 28), p.word(h, 32)
	}
	p.phentsize = int(p.order.Uint16(h[rest+2:]))
	p.phnum = int(p.order.Uint16(h[rest+4:]))
	p.shentsize = int(p.order.Uint16(h[rest+6:]))
	p.shnum = int(p.order.Uint16(h[rest+8:]))
	p.shstrndx = int(p.order.Uint16(h[rest+10:]))
	return nil
}

func (p *parser) programHeaders() error {
	if p.phnum == 0 {
		return nil
	}
	entry := 32
	if p.is64() {
		entry = 56
	}
	if p.phentsize != entry || p.phnum*entry > maxProgramHeaders {
		return damaged("%d program headers of %d bytes", p.phnum, p.phentsize)
	}
	b, err := p.at(p.phoff, uint64(p.phnum*entry), "program headers")
	if err != nil {
		return err
	}
	for ; len(b) >= entry; b = b[entry:] {
		var s segment
		if p.is64() {
			s = segment{off: p.word(b, 8), vaddr: p.word(b, 16), filesz: p.word(b, 32), flags: p.order.Uint32(b[4:])}
		} else {
			s = segment{off: p.word(b, 4), vaddr: p.word(b, 8), filesz: p.word(b, 16), flags: p.order.Uint32(b[24:])}
		}
		switch p.order.Uint32(b) {
		case 1: // PT_LOAD
			p.loads = append(p.loads, s)
		case 2: // PT_DYNAMIC
			p.dyn, p.info.Dynamic = s, true
		case 3: // PT_INTERP
			if s.filesz > maxName {
				return damaged("interpreter of %d bytes", s.filesz)
			}
			v, err := p.at(s.off, s.filesz, "interpreter")
			if err != nil {
				return err
			}
			p.info.Interp, _, _ = strings.Cut(string(v), "\x00")
		case 4: // PT_NOTE
			p.notes = append(p.notes, s)
		case 0x6474e551: // PT_GNU_STACK
			p.info.ExecStack = s.flags&1 != 0
		}
	}
	return nil
}

// offset translates an address into a place in the file.
func (p *parser) offset(vaddr uint64) (uint64, bool) {
	for _, s := range p.loads {
		if vaddr >= s.vaddr && vaddr-s.vaddr < s.filesz {
			return s.off + (vaddr - s.vaddr), true
		}
	}
	return 0, false
}

// dynTags are the entries of the dynamic section that are used after the walk.
type dynTags struct {
	strtab, strsz        uint64
	verneed, verneednum  uint64
	verdef, verdefnum    uint64
	soname               uint64
	rpath, runpath       uint64
	needed               []uint64
	hasSoname, hasRPath  bool
	hasRunPath, hasTable bool
}

func (p *parser) dynamic() error {
	if !p.info.Dynamic || p.dyn.filesz == 0 { // debug files have a table without content
		return nil
	}
	if p.dyn.filesz > maxDynamic {
		return damaged("dynamic section of %d bytes", p.dyn.filesz)
	}
	b, err := p.at(p.dyn.off, p.dyn.filesz, "dynamic section")
	if err != nil {
		return err
	}
	t := p.tags(b)
	if !t.hasTable || t.strsz == 0 {
		return nil
	}
	off, ok := p.offset(t.strtab)
	if !ok || t.strsz > maxStrings {
		return damaged("dynamic strings of %d bytes at %#x", t.strsz, t.strtab)
	}
	if p.dynstr, err = p.at(off, t.strsz, "dynamic strings"); err != nil {
		return err
	}
	if err := p.names(t); err != nil {
		return err
	}
	if err := p.verneed(t.verneed, t.verneednum); err != nil {
		return err
	}
	return p.verdef(t.verdef, t.verdefnum)
}

func (p *parser) tags(b []byte) dynTags {
	var t dynTags
	w := p.info.Class / 8
	for ; len(b) >= 2*w; b = b[2*w:] {
		tag, v := p.word(b, 0), p.word(b, w)
		switch tag {
		case 0: // DT_NULL
			return t
		case 1: // DT_NEEDED
			if len(t.needed) < maxNeeded {
				t.needed = append(t.needed, v)
			}
		case 5: // DT_STRTAB
			t.strtab, t.hasTable = v, true
		case 10: // DT_STRSZ
			t.strsz = v
		case 14: // DT_SONAME
			t.soname, t.hasSoname = v, true
		case 15: // DT_RPATH
			t.rpath, t.hasRPath = v, true
		case 22: // DT_TEXTREL
			p.info.TextRel = true
		case 29: // DT_RUNPATH
			t.runpath, t.hasRunPath = v, true
		case 30: // DT_FLAGS
			p.info.TextRel = p.info.TextRel || v&4 != 0
		case 36: // DT_RELR
			p.info.Relr = true
		case 0x6ffffffb: // DT_FLAGS_1
			p.info.NoDefault = v&0x800 != 0
			p.pieFlag = v&0x08000000 != 0
		case 0x6ffffffc: // DT_VERDEF
			t.verdef = v
		case 0x6ffffffd: // DT_VERDEFNUM
			t.verdefnum = v
		case 0x6ffffffe: // DT_VERNEED
			t.verneed = v
		case 0x6fffffff: // DT_VERNEEDNUM
			t.verneednum = v
		}
	}
	return t
}

func (p *parser) names(t dynTags) error {
	var err error
	get := func(off uint64) string {
		s, e := p.str(off)
		if e != nil && err == nil {
			err = e
		}
		return s
	}
	for _, off := range t.needed {
		p.info.Needed = append(p.info.Needed, get(off))
	}
	if t.hasSoname {
		p.info.Soname = get(t.soname)
	}
	if t.hasRPath {
		p.info.RPath = splitPath(get(t.rpath))
	}
	if t.hasRunPath {
		p.info.RunPath, p.info.HasRunPath = splitPath(get(t.runpath)), true
	}
	return err
}

func splitPath(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ":")
}

// str returns the string at off of the dynamic strings.
func (p *parser) str(off uint64) (string, error) {
	if off >= uint64(len(p.dynstr)) {
		return "", damaged("name at %d of %d bytes of dynamic strings", off, len(p.dynstr))
	}
	s := p.dynstr[off:]
	end := bytes.IndexByte(s[:min(len(s), maxName+1)], 0)
	if end < 0 {
		return "", damaged("name of more than %d bytes", min(len(s), maxName))
	}
	if p.named += end; p.named > maxNames {
		return "", damaged("names of more than %d bytes", maxNames)
	}
	return string(s[:end]), nil
}
