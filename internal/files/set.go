package files

import (
	"iter"
	"slices"
	"strings"
)

// Set is an immutable set of files, at most one for each path, in path order
// (byte order of the slash-separated path). The zero value is empty. Directories
// that no entry names may be missing from a set. A Set is safe for use by
// several goroutines.
type Set struct {
	list []*File // sorted by Path
}

// NewSet returns the set of the given files. Of two with one path the later
// one wins. The slice is copied, the files are not.
func NewSet(list []*File) Set {
	l := slices.Clone(list)
	slices.SortStableFunc(l, func(a, b *File) int { return strings.Compare(a.Path, b.Path) })
	out := l[:0]
	for i, f := range l {
		if i+1 < len(l) && l[i+1].Path == f.Path {
			continue
		}
		out = append(out, f)
	}
	return Set{list: slices.Clip(out)}
}

// Len returns the number of files.
func (s Set) Len() int { return len(s.list) }

// All yields the files in path order.
func (s Set) All() iter.Seq[*File] { return slices.Values(s.list) }

// Get returns the file at exactly this path, following no link.
func (s Set) Get(path string) (*File, bool) {
	i, ok := s.search(path)
	if !ok {
		return nil, false
	}
	return s.list[i], true
}

// Under yields all files below the directory dir in path order, following no
// link; dir itself is not among them. "" is the root.
func (s Set) Under(dir string) iter.Seq[*File] {
	return slices.Values(s.list[s.first(dir):s.past(dir)])
}

// Children yields what lies directly in the directory dir, in path order,
// following no link. A directory that only the files below it imply is made
// up with mode 0755, owner 0 and time 0. "" is the root.
func (s Set) Children(dir string) iter.Seq[*File] {
	var list []*File
	impliedAny := false
	skip := 0
	if dir != "" {
		skip = len(dir) + 1
	}
	for i, end := s.first(dir), s.past(dir); i < end; {
		f := s.list[i]
		j := strings.IndexByte(f.Path[skip:], '/')
		if j < 0 {
			list = append(list, f)
			i++
			continue
		}
		child := f.Path[:skip+j]
		if _, ok := s.search(child); !ok {
			list = append(list, impliedDir(child))
			impliedAny = true
		}
		i = s.past(child)
	}
	if impliedAny {
		// "a-b" sorts before the "a/b" that implies "a".
		slices.SortFunc(list, func(a, b *File) int { return strings.Compare(a.Path, b.Path) })
	}
	return slices.Values(list)
}

// Filter returns the files for which keep is true.
func (s Set) Filter(keep func(*File) bool) Set {
	var out []*File
	for _, f := range s.list {
		if keep(f) {
			out = append(out, f)
		}
	}
	return Set{list: slices.Clip(out)}
}

// Merge returns the files of s and all others; of two with one path the one of
// the later set wins. It knows nothing of whiteouts, and does not notice a file
// of one set where another has a directory.
func (s Set) Merge(others ...Set) Set {
	out := s
	for _, o := range others {
		out = merge(out, o)
	}
	return out
}

func merge(a, b Set) Set {
	if a.Len() == 0 {
		return b
	}
	if b.Len() == 0 {
		return a
	}
	out := make([]*File, 0, len(a.list)+len(b.list))
	i, j := 0, 0
	for i < len(a.list) && j < len(b.list) {
		switch c := strings.Compare(a.list[i].Path, b.list[j].Path); {
		case c < 0:
			out = append(out, a.list[i])
			i++
		case c > 0:
			out = append(out, b.list[j])
			j++
		default:
			out = append(out, b.list[j])
			i++
			j++
		}
	}
	out = append(out, a.list[i:]...)
	out = append(out, b.list[j:]...)
	return Set{list: slices.Clip(out)}
}

func (s Set) search(path string) (int, bool) {
	return slices.BinarySearchFunc(s.list, path, func(f *File, p string) int { return strings.Compare(f.Path, p) })
}

// first returns the index of the first file below dir.
func (s Set) first(dir string) int {
	if dir == "" {
		return 0
	}
	i, _ := s.search(dir + "/")
	return i
}

// past returns the index after the last file below dir.
func (s Set) past(dir string) int {
	if dir == "" {
		return len(s.list)
	}
	i, _ := s.search(dir + "0") // '0' follows '/'
	return i
}
