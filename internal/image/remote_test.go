package image_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/r-seed-1713b764/distill/internal/image"
)

// server is a registry that counts requests, and that a test can make fail.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]int
	fail func(w http.ResponseWriter, r *http.Request) bool
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{seen: map[string]int{}}
	honest := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen[r.Method+" "+r.URL.Path]++
		fail := s.fail
		s.mu.Unlock()
		if fail == nil || !fail(w, r) {
			honest.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) host() string { return strings.TrimPrefix(s.URL, "http://") }

// blobs returns how many blobs were asked for.
func (s *server) blobs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for what, times := range s.seen {
		if strings.HasPrefix(what, "GET ") && strings.Contains(what, "/blobs/") {
			n += times
		}
	}
	return n
}

// push puts a layout's only image there and returns its name.
func (s *server) push(t *testing.T, k *kit) string {
	t.Helper()
	ii, err := layout.ImageIndexFromPath(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ii.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(s.host() + "/team/app:1.0")
	if err != nil {
		t.Fatal(err)
	}
	if sub, err := ii.ImageIndex(m.Manifests[0].Digest); err == nil && m.Manifests[0].MediaType.IsIndex() {
		err = remote.WriteIndex(ref, sub)
		if err != nil {
			t.Fatal(err)
		}
		return ref.Name()
	}
	img, err := ii.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return ref.Name()
}

func TestRegistry(t *testing.T) {
	s := serve(t)
	k := newKit(t)
	index := k.index(on(simple(k, "linux/amd64", "a"), "linux/amd64"), on(simple(k, "linux/arm64", "b"), "linux/arm64/v8"))
	k.finish(index)
	ref := s.push(t, k)
	c := newCache(t)
	src, err := open(t, ref, image.Options{Cache: c})
	if err != nil {
		t.Fatal(err)
	}
	if src.Name != s.host()+"/team/app" || src.Digest.String() != index["digest"] || platforms(src) != "linux/amd64 linux/arm64/v8" {
		t.Errorf("%s %s %s", src.Name, src.Digest, platforms(src))
	}
	i, err := src.Image(t.Context(), platform("linux/arm64"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fileName(t, i); got != "b" {
		t.Errorf("%q", got)
	}
	before := s.blobs()
	if before != 2 {
		t.Errorf("%d blobs fetched, want the configuration and the layer of one platform", before)
	}
	warm := mustLoad(t, ref+"@"+src.Digest.String(), image.Options{Cache: c})
	i, err = src.Image(t.Context(), platform("linux/arm64"))
	if err != nil || fileName(t, i) != "b" || fileName(t, warm) != "a" {
		t.Errorf("again: %v", err)
	}
	if n := s.blobs() - before; n != 2 {
		t.Errorf("%d more blobs fetched, want those of the other platform", n)
	}
	s.Close() // what is in the cache needs no registry
	off := mustLoad(t, s.host()+"/team/app@"+src.Digest.String(), image.Options{Cache: c, Offline: true})
	if got := fileName(t, off); got != "a" {
		t.Errorf("offline: %q", got)
	}
	for _, ref := range []string{ref, s.host() + "/team/app@sha256:" + strings.Repeat("0", 64)} {
		if _, err := open(t, ref, image.Options{Cache: c, Offline: true}); !errors.Is(err, image.ErrNetwork) || !strings.Contains(err.Error(), "offline") {
			t.Errorf("offline, %s: %v", ref, err)
		}
	}
	if _, err := open(t, ref, image.Options{Cache: c}); !errors.Is(err, image.ErrNetwork) {
		t.Errorf("registry gone: %v", err)
	}
}

func TestRegistryFailures(t *testing.T) {
	k := newKit(t)
	k.finish(simple(k, "linux/amd64", noise(1, 100_000)))
	blob := func(r *http.Request) bool { return r.Method == "GET" && strings.Contains(r.URL.Path, "/blobs/") }
	manifest := func(r *http.Request) bool { return r.Method == "GET" && strings.Contains(r.URL.Path, "/manifests/") }
	answer := func(when func(*http.Request) bool, status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !when(r) {
				return false
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
			return true
		}
	}
	for what, c := range map[string]struct {
		fail func(http.ResponseWriter, *http.Request) bool
		want error
	}{
		"manifest not there":  {answer(manifest, 404, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`), image.ErrNotFound},
		"access refused":      {answer(manifest, 403, ""), image.ErrNetwork},
		"manifest is a page":  {answer(manifest, 200, "<html>"), image.ErrDamaged},
		"blob not there":      {answer(blob, 404, ""), image.ErrNotFound},
		"blob is a page":      {answer(blob, 200, "<html>portal</html>"), image.ErrDamaged},
		"blob is another one": {answer(blob, 200, strings.Repeat("x", 700)), image.ErrDamaged},
	} {
		t.Run(what, func(t *testing.T) {
			s := serve(t)
			ref := s.push(t, k)
			s.mu.Lock()
			s.fail = c.fail
			s.mu.Unlock()
			cache := newCache(t)
			if _, err := load(t, ref, image.Options{Cache: cache}); !errors.Is(err, c.want) || !strings.Contains(err.Error(), s.host()) {
				t.Errorf("%v, want %v", err, c.want)
			}
			s.mu.Lock()
			s.fail = nil
			s.mu.Unlock()
			mustLoad(t, ref, image.Options{Cache: cache}) // nothing wrong was kept
		})
	}
}

// TestFetchedLayerServesGather fetches each layer once, and never again for its content.
func TestFetchedLayerServesGather(t *testing.T) {
	s := serve(t)
	k := newKit(t)
	library(k)
	ref := s.push(t, k)
	c := newCache(t)
	i := mustLoad(t, ref, image.Options{Cache: c})
	before := s.blobs()
	_, closer, err := i.Gather(t.Context(), i.Files)
	if err != nil {
		t.Fatal(err)
	}
	closer.Close()
	layers, _ := i.V1.Layers()
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Error(err)
		}
		r.Close()
	}
	if n := s.blobs() - before; n != 0 {
		t.Errorf("%d blobs fetched again", n)
	}
}

// TestCommonLayerIsReadOnce opens two images with a layer in common at the same time.
func TestCommonLayerIsReadOnce(t *testing.T) {
	s := serve(t)
	k := newKit(t)
	common := layerOf{tar: tarOf(t, "file common "+noise(3, 200_000))}
	k.finish(k.index(on(k.image("linux/amd64", []layerOf{common}, nil), "linux/amd64"), on(k.image("linux/arm64", []layerOf{common}, nil), "linux/arm64")))
	ref := s.push(t, k)
	c := newCache(t)
	var wg sync.WaitGroup
	for _, p := range []string{"linux/amd64", "linux/arm64", "linux/amd64"} {
		src, err := open(t, ref, image.Options{Cache: c})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if _, err := src.Image(t.Context(), platform(p)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.blobs(); n > 1+3 { // the layer, and configurations
		t.Errorf("%d blobs fetched", n)
	}
}
