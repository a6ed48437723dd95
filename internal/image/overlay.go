package image

import (
	"io/fs"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
)

const (
	// maxHops bounds the symbolic links of one path; Linux allows 40.
	maxHops = 40
	// maxSteps bounds the work of resolving the paths of one image, which links
	// can blow up: two million entries, 20 folders deep, need 40 million.
	maxSteps = 100_000_000
)

// overlay is the tree that the layers of an image make, one on top of the other, as
// container runtimes unpack them: links in the folder of an entry are followed
// inside the root, the entry itself replaces a link.
type overlay struct {
	root  node
	layer *layer // that is being added
	links uint64 // groups of hard links so far
	steps int

	lastDir  string // folder of the last entry, as written
	lastNode *node
	lastPath string // where it really is
}

// node is a name in the tree. A directory that no entry names has no leaf.
type node struct {
	leaf *leaf
	kids map[string]*node // nil for all but directories
}

// leaf is a file with its content, which are made in one piece.
type leaf struct {
	files.File
	content content
}

func (n *node) isDir() bool { return n.leaf == nil || n.leaf.Mode.IsDir() }

// add puts a layer, of which facts are known, on top.
func (o *overlay) add(l *layer, facts *facts) error {
	o.layer = l
	o.forget()
	// A whiteout hides what was there before this layer, never what the layer
	// itself adds, in whatever order the two are stored.
	if err := facts.each(o.hide); err != nil {
		return err
	}
	o.forget()
	return facts.each(o.put)
}

// forget drops the remembered folder when the tree above it may have changed.
func (o *overlay) forget() { o.lastNode = nil }

func (o *overlay) hide(e *entry) error {
	switch e.kind {
	case kindWhiteout:
		dir, base := split(e.path)
		n, _, err := o.folder(dir, false)
		if err != nil {
			return err
		}
		if n != nil {
			delete(n.kids, base)
		}
		o.forget()
	case kindOpaque:
		n, _, err := o.folder(e.path, false)
		if err != nil {
			return err
		}
		if n != nil {
			n.kids = nil
		}
		o.forget()
	}
	return nil
}

func (o *overlay) put(e *entry) error {
	if e.kind == kindWhiteout || e.kind == kindOpaque {
		return nil
	}
	dir, base := split(e.path)
	n, at, err := o.folder(dir, true)
	if err != nil {
		return err
	}
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	var l *leaf
	if e.kind == kindHardLink {
		if l, err = o.hardLink(e); err != nil {
			return err
		}
	} else {
		l = o.newLeaf(e)
	}
	if at == dir {
		l.Path = e.path
	} else {
		l.Path = joinPath(at, base)
	}
	old := n.kids[base]
	switch {
	case old == nil:
		n.kids[base] = &node{leaf: l}
	case old.isDir() && l.Mode.IsDir():
		old.leaf = l
	default:
		// Whatever was remembered may lie below, or behind, what goes away.
		if !old.leafIsFile() {
			o.forget()
		}
		n.kids[base] = &node{leaf: l}
	}
	return nil
}

func (n *node) leafIsFile() bool { return n.leaf != nil && n.leaf.Mode.IsRegular() }

func (o *overlay) newLeaf(e *entry) *leaf {
	l := &leaf{File: files.File{Mode: e.mode, UID: e.uid, GID: e.gid, ModTime: e.modTime, Xattrs: e.xattrs}}
	switch e.kind {
	case kindFile:
		l.Size, l.SHA256 = e.size, e.sha256
		if e.hasNote {
			l.Note = []byte(e.note)
		}
		l.content = content{layer: o.layer, size: e.size, offset: e.offset, sparse: e.sparse, sparseNth: int32(e.sparseNth), kept: e.kept, isKept: e.hasKept || e.size == 0}
		l.Content = &l.content
	case kindDir:
		l.Mode |= fs.ModeDir
	case kindSymlink:
		l.Mode |= fs.ModeSymlink
		l.Link = e.link
	case kindCharDevice:
		l.Mode |= fs.ModeDevice | fs.ModeCharDevice
	case kindBlockDevice:
		l.Mode |= fs.ModeDevice
	case kindPipe:
		l.Mode |= fs.ModeNamedPipe
	}
	return l
}

