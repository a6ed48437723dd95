package gunzip

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// Tables are indexed by the next bits of the input and hold entries of 32 bits. The low
// byte of an entry is the number of bits of its code, 0 if no code begins so.
//
//	literal   1 << 31, the byte << 16
//	length    base << 16, number of extra bits << 8
//	distance  base << 12, number of extra bits << 8
//	end       special | endOfBlock
//	longer    special, place of the second table << 8, code bits of the first one
const (
	litBits  = 11 // index of the first table of literals and lengths
	distBits = 9
	maxBits  = 15 // longest code

	litSub  = 1 << (maxBits - litBits)
	distSub = 1 << (maxBits - distBits)

	literal    = 1 << 31
	special    = 1 << 30
	endOfBlock = 1 << 29

	numLit, numDist = 288, 32
)

// A second table belongs to at least two codes.
type (
	litTable  [1<<litBits + numLit/2*litSub]uint32
	distTable [1<<distBits + numDist/2*distSub]uint32
)

// lengthBase and distBase hold entries without code bits (RFC 1951, 3.2.5).
var lengthBase, distBase = baseEntries()

func baseEntries() (length [numLit]uint32, dist [numDist]uint32) {
	for i := range 256 {
		length[i] = literal | uint32(i)<<16
	}
	length[256] = special | endOfBlock
	base := uint32(3)
	for i := range 28 {
		extra := uint32(max(i/4-1, 0))
		length[257+i] = base<<16 | extra<<8
		base += 1 << extra
	}
	length[285] = 258 << 16
	base = 1
	for i := range 30 {
		extra := uint32(max(i/2-1, 0))
		dist[i] = base<<12 | extra<<8
		base += 1 << extra
	}
	return length, dist
}

// build fills a table for codes of the given lengths; entries[i] is what the i-th code
// stands for, 0 for one that must not be used. One code alone may be incomplete, as
// zlib and the standard library have it.
func build(table []uint32, first uint, lengths []uint8, entries []uint32) bool {
	var count, next [maxBits + 1]int
	for _, n := range lengths {
		count[n]++
	}
	used := len(lengths) - count[0]
	left := 1
	for n := 1; n <= maxBits; n++ {
		left = left<<1 - count[n]
		if left < 0 {
			return false
		}
		if n < maxBits {
			next[n+1] = (next[n] + count[n]) << 1
		}
	}
	if left > 0 && (used > 1 || used == 1 && count[1] != 1) {
		return false
	}
	clear(table[:1<<first])
	sub := 1 << first // where the next second table goes
	for i, length := range lengths {
		if length == 0 {
			continue
		}
		n := uint(length)
		code := uint(bits.Reverse16(uint16(next[n]))) >> (16 - n)
		next[n]++
		e := entries[i]
		if e != 0 {
			e |= uint32(n)
		}
		if n <= first {
			for j := code; j < 1<<first; j += 1 << n {
				table[j] = e
			}
			continue
		}
		prefix := code & (1<<first - 1)
		if table[prefix] == 0 {
			table[prefix] = special | uint32(sub)<<8 | uint32(first)
			clear(table[sub : sub+1<<(maxBits-first)])
			sub += 1 << (maxBits - first)
		}
		at := int(table[prefix] >> 8 & 0xffff)
		for j := code >> first; j < 1<<(maxBits-first); j += 1 << (n - first) {
			table[at+int(j)] = e
		}
	}
	return true
}

// fixedCodes sets the tables of RFC 1951, 3.2.6.
func (z *Reader) fixedCodes() {
	var lengths [numLit]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	build(z.lit[:], litBits, lengths[:], lengthBase[:])
	var dist [numDist]uint8
	for i := range dist {
		dist[i] = 5
	}
	build(z.dist[:], distBits, dist[:], distBase[:])
}

// lengthOrder is the order of the lengths of the code that other lengths are coded in.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// plain are entries that stand for their own number.
var plain = func() (e [19]uint32) {
	for i := range e {
		e[i] = uint32(i)<<16 | special
	}
	return e
}()

// dynamicCodes reads the codes of a block (RFC 1951, 3.2.7).
func (z *Reader) dynamicCodes() error {
	if err := z.more(); err != nil {
		return err
	}
	numLengths, numDists, numCodes := int(z.take(5))+257, int(z.take(5))+1, int(z.take(4))+4
	if numLengths > 286 || numDists > 30 {
		return corrupt("number of codes")
	}
	var codes [19]uint8
	for _, i := range lengthOrder[:numCodes] {
		if err := z.more(); err != nil {
			return err
		}
		codes[i] = uint8(z.take(3))
	}
	var table [1 << 7]uint32
	if !build(table[:], 7, codes[:], plain[:]) {
		return corrupt("code of code lengths")
	}
	var lengths [286 + 30 + 138]uint8
	for i := 0; i < numLengths+numDists; {
		if err := z.more(); err != nil {
			return err
		}
		e := table[z.bits&(1<<7-1)]
		if e == 0 {
			return corrupt("code length")
		}
		z.take(uint(e & 0xff))
		n, value := z.lengthRun(uint8(e>>16&0xff), lengths[:i])
		if n == 0 || i+n > numLengths+numDists {
			return corrupt("code length")
		}
		for range n {
			lengths[i] = value
			i++
		}
	}
	if err := z.overrun(); err != nil {
		return err
	}
	if lengths[256] == 0 {
		return corrupt("block without an end")
	}
	if !build(z.lit[:], litBits, lengths[:numLengths], lengthBase[:]) ||
		!build(z.dist[:], distBits, lengths[numLengths:numLengths+numDists], distBase[:]) {
		return corrupt("code")
	}
	return nil
}

