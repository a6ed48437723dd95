package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// temporary starts the names of what is not finished. Leftovers of a process
// that was killed are removed by the next one.
const temporary = ".distill-tmp-"

// folder is an OCI layout while it is written. What is new is collected in
// staging and moved in at the end; before, readers see nothing of it.
type folder struct {
	dir     string // of the layout; does not exist yet for a new one
	staging string
	fresh   bool // the layout is new: staging is all of it
	mu      sync.Mutex
	staged  []v1.Hash
}

func pushLayout(ctx context.Context, d destination, c *content, opts Options) (*Published, error) {
	for {
		state, dir, err := inspect(d)
		if err != nil {
			return nil, err
		}
		var p *Published
		if state == exists {
			p, err = updateLayout(ctx, d, dir, c, opts)
		} else {
			p, err = createLayout(ctx, d, dir, c, opts)
		}
		if errors.Is(err, errAppeared) {
			continue // somebody made the layout meanwhile; now it is updated
		}
		return p, err
	}
}

// errAppeared: where a new folder was to be, there is one.
var errAppeared = errors.New("folder appeared meanwhile")

// createLayout makes a layout beside its place and then renames it there.
func createLayout(ctx context.Context, d destination, dir string, c *content, opts Options) (_ *Published, err error) {
	made, err := makeParents(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.bare, err)
	}
	f := &folder{dir: dir, fresh: true}
	defer func() {
		if err != nil {
			f.discard()
			removeEmpty(made)
		}
	}()
	unlock, err := f.stage(filepath.Dir(dir), temporary+filepath.Base(dir)+"-")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.bare, err)
	}
	defer unlock()
	names, err := newTagging(d, c.platforms(), opts).names(nil)
	if err != nil {
		return nil, err
	}
	n := newCounter(c, opts)
	if err := f.fill(ctx, c, n); err != nil {
		return nil, fmt.Errorf("%s: %w", d.bare, err)
	}
	var idx layoutIndex
	if err := f.finish(&idx, c, names); err != nil {
		return nil, fmt.Errorf("%s: %w", d.bare, err)
	}
	return c.published(d, names, n), nil
}

// finish writes the small files of a new layout and puts it in its place.
func (f *folder) finish(idx *layoutIndex, c *content, names []named) error {
	data, err := idx.with(c, names)
	if err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(f.staging, "oci-layout"), layoutFile); err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(f.staging, "index.json"), data); err != nil {
		return err
	}
	for _, d := range []string{filepath.Join("blobs", "sha256"), "blobs", "."} {
		if err := syncDir(filepath.Join(f.staging, d)); err != nil {
			return err
		}
	}
	if err := os.Rename(f.staging, f.dir); err != nil {
		if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
			return errAppeared
		}
		return err
	}
	return syncDir(filepath.Dir(f.dir))
}

