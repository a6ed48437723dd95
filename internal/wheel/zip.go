package wheel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"sync"
)

// Record sizes and signatures of APPNOTE.TXT 6.3.10 (4.3), the ZIP format.
const (
	sigLocal      = 0x04034b50
	sigDescriptor = 0x08074b50
	sigCentral    = 0x02014b50
	sigEnd        = 0x06054b50
	sigEnd64      = 0x06064b50
	sigLocator64  = 0x07064b50

	lenLocal     = 30
	lenCentral   = 46
	lenEnd       = 22
	lenEnd64     = 56
	lenLocator64 = 20
)

// Limits of SAFETY rule 3 and 5, as they apply to one wheel.
const (
	maxEntries     = 1 << 18  // the largest known wheels have 60,000
	maxDirectory   = 64 << 20 // bytes of the central directory
	maxName        = 4 << 10
	maxTotal       = 32 << 30 // bytes of all files together
	freeTotal      = 1 << 30  // up to here any ratio will do
	maxRatio       = 200      // beyond that, text compresses 20:1 at most
	maxDeflate     = 1032     // what deflate can do at best
	maxZipComment  = 1 << 16
	methodStore    = 0
	methodDeflate  = 8
	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3
	flagsAllowed   = flagDescriptor | 1<<1 | 1<<2 | 1<<11 // 1, 2: how hard deflate tried; 11: UTF-8
)

// entry is one file of the archive, as the central directory has it.
type entry struct {
	name          string
	method, flags uint16
	crc           uint32
	packed, size  int64 // compressed and not
	header        int64 // offset of the local header
	mode          fs.FileMode
}

func (e *entry) isDir() bool { return e.mode.IsDir() }

// archive is a ZIP file whose central directory has been read and checked.
type archive struct {
	r         io.ReaderAt
	entries   []entry // in directory order
	directory int64   // offset of the central directory
	inflaters sync.Pool
}

// openArchive reads the central directory. Local headers are not looked at.
func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	r = source{r}
	end, err := readEnd(r, size)
	if err != nil {
		return nil, err
	}
	if end.entries > maxEntries || end.length > maxDirectory {
		return nil, fmt.Errorf("central directory of %d entries in %d bytes is over the limit", end.entries, end.length)
	}
	if end.offset < 0 || end.length < 0 || end.offset+end.length != end.start {
		return nil, errors.New("central directory is not where the end record says, or bytes stand before or behind it")
	}
	b := make([]byte, end.length)
	if err := readAt(r, b, end.offset); err != nil {
		return nil, fmt.Errorf("central directory: %w", err)
	}
	a := &archive{r: r, directory: end.offset, entries: make([]entry, 0, min(end.entries, int64(len(b)/lenCentral)))}
	for len(b) > 0 {
		e, n, err := parseCentral(b)
		if err != nil {
			return nil, fmt.Errorf("central directory entry %d: %w", len(a.entries), err)
		}
		a.entries, b = append(a.entries, e), b[n:]
	}
	if int64(len(a.entries)) != end.entries {
		return nil, fmt.Errorf("%d entries, but the end record says %d", len(a.entries), end.entries)
	}
	return a, nil
}

// endRecord says where the central directory is.
type endRecord struct {
	start                   int64 // of the end records themselves
	entries, length, offset int64
}

