// Package gunzip decompresses gzip (RFC 1952) and notes places in it from which it
// can go on later without what stands before.
//
// It exists for image layers: reading a few files out of a layer of a gigabyte
// costs what these files cost. It is also faster than the readers of the standard
// library and of klauspost/compress, which the tests compare it with.
package gunzip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	// windowSize is how far back a match can reach.
	windowSize = 32 << 10
	// outSize is how much is decompressed at a time, inSize how much is read.
	outSize, inSize = 256 << 10, 128 << 10
	// slack is what one turn of the loop may write beyond its limit: three
	// literals, a match, and the rest of its last eight bytes.
	slack = 3 + 258 + 8
	// pad is how many zeros are put behind the end of the input, so that eight
	// bytes can be loaded anywhere.
	pad = 32
	// maxHeader bounds the name, comment and extra field of a member.
	maxHeader = 64 << 10
)

var (
	// ErrCorrupt is wrapped by errors about content that is no gzip.
	ErrCorrupt = errors.New("not valid gzip")
	// ErrChecksum is wrapped by errors about content with another checksum or
	// length than its member says.
	ErrChecksum = errors.New("gzip checksum or length is wrong")
)

func corrupt(what string) error { return fmt.Errorf("%w: %s", ErrCorrupt, what) }

// Point is a place between two blocks of the compressed data.
type Point struct {
	In     int64  // in bits from the start of the compressed data
	Out    int64  // in bytes from the start of the decompressed data
	Window string // the up to 32 KiB of decompressed data before, as far as they may be used
}

// Reader decompresses all members of a gzip stream; anything else behind a member
// is an error. It is for one goroutine.
type Reader struct {
	src io.Reader

	in       []byte // in[pos:end] is not used yet; pad bytes follow
	pos, end int
	base     int64 // of in[0] in the compressed data
	eof      bool
	bits     uint64 // the next n bits, the lowest first; what is above them is of no use
	n        uint

	out     []byte
	o, r    int   // out[r:o] is not handed out yet
	hist    int   // out[hist:o] may be reached by matches
	outBase int64 // of out[0] in the decompressed data

	step    func(*Reader) error // what comes next
	final   bool                // the current block is the last of its member
	stored  int                 // bytes left of a stored block
	crc     uint32
	summed  int   // out[:summed] is in crc
	length  int64 // of the member so far
	resumed bool  // within a member: its checksum can't be told
	err     error

	every  int64
	notify func(Point)
	last   int64 // Out of the last point

	lit  litTable
	dist distTable
}

// NewReader reads from r, in large pieces.
func NewReader(r io.Reader) *Reader {
	z := new(Reader)
	z.reset(r)
	z.step = (*Reader).header
	return z
}

// Notify calls f with a point about every n bytes of output, at the first
// opportunity. What was decompressed before a point
// was not necessarily handed out when f is called; what comes after was not.
func (z *Reader) Notify(n int64, f func(Point)) { z.every, z.notify = n, f }

// Resume makes z, which may be new or used, go on at p; r yields the compressed data from
// the byte p.In/8 on. The checksum of the member that p lies in is not verified.
func (z *Reader) Resume(r io.Reader, p Point) error {
	if len(p.Window) > windowSize || p.In < 0 || p.Out < 0 {
		return corrupt("point is out of range")
	}
	z.reset(r)
	z.base = p.In / 8
	z.o = copy(z.out, p.Window)
	z.r, z.summed = z.o, z.o
	z.outBase = p.Out - int64(z.o)
	z.last = p.Out
	z.resumed = true
	z.step = (*Reader).block
	if err := z.more(); err != nil {
		return err
	}
	z.take(uint(p.In % 8))
	return z.overrun()
}

