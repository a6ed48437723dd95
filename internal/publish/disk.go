package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/r-seed-1713b764/distill/internal/registry"
)

// readSmall reads a file that has at most as much as a manifest may have.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > registry.MaxManifest {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", filepath.Base(path), registry.MaxManifest)
	}
	return io.ReadAll(io.LimitReader(f, registry.MaxManifest))
}

// writeSynced writes a new file and waits until it is on the disk.
func writeSynced(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir waits until the names in a folder are on the disk.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// makeParents makes the folders above path and returns those that it made,
// innermost first.
func makeParents(path string) (made []string, err error) {
	var missing []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, dir)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := os.Mkdir(missing[i], 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			removeEmpty(missing)
			return nil, err
		}
	}
	return missing, nil
}

func removeEmpty(dirs []string) {
	for _, d := range dirs {
		_ = os.Remove(d) // stays if somebody else has put something there
	}
}

// counting tells of what is written through it.
type counting struct {
	io.Writer
	moved func(delta int64)
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.moved(int64(n))
	return n, err
}

// withContext makes reading end with ctx.
func withContext(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
