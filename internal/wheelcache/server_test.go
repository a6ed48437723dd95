package wheelcache

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	memory "github.com/google/go-containerregistry/pkg/registry"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// server is a registry in memory that can be told to misbehave.
type server struct {
	*httptest.Server
	honest http.Handler
	fault  func(w http.ResponseWriter, r *http.Request) bool // true: has answered

	mu    sync.Mutex
	asked []string // "METHOD path" of each request
}

func newServer(t *testing.T) *server {
	s := &server{honest: memory.New(memory.Logger(log.New(io.Discard, "", 0)))}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP notes what is asked for.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	fault := s.fault
	s.mu.Unlock()
	if fault == nil || !fault(w, r) {
		s.honest.ServeHTTP(w, r)
	}
}

// breaks makes requests whose method and path contain these fail.
func (s *server) breaks(method, path string, status int, code string) {
	s.setFault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.Path, path) {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		refuse(w, status, code)
		return true
	})
}

func (s *server) setFault(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"no"}]}`, code)
}

// requests returns how many there were of a method, since the last call.
func (s *server) requests(method string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if method == "" || strings.HasPrefix(a, method+" ") {
			n++
		}
	}
	s.asked = nil
	return n
}

func (s *server) host() string { return strings.TrimPrefix(s.URL, "http://") }

// open returns the cache team/wheels.
func (s *server) open(t *testing.T) *Cache {
	t.Helper()
	return openRef(t, s.host()+"/team/wheels")
}

func openRef(t *testing.T, ref string) *Cache {
	t.Helper()
	c, err := Open(t.Context(), ref, Options{Log: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// request sends something past the client.
func (s *server) request(t *testing.T, method, path, contentType string, body []byte) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/v2/team/wheels/"+path, bytes.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	s.honest.ServeHTTP(w, r)
	return w.Result()
}

// manifest returns what the server has under the tag.
func (s *server) manifest(t *testing.T, tag string) string {
	t.Helper()
	resp := s.request(t, http.MethodGet, "manifests/"+tag, "", nil)
	data, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s", tag, resp.Status, data)
	}
	return string(data)
}

func (s *server) putManifest(t *testing.T, tag, contentType, text string) {
	t.Helper()
	if resp := s.request(t, http.MethodPut, "manifests/"+tag, contentType, []byte(text)); resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s", tag, resp.Status)
	}
}

// machine is the local cache of one machine.
func machine(t *testing.T) *cache.Dir {
	t.Helper()
	d, err := cache.Open(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const record = `{"recipe":"1/1","source":"sha256:0123","tools":[{"file":"setuptools-69.0.0-py3-none-any.whl","id":"4567"}]}`

// built puts a wheel into the local cache and returns its entry.
func built(t *testing.T, d *cache.Dir, text string) Entry {
	t.Helper()
	w, err := d.CreateBlob()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, text)
	digest, size, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return Entry{Record: []byte(record), FileName: "h5py-3.11.0-cp311-cp311-linux_aarch64.whl", Digest: digest, Size: size}
}

// read returns a blob of the local cache, "" if it is not there.
func read(t *testing.T, d *cache.Dir, digest string) string {
	t.Helper()
	b, err := d.OpenBlob(digest)
	if err != nil {
		return ""
	}
	defer b.Close()
	data, err := io.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// theKey is the key of the record.
var theKey = strings.TrimPrefix(digestOf([]byte(record)), "sha256:")