// readEnd finds the end record. It must end where the file ends, so that no two
// readers can find different ones.
func readEnd(r io.ReaderAt, size int64) (endRecord, error) {
	if size < lenEnd {
		return endRecord{}, fmt.Errorf("%d bytes are no ZIP archive", size)
	}
	tail := make([]byte, lenEnd)
	if err := readAt(r, tail, size-lenEnd); err != nil {
		return endRecord{}, err
	}
	if binary.LittleEndian.Uint32(tail) != sigEnd || binary.LittleEndian.Uint16(tail[20:]) != 0 {
		var err error
		if tail, err = findCommentedEnd(r, size); err != nil {
			return endRecord{}, err
		}
	}
	at := size - int64(len(tail))
	le := binary.LittleEndian
	disk, dirDisk := le.Uint16(tail[4:]), le.Uint16(tail[6:])
	here, all := le.Uint16(tail[8:]), le.Uint16(tail[10:])
	end := endRecord{start: at, entries: int64(all), length: int64(le.Uint32(tail[12:])), offset: int64(le.Uint32(tail[16:]))}
	end64, ok, err := readEnd64(r, at)
	if err != nil {
		return endRecord{}, err
	}
	if !ok {
		if disk != 0 || dirDisk != 0 || here != all {
			return endRecord{}, errors.New("archive in several volumes")
		}
		return end, nil
	}
	if !agree(end.entries, end64.entries, math.MaxUint16) || !agree(end.length, end64.length, math.MaxUint32) ||
		!agree(end.offset, end64.offset, math.MaxUint32) {
		return endRecord{}, errors.New("the two end records disagree")
	}
	return end64, nil
}

// findCommentedEnd finds an end record that is followed by a comment, which must
// not hold what looks like another one.
func findCommentedEnd(r io.ReaderAt, size int64) ([]byte, error) {
	tail := make([]byte, min(size, lenEnd+maxZipComment))
	if err := readAt(r, tail, size-int64(len(tail))); err != nil {
		return nil, err
	}
	i := bytes.LastIndex(tail, []byte{'P', 'K', 5, 6})
	if i < 0 {
		return nil, errors.New("no end record: no ZIP archive, or truncated")
	}
	if len(tail)-i < lenEnd || int(binary.LittleEndian.Uint16(tail[i+20:])) != len(tail)-i-lenEnd {
		return nil, errors.New("bytes behind the end record")
	}
	return tail[i:], nil
}

// agree tells whether a value of the old record is that of the ZIP64 record, or
// the mark that it stands there.
func agree(old, wide, mark int64) bool { return old == wide || old == mark }

// readEnd64 reads the ZIP64 end record in front of its locator, which is in front
// of the end record at offset at; ok is false if there is no locator.
func readEnd64(r io.ReaderAt, at int64) (end endRecord, ok bool, err error) {
	if at < lenLocator64+lenEnd64 {
		return end, false, nil
	}
	b := make([]byte, lenEnd64+lenLocator64)
	if err := readAt(r, b, at-int64(len(b))); err != nil {
		return end, false, err
	}
	le := binary.LittleEndian
	loc := b[lenEnd64:]
	if le.Uint32(loc) != sigLocator64 {
		return end, false, nil
	}
	start := at - int64(len(b))
	if le.Uint64(loc[8:]) != uint64(start) || le.Uint32(b) != sigEnd64 || le.Uint64(b[4:]) != lenEnd64-12 {
		return end, false, errors.New("ZIP64 end record is not in front of its locator")
	}
	entries, length, offset := le.Uint64(b[32:]), le.Uint64(b[40:]), le.Uint64(b[48:])
	if le.Uint32(b[16:]) != 0 || le.Uint32(b[20:]) != 0 || le.Uint64(b[24:]) != entries || le.Uint32(loc[4:]) != 0 || le.Uint32(loc[16:]) > 1 {
		return end, false, errors.New("archive in several volumes")
	}
	if entries > math.MaxInt64 || length > math.MaxInt64 || offset > math.MaxInt64 {
		return end, false, errors.New("ZIP64 end record with impossible sizes")
	}
	return endRecord{start: start, entries: int64(entries), length: int64(length), offset: int64(offset)}, true, nil
}