// reset drops all state but the buffers and tables.
func (z *Reader) reset(r io.Reader) {
	in, out := z.in, z.out
	if in == nil {
		in, out = make([]byte, inSize+pad), make([]byte, windowSize+outSize+slack)
	}
	// Not *z = Reader{}: the tables are large, and written before they are read.
	z.src, z.in, z.out = r, in, out
	z.pos, z.end, z.base, z.eof, z.bits, z.n = 0, 0, 0, false, 0, 0
	z.o, z.r, z.hist, z.outBase = 0, 0, 0, 0
	z.step, z.final, z.stored = nil, false, 0
	z.crc, z.summed, z.length, z.resumed, z.err = 0, 0, 0, false, nil
	z.every, z.notify, z.last = 0, nil, 0
}

// Read implements io.Reader.
func (z *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for z.r == z.o {
		if z.err != nil {
			return 0, z.err
		}
		z.slide()
		z.err = z.run()
	}
	n := copy(p, z.out[z.r:z.o])
	z.r += n
	return n, nil
}

// limit is where a turn of the loop must not start any more.
func (z *Reader) limit() int { return len(z.out) - slack }

// slide makes room in out once all of it is handed out.
func (z *Reader) slide() {
	if z.o < z.limit() {
		return
	}
	from := z.o - windowSize
	copy(z.out, z.out[from:z.o])
	z.hist = max(z.hist-from, 0)
	z.outBase += int64(from)
	z.o, z.r, z.summed = windowSize, windowSize, windowSize
}

// run decompresses until out is full or the data ends.
func (z *Reader) run() error {
	for z.o < z.limit() {
		if err := z.step(z); err != nil {
			z.sum()
			return err
		}
	}
	z.sum()
	return nil
}

// sum adds new output to the checksum.
func (z *Reader) sum() {
	if !z.resumed {
		z.crc = crc32.Update(z.crc, crc32.IEEETable, z.out[z.summed:z.o])
	}
	z.length += int64(z.o - z.summed)
	z.summed = z.o
}

