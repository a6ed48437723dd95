package cache

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrDigest is wrapped by errors about bytes that are not what their digest or
// size says.
var ErrDigest = errors.New("digest mismatch")

// copyBuffer is the unit of reading and writing blobs.
const copyBuffer = 256 << 10

// Blob is an open, checked blob.
type Blob struct {
	*os.File
	Size int64
}

// OpenBlob opens a blob by its digest ("sha256:..."). Its bytes are hashed
// again once per process before it is handed out; a damaged one is removed and
// reported as absent (an error that wraps fs.ErrNotExist).
func (d *Dir) OpenBlob(digest string) (*Blob, error) {
	b, err := d.OpenUnchecked(digest)
	if err != nil {
		return nil, err
	}
	if err := d.check(digest, b); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// OpenUnchecked is OpenBlob for callers who hash while they read: the bytes may
// be damaged. A caller who finds them so calls [Dir.RemoveBlob].
func (d *Dir) OpenUnchecked(digest string) (*Blob, error) {
	name, err := d.blobName(digest)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s is not in the cache: %w", digest, fs.ErrNotExist)
	}
	if err != nil {
		return nil, d.fail(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, d.fail(err)
	}
	if !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("blob %s is not a file in the cache: %w", digest, fs.ErrNotExist)
	}
	touch(name, info)
	return &Blob{File: f, Size: info.Size()}, nil
}

// StatBlob returns the size of a blob without looking at its bytes; ok is false
// if it is absent.
func (d *Dir) StatBlob(digest string) (size int64, ok bool) {
	name, err := d.blobName(digest)
	if err != nil {
		return 0, false
	}
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

// RemoveBlob removes a blob that was found to be damaged.
func (d *Dir) RemoveBlob(digest string) {
	if name, err := d.blobName(digest); err == nil {
		os.Remove(name)
	}
}

// check hashes b unless this process has hashed the same, unchanged file before.
func (d *Dir) check(digest string, b *Blob) error {
	defer d.Lock("blob " + digest)()
	info, err := b.Stat()
	if err != nil {
		return d.fail(err)
	}
	d.mu.Lock()
	known := d.verified[digest]
	d.mu.Unlock()
	if known != nil && os.SameFile(known, info) && known.Size() == info.Size() && known.ModTime().Equal(info.ModTime()) {
		return nil
	}
	h, err := newHash(digest)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(h, onlyReader{b.File}, make([]byte, copyBuffer)); err != nil {
		return d.fail(err)
	}
	if sum(h, digest) != digest {
		d.RemoveBlob(digest)
		return fmt.Errorf("blob %s was damaged in the cache: %w", digest, fs.ErrNotExist)
	}
	if _, err := b.Seek(0, io.SeekStart); err != nil {
		return d.fail(err)
	}
	d.noteVerified(digest, info)
	return nil
}

func (d *Dir) noteVerified(digest string, info os.FileInfo) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.verified[digest] = info
}

// onlyReader hides ReadFrom and WriteTo, so that io.CopyBuffer uses its buffer.
type onlyReader struct{ io.Reader }

