package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/gunzip"
)

// compression is how the bytes of a layer are stored.
type compression int

const (
	plain compression = iota
	gzipped
	zstandard
)

// maxWindow is the most memory that a zstd frame may ask for: what zstd itself
// allows without being told otherwise.
const maxWindow = 128 << 20

// sniff looks at the first four bytes. The types in a manifest are no help: docker's
// says gzip whatever is inside, and runtimes look at the bytes as well.
func sniff(head []byte) compression {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipped
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}), len(head) == 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18}):
		return zstandard
	}
	return plain
}

// newDecompressor reads all members or frames of r. A recorder, which may be nil, gets the
// points.
func newDecompressor(r io.Reader, kind compression, record *recorder) (io.ReadCloser, error) {
	switch kind {
	case gzipped:
		z := gunzip.NewReader(r)
		if record != nil {
			z.Notify(pointEvery, record.found)
		}
		return named{io.NopCloser(z), "gzip"}, nil
	case zstandard:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", noEOF(err))
		}
		return named{z.IOReadCloser(), "zstd"}, nil
	}
	return io.NopCloser(r), nil
}

// named puts the name of the format before errors.
type named struct {
	io.ReadCloser
	name string
}

func (n named) Read(p []byte) (int, error) {
	k, err := n.ReadCloser.Read(p)
	if err != nil && err != io.EOF && !isKnown(err) {
		err = fmt.Errorf("%s: %w", n.name, err)
	}
	return k, err
}

// noEOF turns the end of the input into an error, for readers of headers.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// spoolError is about a file without a name in the cache folder.
func spoolError(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		err = errno
	}
	return fmt.Errorf("%w: temporary file: %w", cache.ErrFolder, err)
}

// isDiskError tells a full or failing disk from damaged content.
func isDiskError(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno)
}

func newBytesReader(b []byte) io.Reader { return bytes.NewReader(b) }
