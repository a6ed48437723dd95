package bytecode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// Unchecked is the rule that makes byte code valid for its source whatever time that
// has: Python takes it without a look at the source (PEP 552, "unchecked"). It also
// takes away what differs between two runs of one compiler, see [Normalize]. The size
// stays the same. Byte code that is known by a hash keeps its header.
//
// The hash is written as zeros. Python reads it only under
// --check-hash-based-pycs=always, and then compiles anew.
var Unchecked unchecked

type unchecked struct{}

// Name identifies the rule; it changes whenever the outcome does.
func (unchecked) Name() string { return "unchecked byte code 1" }

// maxNormalized bounds what is held in memory of one file; the largest seen has 4 MB.
const maxNormalized = 32 << 20

// Reader returns what becomes of the byte code that r reads.
func (unchecked) Reader(r io.Reader) io.Reader { return &rewriter{r: r} }

// rewriter reads r at the first call of Read.
type rewriter struct {
	r   io.Reader
	buf *bytes.Buffer // what is left of the result before r goes on
	err error
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Read implements [io.Reader].
func (w *rewriter) Read(p []byte) (int, error) {
	if w.buf == nil && w.err == nil {
		w.fill()
	}
	if w.buf != nil {
		if w.buf.Len() > 0 {
			return w.buf.Read(p)
		}
		if w.err != nil {
			buffers.Put(w.buf)
			w.buf = nil
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return w.r.Read(p)
}

func (w *rewriter) fill() {
	w.buf = buffers.Get().(*bytes.Buffer)
	w.buf.Reset()
	n, err := io.CopyN(w.buf, w.r, maxNormalized)
	if err != nil {
		w.err = err // of a read, or the end
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return
	}
	b := w.buf.Bytes()
	h, ok := ParseHeader(b)
	if !ok {
		return
	}
	if !h.IsHashed() {
		binary.LittleEndian.PutUint32(b[4:], flagHash)
		clear(b[8:HeaderSize])
	}
	if n < maxNormalized {
		// What can't be read is byte code of a Python to come: it stays as it is.
		_ = Normalize(b[HeaderSize:], h.Magic)
	}
}
