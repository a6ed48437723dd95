package image

import (
	"context"
	"encoding"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"sort"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/gunzip"
)

// seeker reads parts of a layer whose points are known. Every part is checked from the
// point before it to the point behind it.
type seeker struct {
	blob   randomBlob
	size   int64 // of the blob
	kind   compression
	diffID v1.Hash
	points []point
	buf    []byte
	gunzip gunzip.Reader

	r    io.Reader
	hash hash.Hash
	pos  int64 // in the uncompressed layer
	next int   // the point ahead, len(points) for the end
}

// newSeeker returns nil if the layer can't be read in parts.
func (l *layer) newSeeker() *seeker {
	data, ok := l.source.opts.Cache.Get(factsBucket, pointsKey(l.desc, l.diffID))
	if !ok {
		return nil
	}
	s := &seeker{size: l.desc.Size, diffID: l.diffID, points: decodePoints(data)}
	if len(s.points) < 2 {
		return nil
	}
	if s.blob, ok = l.source.store.at(l.desc); !ok {
		return nil
	}
	var head [4]byte
	n, _ := s.blob.ReadAt(head[:], 0)
	s.kind = sniff(head[:n])
	return s
}

func (s *seeker) close() { s.blob.Close() }

// copyOut copies contents, which are in the order of the archive, to their places in out.
func (s *seeker) copyOut(ctx context.Context, list []*pick, out *os.File) error {
	s.buf = make([]byte, chunkSize)
	for len(list) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.to(list[0].offset); err != nil {
			return err
		}
		for left, at := list[0].size, list[0].at; left > 0; {
			b, err := s.read(left)
			if err != nil {
				return err
			}
			if _, err := out.WriteAt(b, at); err != nil {
				return spoolError(err)
			}
			at += int64(len(b))
			left -= int64(len(b))
		}
		list = list[1:]
	}
	return s.toPoint()
}

// to goes to an offset in the uncompressed layer.
func (s *seeker) to(offset int64) error {
	i := sort.Search(len(s.points), func(i int) bool { return s.points[i].Out > offset }) - 1
	if s.r == nil || offset < s.pos || i >= s.next && s.points[i].Out > s.pos {
		if err := s.toPoint(); err != nil {
			return err
		}
		if s.r == nil || s.pos != s.points[i].Out {
			if err := s.begin(i); err != nil {
				return err
			}
		}
	}
	for s.pos < offset {
		if _, err := s.read(offset - s.pos); err != nil {
			return err
		}
	}
	return nil
}

// begin starts to read at a point.
func (s *seeker) begin(i int) error {
	p := s.points[i]
	h, err := newHash(s.diffID)
	if err != nil {
		return err
	}
	if i > 0 {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary([]byte(p.state)); err != nil {
			return damaged("point in a layer: %w", err)
		}
	}
	packed := io.NewSectionReader(s.blob, p.In/8, s.size-p.In/8)
	switch {
	case s.kind == plain:
		s.r = packed
	case i == 0:
		s.r = gunzip.NewReader(packed)
	default:
		if err := s.gunzip.Resume(packed, p.Point); err != nil {
			return err
		}
		s.r = &s.gunzip
	}
	s.hash, s.pos, s.next = h, p.Out, i+1
	return nil
}

// read returns up to n of the next bytes, none from behind the point ahead.
func (s *seeker) read(n int64) ([]byte, error) {
	n = min(n, int64(len(s.buf)))
	if s.next < len(s.points) {
		n = min(n, s.points[s.next].Out-s.pos)
	}
	k, err := s.r.Read(s.buf[:n])
	s.hash.Write(s.buf[:k])
	s.pos += int64(k)
	if err == io.EOF && k > 0 {
		err = nil
	}
	if err != nil {
		return nil, noEOF(err)
	}
	if s.next < len(s.points) && s.pos == s.points[s.next].Out {
		return s.buf[:k], s.pass()
	}
	return s.buf[:k], nil
}

// pass compares the hash at a point.
func (s *seeker) pass() error {
	state, err := s.hash.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil || string(state) != s.points[s.next].state {
		return errChanged
	}
	s.next++
	return nil
}

var errChanged = errors.New("layer is not what it was when it was read first")

// toPoint reads on to the point ahead, so that all that was read is checked.
func (s *seeker) toPoint() error {
	if s.r == nil {
		return nil
	}
	if s.pos == s.points[s.next-1].Out {
		return nil
	}
	ahead := s.next
	for s.next == ahead {
		if _, err := s.read(int64(len(s.buf))); err != nil {
			if ahead == len(s.points) && errors.Is(err, io.ErrUnexpectedEOF) {
				return s.end()
			}
			return err
		}
	}
	return nil
}

// end compares the diffID.
func (s *seeker) end() error {
	if got := hex.EncodeToString(s.hash.Sum(nil)); got != s.diffID.Hex {
		return errChanged
	}
	s.r = nil
	return nil
}
