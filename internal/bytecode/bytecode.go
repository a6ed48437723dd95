// Package bytecode reads and rewrites the byte code that CPython keeps beside
// modules (.pyc), so that it is valid whatever time its source has.
//
// It never runs Python, and it never judges what code does: only the header and
// the frame of what follows are looked at. What it can't read stays as it is.
package bytecode

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// HeaderSize is the length of the header in bytes: magic number, flags, and the time
// and size of the source or its hash (PEP 552).
const HeaderSize = 16

// Header is the header of byte code since Python 3.7.
type Header struct {
	// Magic is the number of the format, which differs between minor versions; see
	// [Magic].
	Magic uint16
	Flags uint32
	// ModTime and Size are those of the source, modulo 1<<32; of no meaning in byte
	// code that is known by a hash.
	ModTime, Size uint32
}

// The flags of PEP 552.
const (
	flagHash  = 1 << 0 // the header has a hash of the source
	flagCheck = 1 << 1 // which Python compares before it takes the code
)

// ParseHeader reads the header that b begins with. ok is false for what no Python
// takes for byte code.
func ParseHeader(b []byte) (h Header, ok bool) {
	if len(b) < HeaderSize || b[2] != '\r' || b[3] != '\n' {
		return Header{}, false
	}
	h = Header{
		Magic:   binary.LittleEndian.Uint16(b),
		Flags:   binary.LittleEndian.Uint32(b[4:]),
		ModTime: binary.LittleEndian.Uint32(b[8:]),
		Size:    binary.LittleEndian.Uint32(b[12:]),
	}
	if h.Flags&^(flagHash|flagCheck) != 0 || h.Flags == flagCheck {
		return Header{}, false
	}
	return h, true
}

// IsHashed tells whether Python asks neither time nor size of the source: the code is
// known by a hash, which is compared or trusted.
func (h Header) IsHashed() bool { return h.Flags&flagHash != 0 }

// IsOf tells whether Python takes the code for that of a source with this time, in seconds
// since 1970, and size in bytes. It is true for code that is known by a hash.
func (h Header) IsOf(modTime, size int64) bool {
	return h.IsHashed() || h.ModTime == uint32(modTime) && h.Size == uint32(size)
}

// Magic returns the magic number of final versions of CPython major.minor. ok is
// false for versions that this table does not know, whose byte code may be good all
// the same.
func Magic(major, minor int) (magic uint16, ok bool) {
	if major != 3 {
		return 0, false
	}
	magic, ok = magics[minor]
	return magic, ok
}

// magics are the numbers of Lib/importlib/_bootstrap_external.py (since 3.14:
// Include/internal/pycore_magic_number.h), by minor version.
var magics = map[int]uint16{
	7: 3394, 8: 3413, 9: 3425, 10: 3439, 11: 3495, 12: 3531, 13: 3571, 14: 3627,
}

// Name is where Python looks for the byte code of the module file base, such as
// "six.py", in the directory of that file: "__pycache__/six.cpython-311.pyc". tag is
// sys.implementation.cache_tag. The result is "" if base is no module file.
func Name(base, tag string) string {
	stem, ok := strings.CutSuffix(base, ".py")
	if !ok || stem == "" {
		return ""
	}
	return Dir + "/" + stem + "." + tag + ".pyc"
}

// Dir is the directory beside modules that holds their byte code (PEP 3147).
const Dir = "__pycache__"

// Tag is sys.implementation.cache_tag of CPython major.minor.
func Tag(major, minor int) string { return fmt.Sprintf("cpython-%d%d", major, minor) }
