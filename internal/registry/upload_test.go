package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// something is content that does not fit into one packet.
var something = bytes.Repeat([]byte("all work and no play makes jack a dull boy\n"), 20_000)

func TestPutBlobSurvives(t *testing.T) {
	for name, fault := range map[string]func(s *server){
		"busy at the start":      func(s *server) { s.on("POST upload", 1, refuse(429, "TOOMANYREQUESTS", "Retry-After", "1")) },
		"broken at the end":      func(s *server) { s.on("PUT upload", 1, refuse(500, "UNKNOWN")) },
		"hang-up":                func(s *server) { s.on("PUT upload", 1, hangUp) },
		"hang-up at the start":   func(s *server) { s.on("POST upload", 2, hangUp) },
		"lost session":           func(s *server) { s.on("PUT upload", 1, refuse(404, "BLOB_UPLOAD_UNKNOWN")) },
		"invalid session":        func(s *server) { s.on("PUT upload", 1, refuse(400, "BLOB_UPLOAD_INVALID")) },
		"three times unlucky":    func(s *server) { s.fault = firstN("PUT upload", 3, refuse(503, "UNAVAILABLE")) },
		"refused in one body":    func(s *server) { s.fault = tooLarge(1 << 20) },
		"refused in large parts": func(s *server) { s.fault = tooLarge(800 << 10) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := s.open(t, Options{})
			fault(s)
			data := bytes.Repeat(something, 2)
			u, sum := upload(data), int64(0)
			u.Progress = func(delta int64) { sum += delta }
			if _, err := r.PutBlob(context.Background(), descriptor(data), u); err != nil {
				t.Fatal(err)
			}
			if !s.has(descriptor(data)) {
				t.Error("blob is not there")
			}
			if sum != int64(len(data)) {
				t.Errorf("progress adds up to %d of %d", sum, len(data))
			}
		})
	}
}

func firstN(kind string, n int, act http.HandlerFunc) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, r *http.Request, i int) bool {
		if kindOf(r) != kind || i > n {
			return false
		}
		act(w, r)
		return true
	}
}

// tooLarge is a proxy with a limit on bodies.
func tooLarge(limit int64) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.ContentLength <= limit {
			return false
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	}
}

func TestPutBlobGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		fault    func(s *server)
		want     error
		attempts int
	}{
		"always broken": {func(s *server) { s.on("POST upload", 0, refuse(500, "UNKNOWN")) }, ErrUnavailable, 4},
		"always busy":   {func(s *server) { s.on("POST upload", 0, refuse(429, "TOOMANYREQUESTS", "Retry-After", "100000")) }, ErrUnavailable, 2},
		"forbidden":     {func(s *server) { s.on("POST upload", 0, refuse(403, "DENIED")) }, ErrAuth, 1},
		"always lost":   {func(s *server) { s.on("PUT upload", 0, refuse(404, "BLOB_UPLOAD_UNKNOWN")) }, ErrNotFound, 4},
		"wrong digest":  {func(s *server) { s.on("PUT upload", 0, created("Docker-Content-Digest", "sha256:beef")) }, ErrDigest, 1},
		"no location": {func(s *server) {
			s.on("POST upload", 0, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) })
		}, ErrProtocol, 1},
		"odd location": {func(s *server) { s.on("POST upload", 0, accepted202("ftp://example.org/")) }, ErrProtocol, 1},
		"redirect for ever": {func(s *server) {
			s.on("POST upload", 0, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, 307) })
		}, ErrProtocol, 11},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := s.open(t, Options{})
			c.fault(s)
			_, err := r.PutBlob(context.Background(), descriptor(something), upload(something))
			if !errors.Is(err, c.want) {
				t.Fatalf("err = %v, want %v", err, c.want)
			}
			if n := s.requests("POST upload"); n != c.attempts {
				t.Errorf("%d attempts, want %d", n, c.attempts)
			}
			if strings.ContainsRune(err.Error(), '\x1b') {
				t.Errorf("raw escape in %q", err)
			}
			for _, p := range s.pauses {
				if p > maxWait {
					t.Errorf("waits %s", p)
				}
			}
		})
	}
}

func created(headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(http.StatusCreated)
	}
}

func accepted202(location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusAccepted)
	}
}

