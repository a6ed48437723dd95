package elfdeps

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// CacheEntry is one line of /etc/ld.so.cache.
type CacheEntry struct {
	Name        string // soname, "libz.so.1"
	Path        string // with its leading slash
	Flags       uint32 // kind of library: 0x303 x86-64, 0xa03 aarch64 ...
	OSVersion   uint32 // needed kernel, unused since glibc 2.36
	HWCaps      string // glibc-hwcaps subdirectory, "x86-64-v3"
	LegacyHWCap uint64 // bits of the mechanism before glibc-hwcaps
}

const (
	cacheMagic     = "glibc-ld.so.cache1.1"
	cacheOldMagic  = "ld.so-1.7.0"
	cacheHeader    = 48
	cacheEntrySize = 24
	cacheExtMagic  = 0xeaa42174
	cacheHWCapBit  = 1 << 62 // the lower half is an index into the hwcaps extension
	maxEntries     = 1 << 18
)

var errCache = errors.New("not an ld.so.cache")

// ParseCache reads the format "glibc-ld.so.cache1.1" (sysdeps/generic/dl-cache.h),
// also behind a cache of the old format, in either byte order.
func ParseCache(b []byte) ([]CacheEntry, error) {
	if bytes.HasPrefix(b, []byte(cacheOldMagic)) {
		at := bytes.Index(b, []byte(cacheMagic))
		if at < 0 {
			return nil, fmt.Errorf("%w: only the old format", errCache)
		}
		b = b[at:]
	}
	if !bytes.HasPrefix(b, []byte(cacheMagic)) || len(b) < cacheHeader {
		return nil, errCache
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[28]&3 == 3 { // cache_file_new_flags_endian_big
		order = binary.BigEndian
	}
	n := uint64(order.Uint32(b[20:]))
	if n > maxEntries || cacheHeader+n*cacheEntrySize > uint64(len(b)) {
		return nil, fmt.Errorf("%w: %d entries in %d bytes", errCache, n, len(b))
	}
	caps, err := cacheCaps(b, order, order.Uint32(b[32:]))
	if err != nil {
		return nil, err
	}
	out := make([]CacheEntry, 0, n)
	for i := range n {
		e := b[cacheHeader+i*cacheEntrySize:]
		c := CacheEntry{Flags: order.Uint32(e), OSVersion: order.Uint32(e[12:])}
		var ok1, ok2 bool
		c.Name, ok1 = cacheString(b, order.Uint32(e[4:]))
		c.Path, ok2 = cacheString(b, order.Uint32(e[8:]))
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%w: entry %d has no name", errCache, i)
		}
		if hw := order.Uint64(e[16:]); hw>>62 == 1 && uint32(hw>>32) == cacheHWCapBit>>32 {
			if uint64(uint32(hw)) >= uint64(len(caps)) {
				return nil, fmt.Errorf("%w: entry %d has no hwcaps name", errCache, i)
			}
			c.HWCaps = caps[uint32(hw)]
		} else {
			c.LegacyHWCap = hw
		}
		out = append(out, c)
	}
	return out, nil
}

func cacheString(b []byte, at uint32) (string, bool) {
	if uint64(at) >= uint64(len(b)) {
		return "", false
	}
	s := b[at:min(uint64(len(b)), uint64(at)+maxName)]
	end := bytes.IndexByte(s, 0)
	if end < 0 {
		return "", false
	}
	return string(s[:end]), true
}

// cacheCaps reads the names of glibc-hwcaps subdirectories: extension section 1.
func cacheCaps(b []byte, order binary.ByteOrder, at uint32) ([]string, error) {
	if at == 0 {
		return nil, nil
	}
	if uint64(at)+8 > uint64(len(b)) || order.Uint32(b[at:]) != cacheExtMagic {
		return nil, fmt.Errorf("%w: extension at %d", errCache, at)
	}
	n := order.Uint32(b[at+4:])
	for s := b[at+8:]; n > 0 && len(s) >= 16; n, s = n-1, s[16:] {
		off, size := order.Uint32(s[8:]), order.Uint32(s[12:])
		if order.Uint32(s) != 1 {
			continue
		}
		if uint64(off)+uint64(size) > uint64(len(b)) || size > 4*256 {
			return nil, fmt.Errorf("%w: hwcaps names at %d", errCache, off)
		}
		var out []string
		for t := b[off : off+size]; len(t) >= 4; t = t[4:] {
			name, ok := cacheString(b, order.Uint32(t))
			if !ok {
				return nil, fmt.Errorf("%w: hwcaps name", errCache)
			}
			out = append(out, name)
		}
		return out, nil
	}
	return nil, nil
}

// cacheFlags is the kind of library that programs of this machine take
// (_DL_CACHE_DEFAULT_ID).
func cacheFlags(i *Info) uint32 {
	switch i.Arch() {
	case "x86_64":
		return 0x0303
	case "aarch64":
		return 0x0a03
	case "s390x":
		return 0x0403
	case "ppc64le", "ppc64":
		return 0x0503
	case "armv7l":
		return 0x0903 // hard float
	case "riscv64":
		return 0x1003 // double float
	}
	return 3 // ELF of glibc
}

// CacheFlags returns the value of [CacheEntry.Flags] for libraries like i.
func CacheFlags(i *Info) uint32 { return cacheFlags(i) }
