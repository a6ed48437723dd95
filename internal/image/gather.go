package image

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// content is the content of a file in a layer.
type content struct {
	layer  *layer
	offset int64 // as sparse and sparseNth in entry
	size   int64
	kept   string
	// There are many contents: these three share a word.
	sparseNth      int32
	sparse, isKept bool
}

// Open reads the layer up to the file unless the content was kept.
func (c *content) Open() (io.ReadCloser, error) {
	if c.isKept {
		return io.NopCloser(strings.NewReader(c.kept)), nil
	}
	out, err := c.layer.source.opts.Cache.Temp()
	if err != nil {
		return nil, err
	}
	p := &pick{content: c}
	if err := c.layer.copyOut(background(), []*pick{p}, out); err != nil {
		out.Close()
		return nil, explain(c.layer.source.Ref, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(out, 0, c.size), out}, nil
}

// pick is a content that is copied to a place in a file.
type pick struct {
	*content
	at int64
}

// Gather returns the files of set with content that opens at once and in any
// order; it reads each layer that holds some of them once, front to back, and
// keeps them in a file without a name. Close the closer when done: the files can't be
// opened after that. Of rewritten files the originals are gathered. Files that are not from
// this image are passed through.
func (i *Image) Gather(ctx context.Context, set files.Set) (files.Set, io.Closer, error) {
	picks, places := i.picks(set)
	if len(places) == 0 {
		return set, nopCloser{}, nil
	}
	out, err := i.source.opts.Cache.Temp()
	if err != nil {
		return files.Set{}, nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(i.source.slots))
	for _, l := range i.layers {
		if list := picks[l]; len(list) > 0 {
			g.Go(func() error { return l.copyOut(ctx, list, out) })
		}
	}
	if err := g.Wait(); err != nil {
		out.Close()
		return files.Set{}, nil, explain(i.source.Ref, err)
	}
	list := make([]*files.File, 0, set.Len())
	for f := range set.All() {
		if c, ok := f.Original().Content.(*content); ok && places[c] != nil {
			f = f.Reread(section{out, places[c].at, c.size})
		}
		list = append(list, f)
	}
	return files.NewSet(list), out, nil
}

// picks lists what has to be copied, by layer in the order of the archive, and by content.
func (i *Image) picks(set files.Set) (map[*layer][]*pick, map[*content]*pick) {
	own := map[*layer]bool{}
	for _, l := range i.layers {
		own[l] = true
	}
	byLayer, places := map[*layer][]*pick{}, map[*content]*pick{}
	var at int64
	for f := range set.All() {
		c, ok := f.Original().Content.(*content)
		if !ok || c.isKept || !own[c.layer] || places[c] != nil {
			continue
		}
		p := &pick{c, at}
		at += c.size
		places[c] = p
		byLayer[c.layer] = append(byLayer[c.layer], p)
	}
	for _, list := range byLayer {
		slices.SortFunc(list, func(a, b *pick) int {
			return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.sparseNth, b.sparseNth))
		})
	}
	return byLayer, places
}

// section is a part of an open file.
type section struct {
	f        *os.File
	at, size int64
}

func (s section) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.f, s.at, s.size)), nil
}

// copyOut copies contents, which are in the order of the archive, to their places in out,
// checked. If the points of the layer are known, only the parts around the contents are
// read; else all of it, what is behind the last content without decompressing it.
func (l *layer) copyOut(ctx context.Context, list []*pick, out *os.File) error {
	l.source.slots <- struct{}{}
	defer func() { <-l.source.slots }()
	if !slices.ContainsFunc(list, func(p *pick) bool { return p.sparse }) {
		if s := l.newSeeker(); s != nil {
			err := s.copyOut(ctx, list, out)
			s.close()
			if err == nil || ctx.Err() != nil || errors.Is(err, cache.ErrFolder) {
				return err
			}
			// Reading all of it finds out what is wrong, or fetches it again.
			l.source.store.forget(l.desc)
		}
	}
	st, err := l.openStream(ctx, nil, nil)
	if err == nil {
		defer st.close()
		err = st.copyOut(list, out)
		if err != nil {
			err = blame(st.cause(err))
		}
	}
	return l.named(err)
}

func (s *stream) copyOut(list []*pick, out *os.File) error {
	s.hash, s.budget = noHash{}, new(budget)
	for len(list) > 0 {
		p := list[0]
		if err := s.skip(p.offset - s.pos); err != nil {
			return err
		}
		if !p.sparse {
			if err := s.copyOne(p, out); err != nil {
				return err
			}
			list = list[1:]
			continue
		}
		n := 1
		for n < len(list) && list[n].offset == p.offset {
			n++
		}
		if err := s.copySparse(list[:n], out); err != nil {
			return err
		}
		list = list[n:]
	}
	s.stopUnpacking()
	return s.drain()
}

func (s *stream) copyOne(p *pick, out *os.File) error {
	for at, left := p.at, p.size; left > 0; {
		b, err := s.take(left)
		if err != nil {
			return noEOF(err)
		}
		if _, err := out.WriteAt(b, at); err != nil {
			return spoolError(err)
		}
		at += int64(len(b))
		left -= int64(len(b))
	}
	return nil
}

// copySparse copies sparse files that have one offset: the header of the first in a row of
// them. archive/tar fills in the holes.
func (s *stream) copySparse(list []*pick, out *os.File) error {
	tr := tar.NewReader(s)
	nth := int32(-1)
	for _, p := range list {
		var h *tar.Header
		for ; nth < p.sparseNth; nth++ {
			var err error
			if h, err = tr.Next(); err != nil {
				return tarError(err)
			}
		}
		if h == nil || h.Size != p.size {
			return damaged("sparse file is not what it was before")
		}
		n, err := io.Copy(&spool{f: out, n: p.at}, tr)
		if err != nil {
			return tarError(err)
		}
		if n != p.size {
			return noEOF(io.EOF)
		}
	}
	return nil
}

// noHash takes the place of a hash that is not needed.
type noHash struct{}

func (noHash) Write(p []byte) (int, error) { return len(p), nil }
func (noHash) Sum(b []byte) []byte         { return b }
func (noHash) Reset()                      {}
func (noHash) Size() int                   { return 0 }
func (noHash) BlockSize() int              { return 1 }
