package wheel

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// checkEntries applies the rules that need only the central directory.
func (a *archive) checkEntries() error {
	seen := make(map[string]bool, len(a.entries)) // name without "/" -> is a folder
	var packed, size int64
	for i := range a.entries {
		e := &a.entries[i]
		if err := e.check(); err != nil {
			return fmt.Errorf("%q: %w", e.name, err)
		}
		name := strings.TrimSuffix(e.name, "/")
		if _, twice := seen[name]; twice {
			return fmt.Errorf("%q: two entries of that name", e.name)
		}
		seen[name] = e.isDir()
		if packed, size = packed+e.packed, size+e.size; size > maxTotal {
			return fmt.Errorf("content of more than %d bytes", int64(maxTotal))
		}
	}
	if size > freeTotal && size/maxRatio > packed {
		return fmt.Errorf("%d bytes in an archive of %d: compression ratio over %d", size, packed, maxRatio)
	}
	for name := range seen {
		for i := strings.IndexByte(name, '/'); i >= 0; {
			if isDir, ok := seen[name[:i]]; ok && !isDir {
				return fmt.Errorf("%q is a file and a folder", name[:i])
			}
			next := strings.IndexByte(name[i+1:], '/')
			if next < 0 {
				break
			}
			i += 1 + next
		}
	}
	return nil
}

// check applies the rules for one entry.
func (e *entry) check() error {
	if err := checkName(e.name); err != nil {
		return err
	}
	switch {
	case e.flags&flagEncrypted != 0:
		return errors.New("encrypted")
	case e.flags&^flagsAllowed != 0:
		return fmt.Errorf("flags %#x are not supported", e.flags)
	case e.method != methodStore && e.method != methodDeflate:
		return fmt.Errorf("compression method %d is not supported", e.method)
	case e.method == methodStore && e.packed != e.size:
		return fmt.Errorf("stored, but its sizes are %d and %d", e.packed, e.size)
	case e.isDir() && e.size != 0:
		return errors.New("a folder with content")
	case e.size/maxDeflate > e.packed:
		return fmt.Errorf("%d bytes do not fit into %d", e.size, e.packed)
	}
	return nil
}

// checkName admits relative, clean, slash-separated UTF-8.
func checkName(name string) error {
	switch {
	case name == "" || name == "/":
		return errors.New("no name")
	case len(name) > maxName:
		return fmt.Errorf("name of %d bytes, more than %d", len(name), maxName)
	case !utf8.ValidString(name):
		return errors.New("name is not UTF-8")
	case strings.IndexByte(name, 0) >= 0:
		return errors.New("NUL in the name")
	case strings.IndexByte(name, '\\') >= 0:
		return errors.New("backslash in the name")
	case name[0] == '/':
		return errors.New("absolute name")
	case len(name) > 1 && name[1] == ':':
		return errors.New("name with a drive letter")
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		switch {
		case part == "" || part == "." || part == "..":
			return errors.New("name that is not clean")
		case len(part) > 255: // NAME_MAX of every file system a layer is unpacked to
			return fmt.Errorf("name with a part of %d bytes", len(part))
		}
	}
	return nil
}

// checkLocals compares each local header with the central directory, and sees
// to it that headers and content fill the file from its start to the central
// directory without a gap or an overlap: then every reader sees the same files.
func (a *archive) checkLocals() error {
	order := make([]*entry, len(a.entries))
	for i := range a.entries {
		order[i] = &a.entries[i]
	}
	slices.SortFunc(order, func(x, y *entry) int { return cmp.Compare(x.header, y.header) })
	var at int64
	buf := make([]byte, 0, 512)
	for i, e := range order {
		if e.header != at {
			return fmt.Errorf("%q: overlaps another entry, or bytes stand before it (offset %d, expected %d)", e.name, e.header, at)
		}
		limit := a.directory
		if i+1 < len(order) {
			limit = order[i+1].header
		}
		end, err := a.checkLocal(e, limit, buf)
		if err != nil {
			return fmt.Errorf("%q: %w", e.name, err)
		}
		at = end
	}
	if at != a.directory {
		return fmt.Errorf("bytes in front of the central directory (offset %d, expected %d)", a.directory, at)
	}
	return nil
}

