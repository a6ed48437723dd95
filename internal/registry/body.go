package registry

import (
	"io"
	"sync"
	"time"
)

// stallLimit is how long a registry may take no byte of what is sent to it.
const stallLimit = 30 * time.Second

// errStalled: the other side does not take what is sent.
var errStalled = stalled{}

type stalled struct{}

func (stalled) Error() string { return "the upload stalled" }
func (stalled) Timeout() bool { return true }

// sentBody is the body of a request. It remembers that reading failed on our
// side, and notices when nobody asks for more of it: net/http has no limit for
// that.
type sentBody struct {
	io.ReadCloser
	limit time.Duration

	mu    sync.Mutex // net/http may go on reading after the answer has come
	timer *time.Timer
	err   error
}

// watch calls stalled when nothing is read for the limit, except for the time
// that reading itself takes.
func (b *sentBody) watch(limit time.Duration, stalled func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit, b.timer = limit, time.AfterFunc(limit, stalled)
	// Before the first byte there is the connection, which has limits of its own.
	b.timer.Stop()
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.timer.Stop()
	n, err := b.ReadCloser.Read(p)
	switch err {
	case nil:
		b.timer.Reset(b.limit)
	case io.EOF:
	default:
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	return n, err
}

func (b *sentBody) Close() error {
	b.timer.Stop()
	return b.ReadCloser.Close()
}

// failure returns why reading failed; b may be nil.
func (b *sentBody) failure() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
