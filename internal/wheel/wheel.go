// Package wheel shows a wheel archive as the set of files it would install.
package wheel

import (
	"io"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Scheme is where an interpreter keeps each kind of file; paths relative to the
// root, and the path of the interpreter for scripts.
type Scheme struct {
	Purelib, Platlib, Scripts, Data, Headers string // Headers without the project's name
	Python                                   string // absolute, for the shebang line
}

// Wheel is a checked wheel archive.
type Wheel struct {
	Name        *python.WheelName
	Metadata    *python.Metadata
	RawMetadata []byte
	EntryPoints []python.EntryPoint
}

// Open checks the archive against the rules of SAFETY (central directory and local
// headers agree, nothing outside, RECORD complete) without decompressing its
// content; content is checked against RECORD while it is read. r must stay open
// as long as the files are used.
func Open(fileName string, r io.ReaderAt, size int64) (*Wheel, error) { panic("contract") }

// Files returns what installing the wheel would write: libraries, scripts with
// rewritten shebang, entry points, data, and dist-info with INSTALLER and a
// RECORD that fits.
func (w *Wheel) Files(s Scheme) (files.Set, error) { panic("contract") }

// Metadata returns METADATA out of a wheel; only the parts of r that are needed
// are read, so r may be a remote file.
func Metadata(fileName string, r io.ReaderAt, size int64) ([]byte, error) { panic("contract") }
