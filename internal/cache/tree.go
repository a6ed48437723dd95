package cache

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A tree is the folder roots/NAME, with its files below treeFiles. Who uses it
// has a lock on treeUse, together with others; the time of that file is the one of
// the last use, its text says since when the machine runs. What is being made or
// removed is called .NAME.*, and counts for nothing.
const (
	treeFiles = "files"
	treeUse   = "use"
	// staleTree is how long a tree is kept for one that may come. Images change
	// more often than the cache is pruned, and an unpacked one has gigabytes.
	staleTree = 14 * 24 * time.Hour
)

// Tree returns a folder of unpacked files, of which there is one for each key.
// If it is missing, fill makes it: it gets the path of a folder that does not
// exist yet, and creates it. Other goroutines and processes that want the same
// wait meanwhile. Fill runs under [Dir.Hold], and its error is returned, as one
// that wraps [ErrFolder] if the disk is full; then, or if the process is killed,
// there is no tree. Trees that nobody used for two weeks go when one is made.
//
// The tree must not be changed, and stays until release is called, which may be
// more than once: neither Prune nor Clean of any process removes it before.
func (d *Dir) Tree(ctx context.Context, key string, fill func(dir string) error) (path string, release func(), err error) {
	name := keyName(key)
	let, err := d.Hold(ctx, treeKey(name), nil)
	if err != nil {
		return "", nil, err
	}
	defer let()
	dir := filepath.Join(d.path, rootFolder, name)
	use := openTree(dir)
	if use == nil {
		var others sync.WaitGroup
		others.Go(func() { d.removeStaleTrees(ctx, name) })
		err := d.fillTree(name, fill)
		others.Wait()
		if err != nil {
			return "", nil, err
		}
		if use = openTree(dir); use == nil {
			return "", nil, d.fail(fmt.Errorf("%s: %w", name, fs.ErrNotExist))
		}
	}
	if !tryLock(use, false) { // who locks it alone holds the key
		use.Close()
		return "", nil, d.fail(fmt.Errorf("%s is locked by another program", use.Name()))
	}
	if info, err := use.Stat(); err == nil {
		touch(use.Name(), info)
	}
	return filepath.Join(dir, treeFiles), sync.OnceFunc(func() { unlock(use) }), nil
}

// openTree returns the file for the use of a tree; nil if there is no tree, a part
// of it is missing, or it may be damaged. The caller holds its key.
func openTree(dir string) *os.File {
	if _, err := os.Lstat(filepath.Join(dir, treeFiles)); err != nil {
		return nil
	}
	use, err := os.OpenFile(filepath.Join(dir, treeUse), os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	// Nothing is synced, and nobody hashes a tree: after a power cut it may have
	// empty files. If somebody uses it, it is of another machine that runs.
	filled, err := io.ReadAll(io.LimitReader(use, 100))
	if (err != nil || string(filled) != bootID()) && tryLock(use, true) {
		unlock(use)
		return nil
	}
	return use
}

// bootID is another one each time that the machine starts; "" if the system has
// none.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(id[:min(len(id), 100)])
}

// treeKey is what is held while the tree of that name is made or removed.
func treeKey(name string) string { return rootFolder + " " + name }

// fillTree makes a tree. The caller holds its key.
func (d *Dir) fillTree(name string, fill func(dir string) error) error {
	parent := filepath.Join(d.path, rootFolder)
	d.hideTree(name) // which is not whole
	d.removeRemains(name)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return d.fail(err)
	}
	temp, err := os.MkdirTemp(parent, "."+name+".*")
	if err != nil {
		return d.fail(err)
	}
	err = d.fillTemp(filepath.Join(temp, treeFiles), fill)
	if err == nil {
		err = d.fail(os.WriteFile(filepath.Join(temp, treeUse), []byte(bootID()), 0o600))
	}
	if err == nil {
		err = d.fail(os.Rename(temp, filepath.Join(parent, name)))
	}
	if err != nil {
		_ = RemoveTree(temp)
	}
	return err
}

