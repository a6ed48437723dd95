package python

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a version of PEP 440. The zero Version is "0" and compares equal to
// it. Versions are compared with Compare, not ==: "1.0" and "1" are the same
// version in two spellings.
//
// An ordinary version (98 in 100 of those published) is one integer that sorts
// as the version does; see versionKey. The others keep their parts beside it.
type Version struct {
	key    uint64     // versionKey, xor zeroKey so that the zero Version is "0"
	long   *longParts // nil if key says all
	digits uint32     // how many numbers the release is written with; 0 means 1
}

// Numbers of the release and of the suffix are unbounded in PEP 440. A version
// longer than this is refused; packaging stops at 4300 digits a number.
const maxVersionLength = 10_000

// ParseVersion reads a version in any spelling that PEP 440 allows.
func ParseVersion(s string) (Version, error) {
	v, ok := parseVersion(s)
	if !ok {
		return Version{}, fmt.Errorf("%q is no version", clip(s))
	}
	return v, nil
}

// parseVersion is ParseVersion without the cost of making an error.
func parseVersion(s string) (Version, bool) {
	if v, ok := parseOrdinary(s); ok {
		return v, true
	}
	s = trimSpace(s)
	if len(s) > maxVersionLength {
		return Version{}, false
	}
	var p versionParts
	if end := p.scan(s, 0, true); end < 0 || end != len(s) {
		return Version{}, false
	}
	return p.version(), true
}

// Compare orders versions: negative if v is before w, 0 if they are the same
// version.
func (v Version) Compare(w Version) int {
	if a, b := v.key^zeroKey, w.key^zeroKey; a != b {
		if a < b {
			return -1
		}
		return 1
	}
	if v.long == nil || w.long == nil {
		return 0 // an ordinary version shares its key with no other
	}
	return v.long.compare(w.long)
}

// Equal tells whether v and w are the same version, however they are spelled.
func (v Version) Equal(w Version) bool { return v.Compare(w) == 0 }

// Less tells whether v is before w.
func (v Version) Less(w Version) bool { return v.Compare(w) < 0 }

// String returns the normal form. Trailing zeros are kept as written.
func (v Version) String() string {
	if v.long != nil {
		return v.long.String()
	}
	var buf [48]byte
	return string(v.append(buf[:0]))
}

func (v Version) append(b []byte) []byte {
	k := v.key ^ zeroKey
	for i := range max(1, v.digits) {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, releaseOf(k, i), 10)
	}
	n := numberOf(k)
	switch kindOf(k) {
	case kindDev:
		b = strconv.AppendUint(append(b, ".dev"...), n, 10)
	case kindAlpha:
		b = strconv.AppendUint(append(b, 'a'), n, 10)
	case kindBeta:
		b = strconv.AppendUint(append(b, 'b'), n, 10)
	case kindRC:
		b = strconv.AppendUint(append(b, "rc"...), n, 10)
	case kindPost:
		b = strconv.AppendUint(append(b, ".post"...), n, 10)
	}
	return b
}

// Public returns the version without the local label.
func (v Version) Public() Version {
	if v.long == nil || len(v.long.local) == 0 {
		return v
	}
	public := *v.long
	public.local = nil
	return public.version()
}

// Local returns the local label in normal form, "" if there is none.
func (v Version) Local() string {
	if v.long == nil {
		return ""
	}
	return strings.Join(v.long.local, ".")
}

// IsPrerelease tells whether v is a pre-release or a development release.
func (v Version) IsPrerelease() bool {
	if v.long != nil {
		return v.long.pre != 0 || v.long.dev
	}
	return kindOf(v.key^zeroKey) < kindFinal
}

// IsPostrelease tells whether v is a post-release.
func (v Version) IsPostrelease() bool {
	if v.long != nil {
		return v.long.post != noPost
	}
	return kindOf(v.key^zeroKey) == kindPost
}

// IsDevrelease tells whether v is a development release.
func (v Version) IsDevrelease() bool {
	if v.long != nil {
		return v.long.dev
	}
	return kindOf(v.key^zeroKey) == kindDev
}

// Release returns the numbers of the release as written, trailing zeros too. A
// number past 64 bits is given as the largest one.
func (v Version) Release() []uint64 {
	if v.long == nil {
		out := make([]uint64, max(1, v.digits))
		for i := range out {
			out[i] = releaseOf(v.key^zeroKey, uint32(i))
		}
		return out
	}
	out := make([]uint64, len(v.long.release))
	for i, s := range v.long.release {
		out[i] = parseUint(s)
	}
	return out
}

// Epoch returns the epoch; one past 64 bits is given as the largest number.
func (v Version) Epoch() uint64 {
	if v.long == nil {
		return 0
	}
	return parseUint(v.long.epoch)
}

// Base returns the version without anything behind the release: "1!2.3.0" for
// "1!2.3.0rc1.post2+local".
func (v Version) Base() Version {
	if v.long == nil {
		release := (v.key ^ zeroKey) &^ suffixMask
		v.key = (release | zeroKey) ^ zeroKey
		return v
	}
	return newParts(v.long.epoch, v.long.release).version()
}
