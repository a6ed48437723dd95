package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Upload says how a blob is sent.
type Upload struct {
	Open func() (io.ReadCloser, error) // the bytes, from the start at each call
	// From is a repository of the same registry to mount the blob from, without
	// the host, "" for none.
	From string
	// Progress is told how many more bytes were sent; less than none if the
	// blob has to be sent again. May be nil.
	Progress func(delta int64)
}

// chunkSizes are tried one after the other if a registry, or the proxy before
// it, refuses a body as too large: first all in one. 100 MB is the limit of a
// common CDN, 1 MiB the one of nginx as delivered.
var chunkSizes = []int64{0, 64 << 20, 8 << 20, 768 << 10}

// PutBlob stores a blob. What is sent is checked against d; a session that the
// registry has lost is started again. Mounted tells that nothing was sent.
func (r *Repository) PutBlob(ctx context.Context, d v1.Descriptor, u Upload) (mounted bool, err error) {
	if u.Progress == nil {
		u.Progress = func(int64) {}
	}
	w := r.newWait()
	w.long = true
	for {
		s := session{r: r, d: d, u: u}
		err := s.run(ctx)
		if err == nil {
			return s.mounted, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		s.content.abandon()
		u.From = "" // mounting is not tried twice
		if r.smallerChunks(err, &s) {
			continue
		}
		if err = forgotten(err); !s.started || !retriable(err) {
			return false, err
		}
		giveUp := w.again(ctx, err)
		if r.arrived(ctx, d) {
			u.Progress(d.Size)
			return false, nil
		}
		if giveUp != nil {
			return false, giveUp
		}
	}
}

// arrived tells whether a blob is there after all: a commit whose answer was
// lost, or took too long, may have been done.
func (r *Repository) arrived(ctx context.Context, d v1.Descriptor) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	has, err := r.HasBlob(ctx, d.Digest)
	return has && err == nil
}

// lost is an upload session that the registry has forgotten; a new one may live.
type lost struct{ error }

func (l lost) Unwrap() error        { return l.error }
func (l lost) Is(target error) bool { return target == ErrUnavailable }

// forgotten recognises a session that is lost.
func forgotten(err error) error {
	var a *AnswerError
	if !errors.As(err, &a) {
		return err
	}
	if a.Status == http.StatusNotFound || a.Status == http.StatusRequestedRangeNotSatisfiable ||
		a.Code == "BLOB_UPLOAD_INVALID" || a.Code == "BLOB_UPLOAD_UNKNOWN" {
		return lost{err}
	}
	return err
}

// smallerChunks tells whether the registry found a body too large and there is
// a smaller size to try.
func (r *Repository) smallerChunks(err error, s *session) bool {
	var a *AnswerError
	if !errors.As(err, &a) || a.Status != http.StatusRequestEntityTooLarge {
		return false
	}
	next := int64(s.chunk + 1)
	if next >= int64(len(chunkSizes)) {
		return false
	}
	r.chunk.CompareAndSwap(int64(s.chunk), next)
	return true
}

// session is one attempt to send a blob.
type session struct {
	r       *Repository
	d       v1.Descriptor
	u       Upload
	chunk   int   // index in chunkSizes
	minimum int64 // chunk size the registry asks for
	content *outgoing
	started bool
	mounted bool
}

func (s *session) op(method string) string {
	return method + " blob " + s.d.Digest.String() + " to " + s.r.name.RepositoryStr()
}

func (s *session) run(ctx context.Context) error {
	at, err := s.begin(ctx)
	if err != nil || s.mounted {
		return err
	}
	s.started = true
	s.chunk = int(s.r.chunk.Load())
	if s.chunk == 0 {
		return s.commit(ctx, at, s.body, s.d.Size)
	}
	return s.chunks(ctx, at)
}

