package wheelcache

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/registry"
)

func store(t *testing.T, c *Cache, e Entry, d *cache.Dir) {
	t.Helper()
	if err := c.Store(t.Context(), theKey, e, d); err != nil {
		t.Fatal(err)
	}
}

func fetch(t *testing.T, c *Cache, d *cache.Dir) *Entry {
	t.Helper()
	e, err := c.Fetch(t.Context(), theKey, []byte(record), d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// side of an error of the cache
func sideOf(err error) string {
	var e *Error
	switch {
	case !errors.As(err, &e):
		return ""
	case e.Writing:
		return "writing"
	}
	return "reading"
}

func TestOneStoresAllFetch(t *testing.T) {
	s, here, there := newServer(t), machine(t), machine(t)
	c := s.open(t)
	if _, err := c.Fetch(t.Context(), theKey, []byte(record), here); !errors.Is(err, ErrAbsent) {
		t.Errorf("before: %v", err)
	}
	e := built(t, here, "the wheel")
	e.Emulated = true
	store(t, c, e, here)
	got := fetch(t, s.open(t), there)
	if diff := cmp.Diff(&e, got); diff != "" {
		t.Error(diff)
	}
	if text := read(t, there, e.Digest); text != "the wheel" {
		t.Errorf("fetched %q", text)
	}
	// What is there is neither sent nor fetched again.
	s.requests("")
	fetch(t, c, there)
	store(t, c, e, here)
	e.Emulated = false
	store(t, c, e, here)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if strings.HasPrefix(a, "P") || strings.HasPrefix(a, "GET") && strings.Contains(a, "/blobs/") {
			t.Error(a)
		}
	}
}

func TestManifest(t *testing.T) {
	s, d := newServer(t), machine(t)
	e := built(t, d, "the wheel")
	e.Emulated = true
	store(t, openRef(t, s.host()+"/team/wheels:main"), e, d)
	const want = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.distill.wheel.record.v1+json","digest":"sha256:KEY","size":107},` +
		`"layers":[{"mediaType":"application/vnd.distill.wheel.v1+zip","digest":"sha256:4621cb6e5453e192dd3fb7c1c105edb194f736175179db4b13734cd727246ada","size":9,` +
		`"annotations":{"org.opencontainers.image.title":"h5py-3.11.0-cp311-cp311-linux_aarch64.whl"}}],` +
		`"annotations":{"vnd.distill.wheel.emulated":"true"}}`
	if got := s.manifest(t, "main-"+theKey); got != strings.Replace(want, "KEY", theKey, 1) {
		t.Errorf("the manifest is\n%s", got)
	}
}

func TestWhatABackEndAsksFor(t *testing.T) {
	s, d := newServer(t), machine(t)
	c := s.open(t)
	for _, asked := range [][]string{nil, {}, {"cython>=3 ; python_version < '4'", "oldest-supported-numpy"}} {
		e := Entry{Record: []byte(record), Asked: asked}
		s.request(t, http.MethodDelete, "manifests/"+theKey, "", nil)
		store(t, c, e, d)
		if got := fetch(t, c, d); !reflect.DeepEqual(got, &e) {
			t.Errorf("%+v, not %+v", got, e)
		}
	}
	// With these it can be built: that is another record, and so another key.
	e := built(t, d, "the wheel")
	if err := c.Store(t.Context(), theKey, e, d); !errors.Is(err, ErrDiffers) {
		t.Errorf("a wheel in place of a question: %v", err)
	}
}

func TestTheFirstStays(t *testing.T) {
	s, d := newServer(t), machine(t)
	c := s.open(t)
	first, second := built(t, d, "one"), built(t, d, "two")
	store(t, c, first, d)
	err := c.Store(t.Context(), theKey, second, d)
	if !errors.Is(err, ErrDiffers) || sideOf(err) != "writing" || !strings.Contains(err.Error(), first.Digest) || !strings.Contains(err.Error(), second.Digest) {
		t.Errorf("%v", err)
	}
	if got := fetch(t, c, d); got.Digest != first.Digest {
		t.Errorf("%s is there", got.Digest)
	}
	if err := c.Store(t.Context(), theKey, first, d); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestSomebodyElseWasFaster: theirs comes while ours is being sent.
func TestSomebodyElseWasFaster(t *testing.T) {
	for text, want := range map[string]error{"theirs": ErrDiffers, "the wheel": nil} {
		s, d := newServer(t), machine(t)
		ours, theirs := s.open(t), s.open(t)
		var came atomic.Bool
		s.setFault(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/uploads/") {
				if came.CompareAndSwap(false, true) {
					store(t, theirs, built(t, d, text), d)
				}
			}
			return false
		})
		e := built(t, d, "the wheel")
		if err := ours.Store(t.Context(), theKey, e, d); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
		if got := fetch(t, ours, d); got.Digest != built(t, d, text).Digest {
			t.Errorf("%s: %s is there", text, got.Digest)
		}
	}
}