// parseCentral reads one entry of the central directory and returns its length.
func parseCentral(b []byte) (e entry, n int, err error) {
	le := binary.LittleEndian
	if len(b) < lenCentral || le.Uint32(b) != sigCentral {
		return e, 0, errors.New("no entry")
	}
	nameLen, extraLen, commentLen := int(le.Uint16(b[28:])), int(le.Uint16(b[30:])), int(le.Uint16(b[32:]))
	n = lenCentral + nameLen + extraLen + commentLen
	if n > len(b) {
		return e, 0, errors.New("truncated")
	}
	e = entry{
		name:   string(b[lenCentral : lenCentral+nameLen]),
		flags:  le.Uint16(b[8:]),
		method: le.Uint16(b[10:]),
		crc:    le.Uint32(b[16:]),
		packed: int64(le.Uint32(b[20:])),
		size:   int64(le.Uint32(b[24:])),
		header: int64(le.Uint32(b[42:])),
	}
	wide := []*int64{&e.size, &e.packed, &e.header}
	if err := applyExtra(b[lenCentral+nameLen:lenCentral+nameLen+extraLen], wide); err != nil {
		return e, 0, fmt.Errorf("%q: %w", e.name, err)
	}
	if disk := le.Uint16(b[34:]); disk != 0 {
		return e, 0, fmt.Errorf("%q: on volume %d", e.name, disk)
	}
	if e.mode, err = modeOf(le.Uint16(b[4:]), le.Uint32(b[38:]), e.name); err != nil {
		return e, 0, fmt.Errorf("%q: %w", e.name, err)
	}
	return e, n, nil
}

// applyExtra replaces those sizes that are marked as too large for 32 bits by
// those of the ZIP64 field, and refuses fields that give the file another name.
func applyExtra(extra []byte, sizes []*int64) error {
	le := binary.LittleEndian
	seen := false
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if n > len(extra)-4 {
			return errors.New("extra field is longer than its header says")
		}
		field := extra[4 : 4+n]
		extra = extra[4+n:]
		switch id {
		case 0x7075:
			return errors.New("a second name in an extra field")
		case 0x9901:
			return errors.New("encrypted")
		case 1:
			if seen {
				return errors.New("two ZIP64 fields")
			}
			seen = true
			if err := applyZip64(field, sizes); err != nil {
				return err
			}
		}
	}
	return nil
}

func applyZip64(field []byte, sizes []*int64) error {
	for _, p := range sizes {
		if *p != math.MaxUint32 {
			continue
		}
		if len(field) < 8 {
			return errors.New("ZIP64 field is too short")
		}
		v := binary.LittleEndian.Uint64(field)
		if v > math.MaxInt64 {
			return errors.New("impossible size")
		}
		*p, field = int64(v), field[8:]
	}
	return nil
}

// Systems in the upper byte of "version made by" whose attributes hold a Unix
// mode in the upper half.
const (
	madeByUnix   = 3
	madeByDarwin = 19
)

// modeOf returns the type and the permission bits of an entry. A wheel holds
// regular files and folders only.
func modeOf(madeBy uint16, attributes uint32, name string) (fs.FileMode, error) {
	isDir := len(name) > 0 && name[len(name)-1] == '/'
	mode := fs.FileMode(0o644)
	if host := madeBy >> 8; host == madeByUnix || host == madeByDarwin {
		unix := attributes >> 16
		mode = fs.FileMode(unix & 0o777)
		switch kind := unix & 0o170000; {
		case kind == 0:
		case kind == 0o100000 && !isDir:
		case kind == 0o040000 && isDir:
		default:
			return 0, fmt.Errorf("neither a regular file nor a folder (mode %o)", unix)
		}
	}
	if isDir {
		return fs.ModeDir | 0o755, nil
	}
	return mode, nil
}

// readAt fills b; a file that ends before is an error.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// source marks the errors of the reader below.
type source struct{ r io.ReaderAt }

func (s source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.r.ReadAt(p, off)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		err = &readError{err}
	}
	return n, err
}

// readError is an error of what the archive is read from, which says nothing
// about the archive.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }
