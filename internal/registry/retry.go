package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	attempts = 4 // SAFETY rule 7
	// maxWait bounds what all waits for one request may take together, what
	// the registry asks for included: nobody looks at a still bar for longer.
	maxWait = 45 * time.Second
	// patience is how long after the first attempt, waits not counted, there is
	// another one: a registry that hangs up is tried again, one that has not
	// answered for 30 seconds is not.
	patience = 25 * time.Second
)

// wait counts the attempts of one request.
type wait struct {
	pause func(context.Context, time.Duration) error
	start time.Time
	long  bool // an attempt may take long without anything being wrong
	tries int
	spent time.Duration
}

// again waits before the next attempt after cause, as long as the registry asked
// for. It returns the error to give up with if there is no next attempt.
func (w *wait) again(ctx context.Context, cause error) error {
	w.tries++
	if w.tries >= attempts || w.spent >= maxWait || !retriable(cause) {
		return cause
	}
	if (!w.long || isTimeout(cause)) && time.Since(w.start)-w.spent > patience {
		return cause
	}
	d := 200 * time.Millisecond << w.tries
	var answer *AnswerError
	if errors.As(cause, &answer) {
		if asked, ok := parseRetryAfter(answer.retryAfter, time.Now()); ok {
			d = asked
		}
	}
	// Up to a quarter more, so that many clients do not come back together.
	d += rand.N(d/4 + 50*time.Millisecond)
	d = min(d, maxWait-w.spent)
	w.spent += d
	return w.pause(ctx, d)
}

// parseRetryAfter reads seconds or a date (RFC 9110, 10.2.3).
func parseRetryAfter(s string, now time.Time) (time.Duration, bool) {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return time.Duration(min(n, 3600)) * time.Second, true
	}
	if t, err := http.ParseTime(s); err == nil {
		return min(max(t.Sub(now), 0), time.Hour), true
	}
	return 0, false
}

// temporary tells whether a status may be another one a moment later.
func temporary(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retriable tells whether an error may be gone a moment later.
func retriable(err error) bool {
	return errors.Is(err, ErrUnavailable) && !final(err)
}

// sleep waits for d or until ctx ends.
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

// newWait starts to count attempts.
func (r *Repository) newWait() wait { return wait{pause: r.pause, start: time.Now()} }
