package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// readBlob downloads a blob as a whole.
func readBlob(r *Repository, d v1.Descriptor) ([]byte, error) {
	rc, err := r.Blob(context.Background(), d)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}

// serveRange answers as a good server does, but not more than most bytes.
func serveRange(data []byte, most int, ranges bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if h := r.Header.Get("Range"); h != "" && ranges {
			from, _ = strconv.Atoi(strings.Trim(strings.TrimPrefix(h, "bytes="), "-"))
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
			w.WriteHeader(http.StatusPartialContent)
		} else {
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		}
		part := data[from:min(from+most, len(data))]
		_, _ = w.Write(part)
		if from+most < len(data) {
			_ = http.NewResponseController(w).Flush()
			hangUp(w, r)
		}
	}
}

func TestBlobSurvives(t *testing.T) {
	for name, fault := range map[string]func(s *server){
		"broken once":  func(s *server) { s.on("GET blob", 1, refuse(500, "UNKNOWN")) },
		"busy once":    func(s *server) { s.on("GET blob", 1, refuse(429, "TOOMANYREQUESTS", "Retry-After", "2")) },
		"hang-up once": func(s *server) { s.on("GET blob", 1, hangUp) },
		"truncated":    func(s *server) { s.on("GET blob", 0, serveRange(something, 300_000, true)) },
		"no ranges":    func(s *server) { s.fault = firstN("GET blob", 2, serveRange(something, 300_000, false)) },
		"half chunked": func(s *server) { s.on("GET blob", 1, chunked(something[:1000])) },
		"redirect": func(s *server) {
			s.on("GET blob", 1, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"?x", 307) })
		},
		"redirect 302": func(s *server) {
			s.on("GET blob", 1, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"?x", 302) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := s.open(t, Options{})
			d := s.put(t, "team/app", something)
			fault(s)
			got, err := readBlob(r, d)
			if err != nil || !bytes.Equal(got, something) {
				t.Errorf("%d bytes of %d, %v", len(got), len(something), err)
			}
		})
	}
}

// chunked answers without a length.
func chunked(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(data)
		_ = http.NewResponseController(w).Flush()
		hangUp(w, r)
	}
}

func TestBlobGivesUp(t *testing.T) {
	loop := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, 307) }
	for name, c := range map[string]struct {
		fault    http.HandlerFunc
		want     error
		attempts int
	}{
		"not there":       {refuse(404, "BLOB_UNKNOWN"), ErrNotFound, 1},
		"always broken":   {refuse(502, "UNKNOWN"), ErrUnavailable, 4},
		"always hang-up":  {hangUp, ErrUnavailable, 4},
		"same half":       {serveRange(something, 400_000, false), ErrUnavailable, 4},
		"other bytes":     {serveRange(bytes.ToUpper(something), 1<<30, true), ErrDigest, 1},
		"shorter":         {serveRange(something[:1000], 1<<30, true), ErrDigest, 1},
		"longer":          {serveRange(append(something, 'x'), 1<<30, true), ErrDigest, 1},
		"longer, chunked": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(append(something, "xx"...)) }, ErrDigest, 1},
		"other range": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" {
				serveRange(something, 1000, true)(w, r)
			}
			w.Header().Set("Content-Range", "bytes 0-5/7")
			w.WriteHeader(http.StatusPartialContent)
		}, ErrProtocol, 2},
		"portal": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>please log in</html>") }, ErrDigest, 1},
		"loop":   {loop, ErrProtocol, 11},
		"odd": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		}, ErrProtocol, 1},
		"nowhere":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) }, ErrProtocol, 1},
		"forbidden": {refuse(403, "DENIED"), ErrAuth, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := s.open(t, Options{})
			s.on("GET blob", 0, c.fault)
			_, err := readBlob(r, descriptor(something))
			if !errors.Is(err, c.want) {
				t.Errorf("err = %v, want %v", err, c.want)
			}
			// net/http itself tries a broken connection once more if it is an old one.
			if n := s.requests("GET blob"); n != c.attempts && (name != "always hang-up" || n != c.attempts+1) {
				t.Errorf("%d attempts, want %d", n, c.attempts)
			}
		})
	}
}

func TestProgressRenewsTheAttempts(t *testing.T) {
	s := newServer(t)
	r := s.open(t, Options{})
	data := bytes.Repeat([]byte("0123456789abcdef"), 3<<20) // 48 MiB in parts of 5
	s.on("GET blob", 0, serveRange(data, 5<<20, true))
	got, err := readBlob(r, descriptor(data))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestRedirectElsewhereGetsNoCredentials(t *testing.T) {
	other, s := newServer(t), newServer(t)
	s.honest = basicAuth(s.honest)
	r := s.open(t, Options{Keychain: alice})
	other.honest = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("back") != "" {
			http.Redirect(w, r, s.URL+"/back", http.StatusTemporaryRedirect)
			return
		}
		serveRange(something, 1<<30, true)(w, r)
	})
	s.on("GET blob", 0, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/cdn?sig=x", 307) })
	if _, err := readBlob(r, descriptor(something)); err != nil {
		t.Fatal(err)
	}
	if other.credentials() {
		t.Error("credentials went to another host")
	}
	s.on("GET blob", 0, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/cdn?back=1", 307) })
	_, err := readBlob(r, descriptor(something))
	if !errors.Is(err, ErrAuth) {
		t.Errorf("err = %v", err)
	}
	if last := s.auth[len(s.auth)-1]; s.asked[len(s.asked)-1] != "GET /back" || last != "" {
		t.Errorf("%s with %q", s.asked[len(s.asked)-1], last)
	}
}

func TestBlobOfImpossibleSize(t *testing.T) {
	s := newServer(t)
	r := s.open(t, Options{})
	d := descriptor(something)
	d.Size = -1
	if _, err := r.Blob(context.Background(), d); !errors.Is(err, ErrDigest) {
		t.Errorf("err = %v", err)
	}
	if _, err := r.Blob(context.Background(), v1.Descriptor{}); !errors.Is(err, ErrDigest) {
		t.Errorf("err = %v", err)
	}
}

func TestEndOfContextEndsWaiting(t *testing.T) {
	s := newServer(t)
	r := s.open(t, Options{})
	r.pause = sleep
	s.on("GET blob", 0, refuse(429, "TOOMANYREQUESTS", "Retry-After", "40"))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := r.Blob(ctx, descriptor(something))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}