// PutBlob stores what r yields if its digest is as given (size -1: unknown),
// else returns an error that wraps [ErrDigest] and stores nothing. It reads r to
// the end, but never more than size+1 bytes.
func (d *Dir) PutBlob(ctx context.Context, digest string, size int64, r io.Reader) error {
	t, err := d.TeeBlob(digest, size, r)
	if err != nil {
		return err
	}
	defer t.Close()
	buf := make([]byte, copyBuffer)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := t.Read(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TeeBlob returns a reader of what r yields that stores it on the way. The
// reader's io.EOF means that digest and size (-1: unknown) were right and the
// blob is stored; otherwise the last error wraps [ErrDigest], or is the one of r
// or of the folder. Close before that stores nothing. It does not close r.
func (d *Dir) TeeBlob(digest string, size int64, r io.Reader) (io.ReadCloser, error) {
	name, err := d.blobName(digest)
	if err != nil {
		return nil, err
	}
	h, err := newHash(digest)
	if err != nil {
		return nil, err
	}
	f, err := d.createTemp()
	if err != nil {
		return nil, err
	}
	return &tee{dir: d, f: f, h: h, r: r, digest: digest, name: name, size: size}, nil
}

type tee struct {
	dir          *Dir
	f            *os.File // nil once committed or given up
	h            hash.Hash
	r            io.Reader
	digest, name string
	size, n      int64
	err          error
}

func (t *tee) Read(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.r.Read(p)
	t.n += int64(n)
	if t.size >= 0 && t.n > t.size {
		t.err = fmt.Errorf("%s has more than the expected %d bytes: %w", t.digest, t.size, ErrDigest)
		return 0, t.err
	}
	t.h.Write(p[:n])
	if _, werr := t.f.Write(p[:n]); werr != nil {
		t.err = t.dir.fail(werr)
		return 0, t.err
	}
	if err == io.EOF {
		err = t.commit()
	}
	t.err = err
	return n, err
}

// commit returns io.EOF if all is well.
func (t *tee) commit() error {
	if t.size >= 0 && t.n != t.size {
		return fmt.Errorf("%s has %d bytes, not the expected %d: %w", t.digest, t.n, t.size, ErrDigest)
	}
	if got := sum(t.h, t.digest); got != t.digest {
		return fmt.Errorf("content has the digest %s, not the expected %s: %w", got, t.digest, ErrDigest)
	}
	f := t.f
	t.f = nil
	if err := t.dir.commit(f, t.digest, t.name); err != nil {
		return err
	}
	return io.EOF
}

// Close gives up what is not stored yet.
func (t *tee) Close() error {
	if t.f != nil {
		abandon(t.f)
		t.f = nil
	}
	if t.err == nil {
		t.err = fs.ErrClosed
	}
	return nil
}

// commit closes a finished temporary file and names it.
func (d *Dir) commit(f *os.File, digest, name string) error {
	info, err := f.Stat()
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		os.Remove(f.Name())
		return d.fail(err)
	}
	if err := d.place(f.Name(), name); err != nil {
		os.Remove(f.Name())
		return err
	}
	d.noteVerified(digest, info)
	return nil
}

func abandon(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// CreateBlob returns a writer for a blob whose digest is not known yet; Commit
// names it by its sha256.
func (d *Dir) CreateBlob() (*BlobWriter, error) {
	f, err := d.createTemp()
	if err != nil {
		return nil, err
	}
	return &BlobWriter{dir: d, f: f, h: sha256.New()}, nil
}

// BlobWriter writes a new blob. Exactly one of Commit and Abort is called;
// Abort after Commit does nothing, so it can be deferred.
type BlobWriter struct {
	dir *Dir
	f   *os.File
	h   hash.Hash
	n   int64
}

func (w *BlobWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.h.Write(p[:n])
	w.n += int64(n)
	return n, w.dir.fail(err)
}

// Commit stores the blob and returns its digest ("sha256:...") and size.
func (w *BlobWriter) Commit() (digest string, size int64, err error) {
	digest = sum(w.h, "sha256:")
	name, err := w.dir.blobName(digest)
	if err != nil {
		return "", 0, err
	}
	f := w.f
	w.f = nil
	if err := w.dir.commit(f, digest, name); err != nil {
		return "", 0, err
	}
	return digest, w.n, nil
}

// Abort stores nothing.
func (w *BlobWriter) Abort() {
	if w.f != nil {
		abandon(w.f)
		w.f = nil
	}
}

// blobName checks a digest and returns the file it names.
func (d *Dir) blobName(digest string) (string, error) {
	algorithm, hex, _ := strings.Cut(digest, ":")
	want := map[string]int{"sha256": sha256.Size, "sha512": sha512.Size}[algorithm]
	if want == 0 || len(hex) != 2*want || !isHex(hex) {
		return "", fmt.Errorf("%q is not a sha256 or sha512 digest", digest)
	}
	return filepath.Join(d.path, blobFolder, algorithm, hex[:2], hex), nil
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

func newHash(digest string) (hash.Hash, error) {
	switch algorithm, _, _ := strings.Cut(digest, ":"); algorithm {
	case "sha256":
		return sha256.New(), nil
	case "sha512":
		return sha512.New(), nil
	default:
		return nil, fmt.Errorf("%q is not a sha256 or sha512 digest", digest)
	}
}

// sum returns the digest in h with the algorithm that like has.
func sum(h hash.Hash, like string) string {
	algorithm, _, _ := strings.Cut(like, ":")
	return fmt.Sprintf("%s:%x", algorithm, h.Sum(nil))
}
