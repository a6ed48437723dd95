package image

import (
	"crypto/sha256"
	_ "crypto/sha512" // a digest may name it
	"encoding/hex"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// newHash returns the hash function of a digest.
func newHash(d v1.Hash) (hash.Hash, error) {
	h, err := v1.Hasher(d.Algorithm)
	if err != nil {
		return nil, unsupported("digest algorithm %q", d.Algorithm)
	}
	return h, nil
}

func checkSum(h hash.Hash, want v1.Hash) error {
	if got := hex.EncodeToString(h.Sum(nil)); got != want.Hex {
		return damaged("blob %s has the digest %s:%s: its content was changed or broken off", want, want.Algorithm, got)
	}
	return nil
}

// checked is a reader of a blob whose io.EOF means that digest and size are right.
type checked struct {
	r    io.Reader
	c    io.Closer
	h    hash.Hash
	desc v1.Descriptor
	n    int64
	err  error
}

// newChecked wraps r; closing it closes c.
func newChecked(r io.Reader, c io.Closer, d v1.Descriptor) (io.ReadCloser, error) {
	h, err := newHash(d.Digest)
	if err != nil {
		return nil, err
	}
	return &checked{r: r, c: c, h: h, desc: d}, nil
}

func (c *checked) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.h.Write(p[:n])
	switch {
	case c.n > c.desc.Size:
		err = damaged("blob %s has more than the %d bytes its descriptor says", c.desc.Digest, c.desc.Size)
		n = 0
	case err == io.EOF && c.n < c.desc.Size:
		err = damaged("blob %s has %d bytes, its descriptor says %d", c.desc.Digest, c.n, c.desc.Size)
	case err == io.EOF:
		if sum := checkSum(c.h, c.desc.Digest); sum != nil {
			err = sum
		}
	}
	c.err = err
	return n, err
}

func (c *checked) Close() error { return c.c.Close() }

func sha256Of(data []byte) v1.Hash {
	sum := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// hashSection returns the sha256 of what r yields.
func hashSection(r io.Reader) (v1.Hash, error) {
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, chunkSize)); err != nil {
		return v1.Hash{}, err
	}
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}, nil
}