func TestLostAnswerToCommit(t *testing.T) {
	s := newServer(t)
	r := s.open(t, Options{})
	s.on("PUT upload", 1, func(w http.ResponseWriter, r *http.Request) {
		s.put(t, "team/app", something)
		_, _ = io.Copy(io.Discard, r.Body)
		hangUp(w, r)
	})
	if _, err := r.PutBlob(context.Background(), descriptor(something), upload(something)); err != nil {
		t.Fatal(err)
	}
	if n := s.requests("PUT upload"); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

func TestStalledUploadEnds(t *testing.T) {
	s := newServer(t)
	r := s.open(t, Options{})
	r.stall = 100 * time.Millisecond
	end := make(chan struct{})
	s.on("PUT upload", 1, func(w http.ResponseWriter, r *http.Request) {
		<-end // without reading what comes
		hangUp(w, r)
	})
	data := make([]byte, 32<<20) // more than the buffers on the way hold
	_, err := r.PutBlob(context.Background(), descriptor(data), upload(data))
	close(end)
	if err != nil || !s.has(descriptor(data)) {
		t.Errorf("err = %v", err)
	}
}

func TestContentIsCheckedBeforeItCounts(t *testing.T) {
	for name, data := range map[string][]byte{
		"other bytes": bytes.ToUpper(something), "shorter": something[1:], "longer": append(something, 'x'),
	} {
		for _, limit := range []int64{1 << 30, 800_000} {
			s := newServer(t)
			r := s.open(t, Options{})
			s.fault = tooLarge(limit)
			_, err := r.PutBlob(context.Background(), descriptor(something), upload(data))
			if !errors.Is(err, ErrDigest) || errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
			if name != "longer" && s.has(descriptor(something)) || s.has(descriptor(data)) {
				t.Errorf("%s: stored", name)
			}
		}
	}
}

func TestErrorOfTheSourceIsNotRetried(t *testing.T) {
	broken := errors.New("disk on fire")
	opened := 0
	s := newServer(t)
	r := s.open(t, Options{})
	_, err := r.PutBlob(context.Background(), descriptor(something), Upload{Open: func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(io.MultiReader(bytes.NewReader(something[:1000]), failing{broken})), nil
	}})
	if !errors.Is(err, broken) || errors.Is(err, ErrUnavailable) || opened != 1 {
		t.Errorf("opened %d times: %v", opened, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestMount(t *testing.T) {
	d := descriptor(something)
	for name, c := range map[string]struct {
		mount   http.HandlerFunc // nil: as the registry does
		mounted bool
	}{
		"possible":      {created("Docker-Content-Digest", d.Digest.String()), true},
		"not there":     {nil, false},
		"not allowed":   {refuse(401, "UNAUTHORIZED"), false},
		"forbidden":     {refuse(403, "DENIED"), false},
		"not supported": {refuse(405, "UNSUPPORTED"), false},
		"broken":        {refuse(500, "UNKNOWN"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := s.open(t, Options{})
			mounts := 0
			s.fault = func(w http.ResponseWriter, r *http.Request, _ int) bool {
				if r.URL.Query().Get("mount") == "" {
					return false
				}
				mounts++
				if got := r.URL.Query().Get("from"); got != "other/base" {
					t.Errorf("from = %q", got)
				}
				if c.mount == nil {
					return false
				}
				c.mount(w, r)
				return true
			}
			u, sum := upload(something), int64(0)
			u.From, u.Progress = "other/base", func(delta int64) { sum += delta }
			mounted, err := r.PutBlob(context.Background(), d, u)
			if err != nil || mounted != c.mounted || s.has(d) == mounted {
				t.Fatalf("mounted %v, %v, there %v", mounted, err, s.has(d))
			}
			if want := int64(len(something)); !mounted && sum != want || mounted && sum != 0 {
				t.Errorf("progress %d", sum)
			}
			if mounted {
				return
			}
			more := []byte("more")
			u.Open = upload(more).Open
			if _, err := r.PutBlob(context.Background(), descriptor(more), u); err != nil {
				t.Fatal(err)
			}
			if c.mount != nil && mounts > 1 {
				t.Errorf("refused, but asked %d times", mounts)
			}
		})
	}
}

func TestLocationElsewhereGetsNoCredentials(t *testing.T) {
	other := newServer(t)
	s := newServer(t)
	s.honest = basicAuth(s.honest)
	other.honest = created()
	r := s.open(t, Options{Keychain: alice})
	s.on("POST upload", 0, accepted202(other.URL+"/elsewhere?sig=a%2Bb"))
	if _, err := r.PutBlob(context.Background(), descriptor(something), upload(something)); err != nil {
		t.Fatal(err)
	}
	if other.credentials() || !s.credentials() {
		t.Errorf("credentials: other %v, own %v", other.auth, s.auth)
	}
	if got := fmt.Sprint(other.asked); got != "[PUT /elsewhere]" {
		t.Error(got)
	}
	// A host that wants credentials does not get them, either.
	other.honest = refuse(401, "UNAUTHORIZED", "WWW-Authenticate", "Basic realm=x")
	if _, err := r.PutBlob(context.Background(), descriptor(something), upload(something)); !errors.Is(err, ErrAuth) {
		t.Errorf("err = %v", err)
	}
	if other.credentials() {
		t.Error("credentials went to another host")
	}
}

// basicAuth lets only alice in.
func basicAuth(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != aliceBasic {
			refuse(401, "UNAUTHORIZED", "WWW-Authenticate", `Basic realm="kit"`)(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func TestPutManifest(t *testing.T) {
	doc := []byte(`{"schemaVersion":2}`)
	for name, c := range map[string]struct {
		fault func(s *server)
		want  error
	}{
		"good":      {func(*server) {}, nil},
		"busy once": {func(s *server) { s.on("PUT manifest", 1, refuse(503, "UNAVAILABLE")) }, nil},
		"hang-up":   {func(s *server) { s.on("PUT manifest", 1, hangUp) }, nil},
		"wrong digest": {func(s *server) {
			s.on("PUT manifest", 0, created("Docker-Content-Digest", descriptor(nil).Digest.String()))
		}, ErrDigest},
		"refused": {func(s *server) { s.on("PUT manifest", 0, refuse(401, "UNAUTHORIZED")) }, ErrAuth},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := s.open(t, Options{})
			c.fault(s)
			err := r.PutManifest(context.Background(), "1.0", types.OCIManifestSchema1, doc)
			if !errors.Is(err, c.want) {
				t.Fatalf("err = %v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			m, err := r.Manifest(context.Background(), "1.0")
			if err != nil || !bytes.Equal(m.Bytes, doc) || m.MediaType != types.OCIManifestSchema1 || m.Digest != descriptor(doc).Digest {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
}
