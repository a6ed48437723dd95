package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// Entry is a small entry of which parts are read. It is safe for several
// goroutines, and stays as it was when it was opened, whatever is put in its
// place. The checksum that [Dir.Get] looks at is over all of it: who reads parts
// has to check them, and calls [Dir.Delete] if they are damaged.
type Entry struct {
	f    *os.File // nil if First is all there is
	at   int64    // where the value begins
	size int64    // of the value
	// First is the beginning of the value, which is read already; it must not be
	// changed. If it is all of the value, it has been checked.
	First []byte
}

// firstPart is how much of an entry is read at once. Half of the index pages are
// smaller, and of the others their lists of versions are.
const firstPart = 8 << 10

// OpenEntry opens a small entry; ok is false for an absent one, or one of which
// the beginning is damaged. The caller closes it.
func (d *Dir) OpenEntry(bucket, key string) (e *Entry, ok bool) {
	name, err := d.entryName(bucket, key)
	if err != nil {
		return nil, false
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, false
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxEntry {
		f.Close()
		return nil, false
	}
	touch(name, info)
	first := make([]byte, min(info.Size(), firstPart))
	if _, err := io.ReadFull(f, first); err != nil {
		f.Close()
		return nil, false
	}
	if int64(len(first)) == info.Size() {
		f.Close()
		value, ok := decodeEntry(key, first)
		if !ok {
			os.Remove(name)
		}
		return &Entry{First: value, size: int64(len(value))}, ok
	}
	at := entryStart(key, first)
	if at < 0 {
		f.Close()
		os.Remove(name)
		return nil, false
	}
	return &Entry{f: f, at: int64(at), size: info.Size() - int64(at), First: first[at:]}, true
}

// entryStart returns where the value of an entry begins, -1 if the beginning of
// its file is not that of an entry of this key.
func entryStart(key string, data []byte) int {
	rest, ok := bytes.CutPrefix(data, []byte(entryMagic))
	if !ok || len(rest) < sha256.Size {
		return -1
	}
	rest = rest[sha256.Size:]
	n, w := binary.Uvarint(rest)
	if w <= 0 || n > uint64(len(rest)-w) || string(rest[w:w+int(n)]) != key {
		return -1
	}
	return len(data) - len(rest) + w + int(n)
}

// Size is the length of the value.
func (e *Entry) Size() int64 { return e.size }

// ReadAt implements [io.ReaderAt] over the value.
func (e *Entry) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, errors.New("negative offset")
	case off >= e.size:
		return 0, io.EOF
	case off+int64(len(p)) <= int64(len(e.First)) || e.f == nil:
		n := copy(p, e.First[min(off, int64(len(e.First))):])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	return e.f.ReadAt(p, e.at+off)
}

// Close ends reading; further calls do nothing.
func (e *Entry) Close() {
	if e.f != nil {
		e.f.Close()
	}
}
