package publish

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	memory "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var (
	amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = v1.Platform{OS: "linux", Architecture: "arm64"}
)

// app makes an index of two variants that share the layer "shared"; other texts
// give other images.
func app(t *testing.T, text string) (v1.ImageIndex, []Variant) {
	t.Helper()
	var all []Variant
	for _, p := range []v1.Platform{amd64, arm64} {
		img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
		img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
		for _, content := range []string{"shared", text + " for " + p.Architecture} {
			data := tarOf(t, content)
			layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(data)), nil
			}, tarball.WithMediaType(types.OCILayer))
			if err != nil {
				t.Fatal(err)
			}
			if img, err = mutate.AppendLayers(img, layer); err != nil {
				t.Fatal(err)
			}
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, variant(p)
		if img, err = mutate.ConfigFile(img, config); err != nil {
			t.Fatal(err)
		}
		all = append(all, Variant{p, img})
	}
	idx, err := Index(all, BaseAnnotations("example.org/base:1", v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}))
	if err != nil {
		t.Fatal(err)
	}
	return idx, all
}

// tarOf makes a layer with one file.
func tarOf(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// server is an in-memory registry that remembers what was asked of it.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	next  http.Handler
	// fault answers in place of the registry if it returns true.
	fault func(w http.ResponseWriter, r *http.Request) bool
}

func newServer(t *testing.T) *server {
	s := &server{next: memory.New(memory.Logger(log.New(io.Discard, "", 0)))}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	fault := s.fault
	s.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	s.next.ServeHTTP(w, r)
}

func (s *server) ref(path string) string { return strings.TrimPrefix(s.URL, "http://") + "/" + path }

// writes lists the requests that wrote something, and forgets them.
func (s *server) writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, a := range s.asked {
		if !strings.HasPrefix(a, "GET") && !strings.HasPrefix(a, "HEAD") {
			all = append(all, a)
		}
	}
	s.asked = nil
	return all
}

// tags maps the tags of a repository to digests.
func (s *server) tags(t *testing.T, path string) map[string]string {
	t.Helper()
	repo, err := name.NewRepository(s.ref(path))
	if err != nil {
		t.Fatal(err)
	}
	list, err := remote.List(repo)
	if err != nil {
		return nil
	}
	all := make(map[string]string)
	for _, tag := range list {
		d, err := remote.Head(repo.Tag(tag))
		if err != nil {
			t.Fatal(err)
		}
		all[tag] = d.Digest.String()
	}
	return all
}

