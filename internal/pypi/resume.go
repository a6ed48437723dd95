package pypi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/r-seed-1713b764/distill/internal/transport"
)

// progress is how much must arrive for a broken connection not to count as one
// of the four attempts.
const progress = 1 << 20

// resuming reads a file over as many connections as it takes: where one breaks,
// the next asks for the rest. Whether the pieces fit together, the digest tells.
type resuming struct {
	c       *Client
	ctx     context.Context //nolint:containedctx // an io.Reader has no other way to get it
	f       File
	body    io.ReadCloser // nil: not connected
	offset  int64         // bytes handed out
	resumed bool          // a second connection was used

	failures int
	mark     int64     // offset when the attempts were last counted from 0
	since    time.Time // when that was
}

// Read implements io.Reader.
func (r *resuming) Read(p []byte) (int, error) {
	for {
		if err := r.connect(); err != nil {
			return 0, err
		}
		n, err := r.body.Read(p)
		r.offset += int64(n)
		if err == io.EOF && r.f.Size > 0 && r.offset < r.f.Size {
			// HTTP/1.0 without a length ends like this when it breaks.
			err = &transport.Error{Method: http.MethodGet, URL: transport.Redact(r.f.URL), Kind: transport.Network, Err: io.ErrUnexpectedEOF}
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		r.body.Close()
		r.body = nil
		if err := r.mayGoOn(err); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// mayGoOn returns nil if another connection is worth it, after a moment.
func (r *resuming) mayGoOn(err error) error {
	now := time.Now()
	if r.since.IsZero() || r.offset-r.mark >= progress {
		r.failures, r.mark, r.since = 0, r.offset, now
	}
	r.failures++
	return r.c.state.retry.Again(r.ctx, r.failures, r.since, err)
}

// connect asks for what is missing, if no connection is open.
func (r *resuming) connect() error {
	if r.body != nil {
		return nil
	}
	if r.since.IsZero() {
		r.since = time.Now()
	}
	header := http.Header{"Accept-Encoding": {"identity"}}
	if r.offset > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(r.offset, 10)+"-")
		r.resumed = true
	}
	var resp *http.Response
	err := r.c.state.retry.Run(r.ctx, func(int) error {
		var err error
		resp, err = r.c.send(r.ctx, &r.c.state.counts.wholes, r.f.URL, header) //nolint:bodyclose // closed by Close
		return err
	})
	if err != nil {
		return err
	}
	if err := r.accept(resp); err != nil {
		resp.Body.Close()
		return err
	}
	r.body = resp.Body
	return nil
}

// accept checks that an answer goes on where the last one stopped, skipping what
// is known if it is the whole file.
func (r *resuming) accept(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
		if _, err := io.CopyN(io.Discard, resp.Body, r.offset); err != nil {
			return err
		}
		return nil
	case http.StatusPartialContent:
		lo, _, _, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if ok && lo == r.offset && r.offset > 0 {
			return nil
		}
	}
	return fmt.Errorf("%s: %w: the answer is %d %s, not the file", transport.Redact(r.f.URL), ErrDamaged, resp.StatusCode, http.StatusText(resp.StatusCode))
}

// Close implements io.Closer.
func (r *resuming) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body = nil
	return body.Close()
}

// parseContentRange reads "bytes 0-99/1234"; size is -1 for "*".
func parseContentRange(s string) (lo, hi, size int64, ok bool) {
	s, ok = strings.CutPrefix(strings.TrimSpace(s), "bytes ")
	span, total, slash := strings.Cut(s, "/")
	from, to, dash := strings.Cut(span, "-")
	if !ok || !slash || !dash {
		return 0, 0, 0, false
	}
	var errs [3]error
	lo, errs[0] = strconv.ParseInt(from, 10, 63)
	hi, errs[1] = strconv.ParseInt(to, 10, 63)
	size = -1
	if total != "*" {
		size, errs[2] = strconv.ParseInt(total, 10, 63)
	}
	if errors.Join(errs[:]...) != nil || lo < 0 || hi < lo || size >= 0 && hi >= size {
		return 0, 0, 0, false
	}
	return lo, hi, size, true
}
