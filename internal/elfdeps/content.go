package elfdeps

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Bounds on reading constants: the largest file known to carry such facts is
// MKL with 70 MB of read-only data.
const (
	maxReadOnly = 256 << 20
	maxFacts    = 32 << 20 // read-only data of a loader, C library or Python
	maxLibNames = 512
	maxTries    = 1 << 18 // places that may be a library's name
	scanChunk   = 1 << 20
	scanOverlap = 512
)

// section is a section header, as far as it is used.
type section struct {
	name      string
	kind      uint32
	off, size uint64
	link      uint32
}

// content finds the facts that do not stand in the dynamic section.
func (p *parser) content() error {
	if p.info.Type != TypeExec && p.info.Type != TypeDyn {
		return nil
	}
	if err := p.dlopenNotes(); err != nil {
		return err
	}
	dlopen, err := p.symbol(true, "dlopen", "dlmopen")
	if err != nil {
		return err
	}
	if p.info.Dlopen = dlopen; dlopen {
		if err := p.libNames(); err != nil {
			return err
		}
	}
	if err := p.libcFacts(); err != nil {
		return err
	}
	return p.pythonFacts()
}

// dlopenNotes keeps the texts of .note.dlopen: owner "FDO", type 0x407c0c0a, a
// JSON array (https://uapi-group.org/specifications/specs/elf_dlopen_metadata/).
func (p *parser) dlopenNotes() error {
	total := 0
	for _, s := range p.notes {
		b, err := p.upTo(s.off, min(s.filesz, maxNotes), "notes")
		if err != nil {
			return err
		}
		for len(b) >= 12 {
			nameLen, descLen := uint64(p.order.Uint32(b)), uint64(p.order.Uint32(b[4:]))
			kind := p.order.Uint32(b[8:])
			desc := 12 + (nameLen+3)&^3
			end := desc + (descLen+3)&^3
			if nameLen > maxNotes || descLen > maxNotes || desc+descLen > uint64(len(b)) {
				break // the rest of a segment with 8-byte alignment, or damage: notes are optional
			}
			if kind == 0x407c0c0a && string(b[12:12+nameLen]) == "FDO\x00" {
				text := bytes.TrimRight(b[desc:desc+descLen], "\x00")
				if total += len(text); total <= maxNotes && json.Valid(text) {
					p.info.DlopenNotes = append(p.info.DlopenNotes, string(text))
				}
			}
			b = b[min(end, uint64(len(b))):]
		}
	}
	return nil
}

// sections reads the section headers. A file without usable ones has none: the
// loader does not need them either.
func (p *parser) sections() ([]section, error) {
	if p.secsRead {
		return p.secs, nil
	}
	p.secsRead = true
	entry := 40
	if p.is64() {
		entry = 64
	}
	if p.shoff == 0 || p.shentsize != entry || p.shnum == 0 || p.shnum > maxSections || p.shstrndx >= p.shnum {
		return nil, nil
	}
	size := uint64(p.shnum * entry)
	if p.shoff > uint64(p.size) || size > uint64(p.size)-p.shoff {
		return nil, nil
	}
	b, err := p.at(p.shoff, size, "section headers")
	if err != nil {
		return nil, err
	}
	list := make([]section, 0, p.shnum)
	nameOffs := make([]uint32, 0, p.shnum)
	for ; len(b) >= entry; b = b[entry:] {
		s := section{kind: p.order.Uint32(b[4:])}
		if p.is64() {
			s.off, s.size, s.link = p.word(b, 24), p.word(b, 32), p.order.Uint32(b[40:])
		} else {
			s.off, s.size, s.link = p.word(b, 16), p.word(b, 20), p.order.Uint32(b[24:])
		}
		list, nameOffs = append(list, s), append(nameOffs, p.order.Uint32(b))
	}
	str := list[p.shstrndx]
	if str.off > uint64(p.size) || str.size > min(uint64(p.size)-str.off, maxSections*64) {
		return nil, nil
	}
	names, err := p.at(str.off, str.size, "section names")
	if err != nil {
		return nil, err
	}
	for i, off := range nameOffs {
		if uint64(off) < uint64(len(names)) {
			name := names[off:min(len(names), int(off)+64)]
			if end := bytes.IndexByte(name, 0); end >= 0 {
				list[i].name = string(name[:end])
			}
		}
	}
	p.secs = list
	return list, nil
}

