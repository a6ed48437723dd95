package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	memory "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// server is a registry in memory that can be told to misbehave.
type server struct {
	*httptest.Server
	honest http.Handler
	fault  func(w http.ResponseWriter, r *http.Request, n int) bool // true: has answered

	mu     sync.Mutex
	asked  []string // "METHOD path" with the repository left out
	auth   []string // Authorization of each
	pauses []time.Duration
	count  map[string]int
}

func newServer(t *testing.T) *server {
	s := &server{honest: memory.New(memory.Logger(log.New(io.Discard, "", 0))), count: make(map[string]int)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP counts requests by kind, so that a fault can hit the n-th one.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v2/team/app")
	s.mu.Lock()
	kind := kindOf(r)
	s.count[kind]++
	n := s.count[kind]
	s.asked = append(s.asked, what)
	s.auth = append(s.auth, r.Header.Get("Authorization"))
	fault := s.fault
	s.mu.Unlock()
	if fault == nil || !fault(w, r, n) {
		s.honest.ServeHTTP(w, r)
	}
}

// kindOf names what a request is about.
func kindOf(r *http.Request) string {
	switch p := r.URL.Path; {
	case p == "/v2/":
		return "ping"
	case strings.Contains(p, "/blobs/uploads/"):
		return r.Method + " upload"
	case strings.Contains(p, "/blobs/"):
		return r.Method + " blob"
	case strings.Contains(p, "/manifests/"):
		return r.Method + " manifest"
	}
	return r.Method + " " + r.URL.Path
}

// on makes the fault happen at the n-th request of a kind; 0: at each.
func (s *server) on(kind string, n int, act http.HandlerFunc) {
	s.fault = func(w http.ResponseWriter, r *http.Request, i int) bool {
		if kindOf(r) != kind || n != 0 && n != i {
			return false
		}
		act(w, r)
		return true
	}
}

func (s *server) requests(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[kind]
}

// open returns the repository team/app; its waits take no time but are noted.
func (s *server) open(t *testing.T, o Options) *Repository {
	t.Helper()
	r, err := Open(context.Background(), repo(t, s.URL, "team/app"), "pull,push", o)
	if err != nil {
		t.Fatal(err)
	}
	r.pause = func(ctx context.Context, d time.Duration) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pauses = append(s.pauses, d)
		return ctx.Err()
	}
	return r
}

func repo(t *testing.T, url, path string) name.Repository {
	t.Helper()
	_, host, _ := strings.Cut(url, "://")
	n, err := name.NewRepository(host + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// refuse answers with an error of the protocol.
func refuse(status int, code string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"no \u001b[31m"}]}`, code)
	}
}

// hangUp breaks the connection.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// login is a keychain with one answer.
type login authn.AuthConfig

func (l login) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig(l)), nil
}

var alice = login{Username: "alice", Password: "s3cret"}

const aliceBasic = "Basic YWxpY2U6czNjcmV0"

func descriptor(data []byte) v1.Descriptor {
	sum := sha256.Sum256(data)
	return v1.Descriptor{Size: int64(len(data)), Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}}
}

func upload(data []byte) Upload {
	return Upload{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// put stores a blob in the server without passing through the client.
func (s *server) put(t *testing.T, path string, data []byte) v1.Descriptor {
	t.Helper()
	d := descriptor(data)
	req := httptest.NewRequest(http.MethodPost, "/v2/"+path+"/blobs/uploads/?digest="+d.Digest.String(), bytes.NewReader(data))
	w := httptest.NewRecorder()
	s.honest.ServeHTTP(w, req)
	if w.Code != http.StatusCreated {
		t.Fatalf("storing a blob: %d %s", w.Code, w.Body)
	}
	return d
}

// has tells whether the server has a blob.
func (s *server) has(d v1.Descriptor) bool {
	w := httptest.NewRecorder()
	s.honest.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/v2/team/app/blobs/"+d.Digest.String(), nil))
	return w.Code == http.StatusOK
}

// credentials tells whether any request had an Authorization.
func (s *server) credentials() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.auth, func(a string) bool { return a != "" })
}
