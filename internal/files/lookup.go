package files

import (
	"io/fs"
	"path"
	"strings"
)

// maxHops bounds the symbolic links of one lookup; Linux allows 40.
const maxHops = 40

// Clean returns name as a path of a set: slash-separated, relative to the root,
// without "." and "..", clamped to the root ("/../../etc//passwd" is
// "etc/passwd"). The root itself is "". It is lexical: "a/../b" is "b" even if
// "a" is a symbolic link.
func Clean(name string) string {
	return path.Clean("/" + name)[1:]
}

// Lookup returns the file that a program in this tree would see at name, and
// where it really is: symbolic links are followed in every part of the path, never out of
// the root. ok is false if there is nothing, or a loop. A directory that
// only the files below it imply is made up, as in Children; so is the root, whose
// path is "".
func (s Set) Lookup(name string) (f *File, final string, ok bool) {
	final, ok = s.Resolve(name)
	if !ok {
		return nil, "", false
	}
	if f, ok = s.Get(final); ok {
		return f, final, true
	}
	if final == "" || s.first(final) < s.past(final) {
		return impliedDir(final), final, true
	}
	return nil, "", false
}

// Resolve returns the path that name stands for once all symbolic links in it,
// the last part included, are followed. Parts that do not exist are kept as they
// are, so the result need not exist. ok is false if there are too many links,
// as in a loop.
func (s Set) Resolve(name string) (final string, ok bool) {
	rest := strings.TrimLeft(name, "/")
	hops := 0
	for rest != "" {
		var part string
		part, rest = cutPart(rest)
		switch part {
		case ".":
			continue
		case "..":
			final = parent(final)
			continue
		}
		at := join(final, part)
		f, found := s.Get(at)
		if !found || !f.IsSymlink() {
			final = at
			continue
		}
		if hops++; hops > maxHops {
			return "", false
		}
		if strings.HasPrefix(f.Link, "/") {
			final = ""
		}
		rest = strings.TrimLeft(f.Link+"/"+rest, "/")
	}
	return final, true
}

// ResolveParent is Resolve for all parts but the last, which is kept even if it
// is a symbolic link: the place where a file of that name would be written. The
// last part must not be "..".
func (s Set) ResolveParent(name string) (final string, ok bool) {
	name = Clean(name)
	dir, base := "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, base = name[:i], name[i+1:]
	}
	dir, ok = s.Resolve(dir)
	if !ok {
		return "", false
	}
	return join(dir, base), true
}

// cutPart splits off the first part of a path, and the slashes after it.
func cutPart(p string) (part, rest string) {
	i := strings.IndexByte(p, '/')
	if i < 0 {
		return p, ""
	}
	return p[:i], strings.TrimLeft(p[i:], "/")
}

func join(dir, base string) string {
	if dir == "" {
		return base
	}
	return dir + "/" + base
}

func parent(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return ""
	}
	return p[:i]
}

func impliedDir(p string) *File {
	return &File{Path: p, Mode: fs.ModeDir | 0o755}
}
