// Package cache is a folder of data by digest; what it returns has been checked
// against the digest.
package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ErrFolder is wrapped by errors that are about the cache folder itself: it
// cannot be made, written, or is full.
var ErrFolder = errors.New("cache folder not usable")

// The parts that are not buckets of small entries.
const (
	blobFolder = "blobs"
	tempFolder = "tmp"
	rootFolder = "roots"
	logFolder  = "logs"
	lockFolder = "locks"
)

const (
	// staleTemp is the age after which a temporary file is taken for the
	// leftover of a killed process; no download lasts that long.
	staleTemp = 24 * time.Hour
)

// Dir is a cache folder. It may be used by several goroutines and processes at
// once; every entry appears by rename, so kill -9 and a full disk leave the old
// state. Deleting it costs time and changes no result. Nothing is synced to the
// disk: what a power cut damages is found when it is read.
type Dir struct {
	path string

	mu       sync.Mutex
	verified map[string]os.FileInfo // digest -> the file whose bytes were hashed
	locks    map[string]*lock       // see hold.go
}

// Open makes the folder if needed. The error wraps [ErrFolder].
func Open(path string) (*Dir, error) {
	d := &Dir{path: path, verified: map[string]os.FileInfo{}, locks: map[string]*lock{}}
	if err := os.MkdirAll(filepath.Join(path, tempFolder), 0o700); err != nil {
		return nil, d.fail(err)
	}
	f, err := d.createTemp()
	if err != nil {
		return nil, err
	}
	name := f.Name()
	f.Close()
	if err := d.tag(name); err != nil {
		return nil, err
	}
	d.removeStaleTemps(time.Now().Add(-staleTemp))
	return d, nil
}

// tag makes the file that tells backup programs to pass over a cache.
func (d *Dir) tag(temp string) error {
	const text = "Signature: 8a477f597d28d172789f06886806bc55\n# This is the cache of distill; see bford.info/cachedir\n"
	name := filepath.Join(d.path, "CACHEDIR.TAG")
	if _, err := os.Stat(name); err == nil {
		return d.fail(os.Remove(temp))
	}
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		os.Remove(temp)
		return d.fail(err)
	}
	return d.fail(os.Rename(temp, name))
}

func (d *Dir) removeStaleTemps(before time.Time) {
	entries, err := os.ReadDir(filepath.Join(d.path, tempFolder))
	if err != nil {
		return
	}
	for _, e := range entries {
		if i, err := e.Info(); err == nil && i.ModTime().Before(before) {
			os.Remove(filepath.Join(d.path, tempFolder, e.Name()))
		}
	}
}

// Path returns the folder.
func (d *Dir) Path() string { return d.path }

// Temp returns a file without a name in the cache's file system, gone when it is
// closed or the process dies.
func (d *Dir) Temp() (*os.File, error) {
	f, err := d.createTemp()
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, d.fail(err)
	}
	return f, nil
}

func (d *Dir) createTemp() (*os.File, error) {
	folder := filepath.Join(d.path, tempFolder)
	f, err := os.CreateTemp(folder, "t")
	if errors.Is(err, fs.ErrNotExist) { // somebody cleaned the cache meanwhile
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, d.fail(err)
		}
		f, err = os.CreateTemp(folder, "t")
	}
	if err != nil {
		return nil, d.fail(err)
	}
	return f, nil
}

// fail names the cache folder and the cause, not the temporary file.
func (d *Dir) fail(err error) error {
	if err == nil {
		return nil
	}
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		err = p.Err
	case errors.As(err, &l):
		err = l.Err
	}
	return fmt.Errorf("%w: %s: %w", ErrFolder, d.path, err)
}

// place renames a finished temporary file to its name, making the folders above.
func (d *Dir) place(temp, name string) error {
	err := os.Rename(temp, name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return d.fail(err)
		}
		err = os.Rename(temp, name)
	}
	return d.fail(err)
}

// touch notes the use of a file for [Dir.Prune], at most once a day.
func touch(name string, info os.FileInfo) bool {
	now := time.Now()
	if now.Sub(info.ModTime()) < 24*time.Hour {
		return false
	}
	return os.Chtimes(name, time.Time{}, now) == nil
}
