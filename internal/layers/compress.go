package layers

import (
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// encoder is a compression with everything that shows in its output. Its name
// is part of a layer's key and changes when the encoder's version or setting does.
type encoder struct {
	name      string
	mediaType types.MediaType
	open      func(w io.Writer) (io.WriteCloser, error)
}

// encoderOf returns the encoder called name, "" being gzip; see
// docs/decisions/0021-compression.md for the settings.
func encoderOf(name string) encoder {
	if name == "zstd" {
		return encoder{"zstd klauspost 1.20 better", types.OCILayerZStd, openZstd}
	}
	return encoder{"gzip klauspost 1.20 level 7", types.OCILayer, openGzip}
}

// chunks hands its input on in pieces of one size: no encoder promises that
// its output does not depend on how it was fed, and readers return what they like.
type chunks struct {
	w   io.WriteCloser
	buf []byte
}

func newChunks(w io.WriteCloser) *chunks {
	return &chunks{w: w, buf: make([]byte, 0, 256<<10)}
}

func (c *chunks) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := copy(c.buf[len(c.buf):cap(c.buf)], p)
		c.buf = c.buf[:len(c.buf)+n]
		p = p[n:]
		if len(c.buf) == cap(c.buf) {
			if err := c.flush(); err != nil {
				return total - len(p), err
			}
		}
	}
	return total, nil
}

func (c *chunks) flush() error {
	_, err := c.w.Write(c.buf)
	c.buf = c.buf[:0]
	return err
}

// Close hands on the rest and closes the encoder, not what that writes to.
func (c *chunks) Close() error {
	if err := c.flush(); err != nil {
		return err
	}
	return c.w.Close()
}

func openGzip(w io.Writer) (io.WriteCloser, error) {
	zw, err := gzip.NewWriterLevel(w, 7)
	if err != nil {
		return nil, err
	}
	// No name, no time, unknown system (RFC 1952). The zero time.Time would be
	// written as a moment of 2042.
	zw.Header = gzip.Header{ModTime: time.Unix(0, 0), OS: 255}
	return newChunks(zw), nil
}

func openZstd(w io.Writer) (io.WriteCloser, error) {
	zw, err := zstd.NewWriter(w,
		zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		// With more, blocks are cut in another way on every machine.
		zstd.WithEncoderConcurrency(1),
		// RFC 8878 asks decoders for no more than 8 MiB.
		zstd.WithWindowSize(8<<20),
		zstd.WithEncoderCRC(true),
		zstd.WithZeroFrames(true),
		zstd.WithLowerEncoderMem(false),
	)
	if err != nil {
		return nil, err
	}
	return newChunks(zw), nil
}
