package image

import (
	"errors"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// Part is some layers of an image, those from number From up to, but without,
// number To, counted from the bottom.
type Part struct {
	Image    *Image
	From, To int
}

// Stack returns the tree that layers of several images make on top of each other,
// the lowest first. The images must have been read by [Source.Image], and their sources
// stay open as long as files of the tree are opened.
func Stack(parts ...Part) (files.Set, error) {
	var tree overlay
	for _, p := range parts {
		if err := p.each(tree.add); err != nil {
			return files.Set{}, err
		}
	}
	return tree.set(), nil
}

// Whiteouts returns the paths that the layers take away from those below, in the
// order of the archives. A directory whose lower content is hidden ends in a
// slash.
func (p Part) Whiteouts() ([]string, error) {
	var out []string
	err := p.each(func(_ *layer, facts *facts) error {
		return facts.each(func(e *entry) error {
			switch e.kind {
			case kindWhiteout:
				out = append(out, e.path)
			case kindOpaque:
				out = append(out, e.path+"/")
			}
			return nil
		})
	})
	return out, err
}

// each calls do with each layer and its facts.
func (p Part) each(do func(*layer, *facts) error) error {
	if p.From < 0 || p.From > p.To || p.To > len(p.Image.layers) {
		return errors.New("image has no such layers")
	}
	for _, l := range p.Image.layers[p.From:p.To] {
		facts := l.source.cached(l.source.factsKey(l))
		if facts == nil {
			return l.named(errFacts)
		}
		if err := do(l, facts); err != nil {
			return l.named(err)
		}
	}
	return nil
}
