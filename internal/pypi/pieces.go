package pypi

import (
	"io"
	"sync"
)

// piece is a part of a body.
type piece struct {
	n int
	b [32 << 10]byte
}

// pieces is a body of unknown length, in memory that is used again: what grows is
// copied again and again, and many bodies are read at the same time.
type pieces struct {
	pool *sync.Pool // of *piece
	list []*piece
	size int
}

// read reads up to limit bytes, in the place of what was read before.
func (p *pieces) read(r io.Reader, limit int64) error {
	p.free()
	var last *piece
	for {
		if last == nil || last.n == len(last.b) {
			if last, _ = p.pool.Get().(*piece); last == nil {
				last = &piece{}
			}
			last.n = 0
			p.list = append(p.list, last)
		}
		n, err := r.Read(last.b[last.n:])
		last.n += n
		p.size += n
		switch {
		case int64(p.size) > limit:
			return tooLarge(limit)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// join appends all to b.
func (p *pieces) join(b []byte) []byte {
	if cap(b)-len(b) < p.size {
		b = append(make([]byte, 0, len(b)+p.size), b...)
	}
	for _, one := range p.list {
		b = append(b, one.b[:one.n]...)
	}
	return b
}

// free gives the memory back.
func (p *pieces) free() {
	for _, one := range p.list {
		p.pool.Put(one)
	}
	p.list, p.size = nil, 0
}
