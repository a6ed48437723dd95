package python

import "slices"

// cut is a place between versions: before all versions at or above it, and
// behind all others. Each place has exactly one cut, so cuts may be compared to
// tell whether two ranges are the same.
//
// With long nil it lies before every version whose key is at least key. That is
// so for all places that the specifiers of ordinary versions name. Otherwise it
// lies directly before the version long, or directly behind it if after is set.
type cut struct {
	key   uint64
	long  *longParts
	after bool
}

var (
	firstCut = cut{key: 0}
	lastCut  = cut{key: ^uint64(0)} // no version has this key
)

// lowest is the key of 0.dev0, below which there is no version.
const lowest = kindDev<<21 | subSelf

// isBefore tells whether c lies before v.
func (c *cut) isBefore(v *Version) bool {
	key := v.key ^ zeroKey
	if c.key != key || c.long == nil {
		return c.key <= key
	}
	if v.long == nil {
		return false // in its cell, an ordinary version is the first
	}
	order := c.long.compare(v.long)
	return order < 0 || order == 0 && !c.after
}

func (c *cut) compare(d *cut) int {
	switch {
	case c.key < d.key:
		return -1
	case c.key > d.key:
		return 1
	case c.long == nil && d.long == nil:
		return 0
	case c.long == nil:
		return -1 // it is the beginning of the cell
	case d.long == nil:
		return 1
	}
	if order := c.long.compare(d.long); order != 0 {
		return order
	}
	switch {
	case c.after == d.after:
		return 0
	case d.after:
		return -1
	}
	return 1
}

// cutBefore returns the place directly before v.
func cutBefore(v Version) cut {
	if v.long == nil {
		key := v.key ^ zeroKey
		if key == lowest {
			return firstCut
		}
		return cut{key: key}
	}
	return v.long.cutBefore()
}

func (l *longParts) cutBefore() cut {
	key, exact := l.key()
	if exact || l.beginsCell(key) {
		return cut{key: key}
	}
	return cut{key: key, long: l}
}

// beginsCell tells whether no version with the same key is before l: the
// development release 0 of a pre- or post-release, and the development release
// 0 of the post-release 0 of a pre-release.
func (l *longParts) beginsCell(key uint64) bool {
	if l.post == endPost {
		return key&suffixMask == suffixKey(kindEnd, 0, 0)
	}
	if kindOf(key) == kindOver || numberOf(key) == maxNumber || len(l.local) > 0 || !l.dev || l.devN != "0" {
		return false
	}
	switch key & 3 {
	case subStart:
		return true
	case subPosts:
		return l.postN == "0"
	}
	return false
}

// cutAfter returns the place directly behind v, before v with a local label.
func cutAfter(v Version) cut {
	if v.long == nil {
		return cut{key: v.key ^ zeroKey + 1} // subLocal
	}
	return cut{key: v.key ^ zeroKey, long: v.long, after: true}
}

// cutAfterLocals returns the place behind v and behind v with any local label.
// There is always a version directly behind it, so it is written as the place
// before that one.
func cutAfterLocals(v Version) cut {
	k := v.key ^ zeroKey
	n := numberOf(k)
	if v.long == nil && n+1 < maxNumber {
		switch kind := kindOf(k); kind {
		case kindDev:
			return cut{key: k&^suffixMask | suffixKey(kindDev, n+1, subSelf)}
		case kindFinal:
			return cut{key: k&^suffixMask | suffixKey(kindPost, 0, subStart)}
		case kindPost:
			return cut{key: k&^suffixMask | suffixKey(kindPost, n+1, subStart)}
		default:
			return cut{key: k&^suffixMask | suffixKey(kind, n, subPosts)}
		}
	}
	next := *v.expand()
	next.local = nil
	switch {
	case next.dev:
		next.devN = increment(next.devN)
	case next.post == onePost:
		next.postN, next.dev = increment(next.postN), true
	default:
		next.post, next.dev = onePost, true
	}
	return next.cutBefore()
}

// cutAfterPosts returns the place behind the final or pre-release v and all its
// post-releases.
func cutAfterPosts(v Version) cut {
	k := v.key ^ zeroKey
	if n := numberOf(k); v.long == nil && n+1 < maxNumber {
		if kind := kindOf(k); kind != kindFinal {
			return cut{key: k&^suffixMask | suffixKey(kind, n+1, subStart)}
		}
		return cut{key: k&^suffixMask | suffixKey(kindEnd, 0, 0)}
	}
	next := *v.expand()
	next.local = nil
	if next.pre != 0 {
		next.preN, next.dev = increment(next.preN), true
	} else {
		next.post = endPost
	}
	return next.cutBefore()
}

// cutBeforeDev returns the place before the first development release of the
// release of v, which is before everything of that release.
func cutBeforeDev(v Version) cut {
	if v.long == nil {
		key := (v.key^zeroKey)&^suffixMask | suffixKey(kindDev, 0, subSelf)
		if key == lowest {
			return firstCut
		}
		return cut{key: key}
	}
	first := newParts(v.long.epoch, v.long.release)
	first.dev = true
	return first.cutBefore()
}

// cutBeforeDevOf returns the place before the development releases of v, which
// is a post-release.
func cutBeforeDevOf(v Version) cut {
	first := *v.expand()
	first.dev, first.devN, first.local = true, "0", nil
	return first.cutBefore()
}

// cutNextPrefix returns the place before everything of the release that follows
// the first numbers of the release of v, leaving out the last drop ones: before
// 1.3 for 1.2 and drop 0, before 2 for 1.2 and drop 1.
func cutNextPrefix(v Version, drop int) cut {
	last := int(max(1, v.digits)) - drop - 1
	if v.long == nil && last <= 3 {
		shift := 48 - 8*last
		key := (v.key ^ zeroKey) >> shift
		if key&0xff != 0xff || last == 0 && key != 0xffff {
			return cut{key: (key+1)<<shift | suffixKey(kindDev, 0, subSelf)}
		}
	}
	parts := v.expand()
	release := slices.Clone(parts.release[:len(parts.release)-drop])
	release[len(release)-1] = increment(release[len(release)-1])
	first := newParts(parts.epoch, release)
	first.dev = true
	return first.cutBefore()
}
