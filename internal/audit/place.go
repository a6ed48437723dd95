package audit

import (
	"bytes"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// Lines are the lines of a lock file on which its entries begin.
type Lines struct{ packages, image, build []int }

// FindLines looks for the headings of the entries of l. Where the file is written
// in a way that has none (inline tables), lines are not known.
func FindLines(text []byte, l *pylock.Lock) Lines {
	var found Lines
	n := 0
	for line := range bytes.Lines(text) {
		n++
		switch string(bytes.Join(bytes.Fields(line), nil)) {
		case "[[packages]]":
			found.packages = append(found.packages, n)
		case "[[tool.distill.image-packages]]":
			found.image = append(found.image, n)
		case "[[tool.distill.build-packages]]":
			found.build = append(found.build, n)
		}
	}
	if len(found.packages) != len(l.Packages) {
		found.packages = make([]int, len(l.Packages))
	}
	if len(found.image) != len(l.Distill.Image) {
		found.image = make([]int, len(l.Distill.Image))
	}
	if len(found.build) != len(l.Distill.Build) {
		found.build = make([]int, len(l.Distill.Build))
	}
	return found
}

// Items returns the entries of a lock as they are judged, those of the image
// after the others. A marker that can't be evaluated counts as fulfilled.
func Items(file string, text []byte, l *pylock.Lock, targets []resolve.Target) []*Item {
	lines := FindLines(text, l)
	var out []*Item
	add := func(p *pylock.Package, line int, imageOnly bool) {
		i := &Item{Name: p.Name, Version: p.Version, Place: Place{file, line}, Entry: p, ImageOnly: imageOnly}
		for t := range targets {
			if ok, err := p.Marker.EvalLock(&targets[t].Markers, nil, nil); err != nil || ok {
				i.On = append(i.On, t)
			}
		}
		out = append(out, i)
	}
	for k, p := range l.Packages {
		add(p, lines.packages[k], false)
	}
	for k, p := range l.Distill.Image {
		add(p, lines.image[k], true)
	}
	return out
}