// updateLayout adds to a layout: first the blobs, then, in one moment, the new
// index.json.
func updateLayout(ctx context.Context, d destination, dir string, c *content, opts Options) (_ *Published, err error) {
	defer func() {
		if err != nil && !errors.Is(err, ErrUsage) {
			err = fmt.Errorf("%s: %w", d.bare, err)
		}
	}()
	unlock, err := lock(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	idx, err := readLayoutIndex(dir)
	if err != nil {
		return nil, err
	}
	names, err := newTagging(d, c.platforms(), opts).names(idx.tags())
	if err != nil {
		return nil, err
	}
	f := &folder{dir: dir}
	defer f.discard()
	unlockStage, err := f.stage(dir, temporary)
	if err != nil {
		return nil, err
	}
	defer unlockStage()
	n := newCounter(c, opts)
	if err := f.fill(ctx, c, n); err != nil {
		return nil, err
	}
	data, err := idx.with(c, names)
	if err != nil {
		return nil, err
	}
	if err := f.moveIn(data); err != nil {
		return nil, err
	}
	return c.published(d, names, n), nil
}

// stage makes the folder for what is not finished.
func (f *folder) stage(parent, prefix string) (unlock func(), err error) {
	removeStale(parent, prefix)
	for unlock == nil {
		if f.staging, err = os.MkdirTemp(parent, prefix); err != nil {
			return nil, err
		}
		// Another process may take it for a leftover in the moment before it
		// is locked.
		if unlock, err = tryLock(f.staging); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, err
		}
		if unlock != nil {
			if _, err := os.Lstat(f.staging); err != nil { // it was, and is gone
				unlock()
				unlock = nil
			}
		}
	}
	if err = os.Chmod(f.staging, 0o755); err == nil {
		err = os.MkdirAll(filepath.Join(f.staging, "blobs", "sha256"), 0o755)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// fill puts blobs and documents that the layout lacks into staging.
func (f *folder) fill(ctx context.Context, c *content, n *counter) error {
	err := each(ctx, n.distinct(c.variants), func(ctx context.Context, w work) error {
		has, err := f.has(ctx, w.Descriptor)
		if err != nil {
			return err
		}
		if has {
			n.skipped(w.platform, w.Size)
			return nil
		}
		if err := f.add(ctx, w.blob, func(delta int64) { n.moved(w.platform, delta) }); err != nil {
			return fmt.Errorf("blob %s: %w", w.Digest, err)
		}
		n.finished(w.platform, w.Size, true)
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range c.documents() {
		b := d.asBlob()
		has, err := f.has(ctx, b.Descriptor)
		if err != nil {
			return err
		}
		if !has {
			if err := f.add(ctx, b, func(int64) {}); err != nil {
				return err
			}
		}
	}
	return nil
}

// has tells whether a blob is there, and whole: what does not have its digest
// is replaced.
func (f *folder) has(ctx context.Context, d v1.Descriptor) (bool, error) {
	if f.fresh {
		return false, nil
	}
	file, err := os.Open(blobPath(f.dir, d.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != d.Size {
		return false, err
	}
	return copyChecked(io.Discard, withContext(ctx, file), d) == nil, ctx.Err()
}

// add writes a blob into staging.
func (f *folder) add(ctx context.Context, b blob, moved func(int64)) (err error) {
	path := blobPath(f.staging, b.Digest)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	r, err := b.open()
	if err != nil {
		return err
	}
	defer r.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := copyChecked(counting{out, moved}, withContext(ctx, r), b.Descriptor); err != nil {
		return err
	}
	f.mu.Lock()
	f.staged = append(f.staged, b.Digest)
	f.mu.Unlock()
	return out.Sync()
}

// moveIn moves what is staged into the layout, index.json last.
func (f *folder) moveIn(index []byte) (err error) {
	next := filepath.Join(f.staging, "index.json")
	if err := writeSynced(next, index); err != nil {
		return err
	}
	var moved []string
	defer func() {
		if err != nil {
			for _, p := range moved {
				_ = os.Remove(p)
			}
		}
	}()
	dirs := make(map[string]bool)
	for _, digest := range f.staged {
		path := blobPath(f.dir, digest)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		_, missing := os.Lstat(path)
		if err := os.Rename(blobPath(f.staging, digest), path); err != nil {
			return err
		}
		if missing != nil {
			moved = append(moved, path)
		}
		dirs[filepath.Dir(path)] = true
	}
	for d := range dirs {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	if err := os.Rename(next, filepath.Join(f.dir, "index.json")); err != nil {
		return err
	}
	moved = nil // from here on they are referenced
	return syncDir(f.dir)
}

// discard removes what is staged.
func (f *folder) discard() {
	if f.staging != "" {
		_ = os.RemoveAll(f.staging)
	}
}

func blobPath(dir string, digest v1.Hash) string {
	return filepath.Join(dir, "blobs", digest.Algorithm, digest.Hex)
}

// removeStale removes what a process that is gone has left.
func removeStale(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(parent, e.Name())
		if !e.IsDir() && !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		if unlock, err := tryLock(path); err == nil {
			_ = os.RemoveAll(path)
			unlock()
		}
	}
}
