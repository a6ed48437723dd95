package pypi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/transport"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

const (
	// wholeBelow is the size up to which a wheel is fetched whole: one request
	// that is never wrong, and the file is here if it is picked.
	wholeBelow = 96 << 10
	// windowSize is what is fetched around an entry that lies before the tail.
	windowSize = 64 << 10
	// maxRanged bounds what is fetched in parts; beyond that the whole file is
	// not much worse, and a server that has it so is lying.
	maxRanged = 80 << 20
)

// tailSize is how much of the end of a wheel is asked for first. METADATA and
// the central directory grow with the number of files, and so does the wheel. On
// 269 real wheels this and wholeBelow need 1.05 requests each; 64 KiB for all
// need 1.10, 256 KiB for all need 1.03 and a fifth more bytes.
func tailSize(size int64) int64 {
	if size <= 0 {
		return 128 << 10
	}
	return min(max(size/16, 64<<10), largestTail)
}

const largestTail = 256 << 10

// rangedMetadata reads METADATA out of a remote wheel. Whatever is odd about the
// parts (no ranges, wrong ranges, no archive) ends in fetching the whole file,
// whose digest then tells.
func (c *Client) rangedMetadata(ctx context.Context, f File) ([]byte, error) {
	var whole io.ReadCloser
	if f.Size == 0 || f.Size > wholeBelow {
		r := &remote{c: c, ctx: ctx, f: f, size: f.Size}
		b, err := r.metadata()
		r.free()
		switch {
		case err == nil:
			return b, nil
		case ctx.Err() != nil, isFinal(err):
			return nil, err
		}
		c.logf("%s: fetching the whole file: %v", f.Name, err)
		whole = r.whole
	}
	digest, err := c.fetch(ctx, f, whole)
	if err != nil {
		return nil, err
	}
	return c.blobMetadata(f, digest)
}

// isFinal tells whether asking for the whole file instead of parts is in vain.
func isFinal(err error) bool {
	return errors.Is(err, transport.ErrNetwork) || errors.Is(err, transport.ErrAuth) || errors.Is(err, transport.ErrNotFound) || errors.Is(err, transport.ErrPolicy)
}

// remote is a wheel on a server as an io.ReaderAt: its tail, which grows
// backwards, and one window before that. It is used by one goroutine.
type remote struct {
	c     *Client
	ctx   context.Context //nolint:containedctx // an io.ReaderAt has no other way to get it
	f     File
	size  int64
	tail  []byte  // the last bytes of the file
	lent  *[]byte // the memory of the first tail, which is used again
	at    int64   // of the window
	win   []byte
	whole io.ReadCloser // the server sent the whole file instead
	// atBench is set while it holds one of the client's benches.
	atBench bool
}

var (
	errNoRanges  = errors.New("the server does not send parts of files")
	errOddRange  = errors.New("the server sent another part than was asked for")
	errTooFar    = errors.New("the archive needs too many parts")
	errImpatient = errors.New("the server answers parts with an error")
)

func (r *remote) metadata() ([]byte, error) {
	if err := r.readTail(); err != nil {
		return nil, err
	}
	// The directory of a wheel takes memory and time; of the many that are waited
	// for, a few are read at once.
	r.c.state.benches <- struct{}{}
	r.atBench = true
	defer func() { <-r.c.state.benches }()
	return wheel.Metadata(r.f.Name, r, r.size)
}

// free gives the memory of the tail back; what was read of it is a copy.
func (r *remote) free() {
	if r.lent != nil {
		r.c.state.tails.Put(r.lent)
		r.tail, r.lent = nil, nil
	}
}

// read reads a body of n bytes, the first one of a tail into memory that is used
// again: asking 3,000 versions would leave half a gigabyte of garbage behind.
func (r *remote) read(body io.Reader, n int64) ([]byte, error) {
	if r.lent != nil || n > largestTail {
		return readLimited(body, n, n)
	}
	lent, _ := r.c.state.tails.Get().(*[]byte)
	if lent == nil {
		lent = new([]byte)
		*lent = make([]byte, largestTail+1)
	}
	r.lent = lent
	for m := 0; ; {
		k, err := body.Read((*lent)[m : n+1])
		m += k
		switch {
		case int64(m) > n:
			return nil, errOddRange
		case err == io.EOF:
			return (*lent)[:m], nil
		case err != nil:
			return nil, err
		}
	}
}