func TestReferences(t *testing.T) {
	long := strings.Repeat("x", 63)
	for ref, want := range map[string]string{
		"localhost:5000/team/wheels": "localhost:5000/team/wheels:KEY", "localhost:5000/wheels:main": "localhost:5000/wheels:main-KEY",
		"registry.example/wheels:latest": "registry.example/wheels:latest-KEY", "registry.example/w:" + long: "registry.example/w:" + long + "-KEY",
		"oci:wheels": "", "oci-archive:w.tar": "", "docker-daemon:wheels": "", "containers-storage:wheels": "", "": "", "UPPER/CASE": "",
		"https://registry.example/wheels": "", "registry.example/wheels@sha256:" + theKey: "", "registry.example/w:" + long + "x": "", "registry.example/w:": "",
		"me:s3cret@registry.example/wheels": "", "https://me:s3cret@registry.example/wheels": "",
	} {
		c, err := Open(t.Context(), ref, Options{})
		if want == "" {
			if !errors.Is(err, ErrReference) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q: %v, want ErrReference", ref, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", ref, err)
			continue
		}
		tag, err := c.tag(theKey)
		if got := c.repo.Name() + ":" + tag; got != strings.Replace(want, "KEY", theKey, 1) || err != nil {
			t.Errorf("%q: %s, %v", ref, got, err)
		}
	}
}

