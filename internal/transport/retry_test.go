package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var quick = Retrier{Base: time.Millisecond}

func TestRetryUntilItWorks(t *testing.T) {
	var n atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if n.Add(1) < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%d %s", n.Load(), b)
	})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, bytes.NewReader([]byte("all of it")))
	resp, err := quick.Do(Client(New(Options{})), req)
	if got := text(t, resp, err); got != "4 all of it" {
		t.Errorf("got %q", got)
	}
}

func TestRetryGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		after  string
		want   int32
	}{
		"server error":       {500, "", 4},
		"too many requests":  {429, "0", 4},
		"not found":          {404, "", 1},
		"not implemented":    {501, "", 1},
		"asks for too long":  {503, "86400", 1},
		"asks for a century": {503, "Fri, 01 Jan 2126 00:00:00 GMT", 1},
	} {
		var n atomic.Int32
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			w.WriteHeader(c.status)
		})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		_, err := quick.Do(Client(New(Options{})), req)
		var e *Error
		if !errors.As(err, &e) || e.Status != c.status {
			t.Errorf("%s: got %v", name, err)
		}
		if n.Load() != c.want {
			t.Errorf("%s: %d attempts, want %d", name, n.Load(), c.want)
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	var n atomic.Int32
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	start := time.Now()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	resp, err := quick.Do(Client(New(Options{})), req)
	text(t, resp, err)
	if d := time.Since(start); d < time.Second || d > 10*time.Second {
		t.Errorf("waited %s", d)
	}
}

func TestRetryStopsWhenTheTimeIsUsedUp(t *testing.T) {
	n := 0
	r := Retrier{Base: time.Millisecond, Budget: 30 * time.Millisecond}
	err := r.Run(t.Context(), func(int) error {
		n++
		time.Sleep(40 * time.Millisecond)
		return &Error{Kind: Network, Err: io.ErrUnexpectedEOF}
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) || n != 1 {
		t.Errorf("got %v after %d attempts", err, n)
	}
}

func TestBodyThatCannotBeRewoundIsSentOnce(t *testing.T) {
	var n atomic.Int32
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, io.MultiReader(strings.NewReader("x")))
	if _, err := quick.Do(Client(New(Options{})), req); !errors.Is(err, ErrServer) || n.Load() != 1 {
		t.Errorf("got %v after %d attempts", err, n.Load())
	}
}

func TestJitterStaysInItsRange(t *testing.T) {
	for range 1000 {
		if d := jitter(time.Second); d < time.Second/2 || d > 3*time.Second/2 {
			t.Fatalf("got %s", d)
		}
	}
}
