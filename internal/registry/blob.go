package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// HasBlob tells whether the repository has a blob.
func (r *Repository) HasBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	c := call{op: "HEAD blob " + digest.String(), method: http.MethodHead, url: r.path("/blobs/%s", digest)}
	resp, err := r.do(ctx, c)
	if err != nil {
		return false, err
	}
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusNotFound:
		return false, nil
	}
	return false, r.answer(c, resp)
}

// Blob opens a blob. The reader yields the bytes as they are stored and ends
// with io.EOF only if they are as many as d says and have its digest (else with
// an error that wraps ErrDigest). A download that breaks off is continued.
func (r *Repository) Blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	hasher, err := v1.Hasher(d.Digest.Algorithm)
	if err != nil || d.Size < 0 {
		return nil, fmt.Errorf("blob %q of %d bytes: %w", d.Digest, d.Size, ErrDigest)
	}
	b := &blob{ctx: ctx, r: r, d: d, hash: hasher, wait: r.newWait()}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

// blob is a download. It keeps the context since it makes requests while being
// read.
type blob struct {
	ctx   context.Context
	r     *Repository
	d     v1.Descriptor
	hash  hash.Hash
	body  io.ReadCloser
	n     int64 // bytes read
	since int64 // n at the last interruption
	whole bool  // the registry cannot start in the middle
	wait  wait
	err   error
}

// goodProgress is how much has to arrive between two interruptions for the
// attempts to be counted anew.
const goodProgress = 4 << 20

func (b *blob) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	for {
		// One byte more than there should be, to notice it.
		n, err := b.body.Read(p[:min(int64(len(p)), b.d.Size-b.n+1)])
		b.hash.Write(p[:n])
		b.n += int64(n)
		switch {
		case b.n > b.d.Size:
			b.err = b.wrong(fmt.Sprintf("has more than the %d bytes announced", b.d.Size))
			return 0, b.err
		case n > 0 && (err == nil || b.n < b.d.Size):
			return n, nil // an error comes again, or as the end
		case err == io.EOF && b.n == b.d.Size:
			b.err = b.verify()
			return n, b.err
		case err != nil:
			if b.err = b.resume(err); b.err != nil {
				return n, b.err
			}
		}
	}
}

func (b *blob) Close() error {
	if b.err == nil {
		b.err = errors.New("blob is closed")
	}
	return b.body.Close()
}

func (b *blob) op() string { return "GET blob " + b.d.Digest.String() }

func (b *blob) wrong(what string) error {
	return fmt.Errorf("%s: blob %s of %s %s: %w", b.r.base.Host, b.d.Digest, b.r.name.RepositoryStr(), what, ErrDigest)
}

func (b *blob) verify() error {
	if got := hex.EncodeToString(b.hash.Sum(nil)); got != b.d.Digest.Hex {
		return b.wrong("has digest " + b.d.Digest.Algorithm + ":" + got)
	}
	return io.EOF
}

// resume continues after an interruption.
func (b *blob) resume(cause error) error {
	_ = b.body.Close()
	if cause == io.EOF {
		cause = fmt.Errorf("%d of %d bytes: %w", b.n, b.d.Size, io.ErrUnexpectedEOF)
	}
	err := error(&networkError{b.r.base.Host, b.op(), cause})
	if b.n-b.since >= goodProgress {
		b.wait = b.r.newWait()
	}
	b.since = b.n
	for {
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if err := b.wait.again(b.ctx, err); err != nil {
			return err
		}
		if err = b.open(); err == nil {
			return nil
		}
	}
}

// open asks for what is not there yet.
func (b *blob) open() error {
	c := call{op: b.op(), method: http.MethodGet, url: b.r.path("/blobs/%s", b.d.Digest)}
	if b.n > 0 && !b.whole {
		c.header = http.Header{"Range": {fmt.Sprintf("bytes=%d-", b.n)}}
	}
	resp, err := b.r.do(b.ctx, c)
	if err != nil {
		return err
	}
	b.body = resp.Body
	switch {
	case resp.StatusCode == http.StatusOK:
		if resp.ContentLength >= 0 && resp.ContentLength != b.d.Size {
			drain(resp)
			return b.wrong(fmt.Sprintf("has %d bytes, %d were announced", resp.ContentLength, b.d.Size))
		}
		// The server does not do ranges: what we have is read again.
		if _, err := io.CopyN(io.Discard, resp.Body, b.n); err != nil {
			_ = resp.Body.Close()
			return &networkError{b.r.base.Host, c.op, err}
		}
		return nil
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && c.header != nil:
		drain(resp)
		b.whole = true
		return b.open()
	case resp.StatusCode == http.StatusPartialContent && c.header != nil:
		if strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", b.n)) {
			return nil
		}
		err = fmt.Errorf("%s: %s: the answer is another range: %w", b.r.base.Host, c.op, ErrProtocol)
	default:
		err = b.r.answer(c, resp)
	}
	drain(resp)
	return err
}
