package files

import (
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// FS returns s as a file system that follows symbolic links, never out of the
// root. It also has the methods of fs.StatFS, fs.ReadDirFS and fs.ReadLinkFS.
func (s Set) FS() fs.FS { return setFS{s} }

type setFS struct{ set Set }

func (x setFS) Open(name string) (fs.File, error) {
	f, err := x.find("open", name)
	if err != nil {
		return nil, err
	}
	i := info{name: path.Base(name), file: f}
	switch {
	case f.Mode.IsDir():
		return &openDir{info: i, entries: x.entries(f.Path)}, nil
	case f.IsRegular():
		r, err := f.Open()
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return &openFile{info: i, r: r}, nil
	default: // devices and pipes are never opened
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
}

func (x setFS) Stat(name string) (fs.FileInfo, error) {
	f, err := x.find("stat", name)
	if err != nil {
		return nil, err
	}
	return info{name: path.Base(name), file: f}, nil
}

func (x setFS) Lstat(name string) (fs.FileInfo, error) {
	f, err := x.lfind("lstat", name)
	if err != nil {
		return nil, err
	}
	return info{name: path.Base(name), file: f}, nil
}

func (x setFS) ReadLink(name string) (string, error) {
	f, err := x.lfind("readlink", name)
	if err != nil {
		return "", err
	}
	if !f.IsSymlink() {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return f.Link, nil
}

func (x setFS) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := x.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !f.Mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return x.entries(f.Path), nil
}

func (x setFS) find(op, name string) (*File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	f, _, ok := x.set.Lookup(name)
	if !ok {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return f, nil
}

// lfind is find for the name itself, if it is a symbolic link.
func (x setFS) lfind(op, name string) (*File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if at, ok := x.set.ResolveParent(name); ok && at != "" {
		if f, ok := x.set.Get(at); ok {
			return f, nil
		}
	}
	return x.find(op, name)
}

func (x setFS) entries(dir string) []fs.DirEntry {
	var list []fs.DirEntry
	for f := range x.set.Children(dir) {
		list = append(list, fs.FileInfoToDirEntry(info{name: path.Base(f.Path), file: f}))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list
}

type info struct {
	name string
	file *File
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.file.Size }
func (i info) Mode() fs.FileMode  { return i.file.Mode }
func (i info) ModTime() time.Time { return time.Unix(i.file.ModTime, 0).UTC() }
func (i info) IsDir() bool        { return i.file.Mode.IsDir() }

// Sys returns the *File.
func (i info) Sys() any { return i.file }

type openFile struct {
	info
	r io.ReadCloser
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Read(p []byte) (int, error) { return f.r.Read(p) }
func (f *openFile) Close() error               { return f.r.Close() }

type openDir struct {
	info
	entries []fs.DirEntry // not yet read
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: fs.ErrInvalid}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		list := d.entries
		d.entries = nil
		return list, nil
	}
	if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	list := d.entries[:n]
	d.entries = d.entries[n:]
	return list, nil
}