// readTail asks for the end of the file, by offset if the size is known.
func (r *remote) readTail() (err error) {
	n := tailSize(r.size)
	if r.size > 0 {
		r.tail, err = r.get(max(0, r.size-n), r.size)
		return err
	}
	r.tail, err = r.ask("bytes=-"+strconv.FormatInt(n, 10), func(lo, hi, size int64) int64 {
		if size <= 0 || hi != size-1 || hi-lo+1 > n {
			return -1
		}
		r.size = size
		return hi - lo + 1
	})
	return err
}

// get asks for the bytes from lo to before hi.
func (r *remote) get(lo, hi int64) ([]byte, error) {
	if r.atBench { // nobody waits for the network there
		<-r.c.state.benches
		defer func() { r.c.state.benches <- struct{}{} }()
	}
	return r.ask(fmt.Sprintf("bytes=%d-%d", lo, hi-1), func(l, h, size int64) int64 {
		if l != lo || h != hi-1 || size >= 0 && size != r.size {
			return -1
		}
		return hi - lo
	})
}

// ask sends a Range header. check gets what Content-Range says and returns the
// length of the body, or -1 if that is not what was meant.
func (r *remote) ask(span string, check func(lo, hi, size int64) int64) (b []byte, err error) {
	header := http.Header{"Range": {span}, "Accept-Encoding": {"identity"}}
	err = r.c.state.retry.Run(r.ctx, func(int) error {
		resp, err := r.c.send(r.ctx, &r.c.state.counts.ranges, r.f.URL, header)
		var te *transport.Error
		if errors.As(err, &te) && te.Kind == transport.Server && !te.Temporary() {
			return fmt.Errorf("%w: %s", errImpatient, te.Error())
		}
		if err != nil {
			return err
		}
		if resp.StatusCode == http.StatusOK {
			r.whole = resp.Body
			return errNoRanges
		}
		defer resp.Body.Close()
		lo, hi, size, ok := parseContentRange(resp.Header.Get("Content-Range"))
		n := int64(-1)
		if ok && resp.StatusCode == http.StatusPartialContent {
			n = check(lo, hi, size)
		}
		if n < 0 || resp.ContentLength >= 0 && resp.ContentLength != n {
			return errOddRange
		}
		b, err = r.read(resp.Body, n)
		if err == nil && int64(len(b)) != n {
			err = errOddRange
		}
		return err
	})
	return b, err
}

// ReadAt implements io.ReaderAt.
func (r *remote) ReadAt(p []byte, off int64) (int, error) {
	start := r.size - int64(len(r.tail))
	switch {
	case off < 0 || off > r.size || int64(len(p)) > r.size-off:
		return 0, io.ErrUnexpectedEOF
	case off >= start:
		return copy(p, r.tail[off-start:]), nil
	case r.inWindow(off, len(p)):
		return copy(p, r.win[off-r.at:]), nil
	case off+int64(len(p)) > start || start-off <= windowSize:
		return r.growTail(p, off, start)
	case int64(len(p)) > maxRanged:
		return 0, errTooFar
	}
	end := min(off+max(windowSize, int64(len(p))), start)
	b, err := r.get(off, end)
	if err != nil {
		return 0, err
	}
	r.at, r.win = off, b
	return copy(p, b), nil
}

func (r *remote) inWindow(off int64, n int) bool {
	return off >= r.at && off+int64(n) <= r.at+int64(len(r.win))
}

// growTail fetches all from off, and a little before, up to the tail.
func (r *remote) growTail(p []byte, off, start int64) (int, error) {
	lo := max(0, off-windowSize)
	if r.size-lo > maxRanged {
		return 0, errTooFar
	}
	b, err := r.get(lo, start)
	if err != nil {
		return 0, err
	}
	r.tail = append(b, r.tail...)
	return copy(p, r.tail[off-lo:]), nil
}

// isWheel tells whether a file name is that of a wheel.
func isWheel(name string) bool { return strings.HasSuffix(name, ".whl") }