func TestKeys(t *testing.T) {
	s, d := newServer(t), machine(t)
	c := s.open(t)
	for _, key := range []string{"", "latest", strings.ToUpper(theKey), theKey + "0", "../" + theKey[3:]} {
		if _, err := c.Fetch(t.Context(), key, []byte(record), d); err == nil || sideOf(err) != "" {
			t.Errorf("fetching %q: %v", key, err)
		}
		if err := c.Store(t.Context(), key, built(t, d, "x"), d); err == nil || sideOf(err) != "" {
			t.Errorf("storing %q: %v", key, err)
		}
	}
	if n := s.requests(""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestReadOnly is what builds of forks have: they may take, not give.
func TestReadOnly(t *testing.T) {
	for status, want := range map[int]error{http.StatusForbidden: registry.ErrAuth, http.StatusUnauthorized: registry.ErrAuth, http.StatusMethodNotAllowed: registry.ErrProtocol} {
		s, d := newServer(t), machine(t)
		store(t, s.open(t), built(t, d, "theirs"), d)
		c := s.open(t)
		s.breaks(http.MethodPost, "/uploads/", status, "DENIED")
		other := strings.Repeat("0", 64)
		err := c.Store(t.Context(), other, built(t, d, "mine"), d)
		if !errors.Is(err, want) || sideOf(err) != "writing" || !strings.Contains(err.Error(), "/team/wheels") {
			t.Errorf("%d: %v", status, err)
		}
		s.requests("")
		if again := c.Store(t.Context(), other, built(t, d, "mine"), d); again == nil || again.Error() != err.Error() || s.requests("") != 0 {
			t.Errorf("%d: it is asked again: %v", status, again)
		}
		if got := fetch(t, c, machine(t)); got.Size != int64(len("theirs")) {
			t.Errorf("%d: %+v", status, got)
		}
	}
}

// TestReadingAsksForNoMore: who may only read gets no token for more.
func TestReadingAsksForNoMore(t *testing.T) {
	s, d := newServer(t), machine(t)
	store(t, s.open(t), built(t, d, "theirs"), d)
	var scopes []string
	s.setFault(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token":
			scopes = append(scopes, r.URL.Query().Get("scope"))
			w.Write([]byte(`{"token":"t"}`))
		case r.Header.Get("Authorization") != "Bearer t":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+s.URL+`/token",service="s"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			return false
		}
		return true
	})
	c := s.open(t)
	fetch(t, c, machine(t))
	store(t, c, built(t, d, "theirs"), d)
	if want := []string{"repository:team/wheels:pull", "repository:team/wheels:pull,push"}; !reflect.DeepEqual(scopes, want) {
		t.Errorf("%q, not %q", scopes, want)
	}
}

// TestUnseenRepository: some registries refuse to read what does not exist yet.
func TestUnseenRepository(t *testing.T) {
	s, d := newServer(t), machine(t)
	c := s.open(t)
	s.setFault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.Path == "/v2/" {
			return false
		}
		refuse(w, http.StatusForbidden, "DENIED")
		return true
	})
	if _, err := c.Fetch(t.Context(), theKey, []byte(record), d); !errors.Is(err, registry.ErrAuth) || sideOf(err) != "reading" {
		t.Errorf("%v", err)
	}
	s.requests("")
	if _, err := c.Fetch(t.Context(), theKey, []byte(record), d); !errors.Is(err, registry.ErrAuth) || s.requests("") != 0 {
		t.Errorf("it is asked again: %v", err)
	}
	store(t, c, built(t, d, "x"), d)
	s.setFault(nil)
	fetch(t, s.open(t), machine(t))
}

// nobody is a transport that knows that trying again won't help.
type nobody struct{ asked int }

func (n *nobody) RoundTrip(*http.Request) (*http.Response, error) { n.asked++; return nil, n }
func (*nobody) Error() string                                     { return "nobody there" }
func (*nobody) Is(error) bool                                     { return false }
func (*nobody) Temporary() bool                                   { return false }
func (*nobody) Unwrap() error                                     { return nil }

func TestNobodyAnswers(t *testing.T) {
	d, n := machine(t), &nobody{}
	c, err := Open(t.Context(), "localhost:1/team/wheels", Options{Options: registry.Options{Transport: n}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Fetch(t.Context(), theKey, []byte(record), d)
	if !errors.Is(err, registry.ErrUnavailable) || sideOf(err) != "reading" {
		t.Errorf("%v", err)
	}
	asked := n.asked
	for range 3 {
		if _, again := c.Fetch(t.Context(), theKey, []byte(record), d); again == nil || again.Error() != err.Error() || n.asked != asked {
			t.Fatalf("it is asked again: %v", again)
		}
	}
	if err := c.Store(t.Context(), theKey, built(t, d, "x"), d); !errors.Is(err, registry.ErrUnavailable) || sideOf(err) != "writing" {
		t.Errorf("%v", err)
	}
}

func TestCancelled(t *testing.T) {
	s, d := newServer(t), machine(t)
	c := s.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.setFault(func(http.ResponseWriter, *http.Request) bool { cancel(); return false })
	if _, err := c.Fetch(ctx, theKey, []byte(record), d); !errors.Is(err, context.Canceled) || sideOf(err) != "" {
		t.Errorf("%v", err)
	}
	if err := c.Store(ctx, theKey, built(t, d, "x"), d); !errors.Is(err, context.Canceled) || sideOf(err) != "" {
		t.Errorf("%v", err)
	}
	s.setFault(nil)
	store(t, c, built(t, d, "x"), d) // that is not remembered
}

// TestListOfTypes is a registry that takes only what it knows.
func TestListOfTypes(t *testing.T) {
	s, d := newServer(t), machine(t)
	for _, status := range []int{http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType} {
		refused := 0
		s.setFault(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			body := make([]byte, r.ContentLength)
			r.Body.Read(body)
			if !strings.Contains(string(body), "vnd.distill.wheel.record") {
				s.request(t, r.Method, strings.TrimPrefix(r.URL.Path, "/v2/team/wheels/"), r.Header.Get("Content-Type"), body)
				w.WriteHeader(http.StatusCreated)
				return true
			}
			refused++
			refuse(w, status, "MANIFEST_INVALID")
			return true
		})
		c := s.open(t)
		e := built(t, d, "the wheel")
		s.request(t, http.MethodDelete, "manifests/"+theKey, "", nil)
		store(t, c, e, d)
		if err := c.Store(t.Context(), strings.Repeat("1", 64), e, d); err != nil || refused != 1 {
			t.Errorf("%v, refused %d times", err, refused)
		}
		far := machine(t)
		if got := fetch(t, c, far); !reflect.DeepEqual(got, &e) || read(t, far, e.Digest) != "the wheel" {
			t.Errorf("%+v", got)
		}
		store(t, c, e, d)
	}
	s.breaks(http.MethodPut, "/manifests/", http.StatusBadRequest, "MANIFEST_INVALID")
	if err := s.open(t).Store(t.Context(), strings.Repeat("2", 64), built(t, d, "x"), d); !errors.Is(err, registry.ErrProtocol) || sideOf(err) != "writing" {
		t.Errorf("no form is taken: %v", err)
	}
}

// TestLostWheel: the manifest is there, its wheel has been collected.
func TestLostWheel(t *testing.T) {
	s, d := newServer(t), machine(t)
	c := s.open(t)
	e := built(t, d, "the wheel")
	store(t, c, e, d)
	s.request(t, http.MethodDelete, "blobs/"+e.Digest, "", nil)
	if _, err := c.Fetch(t.Context(), theKey, []byte(record), machine(t)); !errors.Is(err, registry.ErrNotFound) || errors.Is(err, ErrAbsent) || sideOf(err) != "reading" {
		t.Errorf("%v", err)
	}
	store(t, c, e, d)
	fetch(t, c, machine(t))
}

func TestDamagedWheel(t *testing.T) {
	for _, body := range []string{"another", "the whee1", "the wheel and more", ""} {
		s, d := newServer(t), machine(t)
		c := s.open(t)
		e := built(t, d, "the wheel")
		store(t, c, e, d)
		s.setFault(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
				return false
			}
			w.Write([]byte(body))
			return true
		})
		far := machine(t)
		_, err := c.Fetch(t.Context(), theKey, []byte(record), far)
		if !errors.Is(err, registry.ErrDigest) || sideOf(err) != "reading" || read(t, far, e.Digest) != "" {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// TestOwnDisk: what goes wrong here is not the registry's fault.
func TestOwnDisk(t *testing.T) {
	s, d := newServer(t), machine(t)
	c := s.open(t)
	e := built(t, d, "the wheel")
	store(t, c, e, d)
	far := machine(t)
	os.RemoveAll(far.Path())
	os.WriteFile(far.Path(), nil, 0o600)
	if _, err := c.Fetch(t.Context(), theKey, []byte(record), far); !errors.Is(err, cache.ErrFolder) || sideOf(err) != "" {
		t.Errorf("%v", err)
	}
	fetch(t, c, machine(t))

	// A wheel that is damaged, or not there, is not sent.
	filepath.Walk(filepath.Join(d.Path(), "blobs"), func(name string, info os.FileInfo, _ error) error {
		if info.Mode().IsRegular() {
			os.WriteFile(name, []byte("the whee1"), 0o600)
		}
		return nil
	})
	if err := c.Store(t.Context(), strings.Repeat("3", 64), Entry{Record: []byte("{}"), FileName: e.FileName, Digest: e.Digest, Size: e.Size}, machine(t)); err != nil {
		t.Errorf("the registry has it: %v", err)
	}
	s.request(t, http.MethodDelete, "blobs/"+e.Digest, "", nil)
	if err := c.Store(t.Context(), strings.Repeat("4", 64), e, d); err == nil {
		t.Error("stored")
	}
	if _, err := c.Fetch(t.Context(), strings.Repeat("4", 64), []byte(record), machine(t)); !errors.Is(err, ErrAbsent) {
		t.Errorf("%v", err)
	}
}

func TestSeveralAtATime(t *testing.T) {
	s, d := newServer(t), machine(t)
	c := s.open(t)
	e := built(t, d, "the wheel")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			key := strings.Repeat(string("0123456789abcdef"[i%4]), 64)
			if err := c.Store(t.Context(), key, e, d); err != nil {
				t.Error(err)
			}
			if got, err := c.Fetch(t.Context(), key, []byte(record), d); err != nil || got.Digest != e.Digest {
				t.Error(got, err)
			}
		})
	}
	wg.Wait()
}
