package image

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"strings"
)

// kind is what an entry of a layer is.
type kind byte

const (
	kindFile kind = iota
	kindDir
	kindSymlink
	kindHardLink
	kindCharDevice
	kindBlockDevice
	kindPipe
	kindWhiteout // path is what is hidden
	kindOpaque   // path is the directory whose lower content is hidden
	kinds
)

// entry is one entry of a layer's tar archive. Its strings belong to the facts that
// it was read from.
type entry struct {
	kind    kind
	path    string // clean; "" is the root
	mode    fs.FileMode
	uid     int
	gid     int
	modTime int64
	link    string // of symbolic links as written, of hard links clean
	size    int64  // of regular files
	offset  int64  // of the content in the tar archive
	sparse  bool
	// Where the content of a sparse file ends can't be told without reading all of it, so
	// offset is that of the header of the first of several sparse files in a row, and
	// sparseNth the number of such files before this one.
	sparseNth int
	sha256    string // hex, "" if not known
	note      string
	hasNote   bool
	kept      string // the content
	hasKept   bool
	xattrs    map[string]string
}

// facts is what distill remembers of a layer: its entries, in a compact form that is
// also that of the cache. It is finished when it is handed on.
type facts struct {
	blocks  []string
	entries int
	bytes   int64 // sum of the sizes of regular files
	// extent is the size of the uncompressed layer.
	extent int64
}

// factsBlock is the size at which a block of entries is closed. Many small blocks
// instead of a growing one keep the peak of memory near the sum.
const factsBlock = 256 << 10

// flags of an encoded entry, in the byte after the kind.
const (
	flagSparse = 1 << iota
	flagSHA256
	flagNote
	flagKept
	flagXattrs
)

// size is about how much memory f takes.
func (f *facts) size() int64 {
	var n int64
	for _, b := range f.blocks {
		n += int64(len(b))
	}
	return n
}

// factsBuilder collects entries.
type factsBuilder struct {
	f   facts
	buf []byte
}

// add returns the number of bytes that the entry takes.
func (b *factsBuilder) add(e *entry) int64 {
	before := len(b.buf)
	p := b.buf
	p = append(p, byte(e.kind), e.flags())
	p = binary.AppendUvarint(p, uint64(e.mode))
	p = binary.AppendUvarint(p, uint64(e.uid))
	p = binary.AppendUvarint(p, uint64(e.gid))
	p = binary.AppendVarint(p, e.modTime)
	p = appendString(p, e.path)
	switch e.kind {
	case kindFile:
		p = binary.AppendUvarint(p, uint64(e.size))
		p = binary.AppendUvarint(p, uint64(e.offset))
		if e.sparse {
			p = binary.AppendUvarint(p, uint64(e.sparseNth))
		}
	case kindSymlink, kindHardLink:
		p = appendString(p, e.link)
	}
	if e.sha256 != "" {
		p = append(p, e.sha256...)
	}
	if e.hasNote {
		p = appendString(p, e.note)
	}
	if e.hasKept {
		p = append(p, e.kept...)
	}
	if len(e.xattrs) > 0 {
		p = appendXattrs(p, e.xattrs)
	}
	b.buf = p
	b.f.entries++
	b.f.bytes += e.size
	if len(p) >= factsBlock {
		b.flush()
	}
	return int64(len(p) - before)
}

func (b *factsBuilder) flush() {
	if len(b.buf) > 0 {
		b.f.blocks = append(b.f.blocks, string(b.buf))
		b.buf = b.buf[:0]
		if cap(b.buf) > 4*factsBlock { // a large file was kept
			b.buf = nil
		}
	}
}

func (b *factsBuilder) finish(extent int64) *facts {
	b.flush()
	b.f.extent = extent
	f := b.f
	return &f
}

func (e *entry) flags() byte {
	var f byte
	for _, x := range []struct {
		set  bool
		flag byte
	}{{e.sparse, flagSparse}, {e.sha256 != "", flagSHA256}, {e.hasNote, flagNote}, {e.hasKept, flagKept}, {len(e.xattrs) > 0, flagXattrs}} {
		if x.set {
			f |= x.flag
		}
	}
	return f
}

func appendString(p []byte, s string) []byte {
	return append(binary.AppendUvarint(p, uint64(len(s))), s...)
}

func appendXattrs(p []byte, m map[string]string) []byte {
	p = binary.AppendUvarint(p, uint64(len(m)))
	for _, k := range sortedKeys(m) {
		p = appendString(p, k)
		p = appendString(p, m[k])
	}
	return p
}

