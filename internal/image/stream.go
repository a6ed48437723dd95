package image

import (
	"context"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// chunkSize is the unit in which the stages of a stream hand bytes on.
	chunkSize = 256 << 10
	// chunksAhead is how far a stage may be ahead of the next one.
	chunksAhead = 3
)

// chunk is a piece of a stream; err comes after the bytes.
type chunk struct {
	buf []byte // the whole buffer, to be given back
	n   int
	err error
}

// ahead reads from an io.Reader in a goroutine of its own, so that what the reader
// does (reading and hashing, inflating) goes on beside what is done with the bytes.
type ahead struct {
	full  chan chunk
	empty chan []byte
	stop  chan struct{}
	cur   chunk
	pos   int
	err   error
}

func readAhead(r io.Reader) *ahead {
	a := &ahead{full: make(chan chunk, chunksAhead), empty: make(chan []byte, chunksAhead+1), stop: make(chan struct{})}
	for range chunksAhead + 1 {
		a.empty <- nil // made when first used: most layers are small
	}
	go a.run(r)
	return a
}

func (a *ahead) run(r io.Reader) {
	defer close(a.full)
	for {
		var c chunk
		select {
		case c.buf = <-a.empty:
		case <-a.stop:
			return
		}
		if c.buf == nil {
			c.buf = make([]byte, chunkSize)
		}
		for c.n < len(c.buf) && c.err == nil {
			var n int
			n, c.err = r.Read(c.buf[c.n:])
			c.n += n
		}
		select {
		case a.full <- c:
		case <-a.stop:
			return
		}
		if c.err != nil {
			return
		}
	}
}

// next makes bytes available in a.cur, or returns the error of the source.
func (a *ahead) next() error {
	for a.pos == a.cur.n {
		if a.err == nil {
			a.err = a.cur.err
		}
		if a.err != nil {
			return a.err
		}
		if a.cur.buf != nil {
			a.empty <- a.cur.buf
		}
		var ok bool
		if a.cur, ok = <-a.full; !ok {
			a.err = errors.New("stream is closed")
			return a.err
		}
		a.pos = 0
	}
	return nil
}

func (a *ahead) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := a.next(); err != nil {
		return 0, err
	}
	n := copy(p, a.cur.buf[a.pos:a.cur.n])
	a.pos += n
	return n, nil
}

// peek returns the next bytes, fewer than n at the end of the source.
func (a *ahead) peek(n int) ([]byte, error) {
	if err := a.next(); err != nil && err != io.EOF {
		return nil, err
	}
	b := a.cur.buf[a.pos:a.cur.n] // a chunk is full but for the last one
	return b[:min(n, len(b))], nil
}

// take returns up to n bytes without copying; they are good until the next call.
func (a *ahead) take(n int64) ([]byte, error) {
	if err := a.next(); err != nil {
		return nil, err
	}
	b := a.cur.buf[a.pos:a.cur.n]
	if int64(len(b)) > n {
		b = b[:n]
	}
	a.pos += len(b)
	return b, nil
}

// close ends the goroutine and waits for it.
func (a *ahead) close() {
	close(a.stop)
	for range a.full {
	}
}

// stream is the uncompressed content of a layer blob. When finish returns nil, the
// blob had its digest and size and the content its diffID.
type stream struct {
	blob   io.ReadCloser // checks digest and size
	packed *ahead        // of blob
	unpack io.ReadCloser
	tar    *ahead // of unpack
	hash   hash.Hash
	diffID v1.Hash
	budget *budget
	record *recorder // nil: points are not wanted
	kind   compression
	pos    int64
}

// openStream starts to read a layer. Progress is called with the number of compressed
// bytes of each piece; it and record may be nil.
func (l *layer) openStream(ctx context.Context, progress func(int64), record *recorder) (*stream, error) {
	s, d, diffID := l.source.store, l.desc, l.diffID
	h, err := newHash(diffID)
	if err != nil {
		return nil, err
	}
	blob, err := s.open(ctx, d)
	if err != nil {
		return nil, err
	}
	st := &stream{blob: blob, hash: h, diffID: diffID, budget: l.budget, record: record}
	st.packed = readAhead(&counted{ctx, blob, progress})
	head, err := st.packed.peek(4)
	if err != nil {
		st.close()
		return nil, blame(err)
	}
	st.kind = sniff(head)
	if st.unpack, err = newDecompressor(st.packed, st.kind, record); err != nil {
		st.close()
		return nil, blame(err)
	}
	st.tar = readAhead(st.unpack)
	return st, nil
}

// counted reports what is read and stops when ctx ends.
type counted struct {
	ctx      context.Context
	r        io.Reader
	progress func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if n > 0 && c.progress != nil {
		c.progress(int64(n))
	}
	return n, err
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	b, err := s.take(int64(len(p)))
	return copy(p, b), err
}

// take returns up to n of the next bytes; they are good until the next call.
func (s *stream) take(n int64) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b, err := s.tar.take(n)
	if s.record != nil {
		if s.kind == plain {
			s.record.plainPoint(s.pos)
		}
		s.record.write(s.hash, s.pos, b)
	} else {
		s.hash.Write(b)
	}
	s.pos += int64(len(b))
	if over := s.budget.addStream(int64(len(b))); over != nil {
		return nil, over
	}
	return b, err
}

// skip passes over n bytes.
func (s *stream) skip(n int64) error {
	for n > 0 {
		b, err := s.take(n)
		if err != nil {
			return noEOF(err)
		}
		n -= int64(len(b))
	}
	return nil
}

// finish reads the rest, which must be zeros if the tar archive has ended, and checks
// everything.
func (s *stream) finish() error {
	for {
		b, err := s.take(chunkSize)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if !isZero(b) {
			return damaged("layer has more behind the end of its tar archive")
		}
	}
	if err := s.drain(); err != nil {
		return err
	}
	if got := hex.EncodeToString(s.hash.Sum(nil)); got != s.diffID.Hex {
		return damaged("layer has the diffID %s:%s, its image's configuration says %s", s.diffID.Algorithm, got, s.diffID)
	}
	return nil
}

// cause looks for the reason of an error further down: if the blob is not what its digest
// says, that is why it does not decode.
func (s *stream) cause(err error) error {
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	s.stopUnpacking()
	if blob := s.drain(); blob != nil {
		return blob
	}
	return err
}

// drain reads the rest of the blob without decompressing it. After the end of the
// decompressed content there is nothing left: trailing bytes are refused by the
// decompressors.
func (s *stream) drain() error {
	for {
		if _, err := s.packed.take(chunkSize); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// stopUnpacking ends the decompressor early; only drain and close may follow.
func (s *stream) stopUnpacking() {
	if s.tar != nil {
		s.tar.close()
		s.tar = nil
	}
}

func (s *stream) close() {
	if s.tar != nil {
		close(s.tar.stop)
	}
	s.packed.close() // wakes the decompressor up if it waits for more
	if s.tar != nil {
		for range s.tar.full {
		}
	}
	if s.unpack != nil {
		s.unpack.Close()
	}
	s.blob.Close()
}
