package elfdeps

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// EncodeCache writes a cache in the format of [ParseCache], little-endian, in the
// order that the loader's binary search wants. Of entries that differ only in their
// path the loader takes the first, so those keep the order of the argument.
func EncodeCache(entries []CacheEntry) []byte {
	list := slices.Clone(entries)
	slices.SortStableFunc(list, func(a, b CacheEntry) int {
		return cmp.Or(-compareCacheNames(a.Name, b.Name), -cmp.Compare(a.Flags, b.Flags),
			-cmp.Compare(a.HWCaps, b.HWCaps), -cmp.Compare(a.LegacyHWCap, b.LegacyHWCap))
	})
	w := &cacheWriter{start: uint32(cacheHeader + cacheEntrySize*len(list)), known: map[string]uint32{}}
	for _, e := range list {
		if e.HWCaps != "" {
			w.caps = append(w.caps, e.HWCaps)
		}
	}
	slices.Sort(w.caps)
	w.caps = slices.Compact(w.caps)
	le := binary.LittleEndian
	var body []byte
	for _, e := range list {
		path := w.str(e.Path)
		name := path + uint32(len(e.Path)-len(e.Name)) // a library mostly has the name of its soname
		if !strings.HasSuffix(e.Path, e.Name) {
			name = w.str(e.Name)
		}
		body = le.AppendUint32(body, e.Flags)
		body = le.AppendUint32(body, name)
		body = le.AppendUint32(body, path)
		body = le.AppendUint32(body, e.OSVersion)
		body = le.AppendUint64(body, w.hwcap(e))
	}
	ext := w.extension()
	at := w.start + uint32(len(w.strs))
	if ext == nil {
		at = 0
	}
	out := []byte(cacheMagic)
	out = le.AppendUint32(out, uint32(len(list)))
	out = le.AppendUint32(out, uint32(len(w.strs)))
	out = le.AppendUint32(out, 2) // cache_file_new_flags_endian_little
	out = le.AppendUint32(out, at)
	out = append(out, make([]byte, cacheHeader-len(out))...)
	return slices.Concat(out, body, w.strs, ext)
}

// cacheWriter collects the strings of a cache.
type cacheWriter struct {
	start uint32 // where the strings begin in the file
	strs  []byte
	known map[string]uint32
	caps  []string // sorted
}

func (w *cacheWriter) str(s string) uint32 {
	off, ok := w.known[s]
	if !ok {
		off = w.start + uint32(len(w.strs))
		w.known[s] = off
		w.strs = append(append(w.strs, s...), 0)
	}
	return off
}

func (w *cacheWriter) hwcap(e CacheEntry) uint64 {
	if e.HWCaps == "" {
		return e.LegacyHWCap
	}
	i, _ := slices.BinarySearch(w.caps, e.HWCaps)
	return cacheHWCapBit | uint64(i)
}

// extension returns the section with the names of glibc-hwcaps subdirectories, nil
// without any, and ends the strings.
func (w *cacheWriter) extension() []byte {
	le := binary.LittleEndian
	var names []byte
	for _, c := range w.caps {
		names = le.AppendUint32(names, w.str(c))
	}
	for len(w.strs)%4 != 0 {
		w.strs = append(w.strs, 0)
	}
	if len(names) == 0 {
		return nil
	}
	at := w.start + uint32(len(w.strs))
	var out []byte
	for _, v := range []uint32{cacheExtMagic, 1, 1 /* cache_extension_tag_glibc_hwcaps */, 0, at + 24, uint32(len(names))} {
		out = le.AppendUint32(out, v)
	}
	return append(out, names...)
}

// compareCacheNames is _dl_cache_libcmp: digits count as numbers, so that
// libfoo.so.10 is more than libfoo.so.9, and a number is more than a letter.
func compareCacheNames(a, b string) int {
	digit := func(s string) bool { return len(s) > 0 && s[0] >= '0' && s[0] <= '9' }
	for len(a) > 0 {
		switch {
		case digit(a) && digit(b):
			var x, y int
			x, a = leadingNumber(a)
			y, b = leadingNumber(b)
			if x != y {
				return cmp.Compare(x, y)
			}
		case digit(a):
			return 1
		case digit(b):
			return -1
		case len(b) == 0:
			return 1
		case a[0] != b[0]:
			return cmp.Compare(int8(a[0]), int8(b[0]))
		default:
			a, b = a[1:], b[1:]
		}
	}
	if len(b) > 0 {
		return -1
	}
	return 0
}

func leadingNumber(s string) (n int, rest string) {
	for len(s) > 0 && s[0] >= '0' && s[0] <= '9' {
		n, s = (n*10+int(s[0]-'0'))&0x7fffffff, s[1:]
	}
	return n, s
}