// hardLink returns a second name for what stands at e.link now.
func (o *overlay) hardLink(e *entry) (*leaf, error) {
	dir, base := split(e.link)
	n, _, err := o.folder(dir, false)
	if err != nil {
		return nil, err
	}
	var to *node
	if n != nil {
		to = n.kids[base]
	}
	if to == nil {
		return nil, damaged("layer entry %s is a hard link to %s, which is not in the image", quote(e.path), quote(e.link))
	}
	if to.isDir() {
		return nil, damaged("layer entry %s is a hard link to %s, a directory", quote(e.path), quote(e.link))
	}
	if to.leaf.Inode == 0 && to.leaf.Mode.IsRegular() {
		o.links++
		to.leaf.Inode = o.links
	}
	l := &leaf{File: to.leaf.File}
	return l, nil
}

// folder returns the directory that a path leads to and where it really is. What is
// missing on the way is made if create is set, else the node is nil.
func (o *overlay) folder(dir string, create bool) (n *node, at string, err error) {
	if o.lastNode != nil && dir == o.lastDir {
		return o.lastNode, o.lastPath, nil
	}
	n, at, err = o.walk(dir, create)
	if err == nil && n != nil {
		o.lastDir, o.lastNode, o.lastPath = dir, n, at
	}
	return n, at, err
}

func (o *overlay) walk(dir string, create bool) (n *node, at string, err error) {
	stack := []*node{&o.root}
	rest, hops := dir, 0
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		n := stack[len(stack)-1]
		if o.steps++; o.steps > maxSteps {
			return nil, "", damaged("the symbolic links of the image make its paths too long to follow")
		}
		switch part {
		case "", ".":
			continue
		case "..":
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
				at, _ = split(at)
			}
			continue
		}
		next := n.kids[part]
		switch {
		case next == nil && !create:
			return nil, "", nil
		case next == nil:
			next = &node{}
			if n.kids == nil {
				n.kids = map[string]*node{}
			}
			n.kids[part] = next
		case next.leaf != nil && next.leaf.IsSymlink():
			if hops++; hops > maxHops {
				return nil, "", damaged("layer entry in %s: too many symbolic links on the way", quote(dir))
			}
			if strings.HasPrefix(next.leaf.Link, "/") {
				stack, at = stack[:1], ""
			}
			rest = next.leaf.Link + "/" + rest
			o.steps += len(rest) / 16
			continue
		case !next.isDir() && !create:
			return nil, "", nil
		case !next.isDir():
			return nil, "", damaged("layer entry in %s: %s is not a directory", quote(dir), quote(joinPath(at, part)))
		}
		stack = append(stack, next)
		at = joinPath(at, part)
	}
	return stack[len(stack)-1], at, nil
}

// set returns the finished tree.
func (o *overlay) set() files.Set {
	var list []*files.File
	stack := []*node{&o.root}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n.leaf != nil {
			list = append(list, &n.leaf.File)
		}
		for _, k := range n.kids {
			stack = append(stack, k)
		}
	}
	s := files.NewSet(list)
	numberLinks(s)
	return s
}

// numberLinks gives hard links numbers that depend on the tree alone, and takes them
// from files whose other names are gone.
func numberLinks(s files.Set) {
	names := map[uint64]int{}
	for f := range s.All() {
		if f.Inode != 0 {
			names[f.Inode]++
		}
	}
	numbers := map[uint64]uint64{}
	for f := range s.All() {
		if f.Inode == 0 {
			continue
		}
		if names[f.Inode] < 2 {
			f.Inode = 0
			continue
		}
		if numbers[f.Inode] == 0 {
			numbers[f.Inode] = uint64(len(numbers) + 1)
		}
		f.Inode = numbers[f.Inode]
	}
}

func split(p string) (dir, base string) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return "", p
	}
	return p[:i], p[i+1:]
}

func joinPath(dir, base string) string {
	if dir == "" {
		return base
	}
	return dir + "/" + base
}
