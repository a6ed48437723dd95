package cache

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"
)

// Scratch returns a new, empty folder in the cache's file system for a command that
// writes much: the system's folder for temporary files may be memory. Release removes it
// and may be called more than once. What a killed process leaves goes when somebody makes
// a tree, or with Prune. The error is the context's, or wraps [ErrFolder].
func (d *Dir) Scratch(ctx context.Context) (dir string, release func(), err error) {
	name := keyName("scratch " + rand.Text())
	let, err := d.Hold(ctx, treeKey(name), nil)
	if err != nil {
		return "", nil, err
	}
	parent := filepath.Join(d.path, rootFolder)
	if err = os.MkdirAll(parent, 0o700); err == nil {
		dir, err = os.MkdirTemp(parent, "."+name+".*") // as what is left of a tree
	}
	if err != nil {
		let()
		return "", nil, d.fail(err)
	}
	return dir, sync.OnceFunc(func() {
		_ = RemoveTree(dir)
		let()
	}), nil
}
