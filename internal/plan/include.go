package plan

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// include adds the files of the development image that the user asks for and no
// package brings.
func (p *planner) include() error {
	for _, g := range p.wanted {
		found := false
		for f := range p.under(g.root()) {
			if f.Mode.IsDir() || !g.match(f.Path) {
				continue
			}
			found = true
			if p.excluded(f.Path) {
				continue
			}
			why := Reason{Owner: ownerIn(p.in.Dev, f.Path), Why: "--include " + g.text}
			if isCode, err := p.includeCode(f, why); isCode || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			if err := p.bring(f, why, false); err != nil {
				return err
			}
		}
		if !found && !p.isLaid(g) { // of a wheel, it is spared by trimming
			p.warnf("--include %s: nothing in the development image of %s is called so", g.text, p.in.Platform)
		}
	}
	return nil
}

// isLaid tells whether something new matches.
func (p *planner) isLaid(g glob) bool {
	for f := range p.laidSet().All() {
		if g.match(f.Path) {
			return true
		}
	}
	return false
}

// under yields the files of the development image in dir, or the one called so.
func (p *planner) under(dir string) func(yield func(*files.File) bool) {
	return func(yield func(*files.File) bool) {
		if f, ok := p.dev.Get(dir); ok && !yield(f) {
			return
		}
		for f := range p.dev.Under(dir) {
			if !yield(f) {
				return
			}
		}
	}
}

// bring lays a file of the development image beside those of the picks. What is
// laid already stays as it is.
func (p *planner) bring(f *files.File, why Reason, native bool) error {
	label := why.Owner
	if label == "" {
		label = "the development image"
	}
	if err := admit(f, label); err != nil {
		return err
	}
	at, err := p.settle(f.Path, label)
	if err != nil {
		return err
	}
	if p.laid[at] != nil {
		return nil
	}
	p.warnSetuid(f, label)
	l := &laid{file: moved(f, at), native: native, reason: why, from: f.Path}
	if err := p.meetBase(l); err != nil {
		return err
	}
	p.lay(at, l)
	return nil
}

// bringChain lays what path leads to in the development image, and every link on
// the way that the new image lacks, hop by hop. A directory at its end is not
// brought.
func (p *planner) bringChain(path string, why Reason) error {
	hops, ok := trace(p.dev, path)
	if !ok {
		return failf("", "%q leads nowhere in the development image", path)
	}
	split := false
	for _, f := range hops {
		if f.Mode.IsDir() {
			continue
		}
		// A directory that is a link in one image and not in the other.
		if to, _, ok := p.dev.Lookup(f.Path); ok && to.Mode.IsDir() {
			if _, at, ok := p.base.Lookup(f.Path); ok {
				split = split || at == f.Path
				continue
			}
		}
		reason := why
		reason.Owner = ownerIn(p.in.Dev, f.Path)
		if err := p.bring(f, reason, true); err != nil {
			return err
		}
	}
	if split {
		return p.bridge(hops, why)
	}
	return nil
}

// bridge makes a chain whole that passes through lib of a merged root, on a base whose lib
// is a directory of its own: what a link leads to lies in usr/lib, and gets the other name
// as a link.
func (p *planner) bridge(hops []*files.File, why Reason) error {
	end := hops[len(hops)-1]
	to, err := p.settle(end.Path, why.Owner)
	if err != nil || end.Mode.IsDir() {
		return err
	}
	tree := p.tree()
	for _, f := range hops[:len(hops)-1] {
		from, err := p.settle(f.Path, why.Owner)
		if err != nil {
			return err
		}
		if p.laid[from] == nil {
			continue // a directory
		}
		gap, ok := tree.Resolve(from)
		if _, _, there := tree.Lookup(from); there || !ok {
			continue
		}
		at, err := p.settle(gap, why.Owner)
		if err != nil || p.laid[at] != nil {
			return err
		}
		why.Owner = ownerIn(p.in.Dev, end.Path)
		p.lay(at, &laid{file: &files.File{Path: at, Mode: fs.ModeSymlink | 0o777, Link: "/" + to}, native: true, reason: why})
		return nil
	}
	return nil
}

// maxHops is Linux's limit on the links of one lookup.
const maxHops = 40

// trace follows path through set and returns every link that is passed, parents'
// too, and at the end the file or directory itself. ok is false if there is
// nothing at the end.
func trace(set files.Set, path string) (hops []*files.File, ok bool) {
	at, rest := "", strings.Trim(path, "/")
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			at = dirOf(at)
			continue
		}
		next := join(at, part)
		f, found := set.Get(next)
		if !found || !f.IsSymlink() {
			at = next
			continue
		}
		if hops = append(hops, f); len(hops) > maxHops {
			return hops, false
		}
		if strings.HasPrefix(f.Link, "/") {
			at = ""
		}
		rest = strings.Trim(f.Link+"/"+rest, "/")
	}
	f, _, ok := set.Lookup(at)
	if !ok {
		return hops, false
	}
	return append(hops, f), true
}

// links makes every new link lead somewhere: what it leads to is in the new
// image already, or comes along.
func (p *planner) links() error {
	tree := p.tree()
	for f := range p.laidSet().All() {
		path, l := f.Path, p.laid[f.Path]
		if !l.file.IsSymlink() || l.present {
			continue
		}
		if _, _, ok := tree.Lookup(path); ok {
			continue
		}
		hops, ok := trace(p.dev, path)
		switch {
		case !ok:
			p.warnf("%s: link %q to %q leads nowhere, in the development image as well", l.reason.Owner, path, l.file.Link)
		case hops[len(hops)-1].Mode.IsDir():
			return failf("take it along with --include /"+hops[len(hops)-1].Path,
				"%s: link %q to %q, a directory that is not in the new image", l.reason.Owner, path, l.file.Link)
		case ownerIn(p.in.Dev, hops[len(hops)-1].Path) == "":
			// Else a link in a package could carry off anything, such as a key.
			return failf("take it along with --include /"+hops[len(hops)-1].Path,
				"%s: link %q leads to %q, which belongs to no package", l.reason.Owner, path, hops[len(hops)-1].Path)
		case slices.ContainsFunc(hops, func(f *files.File) bool { return p.excluded(f.Path) }):
			return failf("leave the link out as well", "%s: link %q leads to %q, which --exclude leaves out",
				l.reason.Owner, path, hops[len(hops)-1].Path)
		default:
			if err := p.bringChain(path, Reason{Why: "target of " + path}); err != nil {
				return err
			}
			tree = p.tree()
		}
	}
	return nil
}
