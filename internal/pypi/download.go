package pypi

import (
	"context"
	"crypto/md5" //nolint:gosec // checked besides a better hash, or if the index has no other
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/transport"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// ReadAtCloser is a random-access file.
type ReadAtCloser interface {
	io.ReaderAt
	io.Closer
}

// Download fetches the file into the cache and returns it opened, checked
// against every hash that is offered and against its size. digest is its sha256
// in hex. Metadata that was handed out before the file was here is compared with
// what the file says.
func (c *Client) Download(ctx context.Context, f File) (r ReadAtCloser, size int64, digest string, err error) {
	if err := c.init(); err != nil {
		return nil, 0, "", err
	}
	digest, err = c.fetch(ctx, f, nil)
	if err != nil {
		return nil, 0, "", err
	}
	b, err := c.Cache.OpenBlob("sha256:" + digest)
	if err != nil {
		return nil, 0, "", fmt.Errorf("%s: %w", f.Name, err)
	}
	if err := c.compareMetadata(f, b); err != nil {
		b.Close()
		return nil, 0, "", err
	}
	return b, b.Size, digest, nil
}

// compareMetadata checks that a wheel says what the index, or a range of the
// wheel, said before.
func (c *Client) compareMetadata(f File, b *cache.Blob) error {
	if !isWheel(f.Name) {
		return nil
	}
	before, ok := c.known(f)
	if !ok {
		return nil
	}
	raw, err := damaged(wheel.Metadata(f.Name, b, b.Size))
	if err != nil {
		return err
	}
	if string(condense(raw)) != string(before.Core) {
		c.forget(f)
		return fmt.Errorf("%s: %w: its METADATA is not what %s served for it", f.Name, ErrHash, transport.Redact(f.URL))
	}
	return nil
}

// fetch sees to it that the file is in the cache and returns its sha256 in hex.
// first may be an answer that holds the whole file; fetch closes it.
func (c *Client) fetch(ctx context.Context, f File, first io.ReadCloser) (digest string, err error) {
	digest, ok := c.stored(f)
	if ok {
		if first != nil {
			first.Close()
		}
		return digest, nil
	}
	if first != nil { // a flight of our own: the answer is here already
		return c.download(ctx, f, first)
	}
	if _, local := localName(f.URL); c.Offline && !local {
		return "", fmt.Errorf("%s from %s: %w", f.Name, transport.Redact(f.URL), ErrOffline)
	}
	return c.state.downloads.do(ctx, flightKey(f), keepNothing, func() (string, error) {
		if digest, ok := c.stored(f); ok {
			return digest, nil
		}
		return c.download(ctx, f, nil)
	})
}

// flightKey names a file and all that is checked of it.
func flightKey(f File) string {
	var b strings.Builder
	b.WriteString(f.URL + " " + strconv.FormatInt(f.Size, 10))
	for _, algorithm := range slices.Sorted(maps.Keys(f.Hashes)) {
		b.WriteString(" " + algorithm + ":" + f.Hashes[algorithm])
	}
	return b.String()
}

// stored tells whether the cache has the file: by its sha256, or by what a
// download of the same URL, size and hashes turned out to be.
func (c *Client) stored(f File) (digest string, ok bool) {
	digest, known := f.Hashes["sha256"]
	if !known || len(f.Hashes) > 1 {
		if _, local := localName(f.URL); local {
			return "", false // may be another file by now
		}
		b, ok := c.Cache.Get("index", "digest "+flightKey(f))
		if !ok {
			return "", false
		}
		digest = string(b)
	}
	blob, err := c.Cache.OpenBlob("sha256:" + digest)
	if err != nil {
		return "", false
	}
	defer blob.Close()
	if f.Size > 0 && f.Size != blob.Size {
		return "", false // the download will tell what is wrong
	}
	return digest, true
}

// download reads the file into the cache.
func (c *Client) download(ctx context.Context, f File, first io.ReadCloser) (digest string, err error) {
	var body *resuming
	if name, local := localName(f.URL); local {
		file, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.Name, err)
		}
		defer file.Close()
		digest, err = c.store(f, file)
		return digest, err
	}
	c.logf("%s: fetching %s", f.Name, transport.Redact(f.URL))
	for attempt := range 2 {
		body = &resuming{c: c, ctx: ctx, f: f, body: first}
		digest, err = c.store(f, body)
		body.Close()
		// What was patched together from several answers may be of two versions
		// of the file: one more try from the start.
		if err == nil || !body.resumed || attempt > 0 || !errors.Is(err, ErrHash) {
			break
		}
		first = nil
		c.logf("%s does not fit together, fetching it from the start", f.Name)
	}
	return digest, err
}

// store copies r into the cache if size and hashes are right.
func (c *Client) store(f File, r io.Reader) (digest string, err error) {
	w, err := c.Cache.CreateBlob()
	if err != nil {
		return "", err
	}
	defer w.Abort()
	hashes := map[string]hash.Hash{}
	writers := []io.Writer{w}
	for algorithm := range f.Hashes {
		if h := newHash(algorithm); h != nil {
			hashes[algorithm] = h
			writers = append(writers, h)
		}
	}
	limit := int64(maxFile)
	if f.Size > 0 {
		limit = f.Size
	}
	n, err := io.CopyBuffer(io.MultiWriter(writers...), onlyReader{io.LimitReader(r, limit+1)}, make([]byte, 128<<10))
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.Name, err)
	}
	if f.Size > 0 && n != f.Size {
		return "", c.mismatch(f, "size", strconv.FormatInt(f.Size, 10), atLeast(n, f.Size))
	}
	if n > limit {
		return "", fmt.Errorf("%s: %w: more than %d GiB", f.Name, ErrDamaged, int64(maxFile)>>30)
	}
	for _, algorithm := range slices.Sorted(maps.Keys(hashes)) {
		if got := hex.EncodeToString(hashes[algorithm].Sum(nil)); got != f.Hashes[algorithm] {
			return "", c.mismatch(f, algorithm, f.Hashes[algorithm], got)
		}
	}
	digest, _, err = w.Commit()
	if err != nil {
		return "", err
	}
	digest = strings.TrimPrefix(digest, "sha256:")
	if _, known := f.Hashes["sha256"]; !known || len(f.Hashes) > 1 {
		if err := c.Cache.Put("index", "digest "+flightKey(f), []byte(digest)); err != nil {
			c.logf("%v", err)
		}
	}
	return digest, nil
}

// maxFile bounds a file whose size the index does not tell.
const maxFile = 16 << 30

func atLeast(n, want int64) string {
	if n > want {
		return "more"
	}
	return strconv.FormatInt(n, 10)
}

func (c *Client) mismatch(f File, what, want, have string) error {
	from := f.Index
	if from == "" {
		from = transport.Redact(f.URL)
	}
	return fmt.Errorf("%s from %s: %w: %s is %s, expected %s", f.Name, from, ErrHash, what, have, want)
}

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	case "md5":
		return md5.New() //nolint:gosec // see the import
	}
	return nil
}

// onlyReader hides WriteTo, so that io.CopyBuffer uses its buffer.
type onlyReader struct{ io.Reader }
