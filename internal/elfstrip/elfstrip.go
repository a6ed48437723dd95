// Package elfstrip takes out of an ELF file what only debuggers and linkers read: the
// symbol table, debug sections, comments.
//
// No byte that is loaded changes, or changes its place: what lies behind the last
// segment is left out, what lies between segments becomes zeros, and the table of
// sections is written anew behind the rest. What is not understood stays as it is.
package elfstrip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Version names the rules of this package; it changes whenever the same file would
// give other bytes.
const Version = "elfstrip 1"

// MinSaving is how many bytes have to be in what is left out, for a file to be
// rewritten at all.
const MinSaving = 4096

// Recipe says how a stripped file is made of the original. It depends on the
// content of the file alone.
type Recipe struct {
	Of    int64 // size of the original
	Size  int64 // size of the stripped file
	Zeros int64 // bytes of Size that were something else, and are zero now
	steps []step
}

// step makes bytes out of the next n bytes of the original, or of none.
type step struct {
	kind  stepKind
	n     int64
	bytes []byte // of a write
}

type stepKind byte

const (
	stepCopy  stepKind = 'c' // the next n bytes
	stepSkip  stepKind = 's' // nothing for the next n bytes
	stepZero  stepKind = 'z' // n zeros for the next n bytes
	stepWrite stepKind = 'w' // other bytes, for none
)

// Saved is how many bytes of the original are not in the stripped file, zeros
// counting as nothing.
func (r *Recipe) Saved() int64 { return r.Of - r.Size + r.Zeros }

func (r *Recipe) add(kind stepKind, n int64) {
	if n > 0 {
		r.steps = append(r.steps, step{kind: kind, n: n})
	}
}

func (r *Recipe) write(b []byte) {
	if len(b) > 0 {
		r.steps = append(r.steps, step{kind: stepWrite, n: int64(len(b)), bytes: b})
	}
}

// Encode returns a compact form of r for [Decode].
func (r *Recipe) Encode() []byte {
	var b []byte
	for _, s := range r.steps {
		b = append(b, byte(s.kind))
		b = binary.AppendUvarint(b, uint64(s.n))
		b = append(b, s.bytes...)
	}
	return b
}

var errEncoding = errors.New("not the encoded recipe of a stripped file")

// maxSize bounds the sizes in a recipe; no file of an image is larger.
const maxSize = 1 << 40

// Decode reads what Encode wrote.
func Decode(b []byte) (*Recipe, error) {
	r := &Recipe{}
	for len(b) > 0 {
		s := step{kind: stepKind(b[0])}
		n, used := binary.Uvarint(b[1:])
		if used <= 0 || n == 0 || n > maxSize || r.Of > maxSize || r.Size > maxSize {
			return nil, errEncoding
		}
		s.n, b = int64(n), b[1+used:]
		switch s.kind {
		case stepCopy:
			r.Of, r.Size = r.Of+s.n, r.Size+s.n
		case stepSkip:
			r.Of += s.n
		case stepZero:
			r.Of, r.Size, r.Zeros = r.Of+s.n, r.Size+s.n, r.Zeros+s.n
		case stepWrite:
			if s.n > int64(len(b)) {
				return nil, errEncoding
			}
			s.bytes, b = b[:s.n], b[s.n:]
			r.Size += s.n
		default:
			return nil, errEncoding
		}
		r.steps = append(r.steps, s)
	}
	if len(r.steps) == 0 {
		return nil, errEncoding
	}
	return r, nil
}

// Name identifies the rule. The recipe need not be in it, as the file gives the recipe.
func (r *Recipe) Name() string { return Version }

// Reader returns the stripped file of the original that in reads, which is read to
// its end.
func (r *Recipe) Reader(in io.Reader) io.Reader { return &reader{in: in, steps: r.steps} }

// reader follows the steps.
type reader struct {
	in    io.Reader
	steps []step
	done  int64 // bytes of the first step that are behind
	ended bool
}

func (r *reader) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if len(r.steps) == 0 {
			return 0, r.end(p)
		}
		s := r.steps[0]
		if r.done == s.n {
			r.steps, r.done = r.steps[1:], 0
			continue
		}
		want := min(int64(len(p)), s.n-r.done)
		if s.kind == stepWrite {
			n := copy(p, s.bytes[r.done:])
			r.done += int64(n)
			return n, nil
		}
		n, err := r.in.Read(p[:want])
		r.done += int64(n)
		if err == io.EOF && r.done < s.n {
			return 0, io.ErrUnexpectedEOF
		}
		if err == io.EOF {
			err = nil // the next call meets it again
		}
		switch s.kind {
		case stepZero:
			clear(p[:n])
		case stepSkip:
			n = 0
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// end makes sure that the original ends where the recipe does: what reads it may
// check a digest only then.
func (r *reader) end(p []byte) error {
	if r.ended {
		return io.EOF
	}
	n, err := r.in.Read(p[:1])
	switch {
	case n > 0:
		return fmt.Errorf("%s: the file is longer than the one that the recipe is for", Version)
	case err == io.EOF:
		r.ended = true
		return io.EOF
	}
	return err
}
