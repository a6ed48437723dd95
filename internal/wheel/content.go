package wheel

import (
	"bufio"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// content opens one file of an archive.
type content struct {
	a    *archive
	e    *entry
	hash recordHash // zero while RECORD itself is being read
}

// member is content whose errors name the archive; it implements files.Content.
type member struct {
	content
	fileName string
}

// Open implements files.Content.
func (m *member) Open() (io.ReadCloser, error) {
	r, err := m.content.Open()
	if err != nil {
		return nil, describe(m.fileName, err)
	}
	return &memberReader{r, m.fileName}, nil
}

type memberReader struct {
	io.ReadCloser
	fileName string
}

func (r *memberReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = describe(r.fileName, err)
	}
	return n, err
}

// recordHash is what RECORD says of a file.
type recordHash struct {
	algorithm string // sha256, sha384, sha512
	digest    string // lower-case hex
}

// newHash returns the hash function of RECORD's name for it, nil for those that
// PEP 427 does not admit (anything weaker than sha256).
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return nil
}

// Open returns a reader that gives the last bytes of the file only after size,
// checksum and digest turned out right.
func (c *content) Open() (io.ReadCloser, error) {
	start, err := c.a.dataStart(c.e, nil)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", c.e.name, err)
	}
	r := &reader{c: c, crc: crc32.NewIEEE(), packed: bufio.NewReaderSize(io.NewSectionReader(c.a.r, start, c.e.packed), 32<<10)}
	if c.hash.algorithm != "" {
		r.hash = newHash(c.hash.algorithm)
	}
	r.plain = r.packed
	if c.e.method == methodDeflate {
		r.inflater = c.a.inflater(r.packed)
		r.plain = r.inflater
	}
	if c.e.size == 0 { // nobody may ever call Read
		if err := r.finish(); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

func (a *archive) inflater(r io.Reader) io.ReadCloser {
	if f, ok := a.inflaters.Get().(io.ReadCloser); ok {
		if err := f.(flate.Resetter).Reset(r, nil); err == nil {
			return f
		}
	}
	return flate.NewReader(r)
}

// reader reads one file and checks it.
type reader struct {
	c        *content
	packed   *bufio.Reader // an io.ByteReader, so that the inflater reads not a byte too much
	plain    io.Reader
	inflater io.ReadCloser // nil if stored
	hash     hash.Hash     // nil if nothing to compare with
	crc      hash.Hash32
	n        int64
	err      error
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.n == r.c.e.size {
		r.err = io.EOF
		return 0, io.EOF
	}
	if rest := r.c.e.size - r.n; int64(len(p)) > rest {
		p = p[:rest]
	}
	n, err := r.plain.Read(p)
	r.n += int64(n)
	r.crc.Write(p[:n])
	if r.hash != nil {
		r.hash.Write(p[:n])
	}
	switch {
	case r.n == r.c.e.size:
		if err := r.finish(); err != nil {
			return 0, err // keeping back the last bytes: io.ReadFull would drop the error
		}
		return n, nil
	case err == io.EOF:
		err = fmt.Errorf("%q: %d bytes, not %d as announced", r.c.e.name, r.n, r.c.e.size)
	case err != nil:
		err = fmt.Errorf("%q: %w", r.c.e.name, err)
	}
	r.err = err
	return n, err
}

// finish checks what can be checked once all bytes are there.
func (r *reader) finish() error {
	r.err = r.mismatch()
	if r.err != nil {
		r.err = fmt.Errorf("%q: %w", r.c.e.name, r.err)
	}
	return r.err
}

func (r *reader) mismatch() error {
	var one [1]byte
	if n, err := io.ReadFull(r.plain, one[:]); n > 0 {
		return fmt.Errorf("more than the announced %d bytes", r.c.e.size)
	} else if err != io.EOF {
		return err
	}
	if _, err := r.packed.ReadByte(); err != io.EOF {
		return errors.New("bytes behind the compressed content")
	}
	if r.crc.Sum32() != r.c.e.crc {
		return errors.New("wrong checksum (CRC-32)")
	}
	if r.hash == nil {
		return nil
	}
	if got := hex.EncodeToString(r.hash.Sum(nil)); got != r.c.hash.digest {
		return fmt.Errorf("%s is %s, but RECORD says %s", r.c.hash.algorithm, got, r.c.hash.digest)
	}
	return nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.inflater != nil {
		r.c.a.inflaters.Put(r.inflater)
		r.inflater = nil
	}
	r.plain, r.err = nil, errClosed
	return nil
}

var errClosed = errors.New("read after close")

// readAll returns the whole content of a small file.
func (c *content) readAll(limit int64) ([]byte, error) {
	if c.e.size > limit {
		return nil, fmt.Errorf("%q has %d bytes, more than %d", c.e.name, c.e.size, limit)
	}
	r, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, c.e.size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	return b, nil
}
