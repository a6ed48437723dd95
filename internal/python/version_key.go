package python

// versionKey packs a version into one integer such that, for two versions whose
// keys differ, the integers sort as the versions do:
//
//	16 bits  first number of the release
//	 8 bits  each of the second, third and fourth number
//	 3 bits  kind of the suffix
//	19 bits  number of the suffix
//	 2 bits  place within the family of that number (the sub... constants)
//
// An ordinary version is alone with its key. Versions that do not fit (a fifth
// number, a number too large, an epoch, a local label, two suffixes at once)
// share the key of the place where they belong; their parts decide among them.
const (
	kindDev   = 0
	kindAlpha = 1
	kindBeta  = 2
	kindRC    = 3
	kindFinal = 4
	kindPost  = 5
	kindEnd   = 6 // behind all post-releases of the release; no version is here
	kindOver  = 7 // versions whose release does not fit

	subStart = 0 // development releases of a pre- or post-release
	subSelf  = 1
	subLocal = 2 // the same with local labels
	subPosts = 3 // post-releases of a pre-release

	numberBits = 19
	// A suffix number that does not fit is stored as this one.
	maxNumber  = 1<<numberBits - 1
	suffixMask = 1<<24 - 1

	zeroKey = kindFinal<<21 | subSelf
	overKey = ^uint64(suffixMask) | kindOver<<21
)

func suffixKey(kind, number, sub uint64) uint64 { return kind<<21 | number<<2 | sub }

func kindOf(key uint64) uint64   { return key >> 21 & 7 }
func numberOf(key uint64) uint64 { return key >> 2 & maxNumber }

// releaseOf returns the number at index i of the release in key.
func releaseOf(key uint64, i uint32) uint64 {
	switch i {
	case 0:
		return key >> 48
	case 1, 2, 3:
		return key >> (48 - 8*i) & 0xff
	}
	return 0
}

// parseOrdinary reads the common spellings of ordinary versions: "1.26.4",
// "2.0rc1", "1.0.post2", "3.0.dev1". It answers false for all others.
func parseOrdinary(s string) (Version, bool) {
	var key uint64
	var digits uint32
	i := 0
	for {
		start, n := i, uint64(0)
		for i < len(s) && isDigit(s[i]) {
			n = n*10 + uint64(s[i]-'0')
			i++
		}
		if i == start || i-start > 5 || !addRelease(&key, digits, n) {
			return Version{}, false
		}
		digits++
		if i+1 >= len(s) || s[i] != '.' || !isDigit(s[i+1]) {
			break
		}
		i++
	}
	suffix, ok := uint64(zeroKey), true
	if i < len(s) {
		suffix, ok = ordinarySuffix(s[i:])
	}
	return Version{key: (key | suffix) ^ zeroKey, digits: digits}, ok
}

// addRelease puts n into key as the number at index i, if it fits.
func addRelease(key *uint64, i uint32, n uint64) bool {
	switch {
	case i == 0 && n <= 0xffff:
		*key = n << 48
	case 0 < i && i <= 3 && n <= 0xff:
		*key |= n << (48 - 8*i)
	case i > 3 && n == 0 && i < 1000:
	default:
		return false
	}
	return true
}

// ordinarySuffix returns the suffix part of the key of "a1", "b1", "rc1",
// ".post1" and ".dev1", or false.
func ordinarySuffix(s string) (uint64, bool) {
	var kind uint64
	at := 1
	switch s[0] {
	case 'a':
		kind = kindAlpha
	case 'b':
		kind = kindBeta
	case 'r':
		kind, at = kindRC, 2
		if len(s) < 2 || s[1] != 'c' {
			return 0, false
		}
	case '.':
		switch {
		case len(s) > 5 && s[:5] == ".post":
			kind, at = kindPost, 5
		case len(s) > 4 && s[:4] == ".dev":
			kind, at = kindDev, 4
		default:
			return 0, false
		}
	default:
		return 0, false
	}
	if at == len(s) || len(s)-at > 6 {
		return 0, false
	}
	n := uint64(0)
	for ; at < len(s); at++ {
		if !isDigit(s[at]) {
			return 0, false
		}
		n = n*10 + uint64(s[at]-'0')
	}
	return suffixKey(kind, n, subSelf), n < maxNumber
}
