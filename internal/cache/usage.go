package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Usage is what one part of the cache ("blobs", "index", ...) takes.
type Usage struct {
	Part  string
	Files int
	Bytes int64
}

// Info returns the usage of each part, by name. The files of trees that are being
// made count too.
func (d *Dir) Info(ctx context.Context) ([]Usage, error) {
	var list []Usage
	err := d.walk(ctx, func(part, _ string, info fs.FileInfo) error {
		if len(list) == 0 || list[len(list)-1].Part != part {
			list = append(list, Usage{Part: part})
		}
		u := &list[len(list)-1]
		u.Files++
		u.Bytes += info.Size()
		return nil
	})
	if err != nil {
		return nil, err
	}
	roots := Usage{Part: rootFolder}
	for _, name := range d.trees() {
		u, err := d.treeUsage(ctx, name)
		if err != nil {
			return nil, err
		}
		roots.Files += u.Files
		roots.Bytes += u.Bytes
	}
	if roots.Files > 0 {
		list = append(list, roots)
	}
	slices.SortFunc(list, func(a, b Usage) int { return strings.Compare(a.Part, b.Part) })
	return list, nil
}

// Prune removes what was last used before the given time (use is noted once a
// day), and the leftovers of killed processes. What a running process uses stays.
// It returns what it removed.
func (d *Dir) Prune(ctx context.Context, before time.Time) (Usage, error) {
	return d.remove(ctx, before)
}

// Clean removes everything that distill put into the folder, and nothing else;
// trees, logs and locks that a running process uses stay.
func (d *Dir) Clean(ctx context.Context) (Usage, error) {
	return d.remove(ctx, time.Now().AddDate(1, 0, 0)) // whatever the clock was
}

func (d *Dir) remove(ctx context.Context, before time.Time) (Usage, error) {
	var removed Usage
	err := d.walk(ctx, func(part, name string, info fs.FileInfo) error {
		if !info.ModTime().Before(before) {
			return nil
		}
		ok, err := d.removeFile(part, name)
		if ok {
			removed.Files++
			removed.Bytes += info.Size()
		}
		return err
	})
	if err == nil {
		err = d.removeTrees(ctx, before, &removed)
	}
	d.removeStaleTemps(time.Now().Add(-staleTemp))
	return removed, err
}

// removeFile removes the file of an entry, unless it is in use; ok tells that it
// is gone.
func (d *Dir) removeFile(part, name string) (ok bool, err error) {
	if part == logFolder || part == lockFolder {
		f, err := d.lockedFile(name)
		if f == nil {
			return false, err
		}
		defer unlock(f)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, d.fail(err)
	}
	return true, nil
}

func (d *Dir) removeTrees(ctx context.Context, before time.Time, removed *Usage) error {
	for _, name := range d.trees() {
		was, err := d.treeUsage(ctx, name)
		if err != nil {
			return err
		}
		d.takeTree(name, before)
		is, err := d.treeUsage(ctx, name)
		if err != nil {
			return err
		}
		removed.Files += was.Files - is.Files
		removed.Bytes += was.Bytes - is.Bytes
	}
	return nil
}

// walk visits the files of all parts but trees that have a name this package
// gives, so that a folder wrongly named as the cache loses nothing of its own.
func (d *Dir) walk(ctx context.Context, visit func(part, name string, info fs.FileInfo) error) error {
	return filepath.WalkDir(d.path, func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // another process removed it
			return nil
		}
		if err != nil {
			return d.fail(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.IsDir() && name == filepath.Join(d.path, rootFolder) {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(d.path, name)
		if err != nil || !e.Type().IsRegular() || !ours(rel) {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil // removed meanwhile
		}
		part, _, _ := strings.Cut(rel, string(filepath.Separator))
		return visit(part, name, info)
	})
}

// ours tells whether a path below the cache looks like bucket/ab/abcd... or
// blobs/sha256/ab/abcd..., or is a log or a lock.
func ours(rel string) bool {
	parts := strings.Split(rel, string(filepath.Separator))
	if len(parts) == 2 {
		name, isLog := strings.CutSuffix(parts[1], logSuffix)
		return parts[0] == logFolder && isLog && name == logName(name) || parts[0] == lockFolder && isKeyName(parts[1])
	}
	if parts[0] == blobFolder {
		if len(parts) != 4 || parts[1] != "sha256" && parts[1] != "sha512" {
			return false
		}
		parts = parts[1:]
	}
	if len(parts) != 3 {
		return false
	}
	folder, base := parts[1], parts[2]
	return len(folder) == 2 && (len(base) == 64 || len(base) == 128) && isHex(base) && strings.HasPrefix(base, folder)
}