// checkLocal checks the local header of e, whose data must end at limit at the
// latest, and returns where they end.
func (a *archive) checkLocal(e *entry, limit int64, buf []byte) (end int64, err error) {
	start, err := a.dataStart(e, buf)
	if err != nil {
		return 0, err
	}
	if e.packed > limit-start {
		return 0, errors.New("content overlaps what follows")
	}
	end = start + e.packed
	if e.flags&flagDescriptor == 0 {
		return end, nil
	}
	n, err := a.checkDescriptor(e, end, limit)
	return end + n, err
}

// dataStart reads the local header of e, compares it with the central directory,
// and returns the offset of the content. buf saves an allocation and may be nil.
func (a *archive) dataStart(e *entry, buf []byte) (int64, error) {
	if e.header < 0 || e.header > a.directory-lenLocal {
		return 0, errors.New("local header is not inside the archive")
	}
	want := int64(lenLocal + len(e.name))
	n := min(want, a.directory-e.header)
	b := buf[:min(n, int64(cap(buf)))]
	if int64(len(b)) < n {
		b = make([]byte, n)
	}
	if err := readAt(a.r, b, e.header); err != nil {
		return 0, fmt.Errorf("local header: %w", err)
	}
	le := binary.LittleEndian
	nameLen, extraLen := int(le.Uint16(b[26:])), int64(le.Uint16(b[28:]))
	if le.Uint32(b) != sigLocal {
		return 0, errors.New("no local header")
	}
	if nameLen != len(e.name) || int64(len(b)) != want || string(b[lenLocal:]) != e.name {
		return 0, errors.New("the local header has another name")
	}
	if le.Uint16(b[6:]) != e.flags || le.Uint16(b[8:]) != e.method {
		return 0, errors.New("the local header has other flags or another method")
	}
	crc, packed, size := le.Uint32(b[14:]), int64(le.Uint32(b[18:])), int64(le.Uint32(b[22:]))
	if extraLen > 0 {
		extra := make([]byte, extraLen)
		if err := readAt(a.r, extra, e.header+want); err != nil {
			return 0, fmt.Errorf("local header: %w", err)
		}
		if err := applyExtra(extra, []*int64{&size, &packed}); err != nil {
			return 0, fmt.Errorf("local header: %w", err)
		}
	}
	if e.flags&flagDescriptor != 0 && crc == 0 && unknownSize(packed) && unknownSize(size) {
		return e.header + want + extraLen, nil
	}
	if crc != e.crc || packed != e.packed || size != e.size {
		return 0, errors.New("the local header has another size or checksum")
	}
	return e.header + want + extraLen, nil
}

// unknownSize tells whether a local header leaves a size to the descriptor.
func unknownSize(n int64) bool { return n == 0 || n == math.MaxUint32 }

// checkDescriptor checks the data descriptor that starts at offset at and must
// end at limit, and returns its length. Its signature is optional, its sizes
// have 4 or 8 bytes, and nothing says which: what fills the place is right.
func (a *archive) checkDescriptor(e *entry, at, limit int64) (int64, error) {
	n := limit - at
	if n != 12 && n != 16 && n != 20 && n != 24 {
		return 0, errors.New("bytes behind the content")
	}
	b := make([]byte, n)
	if err := readAt(a.r, b, at); err != nil {
		return 0, fmt.Errorf("data descriptor: %w", err)
	}
	le := binary.LittleEndian
	if n == 16 || n == 24 {
		if le.Uint32(b) != sigDescriptor {
			return 0, errors.New("no data descriptor behind the content")
		}
		b = b[4:]
	}
	crc, b := le.Uint32(b), b[4:]
	var ok bool
	if len(b) == 8 {
		ok = int64(le.Uint32(b)) == e.packed && int64(le.Uint32(b[4:])) == e.size
	} else {
		ok = le.Uint64(b) == uint64(e.packed) && le.Uint64(b[8:]) == uint64(e.size)
	}
	if !ok || crc != e.crc {
		return 0, errors.New("the data descriptor has another size or checksum")
	}
	return n, nil
}