// fill reads more input; there is room for at least a few bytes.
func (z *Reader) fill() error {
	if z.eof {
		return nil
	}
	from := max(z.pos-8, 0) // align may go back over what is in bits
	z.end = copy(z.in, z.in[from:z.end])
	z.base += int64(from)
	z.pos -= from
	for empty := 0; z.end < inSize; {
		n, err := z.src.Read(z.in[z.end:inSize])
		z.end += n
		if err == io.EOF {
			z.eof = true
			clear(z.in[z.end : z.end+pad])
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
		if empty++; empty == 100 {
			return io.ErrNoProgress
		}
	}
	return nil
}

// need makes at least 56 bits available, of which those behind the end of the input are
// zeros. Overrun tells whether such were used.
func (z *Reader) need() {
	z.bits |= binary.LittleEndian.Uint64(z.in[z.pos:]) << (z.n & 63)
	z.pos += int((63 - z.n) >> 3)
	z.n |= 56
}

// more is need for all but the loop: it reads if there is too little.
func (z *Reader) more() error {
	for z.pos > z.end-8 && !z.eof {
		if err := z.fill(); err != nil {
			return err
		}
	}
	if z.pos > z.end+8 {
		return io.ErrUnexpectedEOF
	}
	z.need()
	return nil
}

// overrun tells whether bits behind the end of the input were used.
func (z *Reader) overrun() error {
	if z.eof && z.pos*8-int(z.n) > z.end*8 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// take uses up n bits, which are there.
func (z *Reader) take(n uint) uint {
	v := uint(z.bits & (1<<n - 1))
	z.bits >>= n
	z.n -= n
	return v
}

// align drops the bits up to the next byte and returns to reading bytes.
func (z *Reader) align() {
	z.take(z.n % 8)
	z.pos -= int(z.n / 8)
	z.bits, z.n = 0, 0
}

// bytes returns the next n bytes, not more than a few, of aligned input.
func (z *Reader) bytes(n int) ([]byte, error) {
	for z.end-z.pos < n {
		if z.eof {
			return nil, io.ErrUnexpectedEOF
		}
		if err := z.fill(); err != nil {
			return nil, err
		}
	}
	b := z.in[z.pos : z.pos+n]
	z.pos += n
	return b, nil
}

// header reads the header of a member, or finds the end of the data.
func (z *Reader) header() error {
	for z.end == z.pos && !z.eof {
		if err := z.fill(); err != nil {
			return err
		}
	}
	if z.end == z.pos && z.base+int64(z.pos) > 0 {
		return io.EOF
	}
	b, err := z.bytes(10)
	if err != nil {
		return err
	}
	flags := b[3]
	if b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 {
		return corrupt("no gzip header")
	}
	// Reserved flags are passed over, as the standard library does.
	if err := z.optional(flags); err != nil {
		return err
	}
	z.crc, z.length, z.resumed = 0, 0, false
	z.hist, z.summed = z.o, z.o
	z.step = (*Reader).block
	return nil
}

// optional passes over the fields of a header that its flags announce.
func (z *Reader) optional(flags byte) error {
	if flags&4 != 0 {
		b, err := z.bytes(2)
		if err != nil {
			return err
		}
		for n := int(binary.LittleEndian.Uint16(b)); n > 0; n-- {
			if _, err := z.bytes(1); err != nil {
				return err
			}
		}
	}
	for _, text := range []byte{8, 16} { // name, comment
		if flags&text == 0 {
			continue
		}
		for n := 0; ; n++ {
			b, err := z.bytes(1)
			if err != nil {
				return err
			}
			if b[0] == 0 {
				break
			}
			if n == maxHeader {
				return corrupt("header is too long")
			}
		}
	}
	if flags&2 != 0 {
		_, err := z.bytes(2) // checksum of the header, which nothing depends on
		return err
	}
	return nil
}

// trailer compares the checksum and length of a member.
func (z *Reader) trailer() error {
	z.align()
	b, err := z.bytes(8)
	if err != nil {
		return err
	}
	crc, length := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	z.sum()
	if !z.resumed && (crc != z.crc || length != uint32(z.length)) {
		return ErrChecksum
	}
	z.step = (*Reader).header
	return nil
}

// point notes a place before a block.
func (z *Reader) point() {
	out := z.outBase + int64(z.o)
	if z.notify == nil || out-z.last < z.every {
		return
	}
	z.last = out
	window := z.out[max(z.hist, z.o-windowSize):z.o]
	z.notify(Point{In: (z.base+int64(z.pos))*8 - int64(z.n), Out: out, Window: string(window)})
}

// block reads the header of a block (RFC 1951, 3.2.3).
func (z *Reader) block() error {
	if z.final {
		z.final = false
		z.step = (*Reader).trailer
		return nil
	}
	z.point()
	if err := z.more(); err != nil {
		return err
	}
	z.final = z.take(1) == 1
	kind := z.take(2)
	if err := z.overrun(); err != nil {
		return err
	}
	switch kind {
	case 0:
		z.align()
		b, err := z.bytes(4)
		if err != nil {
			return err
		}
		n := binary.LittleEndian.Uint16(b)
		if n != ^binary.LittleEndian.Uint16(b[2:]) {
			return corrupt("length of a stored block")
		}
		z.stored = int(n)
		z.step = (*Reader).storedBlock
	case 1:
		z.fixedCodes()
		z.step = (*Reader).huffman
	case 2:
		if err := z.dynamicCodes(); err != nil {
			if over := z.overrun(); over != nil {
				return over
			}
			return err
		}
		z.step = (*Reader).huffman
	default:
		return corrupt("type of a block")
	}
	return nil
}

func (z *Reader) storedBlock() error {
	if z.stored == 0 {
		z.step = (*Reader).block
		return nil
	}
	for z.pos == z.end {
		if z.eof {
			return io.ErrUnexpectedEOF
		}
		if err := z.fill(); err != nil {
			return err
		}
	}
	n := min(z.stored, z.end-z.pos, z.limit()-z.o)
	copy(z.out[z.o:], z.in[z.pos:z.pos+n])
	z.o += n
	z.pos += n
	z.stored -= n
	return nil
}
