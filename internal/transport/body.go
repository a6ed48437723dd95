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

// body is the body of an answer that must keep a minimum speed. Only the time
// spent inside Read counts, so a slow consumer is no slow server.
type body struct {
	r      io.ReadCloser
	req    *http.Request
	cancel context.CancelCauseFunc
	window time.Duration
	timer  *time.Timer   // cancels the request; armed only during Read
	spent  time.Duration // in Read, in this window
	got    int           // bytes in this window
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
	b.spent += time.Since(start)
	b.got += n
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

// Close implements io.Closer.
func (b *body) Close() error {
	b.timer.Stop()
	err := b.r.Close()
	b.cancel(nil)
	return err
}
