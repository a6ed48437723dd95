package plan

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/bytecode"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// code adds byte code of CPython 3.11 with what words say about its source.
func (tt *treeText) code(path string, words []string) *files.File {
	tt.t.Helper()
	h := binary.LittleEndian.AppendUint32([]byte("\xa7\r\r\n"), 0)
	h = append(h, make([]byte, bytecode.HeaderSize-8)...)
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			tt.t.Fatalf("%q: %v", w, err)
		}
		switch key {
		case "magic":
			binary.LittleEndian.PutUint16(h, uint16(n))
		case "flags":
			h[4] = byte(n)
		case "time":
			binary.LittleEndian.PutUint32(h[8:], uint32(n))
		case "of":
			binary.LittleEndian.PutUint32(h[12:], uint32(n))
		default:
			tt.t.Fatalf("what is %q?", w)
		}
	}
	text := string(h) + "code of " + baseOf(path)
	f := tt.file(path, text)
	var err error
	if f.Note, err = inspect.Probe().Note(path, f.Size, strings.NewReader(text)); err != nil {
		tt.t.Fatal(err)
	}
	return f
}