func (d *Dir) fillTemp(dir string, fill func(dir string) error) error {
	if err := fill(dir); full(err) {
		return d.fail(err)
	} else if err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", dir)
	}
	return err
}

// removeStaleTrees makes room, but leaves the tree whose key the caller holds.
func (d *Dir) removeStaleTrees(ctx context.Context, held string) {
	before := time.Now().Add(-staleTree)
	for _, name := range d.trees() {
		if name != held && ctx.Err() == nil {
			d.takeTree(name, before)
		}
	}
}

// takeTree removes a tree that nobody uses if it was last used before the given
// time, or is not whole, and whatever is left of others of its name.
func (d *Dir) takeTree(name string, before time.Time) {
	release, ok := d.tryHold(treeKey(name))
	if !ok {
		return
	}
	defer release()
	d.removeRemains(name)
	defer d.removeRemains(name)
	use := openTree(filepath.Join(d.path, rootFolder, name))
	if use == nil {
		d.hideTree(name)
		return
	}
	defer unlock(use)
	if info, err := use.Stat(); err == nil && info.ModTime().Before(before) && tryLock(use, true) {
		d.hideTree(name)
	}
}

// hideTree makes a tree absent. The caller holds its key, and removes the remains.
func (d *Dir) hideTree(name string) {
	parent := filepath.Join(d.path, rootFolder)
	_ = os.Rename(filepath.Join(parent, name), filepath.Join(parent, "."+name+".old"))
}

// removeRemains removes what a process left that was killed while it made or
// removed the tree. The caller holds its key.
func (d *Dir) removeRemains(name string) {
	entries, _ := os.ReadDir(filepath.Join(d.path, rootFolder))
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "."+name+".") {
			continue
		}
		// Without locks somebody may still be at it.
		if info, err := e.Info(); err == nil && (d.locksWork() || time.Since(info.ModTime()) > staleTemp) {
			_ = RemoveTree(filepath.Join(d.path, rootFolder, e.Name()))
		}
	}
}

// trees returns the names of all trees, and of what is left of others, sorted.
func (d *Dir) trees() []string {
	entries, _ := os.ReadDir(filepath.Join(d.path, rootFolder))
	var names []string
	for _, e := range entries {
		name, isRest := strings.CutPrefix(e.Name(), ".")
		if isRest {
			name, _, isRest = strings.Cut(name, ".")
		}
		if e.IsDir() && isKeyName(name) && isRest == strings.HasPrefix(e.Name(), ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func isKeyName(s string) bool { return len(s) == 2*sha256.Size && isHex(s) }

// treeUsage counts the files of a tree, and of what is left of others of its
// name. A file with several names counts once. What can't be read is passed over.
func (d *Dir) treeUsage(ctx context.Context, name string) (Usage, error) {
	u := Usage{Part: rootFolder}
	parent := filepath.Join(d.path, rootFolder)
	entries, _ := os.ReadDir(parent)
	seen := map[[2]uint64]bool{}
	for _, e := range entries {
		if e.Name() != name && !strings.HasPrefix(e.Name(), "."+name+".") {
			continue
		}
		err := filepath.WalkDir(filepath.Join(parent, e.Name()), func(_ string, e fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil || e.IsDir() {
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return nil // removed meanwhile
			}
			id, several := inode(info)
			if !several || !seen[id] {
				u.Files++
				u.Bytes += info.Size()
			}
			if several {
				seen[id] = true
			}
			return nil
		})
		if err != nil {
			return u, err
		}
	}
	return u, nil
}

// RemoveTree removes a folder and all below it, also what is in folders that
// nobody may write to. It follows no link.
func RemoveTree(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return os.RemoveAll(dir)
	}
	_ = fs.WalkDir(root.FS(), ".", func(p string, e fs.DirEntry, _ error) error {
		if e != nil && e.IsDir() {
			_ = root.Chmod(p, 0o700)
		}
		return nil
	})
	root.Close()
	return os.RemoveAll(dir)
}
