// Package files holds a set of files, each with mode, owner and a way to open
// it: the one type for "some files" in the whole program.
//
// A [Set] stands for the merged tree of an image, the content of a wheel, the
// output of a build and the content of a layer alike. It never reads a file
// system of its own.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Content is the bytes of a regular file: a promise to open, so that a set of
// many gigabytes costs only its names. Implementations are safe for use by
// several goroutines.
type Content interface {
	// Open returns a reader of exactly the file's size. What it reads has been,
	// or is while reading, checked against the digest of what contains it.
	Open() (io.ReadCloser, error)
}

// File is one entry of a tree. A File is finished when it is handed on and is
// not changed after that; copy it to change it.
type File struct {
	// Path is relative to the root, slash-separated and clean ("usr/bin/env").
	// The root itself is never an entry.
	Path string
	// Mode holds the type (regular, fs.ModeDir, fs.ModeSymlink, and the device
	// and pipe types, which are never opened) and the permission bits with
	// setuid, setgid and sticky.
	Mode fs.FileMode
	UID  int
	GID  int
	// Size is the number of bytes of a regular file, else 0.
	Size int64
	// ModTime is in seconds since 1970; a .pyc is valid only for the ModTime of
	// its source.
	ModTime int64
	// Link is the target of a symbolic link as written.
	Link string
	// Inode is the same nonzero number for regular files of one set that are
	// hard links to each other, and 0 for files with one name.
	Inode uint64
	// Xattrs holds extended attributes (security.capability), nil in most files.
	Xattrs map[string]string
	// SHA256 is the lower-case hex digest of the content if it is known
	// already, else "".
	SHA256 string
	// Note is what the reader's [Probe] wrote down about the content, or nil.
	Note []byte
	// Content opens a regular file; nil for everything else.
	Content Content
	// Of and Rewrite are set by [Rewritten]: the content is that of Of after the
	// rule Rewrite, and is known by both before it is read.
	Of      *File
	Rewrite Rewriter
}

// IsRegular tells whether f has content.
func (f *File) IsRegular() bool { return f.Mode.IsRegular() }

// IsSymlink tells whether f is a symbolic link.
func (f *File) IsSymlink() bool { return f.Mode&fs.ModeSymlink != 0 }

// Open returns a reader of the content of a regular file.
func (f *File) Open() (io.ReadCloser, error) {
	if f.Content == nil {
		return nil, fmt.Errorf("%q: %w", f.Path, errNotRegular)
	}
	return f.Content.Open()
}

var errNotRegular = errors.New("not a regular file")

// ReadAll returns the whole content, or an error that wraps [ErrTooLarge] if
// the file is larger than limit bytes.
func (f *File) ReadAll(limit int64) ([]byte, error) {
	if f.Size > limit {
		return nil, fmt.Errorf("%q has %d bytes, more than %d: %w", f.Path, f.Size, limit, ErrTooLarge)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, max(f.Size, 0))
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%q: %w", f.Path, err)
	}
	return b, nil
}

// ErrTooLarge is wrapped by errors about content over a limit.
var ErrTooLarge = errors.New("content over the limit")
