package publish

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// checkArchive refuses to replace what does not look like an archive.
func checkArchive(d destination) error {
	info, err := os.Stat(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return usage(quote(d.bare), "%v", errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() {
		return usage(quote(d.bare), "is not a file")
	}
	if info.Size() == 0 {
		return nil
	}
	f, err := os.Open(d.path)
	if err != nil {
		return usage(quote(d.bare), "%v", errors.Unwrap(err))
	}
	defer f.Close()
	if _, err := tar.NewReader(io.LimitReader(f, 1<<20)).Next(); err != nil {
		return usage(quote(d.bare), "is a file that is no tar archive")
	}
	return nil
}

// pushArchive writes an OCI layout as a tar archive: the same bytes for the same
// content.
func pushArchive(ctx context.Context, d destination, c *content, opts Options) (_ *Published, err error) {
	if err := checkArchive(d); err != nil {
		return nil, err
	}
	names, err := newTagging(d, c.platforms(), opts).names(nil)
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(d.path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.bare, err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	made, err := makeParents(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.bare, err)
	}
	n := newCounter(c, opts)
	if err := replaceFile(path, func(w io.Writer) error { return writeArchive(ctx, w, c, names, n) }); err != nil {
		removeEmpty(made)
		return nil, fmt.Errorf("%s: %w", d.bare, err)
	}
	return c.published(d, names, n), nil
}

// replaceFile writes a file beside its place and renames it there.
func replaceFile(path string, fill func(w io.Writer) error) (err error) {
	dir, prefix := filepath.Dir(path), temporary+filepath.Base(path)+"-"
	removeStale(dir, prefix)
	f, err := os.CreateTemp(dir, prefix)
	if err != nil {
		return err
	}
	if unlock, err := tryLock(f.Name()); err == nil {
		defer unlock()
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func writeArchive(ctx context.Context, w io.Writer, c *content, names []named, n *counter) error {
	var idx layoutIndex
	data, err := idx.with(c, names)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	for _, f := range []struct {
		name string
		data []byte
	}{{"oci-layout", layoutFile}, {"index.json", data}, {"blobs/", nil}, {"blobs/sha256/", nil}} {
		if err := tarHeader(tw, f.name, int64(len(f.data))); err != nil {
			return err
		}
		if _, err := tw.Write(f.data); err != nil {
			return err
		}
	}
	all := n.distinct(c.variants)
	for _, d := range c.documents() {
		all = append(all, work{blob: d.asBlob()})
	}
	slices.SortFunc(all, func(a, b work) int { return cmp.Compare(a.Digest.String(), b.Digest.String()) })
	for _, b := range slices.CompactFunc(all, func(a, b work) bool { return a.Digest == b.Digest }) {
		if err := tarBlob(ctx, tw, b, n); err != nil {
			return fmt.Errorf("blob %s: %w", b.Digest, err)
		}
	}
	return tw.Close()
}

func tarBlob(ctx context.Context, tw *tar.Writer, b work, n *counter) error {
	if err := tarHeader(tw, "blobs/"+b.Digest.Algorithm+"/"+b.Digest.Hex, b.Size); err != nil {
		return err
	}
	r, err := b.open()
	if err != nil {
		return err
	}
	defer r.Close()
	moved := func(delta int64) {
		if b.platform != "" {
			n.moved(b.platform, delta)
		}
	}
	if err := copyChecked(counting{tw, moved}, withContext(ctx, r), b.Descriptor); err != nil {
		return err
	}
	if b.platform != "" {
		n.finished(b.platform, b.Size, true)
	}
	return nil
}

func tarHeader(tw *tar.Writer, name string, size int64) error {
	h := &tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if name[len(name)-1] == '/' {
		h.Mode, h.Typeflag = 0o755, tar.TypeDir
	}
	return tw.WriteHeader(h)
}
