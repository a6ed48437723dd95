package image

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"errors"
	"hash"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"

	"github.com/r-seed-1713b764/distill/internal/gunzip"
)

const (
	// pointEvery is the distance between places in a layer where reading can begin:
	// so much is read in vain for a lonely file. A place takes 10 KB in the cache.
	pointEvery = 4 << 20
	// pointsVersion is in the key of stored points.
	pointsVersion = "points 1"
)

// point is a place in a layer where reading can begin, with the state that the hash of
// the uncompressed layer had there. The states are a chain from the start of the
// layer to its diffID: whoever reads from one point to the next and gets the next state
// has read what the diffID stands for.
type point struct {
	gunzip.Point
	state string
}

// recorder collects the points of a layer while it is read from the front.
type recorder struct {
	mu    sync.Mutex
	queue []gunzip.Point // found by the decompressor, not passed by the reader yet

	out  bytes.Buffer
	zstd *zstd.Encoder
	last point
	size int // written to zstd
	err  error
}

func newRecorder() *recorder {
	r := &recorder{}
	// The windows are text and code: even the fastest level makes a third of them.
	r.zstd, r.err = zstd.NewWriter(&r.out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(64<<10))
	return r
}

// found takes a point from the decompressor.
func (r *recorder) found(p gunzip.Point) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, p)
}

// plainPoint adds a point of an uncompressed layer if it is time for one.
func (r *recorder) plainPoint(pos int64) {
	if pos-r.last.Out >= pointEvery {
		r.found(gunzip.Point{In: pos * 8, Out: pos})
	}
}

// next returns the first point that lies before the position end of the uncompressed layer.
func (r *recorder) next(end int64) (gunzip.Point, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 || r.queue[0].Out >= end {
		return gunzip.Point{}, false
	}
	p := r.queue[0]
	r.queue = r.queue[1:]
	return p, true
}

// write hashes b, which stands at pos in the uncompressed layer, and writes down the points
// on the way.
func (r *recorder) write(h hash.Hash, pos int64, b []byte) {
	end := pos + int64(len(b))
	for {
		p, ok := r.next(end)
		if !ok {
			break
		}
		n := p.Out - pos
		h.Write(b[:n])
		b, pos = b[n:], p.Out
		r.add(p, h)
	}
	h.Write(b)
}

func (r *recorder) add(p gunzip.Point, h hash.Hash) {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || r.err != nil {
		r.err = errors.Join(r.err, err)
		return
	}
	b := binary.AppendUvarint(nil, uint64(p.In-r.last.In))
	b = binary.AppendUvarint(b, uint64(p.Out-r.last.Out))
	b = append(binary.AppendUvarint(b, uint64(len(state))), state...)
	b = append(binary.AppendUvarint(b, uint64(len(p.Window))), p.Window...)
	_, r.err = r.zstd.Write(b)
	r.last = point{Point: p}
	r.size += len(b)
}

// bytes returns the points as they are stored, nil if there are none.
func (r *recorder) bytes() []byte {
	if r.err == nil {
		r.err = r.zstd.Close()
	}
	if r.err != nil || r.size == 0 {
		return nil
	}
	return append(binary.AppendUvarint(nil, uint64(r.size)), r.out.Bytes()...)
}

// decodePoints is the reverse of bytes. The first point is the start of the layer; nil means
// that data is of no use.
func decodePoints(data []byte) []point {
	text, err := expand(data)
	if err != nil {
		return nil
	}
	list := []point{{}}
	for d := (decoder{rest: text}); len(d.rest) > 0; {
		last := list[len(list)-1]
		p := point{Point: gunzip.Point{In: last.In + int64(d.uvarint()), Out: last.Out + int64(d.uvarint())}}
		p.state = d.string()
		p.Window = d.string()
		if d.bad || p.In < last.In || p.Out <= last.Out {
			return nil
		}
		list = append(list, p)
	}
	return list
}

// pointsKey is the key of a layer's points in the cache.
func pointsKey(d v1.Descriptor, diffID v1.Hash) string {
	return strings.Join([]string{pointsVersion, d.Digest.String(), diffID.String()}, " ")
}
