package transport

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Retrier tries again what failed by accident. The zero value is the default.
type Retrier struct {
	Attempts int           // in all; 0: 4
	Base     time.Duration // wait before the second attempt, doubled each time; 0: 500 ms
	// MaxWait bounds what Retry-After may ask for; more than that fails at once
	// (0: 30 s).
	MaxWait time.Duration
	// Budget is the time after which no new attempt is made (0: 25 s): one header
	// time-out, two stalled bodies or two long Retry-After end a request, instead
	// of four of them in a row.
	Budget time.Duration
	// OnRetry is told of each failure that is followed by another attempt; may
	// be nil.
	OnRetry func(err error)
}

func (r Retrier) withDefaults() Retrier {
	if r.Attempts == 0 {
		r.Attempts = 4
	}
	r.Base = orDefault(r.Base, 500*time.Millisecond)
	r.MaxWait = orDefault(r.MaxWait, 30*time.Second)
	r.Budget = orDefault(r.Budget, 25*time.Second)
	return r
}

// Run calls op until it returns nil, an error that is not temporary, or the
// attempts or the time are used up; then it returns op's last error. op gets the
// number of the attempt, from 0. An error is temporary if an [*Error] in its
// chain says so.
func (r Retrier) Run(ctx context.Context, op func(attempt int) error) error {
	start := time.Now()
	for attempt := 0; ; attempt++ {
		err := op(attempt)
		if err == nil {
			return nil
		}
		if err := r.Again(ctx, attempt+1, start, err); err != nil {
			return err
		}
	}
}

// Again is one step of Run for those who keep count themselves: after failures
// failed attempts since start it waits and returns nil, or returns err if there
// should be no other attempt.
func (r Retrier) Again(ctx context.Context, failures int, start time.Time, err error) error {
	r = r.withDefaults()
	var e *Error
	if failures >= r.Attempts || !errors.As(err, &e) || !e.Temporary() {
		return err
	}
	if e.RetryAfter > r.MaxWait || time.Since(start) > r.Budget {
		return err
	}
	if r.OnRetry != nil {
		r.OnRetry(err)
	}
	wait := e.RetryAfter
	if wait == 0 {
		wait = jitter(r.Base << (failures - 1))
	}
	return sleep(ctx, wait)
}

// Send makes one attempt. It returns an answer with a status below 400, whose
// body the caller closes; everything else is an error, mostly an [*Error].
func Send(c *http.Client, req *http.Request) (*http.Response, error) {
	resp, err := c.Do(req)
	if err != nil {
		if resp != nil && resp.Body != nil { // CheckRedirect said no
			resp.Body.Close()
		}
		return nil, newError(req, err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	// A short rest is read so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, resp.Body, 16<<10)
	resp.Body.Close()
	return nil, newStatusError(req, resp)
}

// Do is [Send] with retries by the rules of the zero [Retrier]. A body is sent
// again from its start, through req.GetBody; a request whose body has none is
// sent once.
func Do(c *http.Client, req *http.Request) (*http.Response, error) {
	return Retrier{}.Do(c, req)
}

// Do is [Send] with retries.
func (r Retrier) Do(c *http.Client, req *http.Request) (resp *http.Response, err error) {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return Send(c, req)
	}
	err = r.Run(req.Context(), func(attempt int) error {
		out := req
		if attempt > 0 && req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return err
			}
			out = req.Clone(req.Context())
			out.Body = body
		}
		var err error
		resp, err = Send(c, out) //nolint:bodyclose // the caller closes it
		return err
	})
	return resp, err
}

// jitter returns between half and one and a half of d, so that many clients
// that failed at once do not come back at once.
func jitter(d time.Duration) time.Duration {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return d/2 + time.Duration(uint64(d)*uint64(binary.LittleEndian.Uint32(b[:]))>>32)
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3): seconds or a
// date; 0 if it says neither, or a time that has passed.
func retryAfter(value string) time.Duration {
	if value == "" {
		return 0
	}
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, time.Until(at))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