func digest(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	d, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func TestPushToRegistry(t *testing.T) {
	s := newServer(t)
	idx, variants := app(t, "one")
	p, err := Push(context.Background(), s.ref("team/app:1.0"), idx, variants, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := s.ref("team/app@" + digest(t, idx)); p.Ref != want {
		t.Errorf("Ref = %s, want %s", p.Ref, want)
	}
	want := map[string]string{
		"1.0": digest(t, idx), "1.0-amd64": digest(t, variants[0].Image), "1.0-arm64v8": digest(t, variants[1].Image),
	}
	if diff := cmp.Diff(want, s.tags(t, "team/app")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"1.0", "1.0-amd64", "1.0-arm64v8"}, p.Tags); diff != "" {
		t.Error(diff)
	}
	writes := s.writes()
	if last := writes[len(writes)-1]; last != "PUT /v2/team/app/manifests/1.0" {
		t.Errorf("last write is %s", last)
	}
	ref, err := name.ParseReference(s.ref("team/app:1.0"))
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(pulled); err != nil {
		t.Error(err)
	}
	if p.Uploaded["linux/amd64"] == 0 || p.Reused["linux/amd64"] != 0 || p.Reused["linux/arm64"] == 0 {
		t.Errorf("uploaded %v, reused %v", p.Uploaded, p.Reused)
	}
}

func TestPushAgainSendsNothing(t *testing.T) {
	s := newServer(t)
	idx, variants := app(t, "one")
	first, err := Push(context.Background(), s.ref("team/app:1.0"), idx, variants, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.writes()
	last := make(map[string][2]int64)
	again, err := Push(context.Background(), s.ref("team/app:1.0"), idx, variants, Options{
		Progress: func(p string, done, total int64) { last[p] = [2]int64{done, total} },
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := s.writes(); len(w) > 0 {
		t.Errorf("writes: %v", w)
	}
	if again.Ref != first.Ref || !slices.Equal(again.Tags, first.Tags) {
		t.Errorf("%v and %v", again, first)
	}
	for p, n := range again.Uploaded {
		if n != 0 || again.Reused[p] != first.Uploaded[p]+first.Reused[p] || last[p] != [2]int64{again.Reused[p], again.Reused[p]} {
			t.Errorf("%s: uploaded %d, reused %d, progress %v", p, n, again.Reused[p], last[p])
		}
	}
}

func TestFailureMovesNoTag(t *testing.T) {
	for _, where := range []string{"/blobs/uploads", "PUT /v2/team/app/manifests/sha256:", "/manifests/1.0-amd64", "PUT /v2/team/app/manifests/1.0"} {
		t.Run(where, func(t *testing.T) {
			s := newServer(t)
			idx, variants := app(t, "one")
			// The variant of arm64 is there already, that of amd64 is new.
			if _, err := Push(context.Background(), s.ref("team/app:1.0"), idx, variants, Options{ArchTags: new(bool)}); err != nil {
				t.Fatal(err)
			}
			before := s.tags(t, "team/app")
			idx, variants = app(t, "two")
			s.fault = func(w http.ResponseWriter, r *http.Request) bool {
				hit := r.Method != "HEAD" && r.Method != "DELETE" && strings.Contains(r.Method+" "+r.URL.Path+" ", where)
				if strings.HasSuffix(where, "1.0") {
					hit = r.Method+" "+r.URL.Path == where
				}
				if hit {
					http.Error(w, `{"errors":[{"code":"DENIED","message":"no"}]}`, http.StatusForbidden)
				}
				return hit
			}
			p, err := Push(context.Background(), s.ref("team/app:1.0"), idx, variants, Options{})
			if err == nil {
				t.Fatalf("pushed: %v", p)
			}
			if diff := cmp.Diff(before, s.tags(t, "team/app")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCurrent(t *testing.T) {
	s := newServer(t)
	idx, variants := app(t, "one")
	for _, dest := range []string{s.ref("team/app:1.0"), "oci:" + filepath.Join(t.TempDir(), "app") + ":1.0"} {
		if _, found, err := Current(context.Background(), dest, Options{}); found || err != nil {
			t.Errorf("%s before: %v, %v", dest, found, err)
		}
		if _, err := Push(context.Background(), dest, idx, variants, Options{}); err != nil {
			t.Fatal(err)
		}
		if got, found, err := Current(context.Background(), dest, Options{}); got.String() != digest(t, idx) || !found || err != nil {
			t.Errorf("%s after: %v, %v, %v", dest, got, found, err)
		}
	}
}

// failing is an image whose layers cannot be read.
type failing struct {
	v1.Image
	err error
}

type failingLayer struct {
	v1.Layer
	err error
}

func (f failing) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	l, err := f.Image.LayerByDigest(h)
	return failingLayer{l, f.err}, err
}

func (f failingLayer) Compressed() (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() {
		_, _ = w.Write([]byte("two f"))
		w.CloseWithError(f.err)
	}()
	return r, nil
}

func ptr[T any](v T) *T { return &v }

func TestIndexWritesVariantsOut(t *testing.T) {
	idx, _ := app(t, "one")
	raw, err := idx.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	var m v1.IndexManifest
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "artifactType") {
		t.Errorf("images are no artifacts: %s", raw)
	}
	if m.MediaType != types.OCIImageIndex || len(m.Manifests) != 2 {
		t.Fatalf("index %s", raw)
	}
	if got := m.Manifests[0].Platform.String(); got != "linux/amd64" {
		t.Error(got)
	}
	if got := m.Manifests[1].Platform.String(); got != "linux/arm64/v8" {
		t.Error(got)
	}
	if m.Annotations["org.opencontainers.image.base.name"] != "example.org/base:1" {
		t.Errorf("annotations %v", m.Annotations)
	}
}

func TestCancelledPushLeavesNothing(t *testing.T) {
	s := newServer(t)
	parent := t.TempDir()
	idx, variants := app(t, "one")
	for _, dest := range []string{s.ref("team/app:1.0"), "oci:" + parent + "/app", "oci-archive:" + parent + "/app.tar"} {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Push(ctx, dest, idx, variants, Options{Progress: func(string, int64, int64) { cancel() }})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", dest, err)
		}
	}
	if tags := s.tags(t, "team/app"); len(tags) > 0 {
		t.Errorf("tags %v", tags)
	}
	if files := tree(t, parent); len(files) != 1 {
		t.Errorf("files %v", files)
	}
}

func TestAliasesInRegistry(t *testing.T) {
	s := newServer(t)
	var digests []string
	for _, tag := range []string{"1.4.2", "1.5.0", "1.4.3"} {
		idx, variants := app(t, tag)
		p, err := Push(context.Background(), s.ref("team/app:"+tag), idx, variants, Options{TagAliases: true})
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest(t, idx))
		writes := s.writes()
		if last := writes[len(writes)-1]; last != "PUT /v2/team/app/manifests/"+tag {
			t.Errorf("last write is %s", last)
		}
		if p.Tags[0] != tag {
			t.Errorf("tags %v", p.Tags)
		}
	}
	tags := s.tags(t, "team/app")
	for tag, want := range map[string]string{"1.4.2": digests[0], "1.5.0": digests[1], "1.4.3": digests[2], "1.4": digests[2], "1.5": digests[1], "1": digests[1], "latest": digests[1]} {
		if tags[tag] != want {
			t.Errorf("%s is %s, want %s", tag, tags[tag], want)
		}
	}
}
