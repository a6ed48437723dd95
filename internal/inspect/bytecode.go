package inspect

import (
	"path"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/bytecode"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// ByteCode returns the header of a file of byte code that Python would look for
// beside a module, as the probe noted it. ok is false for all else.
func ByteCode(f *files.File) (h bytecode.Header, ok bool) {
	if len(f.Note) == 0 || f.Note[0] != noteCode {
		return bytecode.Header{}, false
	}
	return bytecode.ParseHeader(f.Note[1:])
}

// wantsCode is Wants for byte code. What is made with -O is left behind, whatever it is of.
func wantsCode(name, base string, head []byte) files.Want {
	if path.Base(path.Dir(name)) != bytecode.Dir {
		return files.WantSHA256 // a module without source
	}
	if _, ok := bytecode.ParseHeader(head); !ok || strings.Contains(base, ".opt-") {
		return 0
	}
	return files.WantNote | files.WantSHA256
}

// noteHeader keeps the header of byte code.
func noteHeader(head []byte) []byte {
	if _, ok := bytecode.ParseHeader(head); !ok {
		return nil
	}
	return append([]byte{noteCode}, head[:bytecode.HeaderSize]...)
}
