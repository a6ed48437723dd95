package python

import (
	"slices"
	"strconv"
	"strings"
)

// versionParts are the pieces of a version as written, found by scan.
type versionParts struct {
	epoch, release    string
	pre               uint64 // 0, or kindAlpha, kindBeta, kindRC
	preN, postN, devN string
	hasPost, hasDev   bool
	local             string
}

// scan finds the longest version in s that begins at i, with a local label only
// if withLocal is set, and returns where it ends; -1 if there is none.
func (p *versionParts) scan(s string, i int, withLocal bool) int {
	if i < len(s) && s[i]|0x20 == 'v' {
		i++
	}
	j := skipDigits(s, i)
	if j == i {
		return -1
	}
	if j+1 < len(s) && s[j] == '!' && isDigit(s[j+1]) {
		p.epoch = s[i:j]
		i = j + 1
		j = skipDigits(s, i)
	}
	for j+1 < len(s) && s[j] == '.' && isDigit(s[j+1]) {
		j = skipDigits(s, j+1)
	}
	p.release = s[i:j]
	return p.scanSuffix(s, j, withLocal)
}

var (
	preWords  = []string{"alpha", "a", "beta", "b", "preview", "pre", "c", "rc"}
	preKinds  = []uint64{kindAlpha, kindAlpha, kindBeta, kindBeta, kindRC, kindRC, kindRC, kindRC}
	postWords = []string{"post", "rev", "r"}
	devWords  = []string{"dev"}
)

func (p *versionParts) scanSuffix(s string, i int, withLocal bool) int {
	if word, n, end := scanWord(s, i, preWords); word >= 0 {
		p.pre, p.preN, i = preKinds[word], n, end
	}
	if i+1 < len(s) && s[i] == '-' && isDigit(s[i+1]) {
		end := skipDigits(s, i+1)
		p.hasPost, p.postN, i = true, s[i+1:end], end
	} else if word, n, end := scanWord(s, i, postWords); word >= 0 {
		p.hasPost, p.postN, i = true, n, end
	}
	if word, n, end := scanWord(s, i, devWords); word >= 0 {
		p.hasDev, p.devN, i = true, n, end
	}
	if withLocal && i+1 < len(s) && s[i] == '+' && isAlnum(s[i+1]) {
		end := i + 1
		for end < len(s) && (isAlnum(s[end]) || isSeparator(s[end]) && end+1 < len(s) && isAlnum(s[end+1])) {
			end++
		}
		p.local, i = s[i+1:end], end
	}
	return i
}

func isSeparator(c byte) bool { return c == '.' || c == '-' || c == '_' }

// scanWord looks for one of words at i, in any case, with a separator before it,
// and a separator and a number behind it, all three optional.
func scanWord(s string, i int, words []string) (word int, number string, end int) {
	if i < len(s) && isSeparator(s[i]) {
		i++
	}
	for w, text := range words {
		if !hasPrefixFold(s[i:], text) {
			continue
		}
		i += len(text)
		if i < len(s) && isSeparator(s[i]) {
			i++
		}
		end = skipDigits(s, i)
		return w, s[i:end], end
	}
	return -1, "", i
}

// hasPrefixFold tells whether s begins with prefix (lower-case letters) in any
// case.
func hasPrefixFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := 0; i < len(prefix); i++ {
		if s[i]|0x20 != prefix[i] {
			return false
		}
	}
	return true
}

func (p *versionParts) version() Version {
	if v, ok := p.ordinary(); ok {
		return v
	}
	l := longParts{
		epoch: trimZeros(p.epoch), pre: p.pre, preN: trimZeros(p.preN),
		postN: trimZeros(p.postN), dev: p.hasDev, devN: trimZeros(p.devN),
	}
	if p.hasPost {
		l.post = onePost
	}
	var buf [8]string
	l.release = buf[:0]
	for rest := p.release; rest != ""; {
		number, after, _ := strings.Cut(rest, ".")
		l.release = append(l.release, trimZeros(number))
		rest = after
	}
	if p.local != "" {
		l.local = strings.FieldsFunc(strings.ToLower(p.local), func(r rune) bool {
			return r == '.' || r == '-' || r == '_'
		})
		for i, segment := range l.local {
			if skipDigits(segment, 0) == len(segment) {
				l.local[i] = trimZeros(segment)
			}
		}
	}
	return l.version()
}

// ordinary returns the version if its key says all.
func (p *versionParts) ordinary() (Version, bool) {
	if p.epoch != "" || p.local != "" || len(p.release) > 40 {
		return Version{}, false
	}
	v, ok := parseOrdinary(p.release)
	if !ok {
		return Version{}, false
	}
	kind, number := uint64(kindFinal), ""
	switch {
	case p.pre != 0 && !p.hasPost && !p.hasDev:
		kind, number = p.pre, p.preN
	case p.pre == 0 && p.hasPost && !p.hasDev:
		kind, number = kindPost, p.postN
	case p.pre == 0 && !p.hasPost && p.hasDev:
		kind, number = kindDev, p.devN
	case p.pre != 0 || p.hasPost || p.hasDev:
		return Version{}, false
	}
	n := parseUint(number)
	v.key = ((v.key^zeroKey)&^suffixMask | suffixKey(kind, n, subSelf)) ^ zeroKey
	return v, n < maxNumber
}

// longParts are the parts of a version whose key does not say all. Numbers are
// digits without leading zeros, as they are unbounded.
type longParts struct {
	epoch   string
	release []string
	pre     uint64 // 0, or kindAlpha, kindBeta, kindRC
	preN    string
	post    postState
	postN   string
	dev     bool
	devN    string
	local   []string
}