// begin starts an upload and returns where to send it.
func (s *session) begin(ctx context.Context) (*url.URL, error) {
	c := call{op: s.op("POST"), method: http.MethodPost, url: s.r.path("/blobs/uploads/")}
	if s.u.From != "" && !s.r.noMount.Load() {
		m := c
		m.url, m.from, m.once = s.r.path("/blobs/uploads/"), s.u.From, true
		m.url.RawQuery = url.Values{"mount": {s.d.Digest.String()}, "from": {s.u.From}}.Encode()
		resp, err := s.r.do(ctx, m)
		if err == nil {
			defer drain(resp)
			switch resp.StatusCode {
			case http.StatusCreated:
				s.mounted = true
				return nil, s.compare(m, resp)
			case http.StatusAccepted:
				return s.next(m, m.url, resp)
			}
		}
		// Refused in whatever way: registries that don't want to mount answer
		// 202, 400, 401, 403, 404, 405 or 500.
		s.r.noMount.Store(true)
	}
	resp, err := s.r.do(ctx, c)
	if err != nil {
		return nil, err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusAccepted {
		return nil, s.r.answer(c, resp)
	}
	s.minimum, _ = strconv.ParseInt(resp.Header.Get("OCI-Chunk-Min-Length"), 10, 64)
	return s.next(c, c.url, resp)
}

// next returns where the session goes on.
func (s *session) next(c call, u *url.URL, resp *http.Response) (*url.URL, error) {
	if resp.Request != nil {
		u = resp.Request.URL
	}
	return location(c, u, resp)
}

// chunks sends the blob in several requests.
func (s *session) chunks(ctx context.Context, at *url.URL) error {
	rc, err := s.body()
	if err != nil {
		return &localError{s.op("PATCH"), err}
	}
	defer rc.Close()
	size := max(chunkSizes[s.chunk], min(s.minimum, chunkSizes[1]))
	for from := int64(0); from < s.d.Size; from += size {
		n := min(size, s.d.Size-from)
		part := io.LimitReader(rc, n)
		c := call{
			op: s.op("PATCH"), method: http.MethodPatch, url: at, size: n, once: true,
			header: http.Header{
				"Content-Type":  {"application/octet-stream"},
				"Content-Range": {fmt.Sprintf("%d-%d", from, from+n-1)},
			},
			body: func() (io.ReadCloser, error) { return io.NopCloser(part), nil },
		}
		resp, err := s.r.do(ctx, c)
		if err != nil {
			return err
		}
		at, err = s.patched(c, resp)
		if err != nil {
			return err
		}
	}
	// The last read checks the digest.
	if n, err := rc.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return &localError{s.op("PATCH"), fmt.Errorf("more than %d bytes: %w", s.d.Size, errors.Join(err, ErrDigest))}
	}
	return s.commit(ctx, at, nil, 0)
}

func (s *session) patched(c call, resp *http.Response) (*url.URL, error) {
	defer drain(resp)
	if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusNoContent {
		return nil, s.r.answer(c, resp)
	}
	return s.next(c, c.url, resp)
}

// commit ends the upload; the request carries a body if one is given.
func (s *session) commit(ctx context.Context, at *url.URL, body func() (io.ReadCloser, error), size int64) error {
	u := *at
	// The query of a Location is kept to the letter: registries sign it.
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "digest=" + url.QueryEscape(s.d.Digest.String())
	c := call{
		op: s.op("PUT"), method: http.MethodPut, url: &u, body: body, size: size, once: true,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
	}
	resp, err := s.r.do(ctx, c)
	if err != nil {
		return err
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusOK {
		return s.r.answer(c, resp)
	}
	return s.compare(c, resp)
}

// compare checks what the registry says it has stored.
func (s *session) compare(c call, resp *http.Response) error {
	got := resp.Header.Get("Docker-Content-Digest")
	if got == "" || got == s.d.Digest.String() {
		return nil
	}
	return s.r.wrongDigest(c.op, got)
}

// body opens the content, counted and checked.
func (s *session) body() (io.ReadCloser, error) {
	hasher, err := v1.Hasher(s.d.Digest.Algorithm)
	if err != nil {
		return nil, err
	}
	rc, err := s.u.Open()
	if err != nil {
		return nil, err
	}
	s.content.abandon()
	s.content = &outgoing{content: rc, d: s.d, progress: s.u.Progress, hash: hasher}
	return s.content, nil
}

// outgoing is the content of a blob on its way out.
type outgoing struct {
	content  io.ReadCloser
	d        v1.Descriptor
	progress func(delta int64)

	// mu: net/http may go on reading after the answer has come.
	mu   sync.Mutex
	hash hash.Hash
	sent int64
	done bool // closed or given up
}

func (o *outgoing) Read(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return 0, fs.ErrClosed
	}
	n, err := o.content.Read(p)
	o.hash.Write(p[:n])
	o.sent += int64(n)
	o.progress(int64(n))
	if o.sent > o.d.Size || err == io.EOF && o.sent < o.d.Size {
		return 0, fmt.Errorf("content of %s has not the %d bytes announced: %w", o.d.Digest, o.d.Size, ErrDigest)
	}
	// With the last byte, since the end itself may never be read.
	if o.sent == o.d.Size && hex.EncodeToString(o.hash.Sum(nil)) != o.d.Digest.Hex {
		return 0, fmt.Errorf("content does not have the digest %s: %w", o.d.Digest, ErrDigest)
	}
	return n, err
}

// Close may be called while a Read is still waiting for its turn.
func (o *outgoing) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = true
	return o.content.Close()
}

// abandon takes back what was told of progress; nothing is read any more after
// it. May be called on nil.
func (o *outgoing) abandon() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = true
	o.progress(-o.sent)
	o.sent = 0
}
