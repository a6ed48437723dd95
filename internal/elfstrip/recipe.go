package elfstrip

import (
	"cmp"
	"slices"
)

// recipe puts the stripped file together; nil if it would not be worth it, or if the
// parts of the file are not where they can be told from each other.
func (f *file) recipe() *Recipe {
	fixed := merged(f.fixed)
	k := fixed[len(fixed)-1].to // from here on nothing keeps its place
	out := &builder{f: f, r: &Recipe{}, limit: k, holes: f.holes(fixed, k)}
	if !out.placeRest() {
		return nil
	}
	out.head()
	out.rest()
	out.r.Of = f.size
	for _, s := range out.r.steps {
		switch s.kind {
		case stepZero:
			out.r.Zeros += s.n
			out.r.Size += s.n
		case stepCopy, stepWrite:
			out.r.Size += s.n
		}
	}
	if out.r.Saved() < MinSaving {
		return nil
	}
	return out.r
}

// merged sorts spans and joins those that touch or overlap.
func merged(list []span) []span {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	out := list[:1]
	for _, s := range list[1:] {
		if last := &out[len(out)-1]; s.from <= last.to {
			last.to = max(last.to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// holes are the parts below k that go: of sections that do, of the old table.
func (f *file) holes(fixed []span, k int64) []span {
	var want []span
	add := func(from, to int64) {
		if to = min(to, k); from < to {
			want = append(want, span{from, to})
		}
	}
	kept := slices.Clone(fixed)
	for i, s := range f.secs {
		switch {
		case s.size == 0:
		case s.gone || i == f.shstrndx:
			add(s.off, s.off+s.size)
		default:
			kept = append(kept, span{s.off, s.off + s.size})
		}
	}
	add(f.shoff, f.shoff+f.shentsize*int64(len(f.secs)))
	if len(want) == 0 {
		return nil
	}
	return without(merged(want), merged(kept))
}

// without returns the parts of list that are in none of others; both are merged.
func without(list, others []span) []span {
	var out []span
	for _, s := range list {
		for _, o := range others {
			if o.to <= s.from || o.from >= s.to {
				continue
			}
			if o.from > s.from {
				out = append(out, span{s.from, o.from})
			}
			s.from = o.to
			if s.from >= s.to {
				break
			}
		}
		if s.from < s.to {
			out = append(out, s)
		}
	}
	return out
}

// builder makes the steps of a recipe.
type builder struct {
	f     *file
	r     *Recipe
	limit int64   // what lies before it keeps its place
	holes []span  // before limit, to be zeros
	moved []moved // sections behind limit that stay
	table []byte  // of the new sections
	names []byte  // their names
	shoff int64   // where table is, behind the names
	shstr int     // which section the names are
	pad   int64   // before the names
	count int
}

// moved is a section that is not loaded, and gets another place.
type moved struct {
	index int
	pad   int64 // zeros before it
	to    int64
}

// placeRest gives a place to what comes behind limit: sections that stay, names, table.
func (b *builder) placeRest() bool {
	at := b.limit
	var stay []int
	covered := []span{{0, b.limit}, {b.f.shoff, b.f.shoff + b.f.shentsize*int64(len(b.f.secs))}}
	last := 0
	for i, s := range b.f.secs {
		if s.size > 0 {
			covered = append(covered, span{s.off, s.off + s.size})
		}
		if s.gone || i == b.f.shstrndx {
			continue
		}
		if s.kind != shtNull {
			last = i
		}
		if s.size > 0 && s.off+s.size > b.limit {
			if s.off < b.limit {
				return false
			}
			stay = append(stay, i)
		}
	}
	var gap int64
	for i, all := 1, merged(covered); i < len(all); i++ {
		gap += all[i].from - all[i-1].to
	}
	if gap > maxGap {
		return false
	}
	slices.SortStableFunc(stay, func(x, y int) int { return cmp.Compare(b.f.secs[x].off, b.f.secs[y].off) })
	for n, i := range stay {
		s := b.f.secs[i]
		if n > 0 && s.off < b.f.secs[stay[n-1]].off+b.f.secs[stay[n-1]].size {
			return false
		}
		to := alignUp(at, s.align)
		b.moved = append(b.moved, moved{index: i, pad: to - at, to: to})
		at = to + s.size
	}
	b.shstr, b.count = last+1, last+2
	b.newTable(at)
	return true
}

func alignUp(n, align int64) int64 {
	if align <= 1 {
		return n
	}
	return (n + align - 1) / align * align
}

// newTable writes the headers of the sections: those that go are empty, so that the others
// keep the numbers by which dynamic symbols know them. The names stand at off.
func (b *builder) newTable(off int64) {
	f := b.f
	place := map[int]int64{}
	for _, m := range b.moved {
		place[m.index] = m.to
	}
	b.names = []byte{0}
	nameAt := func(name string) uint32 {
		if name == "" {
			return 0
		}
		at := uint32(len(b.names))
		b.names = append(append(b.names, name...), 0)
		return at
	}
	for i := range b.count {
		h := make([]byte, f.shentsize)
		b.table = append(b.table, h...)
		h = b.table[len(b.table)-len(h):]
		if i == b.shstr {
			f.order.PutUint32(h[4:], shtStrtab)
			continue
		}
		s := &f.secs[i]
		if s.gone || i == f.shstrndx {
			continue
		}
		copy(h, s.raw)
		f.order.PutUint32(h, nameAt(s.name))
		if to, ok := place[i]; ok {
			f.putWord(h, 24, 16, to)
		}
		if b.lost(s.link) {
			f.putHalf(h, 40, 24, 0)
		}
		if (s.flags&shfInfoLink != 0 || s.kind == shtRel || s.kind == shtRela) && b.lost(s.info) {
			f.putHalf(h, 44, 28, 0)
		}
	}
	h := b.table[int64(b.shstr)*f.shentsize:]
	f.order.PutUint32(h, nameAt(".shstrtab"))
	f.putWord(h, 24, 16, off)
	f.putWord(h, 32, 20, int64(len(b.names)))
	f.putWord(h, 48, 32, 1)
	b.shoff = alignUp(off+int64(len(b.names)), 8)
	b.pad = b.shoff - off - int64(len(b.names))
}

// lost tells whether the section of that number is no more what it was.
func (b *builder) lost(i uint32) bool {
	return b.f.isGone(i) || int(i) == b.f.shstrndx || int64(i) >= int64(b.count)
}

// putWord and putHalf set a number whose place depends on the class.
func (f *file) putWord(h []byte, at64, at32 int, n int64) {
	if f.is64 {
		f.order.PutUint64(h[at64:], uint64(n))
		return
	}
	f.order.PutUint32(h[at32:], uint32(n))
}

func (f *file) putHalf(h []byte, at64, at32 int, n uint32) {
	if !f.is64 {
		at64 = at32
	}
	f.order.PutUint32(h[at64:], n)
}

// head is the file up to limit: its header says where the table is.
func (b *builder) head() {
	f, r := b.f, b.r
	shoff, width, tail := int64(32), int64(4), int64(48)
	if f.is64 {
		shoff, width, tail = 40, 8, 60
	}
	r.add(stepCopy, shoff)
	r.add(stepSkip, width)
	n := make([]byte, 8)
	f.putWord(n, 0, 0, b.shoff)
	r.write(n[:width])
	r.add(stepCopy, tail-shoff-width)
	r.add(stepSkip, 4)
	n = make([]byte, 4)
	f.order.PutUint16(n, uint16(b.count))
	f.order.PutUint16(n[2:], uint16(b.shstr))
	r.write(n)
	at := tail + 4
	for _, h := range b.holes {
		r.add(stepCopy, h.from-at)
		r.add(stepZero, h.to-h.from)
		at = h.to
	}
	r.add(stepCopy, b.limit-at)
}

// rest is what comes behind limit.
func (b *builder) rest() {
	f, r := b.f, b.r
	at := b.limit
	for _, m := range b.moved {
		s := f.secs[m.index]
		r.add(stepSkip, s.off-at)
		r.write(make([]byte, m.pad))
		r.add(stepCopy, s.size)
		at = s.off + s.size
	}
	r.add(stepSkip, f.size-at)
	r.write(b.names)
	r.write(make([]byte, b.pad))
	r.write(b.table)
}