// lengthRun tells how often which length comes next; n is 0 if there is nothing to repeat.
func (z *Reader) lengthRun(symbol uint8, before []uint8) (n int, value uint8) {
	switch symbol {
	case 16:
		if len(before) == 0 {
			return 0, 0
		}
		return 3 + int(z.take(2)), before[len(before)-1]
	case 17:
		return 3 + int(z.take(3)), 0
	case 18:
		return 11 + int(z.take(7)), 0
	}
	return 1, symbol
}

// huffman decodes the symbols of a block until it ends, out is full, or there is
// nothing to decode.
func (z *Reader) huffman() error {
	for z.pos > z.end-16 && !z.eof {
		if err := z.fill(); err != nil {
			return err
		}
	}
	last := z.end - 16
	if z.eof {
		last = z.end + 8
	}
	if z.pos > last {
		return io.ErrUnexpectedEOF
	}
	done, ok := z.symbols(last)
	if err := z.overrun(); err != nil {
		return err
	}
	if !ok {
		return corrupt("symbol or distance")
	}
	if done {
		z.step = (*Reader).block
	}
	return nil
}

// symbols is the loop of huffman. It goes on while eight bytes can be loaded at pos, and
// eight more behind them, which is up to last. This is where nearly all time is spent.
func (z *Reader) symbols(last int) (done, ok bool) {
	in, out, lit, dist := z.in, z.out, &z.lit, &z.dist
	pos, o, b, n := z.pos, z.o, z.bits, z.n
	limit, hist := z.limit(), z.hist
	ok = true
loop:
	for pos <= last && o < limit {
		b |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
		pos += int((63 - n) >> 3)
		n |= 56
		e := lit[b&(1<<litBits-1)]
		if int32(e) < 0 {
			b >>= e & 63
			n -= uint(e & 0xff)
			out[o] = byte(e >> 16)
			o++
			e = lit[b&(1<<litBits-1)]
			if int32(e) < 0 {
				b >>= e & 63
				n -= uint(e & 0xff)
				out[o] = byte(e >> 16)
				o++
				e = lit[b&(1<<litBits-1)]
				if int32(e) < 0 {
					b >>= e & 63
					n -= uint(e & 0xff)
					out[o] = byte(e >> 16)
					o++
					continue
				}
			}
		}
		if e&special != 0 {
			if e&endOfBlock == 0 {
				e = lit[uint(e>>8&0xffff)+uint(b>>litBits)&(litSub-1)]
			}
			if e&endOfBlock != 0 {
				b >>= e & 63
				n -= uint(e & 0xff)
				done = true
				break loop
			}
		}
		if int32(e) < 0 {
			b >>= e & 63
			n -= uint(e & 0xff)
			out[o] = byte(e >> 16)
			o++
			continue
		}
		if e == 0 {
			ok = false
			break loop
		}
		b >>= e & 63
		n -= uint(e & 0xff)
		extra := uint(e >> 8 & 31)
		length := int(e>>16) + int(b&(1<<extra-1))
		b >>= extra
		n -= extra

		// Two literals and a length took up to 42 bits, a distance takes 28.
		b |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
		pos += int((63 - n) >> 3)
		n |= 56
		e = dist[b&(1<<distBits-1)]
		if e&special != 0 {
			e = dist[uint(e>>8&0xffff)+uint(b>>distBits)&(distSub-1)]
		}
		if e == 0 {
			ok = false
			break loop
		}
		b >>= e & 63
		n -= uint(e & 0xff)
		extra = uint(e >> 8 & 15)
		distance := int(e>>12) + int(b&(1<<extra-1))
		b >>= extra
		n -= extra

		from := o - distance
		if from < hist {
			ok = false
			break loop
		}
		if distance < 8 {
			o = repeat(out, o, from, length)
			continue
		}
		// Most matches are short; the slack of out takes what is too much.
		binary.LittleEndian.PutUint64(out[o:], binary.LittleEndian.Uint64(out[from:]))
		if length > 8 {
			binary.LittleEndian.PutUint64(out[o+8:], binary.LittleEndian.Uint64(out[from+8:]))
			if length > 16 {
				copyRest(out, o+16, from+16, length-16)
			}
		}
		o += length
	}
	z.pos, z.o, z.bits, z.n = pos, o, b, n
	return done, ok
}

// copyRest copies a match from at least eight bytes before, up to eight bytes more than
// length.
func copyRest(out []byte, o, from, length int) {
	if o-from >= length && length > 32 {
		copy(out[o:o+length], out[from:])
		return
	}
	for end := o + length; o < end; {
		binary.LittleEndian.PutUint64(out[o:], binary.LittleEndian.Uint64(out[from:]))
		o += 8
		from += 8
	}
}

// repeat copies a match from less than eight bytes before, up to eight bytes more than
// length, and returns its end.
func repeat(out []byte, o, from, length int) int {
	end := o + length
	if o-from == 1 {
		v := uint64(out[from]) * 0x0101010101010101
		for o < end {
			binary.LittleEndian.PutUint64(out[o:], v)
			o += 8
		}
		return end
	}
	for o < end {
		out[o] = out[from]
		o++
		from++
	}
	return end
}