// each calls yield for every entry in the order of the archive until it returns an
// error. The entry is reused.
func (f *facts) each(yield func(*entry) error) error {
	var e entry
	for _, block := range f.blocks {
		d := decoder{rest: block}
		for len(d.rest) > 0 {
			d.entry(&e)
			if d.bad {
				return errFacts
			}
			if err := yield(&e); err != nil {
				return err
			}
		}
	}
	return nil
}

var errFacts = errors.New("facts of a layer are not decodable")

// decoder reads encoded entries; it sets bad instead of going out of bounds.
type decoder struct {
	rest string
	bad  bool
}

func (d *decoder) entry(e *entry) {
	*e = entry{kind: kind(d.byte())}
	flags := d.byte()
	e.sparse = flags&flagSparse != 0
	e.mode = fs.FileMode(d.uvarint())
	e.uid, e.gid = int(d.uvarint()), int(d.uvarint())
	e.modTime = d.varint()
	e.path = d.string()
	switch e.kind {
	case kindFile:
		e.size, e.offset = int64(d.uvarint()), int64(d.uvarint())
		if e.sparse {
			e.sparseNth = int(d.uvarint())
		}
		if e.size < 0 || e.offset < 0 || e.sparseNth < 0 {
			d.bad = true
		}
	case kindSymlink, kindHardLink:
		e.link = d.string()
	}
	if flags&flagSHA256 != 0 {
		e.sha256 = d.take(64)
	}
	if e.hasNote = flags&flagNote != 0; e.hasNote {
		e.note = d.string()
	}
	if e.hasKept = flags&flagKept != 0; e.hasKept {
		e.kept = d.take(uint64(e.size))
	}
	if flags&flagXattrs != 0 {
		e.xattrs = d.xattrs()
	}
	if e.kind >= kinds {
		d.bad = true
	}
}

func (d *decoder) xattrs() map[string]string {
	n := d.uvarint()
	m := map[string]string{}
	for ; n > 0 && !d.bad; n-- {
		k := d.string()
		m[k] = d.string()
	}
	return m
}

func (d *decoder) byte() byte {
	s := d.take(1)
	if s == "" {
		return 0
	}
	return s[0]
}

func (d *decoder) take(n uint64) string {
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, ""
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) string() string { return d.take(d.uvarint()) }

func (d *decoder) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64; i++ {
		c := d.rest[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			return v
		}
	}
	d.bad, d.rest = true, ""
	return 0
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// factsMagic starts encoded facts.
const factsMagic = "facts"

// head is what stands before the blocks when f is stored.
func (f *facts) head() []byte {
	p := binary.AppendUvarint([]byte(factsMagic), uint64(f.entries))
	p = binary.AppendUvarint(p, uint64(f.bytes))
	return binary.AppendUvarint(p, uint64(f.extent))
}

// storedSize is how much writeTo writes.
func (f *facts) storedSize() int64 {
	n := int64(len(f.head()))
	for _, b := range f.blocks {
		n += int64(len(binary.AppendUvarint(nil, uint64(len(b)))) + len(b))
	}
	return n
}

// writeTo writes f as it is stored.
func (f *facts) writeTo(w io.Writer) error {
	if _, err := w.Write(f.head()); err != nil {
		return err
	}
	for _, b := range f.blocks {
		if _, err := w.Write(binary.AppendUvarint(nil, uint64(len(b)))); err != nil {
			return err
		}
		if _, err := io.WriteString(w, b); err != nil {
			return err
		}
	}
	return nil
}

// decodeFacts is the reverse of writeTo. It looks at every entry once, so that each
// does not fail later.
func decodeFacts(data string) (*facts, error) {
	rest, ok := strings.CutPrefix(data, factsMagic)
	if !ok {
		return nil, errFacts
	}
	d := decoder{rest: rest}
	f := &facts{entries: int(d.uvarint()), bytes: int64(d.uvarint()), extent: int64(d.uvarint())}
	for len(d.rest) > 0 {
		f.blocks = append(f.blocks, d.string())
	}
	if d.bad {
		return nil, errFacts
	}
	n, bytes := 0, int64(0)
	err := f.each(func(e *entry) error {
		n++
		bytes += e.size
		return nil
	})
	if err != nil || n != f.entries || bytes != f.bytes {
		return nil, errFacts
	}
	return f, nil
}