// symbol tells whether the dynamic symbols hold one of the names, undefined
// (imported) or defined. The names are looked for in the strings first, since most files
// have none of them and need no look at their symbols.
func (p *parser) symbol(undefined bool, names ...string) (bool, error) {
	if !slices.ContainsFunc(names, func(n string) bool { return bytes.Contains(p.dynstr, []byte(n+"\x00")) }) {
		return false, nil
	}
	secs, err := p.sections()
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(secs, func(s section) bool { return s.kind == 11 }) // SHT_DYNSYM
	if i < 0 {
		return true, nil // no headers: nothing says how many symbols there are
	}
	entry, shndx := 16, 14
	if p.is64() {
		entry, shndx = 24, 6
	}
	for off, left := secs[i].off, min(secs[i].size, maxStrings); left >= uint64(entry); {
		b, err := p.upTo(off, min(left, scanChunk/48*48), "dynamic symbols")
		if err != nil {
			return false, err
		}
		if len(b) < entry {
			break
		}
		off, left = off+uint64(len(b)), left-uint64(len(b))
		for ; len(b) >= entry; b = b[entry:] {
			if (p.order.Uint16(b[shndx:]) == 0) != undefined {
				continue
			}
			at := uint64(p.order.Uint32(b))
			if slices.ContainsFunc(names, func(n string) bool { return p.isString(at, n) }) {
				return true, nil
			}
		}
	}
	return false, nil
}

// isString tells whether the dynamic string at off is s.
func (p *parser) isString(off uint64, s string) bool {
	if off >= uint64(len(p.dynstr)) {
		return false
	}
	rest, ok := bytes.CutPrefix(p.dynstr[off:], []byte(s))
	return ok && len(rest) > 0 && rest[0] == 0
}

// readOnly returns where the constants are: .rodata and its kind, or without
// section headers the segments that are not writable.
func (p *parser) readOnly() ([]segment, error) {
	secs, err := p.sections()
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, s := range secs {
		if s.kind == 1 && (s.name == ".rodata" || strings.HasPrefix(s.name, ".rodata.")) {
			out = append(out, segment{off: s.off, filesz: s.size})
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, s := range p.loads {
		if s.flags&2 == 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

// scan calls visit with the constants piece by piece, up to limit bytes. Pieces of
// one section overlap, so that a short string is whole in one of them; seen is
// the number of first bytes that were in the piece before.
func (p *parser) scan(limit uint64, visit func(b []byte, seen int)) error {
	segs, err := p.readOnly()
	if err != nil {
		return err
	}
	for _, s := range segs {
		if s.off >= uint64(p.size) {
			continue
		}
		size := min(s.filesz, uint64(p.size)-s.off)
		for at, seen := uint64(0), 0; ; at, seen = at+scanChunk-scanOverlap, scanOverlap {
			b, err := p.at(s.off+at, min(size-at, scanChunk, limit), "constants")
			if err != nil {
				return err
			}
			visit(b, min(seen, len(b)))
			if limit -= uint64(len(b)); limit == 0 {
				return nil
			}
			if at+uint64(len(b)) >= size {
				break
			}
		}
	}
	return nil
}

// libNames keeps the constants that look like the name or path of a shared
// library ("libtbb.so.12", "/usr/lib/libodbcinst.so.2").
func (p *parser) libNames() error {
	found := map[string]bool{}
	tries := 0
	err := p.scan(maxReadOnly, func(b []byte, _ int) {
		for i := 0; len(found) < maxLibNames && tries < maxTries; tries++ {
			j := bytes.Index(b[i:], []byte(".so"))
			if j < 0 {
				return
			}
			at := i + j
			i = at + 3
			if s := stringAround(b, at); isLibName(s) {
				found[s] = true
			}
		}
	})
	for s := range found {
		p.info.LibNames = append(p.info.LibNames, s)
	}
	slices.Sort(p.info.LibNames)
	return err
}

// stringAround returns the NUL-terminated string of printable bytes that holds at.
func stringAround(b []byte, at int) string {
	printable := func(c byte) bool { return c > ' ' && c < 0x7f }
	from, to := at, at
	for from > 0 && at-from < scanOverlap/2 && printable(b[from-1]) {
		from--
	}
	for to < len(b) && to-at < scanOverlap/2 && printable(b[to]) {
		to++
	}
	if to == len(b) || b[to] != 0 {
		return ""
	}
	return string(b[from:to])
}

// isLibName tells whether s is a library's name: "lib", no format directive, and
// ".so" at the end or before a version.
func isLibName(s string) bool {
	base := s[strings.LastIndexByte(s, '/')+1:]
	if !strings.HasPrefix(base, "lib") || strings.ContainsAny(s, "%:;,*?\"'`<>|&(){}[]=\\") {
		return false
	}
	i := strings.LastIndex(base, ".so")
	if i <= 3 {
		return false
	}
	for _, c := range base[i+3:] {
		if c != '.' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