type postState uint8

const (
	noPost postState = iota
	onePost
	endPost // behind all post-releases: only in the ends of ranges
)

// newParts returns the parts of a final release.
func newParts(epoch string, release []string) *longParts {
	return &longParts{epoch: epoch, release: release, preN: "0", postN: "0", devN: "0"}
}

// version returns the Version of l, as key alone if that says all. The release
// is copied, so that it may come from a buffer.
func (l *longParts) version() Version {
	key, exact := l.key()
	if exact && len(l.release) < 1000 {
		return Version{key: key ^ zeroKey, digits: uint32(len(l.release))}
	}
	long := *l
	long.release = slices.Clone(l.release)
	return Version{key: key ^ zeroKey, long: &long}
}

// expand returns the parts of v.
func (v Version) expand() *longParts {
	if v.long != nil {
		return v.long
	}
	k := v.key ^ zeroKey
	l := newParts("0", nil)
	for i := range max(1, v.digits) {
		l.release = append(l.release, strconv.FormatUint(releaseOf(k, i), 10))
	}
	n := strconv.FormatUint(numberOf(k), 10)
	switch kind := kindOf(k); kind {
	case kindDev:
		l.dev, l.devN = true, n
	case kindAlpha, kindBeta, kindRC:
		l.pre, l.preN = kind, n
	case kindPost:
		l.post, l.postN = onePost, n
	}
	return l
}

// key returns the key of l, and whether l is the only version with it.
func (l *longParts) key() (key uint64, exact bool) {
	if l.epoch != "0" {
		return overKey, false
	}
	for i, s := range l.release {
		n, err := strconv.ParseUint(s, 10, 32)
		if err == nil && addRelease(&key, uint32(min(i, 4)), n) {
			continue
		}
		// Every number from here on is past those that fit.
		for j := uint32(i); j < 4; j++ {
			if j == 0 {
				key = overKey
			} else {
				key |= 0xff << (48 - 8*j)
			}
		}
		return key | kindOver<<21, false
	}
	suffix, exact := l.suffixKey()
	return key | suffix, exact
}

func (l *longParts) suffixKey() (suffix uint64, exact bool) {
	kind, number := uint64(kindFinal), "0"
	switch {
	case l.pre != 0:
		kind, number = l.pre, l.preN
	case l.post == endPost:
		return suffixKey(kindEnd, 0, 0), false
	case l.post == onePost:
		kind, number = kindPost, l.postN
	case l.dev:
		kind, number = kindDev, l.devN
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n >= maxNumber {
		return suffixKey(kind, maxNumber, subPosts), false
	}
	sub := uint64(subSelf)
	switch {
	case l.pre != 0 && l.post != noPost:
		sub = subPosts
	case l.dev && kind != kindDev:
		sub = subStart
	case len(l.local) > 0:
		sub = subLocal
	}
	return suffixKey(kind, n, sub), sub == subSelf
}

func (l *longParts) compare(m *longParts) int {
	if c := compareDigits(l.epoch, m.epoch); c != 0 {
		return c
	}
	for i := range max(len(l.release), len(m.release)) {
		a, b := "0", "0"
		if i < len(l.release) {
			a = l.release[i]
		}
		if i < len(m.release) {
			b = m.release[i]
		}
		if c := compareDigits(a, b); c != 0 {
			return c
		}
	}
	if c := compareRank(l.preRank(), m.preRank(), l.preN, m.preN); c != 0 {
		return c
	}
	if c := compareRank(uint64(l.post), uint64(m.post), l.postN, m.postN); c != 0 {
		return c
	}
	if c := compareRank(l.devRank(), m.devRank(), l.devN, m.devN); c != 0 {
		return c
	}
	return slices.CompareFunc(l.local, m.local, compareLocal)
}

// preRank orders development releases of the release itself before its
// pre-releases, and those before the rest.
func (l *longParts) preRank() uint64 {
	switch {
	case l.pre != 0:
		return l.pre
	case l.dev && l.post == noPost:
		return kindDev
	}
	return kindFinal
}

func (l *longParts) devRank() uint64 {
	if l.dev {
		return 0
	}
	return 1
}

func compareRank(a, b uint64, an, bn string) int {
	if a != b {
		if a < b {
			return -1
		}
		return 1
	}
	return compareDigits(an, bn)
}

// compareLocal compares two segments of local labels: words before numbers.
func compareLocal(a, b string) int {
	an, bn := skipDigits(a, 0) == len(a), skipDigits(b, 0) == len(b)
	switch {
	case an && bn:
		return compareDigits(a, b)
	case an:
		return 1
	case bn:
		return -1
	}
	return strings.Compare(a, b)
}

// String returns the normal form.
func (l *longParts) String() string {
	var b strings.Builder
	if l.epoch != "0" {
		b.WriteString(l.epoch + "!")
	}
	b.WriteString(strings.Join(l.release, "."))
	switch l.pre {
	case kindAlpha:
		b.WriteString("a" + l.preN)
	case kindBeta:
		b.WriteString("b" + l.preN)
	case kindRC:
		b.WriteString("rc" + l.preN)
	}
	if l.post == onePost {
		b.WriteString(".post" + l.postN)
	}
	if l.dev {
		b.WriteString(".dev" + l.devN)
	}
	if len(l.local) > 0 {
		b.WriteString("+" + strings.Join(l.local, "."))
	}
	return b.String()
}
