package transport

import (
	"context"
	"io"
	"net/http"
	"time"
)

// minWindow is how many bytes a body must yield in each window. 16 KiB in 15 s
// is about 1 KiB/s, slower than any line on which a wheel would ever arrive.
const minWindow = 16 << 10

// A body as a whole may take a minute, and then a second for each minTotal bytes
// that it yielded: 64 kbit/s on average.
const (
	freeTime = time.Minute
	minTotal = 8 << 10
)

// body is the body of an answer that must keep a minimum speed. Only the time
// spent inside Read counts, so a slow consumer is no slow server.
type body struct {
	r        io.ReadCloser
	req      *http.Request
	cancel   context.CancelCauseFunc
	window   time.Duration
	timer    *time.Timer   // cancels the request; armed only during Read
	spent    time.Duration // in Read, in this window
	got      int           // bytes in this window
	allSpent time.Duration
	allGot   int64
}

func newBody(r io.ReadCloser, req *http.Request, window time.Duration, cancel context.CancelCauseFunc) io.ReadCloser {
	b := &body{r: r, req: req, cancel: cancel, window: window}
	b.timer = time.AfterFunc(time.Hour, func() { cancel(errStalled) })
	b.timer.Stop()
	return b
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	start := time.Now()
	b.timer.Reset(b.window - b.spent)
	n, err := b.r.Read(p)
	fired := !b.timer.Stop()
	took := time.Since(start)
	b.spent, b.allSpent = b.spent+took, b.allSpent+took
	b.got, b.allGot = b.got+n, b.allGot+int64(n)
	if err == nil && b.isSlow() {
		b.cancel(errStalled)
		return n, newError(b.req, errSlow)
	}
	if b.got >= minWindow {
		b.got, b.spent = 0, 0
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	if fired {
		err = errStalled // the reader only knows that somebody cancelled
	}
	return n, newError(b.req, err)
}

// isSlow tells whether the body as a whole takes too long.
func (b *body) isSlow() bool {
	return b.allSpent > freeTime+time.Duration(b.allGot/minTotal)*time.Second
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.timer.Stop()
	err := b.r.Close()
	b.cancel(nil)
	return err
}
