package plan

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// place gives each path one owner and one place in the base's tree.
func (p *planner) place() error {
	for _, pk := range p.picks {
		for i, f := range pk.files {
			at, err := p.settle(f.Path, pk.label)
			if err != nil {
				return err
			}
			pk.files[i] = moved(f, at)
		}
		pk.files = slices.Collect(files.NewSet(pk.files).All())
	}
	for _, pk := range p.picks {
		for _, f := range pk.files {
			p.claim(pk, f)
		}
	}
	for _, pk := range p.picks {
		before := len(pk.files)
		pk.files = slices.DeleteFunc(pk.files, func(f *files.File) bool {
			l := p.laid[f.Path]
			return l.file != f && !isSame(l.file, f)
		})
		pk.short = pk.short || len(pk.files) < before
	}
	return p.checkParents()
}

// settle returns where a file named path is written, so that it never goes
// through a link of the base: usr/lib/x for lib/x of a merged root.
func (p *planner) settle(path, label string) (string, error) {
	dir, err := p.settleDir(dirOf(path), label)
	return join(dir, baseOf(path)), err
}

func (p *planner) settleDir(dir, label string) (string, error) {
	if dir == "" {
		return "", nil
	}
	if at, ok := p.dirs[dir]; ok {
		return at, nil
	}
	up, err := p.settleDir(dirOf(dir), label)
	if err != nil {
		return "", err
	}
	at := join(up, baseOf(dir))
	f, ok := p.base.Get(at)
	if ok && f.IsSymlink() {
		if at, ok = p.base.Resolve(at); !ok {
			return "", failf("", "%s: %q is a link in a circle in the base image", label, dir)
		}
		f, ok = p.base.Get(at)
	}
	if ok && !f.Mode.IsDir() {
		return "", failf("", "%s needs a directory %q, which is a file in the base image", label, dir)
	}
	p.dirs[dir] = at
	return at, nil
}

// claim makes f what stands at its path, unless a better pick has another file
// there. Two picks may have the same file.
func (p *planner) claim(pk *pick, f *files.File) {
	old := p.laid[f.Path]
	if old != nil && isSame(old.file, f) {
		return
	}
	winner := pk
	if old != nil {
		// Of equals the later name wins, as if they were installed in order.
		if pk.rank < old.by.rank {
			winner = old.by
		}
		p.warnf("%s and %s have different files %q: that of %s is taken", old.by.label, pk.label, f.Path, winner.label)
	}
	if winner == pk {
		p.lay(f.Path, &laid{file: f, by: pk, reason: Reason{Owner: pk.label, Why: pk.Why}})
	}
}

// isSame tells whether two files have the same content, by digest.
func isSame(a, b *files.File) bool {
	if a.Mode.Type() != b.Mode.Type() || a.Size != b.Size || a.Link != b.Link {
		return false
	}
	return !a.IsRegular() || a.Identity() == b.Identity() && a.Identity() != ""
}

// checkParents refuses a file that another pick has as a directory.
func (p *planner) checkParents() error {
	seen := map[string]bool{}
	for f := range p.laidSet().All() {
		path := f.Path
		for dir := dirOf(path); dir != "" && !seen[dir]; dir = dirOf(dir) {
			seen[dir] = true
			if l := p.laid[dir]; l != nil {
				return failf("leave one out with --exclude", "%s has a file %q, which is a directory of %s",
					l.reason.Owner, dir, p.laid[path].reason.Owner)
			}
		}
	}
	return nil
}

// meet compares what is new with what the base has.
func (p *planner) meet() error {
	for f := range p.laidSet().All() {
		if err := p.meetBase(p.laid[f.Path]); err != nil {
			return err
		}
	}
	p.settleWhiteouts()
	return nil
}

// meetBase decides what a new file does to what the base has at its path.
func (p *planner) meetBase(l *laid) error {
	path := l.file.Path
	old, ok := p.in.Base.Files.Get(path)
	if ok && (isIdentical(old, l.file) || p.isTwin(old, l.file)) {
		l.present = true
		return nil
	}
	if p.vanish[path] {
		return nil
	}
	if isDir(p.in.Base.Files, path, old) {
		if (!ok || old.Mode.IsDir()) && p.inSite(path) && p.isEmptied(path) {
			p.emptied = append(p.emptied, path)
			return nil
		}
		return failf("", "%s has a file %q, which is a directory in the base image", l.reason.Owner, path)
	}
	if ok && !l.merged {
		p.vanishCode(path)
		if owner := ownerIn(p.in.Base, path); owner != "" {
			p.warnf("%s: %q takes the place of that of %s in the base", l.reason.Owner, path, owner)
		}
	}
	return nil
}

// isTwin is isIdentical for libraries whose digests nobody asked for: they are of
// the same package in the same version, and say the same about themselves.
func (p *planner) isTwin(old, f *files.File) bool {
	if old.SHA256 != "" && f.SHA256 != "" || len(f.Note) == 0 || !bytes.Equal(old.Note, f.Note) {
		return false
	}
	name, version := p.in.Base.OwnerOf(old.Path)
	devName, devVersion := p.in.Dev.OwnerOf(f.Path)
	return name != "" && name == devName && version == devVersion &&
		old.Size == f.Size && old.Mode == f.Mode && old.UID == f.UID && old.GID == f.GID
}

// isDir tells whether a set has a directory at path, perhaps through a link at
// the path itself. f is what stands there, nil if no entry does; the parents of
// path are no links.
func isDir(s files.Set, path string, f *files.File) bool {
	switch {
	case f == nil:
		for range s.Under(path) {
			return true
		}
		return false
	case f.IsSymlink():
		to, _, ok := s.Lookup(path)
		return ok && to.Mode.IsDir()
	}
	return f.Mode.IsDir()
}

// isIdentical tells whether the base has exactly this file. Extended attributes
// count; times don't, since a layer has only one.
func isIdentical(a, b *files.File) bool {
	return isSame(a, b) && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID && maps.Equal(a.Xattrs, b.Xattrs)
}

// ownerIn names the package that a path of an image belongs to, "" if none.
func ownerIn(e *inspect.Environment, path string) string {
	if e == nil {
		return ""
	}
	if name, version := e.OwnerOf(path); name != "" {
		return name + " " + version
	}
	for _, d := range e.Distributions {
		if _, ok := slices.BinarySearch(d.Files, path); ok {
			return string(d.Name) + " " + d.Version.String()
		}
	}
	return ""
}

// lay makes l what stands at path.
func (p *planner) lay(path string, l *laid) {
	p.laid[path] = l
	p.stale = true
}

// laidSet is everything new as a set.
func (p *planner) laidSet() files.Set {
	if !p.stale {
		return p.set
	}
	list := make([]*files.File, 0, len(p.laid))
	for _, l := range p.laid {
		list = append(list, l.file)
	}
	// Out of a map it is in no order, which a stable sort is slow with.
	slices.SortFunc(list, func(a, b *files.File) int { return cmp.Compare(a.Path, b.Path) })
	p.set, p.stale = files.NewSet(list), false
	return p.set
}

// tree is the new image as it would be now.
func (p *planner) tree() files.Set { return p.base.Merge(p.laidSet()) }
