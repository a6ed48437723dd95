package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Usage is what one part of the cache ("blobs", "index", ...) takes.
type Usage struct {
	Part  string
	Files int
	Bytes int64
}

// Info returns the usage of each part, by name.
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
	return list, err
}

// Prune removes what was last used before the given time (use is noted once a
// day), and the leftovers of killed processes. It returns what it removed.
func (d *Dir) Prune(ctx context.Context, before time.Time) (Usage, error) {
	return d.remove(ctx, func(info fs.FileInfo) bool { return info.ModTime().Before(before) })
}

// Clean removes everything that distill put into the folder, and nothing else.
func (d *Dir) Clean(ctx context.Context) (Usage, error) {
	return d.remove(ctx, func(fs.FileInfo) bool { return true })
}

func (d *Dir) remove(ctx context.Context, choose func(fs.FileInfo) bool) (Usage, error) {
	var removed Usage
	err := d.walk(ctx, func(_, name string, info fs.FileInfo) error {
		if !choose(info) {
			return nil
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d.fail(err)
		}
		removed.Files++
		removed.Bytes += info.Size()
		return nil
	})
	d.removeStaleTemps(time.Now().Add(-staleTemp))
	return removed, err
}

// walk visits the files of all parts that have a name this package gives, so
// that a folder wrongly named as the cache loses nothing of its own.
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
// blobs/sha256/ab/abcd...
func ours(rel string) bool {
	parts := strings.Split(rel, string(filepath.Separator))
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
