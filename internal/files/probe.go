package files

import "io"

// Want says what a [Probe] needs of a regular file while an image streams past.
type Want uint8

// What can be wanted; they may be combined.
const (
	// WantContent keeps the whole content in memory (small files only).
	WantContent Want = 1 << iota
	// WantSHA256 fills [File.SHA256].
	WantSHA256
	// WantNote calls [Probe.Note] and fills [File.Note].
	WantNote
)

// A Probe is asked about each regular file while an image's layers are read
// once, from front to back. Its answers depend on its arguments alone, since
// they are cached by layer digest and [Probe.Version]. Safe for several
// goroutines.
type Probe interface {
	// Version names this set of rules; it changes whenever an answer would.
	Version() string
	// Wants tells what is worth keeping of the file at path, given its size in
	// bytes and its first bytes (up to 64, fewer in a smaller file).
	Wants(path string, size int64, head []byte) Want
	// Note condenses a file into a few bytes, such as the native needs of an
	// ELF file. A nil note with a nil error means there is nothing to say; an
	// error is about reading only, never about odd content.
	Note(path string, size int64, r io.ReaderAt) ([]byte, error)
}
