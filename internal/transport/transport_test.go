package transport

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve starts a server for one test.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, rt http.RoundTripper, at, authorization string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return Send(Client(rt), req)
}

func text(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCredentialsStayWithTheirHostAndPort(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Path+" "+r.Header.Get("Authorization")+r.Header.Get("Cookie"))
	}
	other := serve(t, echo)
	var home *httptest.Server
	back := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, home.URL+"/back", http.StatusFound)
	})
	home = serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/other":
			http.Redirect(w, r, other.URL+"/there", http.StatusFound)
		case "/round":
			http.Redirect(w, r, back.URL, http.StatusTemporaryRedirect)
		case "/same":
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
		default:
			echo(w, r)
		}
	})
	for path, want := range map[string]string{
		"/same":  "/there Basic eDp5",
		"/other": "/there ", // the same host by name, but another port
		"/round": "/back ",
	} {
		resp, err := get(t, New(Options{}), home.URL+path, "Basic eDp5")
		if got := text(t, resp, err); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestRedirectFromHTTPSToHTTPIsRefused(t *testing.T) {
	plain := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") })
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	host := strings.TrimPrefix(secure.URL, "https://")
	_, err := get(t, New(Options{InsecureHosts: []string{host}}), secure.URL, "")
	if !errors.Is(err, ErrPolicy) || !errors.Is(err, errDowngrade) {
		t.Errorf("got %v, want a refusal", err)
	}
	if _, err := get(t, New(Options{}), secure.URL, ""); !errors.Is(err, ErrNetwork) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown certificate: got %v", err)
	}
}

func TestCertFileReplacesTheSystemRoots(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "fine") }))
	t.Cleanup(secure.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	resp, err := get(t, New(Options{CertFile: file}), secure.URL, "")
	if got := text(t, resp, err); got != "fine" {
		t.Errorf("got %q", got)
	}
	if _, err := get(t, New(Options{CertFile: file + ".missing"}), secure.URL, ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing bundle: got %v", err)
	}
}

func TestWhatIsNotAllowedIsNotSent(t *testing.T) {
	var hits atomic.Int32
	loop := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
	if _, err := get(t, New(Options{}), loop.URL+"/x", ""); !errors.Is(err, ErrPolicy) {
		t.Errorf("redirect loop: got %v", err)
	}
	if n := hits.Load(); n != maxRedirects+1 {
		t.Errorf("redirect loop: %d requests", n)
	}
	// A client that follows for ever is stopped by the RoundTripper.
	endless := &http.Client{Transport: New(Options{}), CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	if _, err := endless.Get(loop.URL + "/x"); !errors.Is(err, ErrPolicy) {
		t.Errorf("endless client: got %v", err)
	}
	hits.Store(0)
	if _, err := get(t, New(Options{Offline: true}), loop.URL, ""); !errors.Is(err, ErrOffline) || hits.Load() != 0 {
		t.Errorf("offline: got %v after %d requests", err, hits.Load())
	}
	for _, at := range []string{"ftp://example.org/x", "file:///etc/passwd"} {
		if _, err := get(t, New(Options{}), at, ""); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: got %v", at, err)
		}
	}
}

func TestStatusDecidesTheKind(t *testing.T) {
	for status, want := range map[int]error{401: ErrAuth, 403: ErrAuth, 404: ErrNotFound, 410: ErrNotFound, 400: ErrServer, 500: ErrServer} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		at := strings.Replace(s.URL, "http://", "http://user:secret@", 1) + "/p?token=secret"
		_, err := get(t, New(Options{}), at, "")
		if !errors.Is(err, want) {
			t.Errorf("%d: got %v, want %v", status, err, want)
		}
		if msg := err.Error(); strings.Contains(msg, "secret") || strings.Contains(msg, "user") || !strings.Contains(msg, s.URL+"/p") {
			t.Errorf("%d: message %q", status, msg)
		}
	}
	_, err := get(t, New(Options{}), "http://user:secret@127.0.0.1:1/", "")
	if !errors.Is(err, ErrNetwork) || strings.Contains(err.Error(), "secret") {
		t.Errorf("refused connection: got %v", err)
	}
}

func TestSlowServersAreGivenUp(t *testing.T) {
	stop := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/head" {
			<-stop
			return
		}
		for range 1000 { // a byte now and then is not enough
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			select {
			case <-stop:
				return
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	defer close(stop)
	rt := New(Options{HeaderTimeout: 150 * time.Millisecond, BodyWindow: 200 * time.Millisecond})
	start := time.Now()
	if _, err := get(t, rt, s.URL+"/head", ""); !errors.Is(err, ErrNetwork) {
		t.Errorf("no head: got %v", err)
	}
	resp, err := get(t, rt, s.URL+"/drip", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	var e *Error
	if !errors.Is(err, errStalled) || !errors.As(err, &e) || !e.Temporary() {
		t.Errorf("dripping body: got %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %s", d)
	}
}

func TestSlowReaderIsNoSlowServer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) })
	resp, err := get(t, New(Options{BodyWindow: 100 * time.Millisecond}), s.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 1<<10)
	for range 3 {
		if _, err := resp.Body.Read(buf); err != nil {
			t.Fatal(err)
		}
		time.Sleep(120 * time.Millisecond)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("after %d bytes: %v", n, err)
	}
}

func TestCancelledContextStaysWhatItIs(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if _, err := Do(Client(New(Options{})), req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestHostPortFillsInThePort(t *testing.T) {
	for in, want := range map[string]string{
		"http://A.example/": "a.example:80", "https://a.example": "a.example:443", "https://a.example:8443/x": "a.example:8443", "http://[::1]/": "[::1]:80",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := HostPort(u); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestSpeedAsAWholeIsBounded(t *testing.T) {
	for _, c := range []struct {
		spent time.Duration
		got   int64
		slow  bool
	}{{freeTime, 0, false}, {freeTime + time.Second, 0, true}, {10 * time.Minute, minTotal * 600, false}, {20 * time.Minute, minTotal * 600, true}} {
		b := &body{allSpent: c.spent, allGot: c.got}
		if b.isSlow() != c.slow {
			t.Errorf("%d bytes in %s: %v", c.got, c.spent, b.isSlow())
		}
	}
}
