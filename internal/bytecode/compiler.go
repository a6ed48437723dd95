package bytecode

import (
	"bufio"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Compiler is a program in Python that compiles modules: it reads what [WriteModule]
// writes, and writes what [ReadCode] reads. It has to run with PYTHONHASHSEED=0 and the
// flags of [CompilerArgs].
//
//go:embed compile.py
var Compiler string

// CompilerVersion changes whenever the outcome of [Compiler] and [ReadCode] does.
const CompilerVersion = "1"

// CompilerArgs are the arguments of the interpreter that runs [Compiler]: nothing but the
// standard library is imported, and nothing is written beside it.
func CompilerArgs() []string { return []string{"-S", "-s", "-B", "-W", "ignore", "-c", Compiler} }

// CompilerEnv is the environment that [Compiler] needs: the order of sets is no chance.
func CompilerEnv() []string { return []string{"PYTHONHASHSEED=0", "LC_ALL=C.UTF-8"} }

// WriteModule writes one module for [Compiler]: the path that its code is to name, and its
// source.
func WriteModule(w io.Writer, path string, source []byte) error {
	b := make([]byte, 0, 8+len(path))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(path)))
	b = append(b, path...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(source)))
	if _, err := w.Write(b); err != nil {
		return err
	}
	_, err := w.Write(source)
	return err
}

// Code is what came of one module.
type Code struct {
	// Data is what its .pyc holds, without what tells of the process that made it. nil if
	// the module can't be compiled, as is the case of templates and of Python 2.
	Data []byte
	// Why is the error if Data is nil.
	Why string
}

// Bounds on what a compiler may answer for one module; the largest seen has 4 MB.
const (
	maxCode = 128 << 20
	maxWhy  = 1 << 10
)

// ErrCompiler is wrapped by errors about a compiler that does not do what it should.
var ErrCompiler = errors.New("the Python compiler failed")

// ReadCode reads the answers for n modules, in their order. code that ends the compiler
// is an error that names the number of the module.
func ReadCode(r io.Reader, n int) ([]Code, error) {
	br := bufio.NewReader(r)
	out := make([]Code, 0, min(n, 1<<16))
	for i := range n {
		c, err := readCode(br)
		if err != nil {
			return nil, &ModuleError{Module: i, Err: err}
		}
		out = append(out, c)
	}
	if _, err := br.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("%w: it says more than it was asked", ErrCompiler)
	}
	return out, nil
}

// ModuleError is an error about one of the modules that were asked for.
type ModuleError struct {
	Module int
	Err    error
}

func (e *ModuleError) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *ModuleError) Unwrap() error { return e.Err }

func readCode(r *bufio.Reader) (Code, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Code{}, fmt.Errorf("%w: it says nothing", ErrCompiler)
	}
	kind, size := head[0], int64(binary.LittleEndian.Uint32(head[1:]))
	limit := int64(maxWhy)
	if kind == '+' {
		limit = maxCode
	}
	if size > limit {
		return Code{}, fmt.Errorf("%w: an answer of %d bytes", ErrCompiler, size)
	}
	data, err := io.ReadAll(io.LimitReader(r, size))
	if err != nil {
		return Code{}, err
	}
	if int64(len(data)) != size {
		return Code{}, fmt.Errorf("%w: its answer breaks off", ErrCompiler)
	}
	switch kind {
	case '+':
		h, ok := ParseHeader(data)
		if !ok || h.Flags != flagHash {
			return Code{}, fmt.Errorf("%w: what it gives is no byte code", ErrCompiler)
		}
		// What can't be read is byte code of a Python to come: it stays as it is.
		_ = Normalize(data[HeaderSize:], h.Magic)
		return Code{Data: data}, nil
	case '-':
		return Code{Why: string(data)}, nil
	case '!':
		return Code{}, fmt.Errorf("%w: %s", ErrCompiler, data)
	}
	return Code{}, fmt.Errorf("%w: an answer of kind %q", ErrCompiler, kind)
}
