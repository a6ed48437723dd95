// Package cache is a folder of data by digest; what it returns has been checked
// against the digest.
package cache

import (
	"context"
	"io"
	"os"
)

// Dir is a cache folder. It may be used by several goroutines and processes at
// once; every entry appears by rename, so kill -9 and a full disk leave the old
// state. Deleting it costs time and changes no result.
type Dir struct{ path string }

// Open makes the folder if needed.
func Open(path string) (*Dir, error) { panic("contract") }

// Blob is an open, checked blob.
type Blob struct {
	*os.File
	Size int64
}

// OpenBlob opens a blob by its digest ("sha256:..."). Its bytes are hashed
// again once per process before it is handed out; a damaged one is removed and
// reported as absent (an error that wraps fs.ErrNotExist).
func (d *Dir) OpenBlob(digest string) (*Blob, error) { panic("contract") }

// PutBlob stores what r yields if its digest is as given (size -1: unknown),
// else returns an error and stores nothing. It reads r to the end.
func (d *Dir) PutBlob(ctx context.Context, digest string, size int64, r io.Reader) error {
	panic("contract")
}

// CreateBlob returns a writer for a blob whose digest is not known yet; Commit
// names it by its sha256.
func (d *Dir) CreateBlob() (*BlobWriter, error) { panic("contract") }

// BlobWriter writes a new blob. Exactly one of Commit and Abort is called.
type BlobWriter struct{ f *os.File }

func (w *BlobWriter) Write(p []byte) (int, error)                    { panic("contract") }
func (w *BlobWriter) Commit() (digest string, size int64, err error) { panic("contract") }
func (w *BlobWriter) Abort()                                         { panic("contract") }

// Get returns a small entry stored under bucket ("metadata", "index", "facts")
// and key (any string); it is checked against a checksum kept with it. ok is
// false for an absent or damaged one.
func (d *Dir) Get(bucket, key string) (value []byte, ok bool) { panic("contract") }

// Put stores a small entry, replacing what was there.
func (d *Dir) Put(bucket, key string, value []byte) error { panic("contract") }

// Temp returns a file without a name in the cache's file system, gone when it is
// closed or the process dies.
func (d *Dir) Temp() (*os.File, error) { panic("contract") }
