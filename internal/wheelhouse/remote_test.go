package wheelhouse

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	memory "github.com/google/go-containerregistry/pkg/registry"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/wheelcache"
)

// shared is a registry that can be told to refuse.
type shared struct {
	*httptest.Server
	mu     sync.Mutex
	refuse func(r *http.Request) int
}

func newShared(t *testing.T) *shared {
	s := &shared{}
	honest := memory.New(memory.Logger(log.New(io.Discard, "", 0)))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		refuse := s.refuse
		s.mu.Unlock()
		if refuse != nil {
			if code := refuse(r); code != 0 {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(code)
				return
			}
		}
		honest.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shared) ref() string { return strings.TrimPrefix(s.URL, "http://") + "/team/wheels" }

// use makes a machine of the world that shares its wheels.
func (s *shared) use(t *testing.T, w *world) {
	t.Helper()
	c, err := wheelcache.Open(t.Context(), s.ref(), wheelcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.o.Remote = c
}

// other is another machine with the same index.
func (w *world) other(t *testing.T) *world {
	o := newWorld(t)
	o.shelf, o.engine.answer = w.shelf, w.engine.answer
	return o
}

func TestOneMachineBuildsForAll(t *testing.T) {
	s := newShared(t)
	w := newWorld(t)
	w.tool("ninja", "1.0", "")
	o := w.sdist("demo", "1.0", "")
	w.engine.answer = func(_ context.Context, c *call) error {
		c.requires, c.wheel = []string{"ninja"}, c.native()
		return nil
	}
	s.use(t, w)
	first := w.mustMake(o)
	second := w.other(t)
	s.use(t, second)
	if got := second.mustMake(o); fmt.Sprint(got) != fmt.Sprint(first) || len(second.engine.runs) != 0 || second.engine.opened != 0 {
		t.Errorf("%v, ran %v", got, second.engine.runs)
	}
	if len(second.judged) == 0 || len(second.told) != 0 {
		t.Errorf("judged %v, told %v", second.judged, second.told)
	}
}

// TestHostileWheelsOfOthersAreLeftOut: each of them is built here instead, with a warning.
func TestHostileWheelsOfOthersAreLeftOut(t *testing.T) {
	for _, c := range []struct {
		name, file, want string
		content          func(t *testing.T) []byte
	}{
		{"another project", "other-1.0-py3-none-any.whl", "it is no wheel of demo 1.0", nil},
		{"another version", "demo-2.0-py3-none-any.whl", "it is no wheel of demo 1.0", nil},
		{"another platform", "demo-1.0-cp311-cp311-win_amd64.whl", "it does not fit linux/amd64", nil},
		{"another Python", "demo-1.0-cp39-cp39-linux_x86_64.whl", "it does not fit linux/amd64", nil},
		{"no zip", "demo-1.0-py3-none-any.whl", "is left out", func(*testing.T) []byte { return []byte("nonsense") }},
		{"another inside", "demo-1.0-py3-none-any.whl", "is left out", func(t *testing.T) []byte { return wheelOf(t, "evil-1.0-py3-none-any.whl") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShared(t)
			w := newWorld(t)
			o := w.sdist("demo", "1.0", "")
			o.Known, o.Targets = true, []int{amd64}
			h := w.house()
			r, err := h.Prepare(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			text, key, err := h.keyOf(t.Context(), r, amd64)
			if err != nil {
				t.Fatal(err)
			}
			content := wheelOf(t, c.file)
			if c.content != nil {
				content = c.content(t)
			}
			theirs := newWorld(t)
			s.use(t, theirs)
			blob, err := theirs.o.Cache.CreateBlob()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = blob.Write(content)
			digest, size, err := blob.Commit()
			if err != nil {
				t.Fatal(err)
			}
			if err := theirs.o.Remote.Store(t.Context(), key, wheelcache.Entry{Record: text, FileName: c.file, Digest: digest, Size: size}, theirs.o.Cache); err != nil {
				t.Fatal(err)
			}
			s.use(t, w)
			if got := w.mustMake(o); got[amd64] != "demo-1.0-py3-none-any.whl" || w.engine.count("wheel") != 1 {
				t.Errorf("%v", got)
			}
			if len(w.told) == 0 || !strings.Contains(w.told[0], c.want) {
				t.Errorf("told %q", w.told)
			}
			w.mustMake(o)
			if w.engine.count("wheel") != 0 {
				t.Error("what was built here is not kept")
			}
		})
	}
}

func TestSharedCacheThatFailsWarnsOnce(t *testing.T) {
	for _, c := range []struct {
		name, want string
		refuse     func(r *http.Request) int
	}{
		{"read-only", "built wheels are not shared: ", func(r *http.Request) int {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				return http.StatusForbidden
			}
			return 0
		}},
		{"not to be read", "the wheel cache is left out: ", func(r *http.Request) int { return http.StatusForbidden }},
	} {
		s := newShared(t)
		s.refuse = c.refuse
		w := newWorld(t)
		s.use(t, w)
		w.engine.answer = func(_ context.Context, c *call) error { c.wheel = c.native(); return nil }
		h := w.house()
		for _, name := range []string{"demo", "other"} {
			o := w.sdist(name, "1.0", "")
			r, err := h.Prepare(t.Context(), o)
			if err == nil {
				_, err = h.Make(t.Context(), r)
			}
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		var about []string
		for _, text := range w.told {
			if strings.HasPrefix(text, c.want) {
				about = append(about, text)
			}
		}
		if len(about) != 1 || len(w.engine.runs) != 6 {
			t.Errorf("%s: told %q, ran %v", c.name, w.told, w.engine.runs)
		}
	}
}

func TestWheelThatCantBeUsedIsNotShared(t *testing.T) {
	s := newShared(t)
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "")
	s.use(t, w)
	w.o.Alternative = nil
	w.o.Examine = func(int, *build.Built, bool) ([]string, error) { return nil, fmt.Errorf("it is odd") }
	if _, err := w.make(o); err == nil {
		t.Error("it is used")
	}
	second := w.other(t)
	s.use(t, second)
	second.mustMake(o)
	if second.engine.count("wheel") != 1 {
		t.Error("it was shared")
	}
}

func TestOtherEntryOfTheLocalCacheIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "")
	o.Known, o.Targets = true, []int{amd64}
	w.mustMake(o)
	h := w.house()
	r, _ := h.Prepare(t.Context(), o)
	text, key, _ := h.keyOf(t.Context(), r, amd64)
	for _, bad := range []string{"", "{", `{"record":{"recipe":"0"},"file":"x","digest":"sha256:0"}`, `{"record":` + string(text) + `,"file":"x","digest":"../../x"}`} {
		if err := w.o.Cache.Put(bucket, key, []byte(bad)); err != nil {
			t.Fatal(err)
		}
		if e := h.recallLocal(key, text); e != nil {
			t.Errorf("%s gives %+v", bad, e)
		}
	}
}

// TestWheelForOneProcessorIsNotShared: what is compiled with -march=native may crash
// elsewhere.
func TestWheelForOneProcessorIsNotShared(t *testing.T) {
	s := newShared(t)
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "")
	w.engine.answer = func(_ context.Context, c *call) error {
		if c.hook == "wheel" {
			fmt.Fprintln(c.job.Log, "gcc -O3 -march=native -c demo.c -o demo.o")
		}
		return nil
	}
	s.use(t, w)
	w.mustMake(o)
	if len(w.told) != 1 || !strings.Contains(w.told[0], "demo 1.0 was compiled for the processor") {
		t.Errorf("told %q", w.told)
	}
	second := w.other(t)
	s.use(t, second)
	second.mustMake(o)
	if second.engine.count("wheel") != 1 {
		t.Error("it was shared")
	}
}
