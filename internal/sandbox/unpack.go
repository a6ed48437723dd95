package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// Owners says who owns the files of a root on disk.
type Owners struct {
	// Keep gives each file the owner it has in the image, plus Base; else all belong to
	// who unpacks.
	Keep bool
	Base int
}

// String is short and fit for a file name: roots with different owners have different
// names.
func (o Owners) String() string {
	if !o.Keep {
		return fmt.Sprintf("squashed-%d", os.Geteuid())
	}
	return fmt.Sprintf("kept-%d", o.Base)
}

// The bounds of a root, those of an image (docs/decisions/0057-sandbox.md).
const (
	maxEntries = 2_000_000
	maxBytes   = 64 << 30
)

// Unpack lays set into the new folder dir: regular files, hard links among them, folders
// and symbolic links as they are written; no devices, no setuid, no extended attributes.
// The content must open fast, as after image.Gather. A folder that is there already is
// complete and left as it is: it appears by renaming. An error leaves nothing behind.
func Unpack(ctx context.Context, dir string, set files.Set, owners Owners) error {
	if _, err := os.Lstat(dir); err == nil {
		return nil
	}
	if set.Len() > maxEntries {
		return fmt.Errorf("%d files, more than %d", set.Len(), maxEntries)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".*")
	if err != nil {
		return err
	}
	err = unpackInto(ctx, temp, set, owners)
	if err == nil {
		err = os.Rename(temp, dir)
		if _, e := os.Lstat(dir); err != nil && e == nil {
			err = nil // somebody else was faster
			_ = Remove(temp)
		}
	}
	if err != nil {
		_ = Remove(temp)
		return fmt.Errorf("unpacking to %s: %w", dir, err)
	}
	return nil
}

// Remove deletes a folder that Unpack made, or a command wrote, read-only folders in it
// included.
func Remove(dir string) error { return cache.RemoveTree(dir) }

// unpacker writes one root.
type unpacker struct {
	root   *os.Root
	owners Owners
	// at is the folder that the last file was in, open: files come in path order.
	at     *os.Root
	atPath string
	links  map[uint64]string // path of the first file of each inode
	dirs   []*files.File
	left   int64
}

func unpackInto(ctx context.Context, dir string, set files.Set, owners Owners) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	u := &unpacker{root: root, owners: owners, links: map[uint64]string{}, left: maxBytes}
	defer u.leave()
	for f := range set.All() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := u.write(f); err != nil {
			return err
		}
	}
	u.leave()
	// Folders get their mode and time when nothing is written to them any more, the
	// innermost first.
	for _, d := range slices.Backward(u.dirs) {
		if err := u.settle(root, d.Path, d); err != nil {
			return err
		}
	}
	top := &files.File{Path: ".", Mode: fs.ModeDir | 0o755}
	return u.settle(root, ".", top)
}

func (u *unpacker) write(f *files.File) error {
	if f.Mode.IsDir() {
		u.dirs = append(u.dirs, f)
		err := u.root.Mkdir(f.Path, 0o755)
		if errors.Is(err, fs.ErrNotExist) {
			if err = u.imply(path.Dir(f.Path)); err == nil {
				err = u.root.Mkdir(f.Path, 0o755)
			}
		}
		return err
	}
	if !f.IsSymlink() && !f.IsRegular() {
		return nil // devices, pipes
	}
	at, err := u.enter(path.Dir(f.Path))
	if err != nil {
		return err
	}
	name := path.Base(f.Path)
	if f.IsRegular() {
		return u.regular(at, name, f)
	}
	err = at.Symlink(f.Link, name)
	if err == nil && u.owners.Keep {
		err = at.Lchown(name, u.owners.Base+f.UID, u.owners.Base+f.GID)
	}
	return err
}

func (u *unpacker) regular(at *os.Root, name string, f *files.File) error {
	if first, ok := u.links[f.Inode]; ok && f.Inode != 0 {
		return u.root.Link(first, f.Path)
	}
	if u.left -= f.Size; u.left < 0 {
		return fmt.Errorf("more than %d bytes", int64(maxBytes))
	}
	out, err := at.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = copyContent(out, f)
	if e := out.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if f.Inode != 0 {
		u.links[f.Inode] = f.Path
	}
	return u.settle(at, name, f)
}

func copyContent(out io.Writer, f *files.File) error {
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	n, err := io.Copy(out, io.LimitReader(in, f.Size))
	if err == nil && n != f.Size {
		err = fmt.Errorf("%q: %w", f.Path, io.ErrUnexpectedEOF)
	}
	return err
}

// settle gives a file its owner, mode and time. Byte code is valid only for the time of
// its source.
func (u *unpacker) settle(at *os.Root, name string, f *files.File) error {
	mode := f.Mode.Perm()
	if u.owners.Keep {
		if err := at.Lchown(name, u.owners.Base+f.UID, u.owners.Base+f.GID); err != nil {
			return err
		}
		mode |= f.Mode & fs.ModeSticky
	} else {
		// The one user there is stands for the image's root, whom modes do not stop.
		mode |= f.Mode&fs.ModeSticky | 0o400
		if f.Mode.IsDir() {
			mode |= 0o700
		}
	}
	if err := at.Chmod(name, mode); err != nil {
		return err
	}
	t := time.Unix(f.ModTime, 0)
	return at.Chtimes(name, t, t)
}

// enter opens the folder of that path, which is made if the set only implies it.
func (u *unpacker) enter(dir string) (*os.Root, error) {
	if dir == "." {
		return u.root, nil
	}
	if u.at != nil && u.atPath == dir {
		return u.at, nil
	}
	u.leave()
	at, err := u.root.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = u.imply(dir); err == nil {
			at, err = u.root.OpenRoot(dir)
		}
	}
	if err != nil {
		return nil, err
	}
	u.at, u.atPath = at, dir
	return at, nil
}

// imply makes a folder that the set does not name, and those above it.
func (u *unpacker) imply(dir string) error {
	err := u.root.Mkdir(dir, 0o755)
	switch {
	case err == nil:
		u.dirs = append(u.dirs, &files.File{Path: dir, Mode: fs.ModeDir | 0o755})
		return nil
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist) && dir != ".":
		if err := u.imply(path.Dir(dir)); err != nil {
			return err
		}
		return u.imply(dir)
	default:
		return err
	}
}

func (u *unpacker) leave() {
	if u.at != nil {
		u.at.Close()
	}
	u.at = nil
}
