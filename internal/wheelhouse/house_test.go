package wheelhouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/cache"
)

func TestMakeBuildsOnceForManyGoroutines(t *testing.T) {
	w := newWorld(t)
	w.tool("flit-core", "3.9", "")
	o := w.sdist("demo", "1.0", "", "flit-core")
	w.engine.answer = func(_ context.Context, c *call) error {
		if c.hook == "wheel" {
			time.Sleep(20 * time.Millisecond)
		}
		c.wheel = c.native()
		return nil
	}
	h := w.house()
	var g sync.WaitGroup
	for range 6 {
		g.Go(func() {
			r, err := h.Prepare(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			parts, err := h.Make(t.Context(), r)
			if err != nil || len(parts) != 1 || len(parts[0].Wheels) != 2 {
				t.Errorf("%v, %v", parts, err)
			}
		})
	}
	g.Wait()
	if got := slices.Sorted(slices.Values(w.engine.runs)); fmt.Sprint(got) != "[requires demo-1.0.tar.gz linux/amd64 wheel demo-1.0.tar.gz linux/amd64 wheel demo-1.0.tar.gz linux/arm64]" {
		t.Errorf("ran %v", got)
	}
	if len(w.logs()) > 0 {
		t.Errorf("builds that succeed leave %v", w.logs())
	}
	h.Close()
	if w.engine.closed != 1 {
		t.Errorf("the engine is closed %d times", w.engine.closed)
	}
}

func TestSecondRunBuildsNothing(t *testing.T) {
	w := newWorld(t)
	w.tool("flit-core", "3.9", "")
	o := w.sdist("demo", "1.0", "", "flit-core")
	first := w.mustMake(o)
	if want := map[int]string{amd64: "demo-1.0-py3-none-any.whl", arm64: "demo-1.0-py3-none-any.whl"}; fmt.Sprint(first) != fmt.Sprint(want) {
		t.Errorf("made %v", first)
	}
	if got := w.engine.runs; fmt.Sprint(got) != "[requires demo-1.0.tar.gz linux/amd64 wheel demo-1.0.tar.gz linux/amd64]" {
		t.Errorf("a pure wheel of the nearest platform serves both, but ran %v", got)
	}
	w.engine.count("")
	w.engine.slow = map[string]bool{"linux/amd64": true} // another machine with the same cache
	opened := w.engine.opened
	if again := w.mustMake(o); fmt.Sprint(again) != fmt.Sprint(first) || w.engine.count("") != 0 || w.engine.opened != opened {
		t.Errorf("again: %v, opened %d", again, w.engine.opened-opened)
	}
}

func TestKeyChangesWithAllThatAWheelIsMadeOf(t *testing.T) {
	key := func(change func(w *world, o *Order)) string {
		w := newWorld(t)
		w.tool("a", "1.0", "")
		w.tool("b", "1.0", "")
		o := w.sdist("demo", "1.0", "", "a", "b")
		o.Known = true
		change(w, &o)
		h := w.house()
		r, err := h.Prepare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		_, key, err := h.keyOf(t.Context(), r, o.Targets[0])
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	plain := key(func(*world, *Order) {})
	for name, change := range map[string]func(w *world, o *Order){
		"order of requirements": func(w *world, o *Order) { o.File = w.shelf["demo"][0].file; slices.Reverse(w.shelf["a"]) },
		"engine":                func(w *world, _ *Order) { w.o.Engine = "podman" },
		"limits":                func(w *world, _ *Order) { w.o.Memory, w.o.Time = 1<<30, time.Second },
		"other platforms":       func(_ *world, o *Order) { o.Targets = o.Targets[:1] },
		"a secret of the image": func(w *world, _ *Order) { w.o.Platforms[amd64].Image.Config.Config.Env[2] = "SECRET_TOKEN=other" },
	} {
		if key(change) != plain {
			t.Errorf("%s: another key", name)
		}
	}
	seen := map[string]string{plain: "plain"}
	for name, change := range map[string]func(w *world, o *Order){
		"source":       func(w *world, o *Order) { *o = w.sdist("demo", "1.1", "", "a", "b"); o.Known = true },
		"a tool":       func(w *world, _ *Order) { w.tool("a", "2.0", "") },
		"one tool":     func(w *world, o *Order) { *o = w.sdist("demo", "1.0", "", "a"); o.Known = true },
		"image digest": func(w *world, _ *Order) { w.o.Platforms[amd64].Image.Digest.Hex = strings.Repeat("9", 64) },
		"platform":     func(_ *world, o *Order) { o.Targets = []int{arm64} },
		"python":       func(w *world, _ *Order) { w.o.Platforms[amd64].Env.Python.Path = "opt/bin/python3" },
		"asked":        func(_ *world, o *Order) { o.Asked = []string{"a"} },
	} {
		k := key(change)
		if seen[k] != "" {
			t.Errorf("%s: the key is that of %s", name, seen[k])
		}
		seen[k] = name
	}
}

func TestNativeWheelIsBuiltForEachPlatform(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "")
	w.engine.answer = func(_ context.Context, c *call) error { c.wheel = c.native(); return nil }
	if got := fmt.Sprint(w.mustMake(o)); got != "map[0:demo-1.0-cp311-cp311-linux_x86_64.whl 1:demo-1.0-cp311-cp311-linux_aarch64.whl]" {
		t.Error(got)
	}
	if len(w.told) != 1 || !strings.Contains(w.told[0], "builds for linux/arm64 run emulated here (qemu)") {
		t.Errorf("told %q", w.told)
	}
}

func TestBuildRequirementsAreBuiltThemselves(t *testing.T) {
	w := newWorld(t)
	w.tool("c", "1.0", "")
	w.sdist("b", "1.0", "", "c")
	o := w.sdist("demo", "1.0", "", "b")
	w.engine.answer = func(_ context.Context, c *call) error {
		if strings.HasPrefix(c.archive, "demo") {
			if _, there := c.job.Files.Get("env/b.py"); !there {
				return errors.New("b is not there")
			}
		}
		return nil
	}
	shipped := map[string]bool{}
	examine := w.o.Examine
	w.o.Examine = func(target int, b *build.Built, ship bool) ([]string, error) {
		shipped[b.FileName] = ship
		return examine(target, b, ship)
	}
	w.mustMake(o)
	if shipped["b-1.0-py3-none-any.whl"] || !shipped["demo-1.0-py3-none-any.whl"] {
		t.Errorf("judged as shipped: %v", shipped)
	}
	if w.engine.most > cap(w.house().slots) {
		t.Errorf("%d builds at one time", w.engine.most)
	}
}

// TestNestedBuildsNeedNoSecondSlot: who waits for a slot holds none.
func TestNestedBuildsNeedNoSecondSlot(t *testing.T) {
	w := newWorld(t)
	last := "d0"
	w.sdist("d0", "1.0", "")
	for i := 1; i < 6; i++ {
		name := fmt.Sprintf("d%d", i)
		w.sdist(name, "1.0", "", last)
		last = name
	}
	o := w.sdist("demo", "1.0", "", last)
	h := w.house()
	h.slots = make(chan struct{}, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := h.Prepare(ctx, o)
	if err == nil {
		_, err = h.Make(ctx, r)
	}
	if err != nil {
		t.Error(err)
	}
	if len(h.slots) != 0 {
		t.Error("a slot is still taken")
	}
}

func TestDamagedOrLostWheelIsBuiltAnew(t *testing.T) {
	for _, harm := range []func(w *world, m *Wheel){
		func(w *world, m *Wheel) { w.o.Cache.RemoveBlob(m.Digest) },
		func(w *world, m *Wheel) {
			blob, err := w.o.Cache.OpenBlob(m.Digest)
			if err != nil {
				t.Fatal(err)
			}
			blob.Close()
			if err := os.WriteFile(blob.Name(), []byte(strings.Repeat("x", int(m.Size))), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		w := newWorld(t)
		o := w.sdist("demo", "1.0", "")
		made, err := w.make(o)
		if err != nil {
			t.Fatal(err)
		}
		w.engine.count("")
		harm(w, made[amd64])
		store, err := cache.Open(w.o.Cache.Path()) // as the next run does
		if err != nil {
			t.Fatal(err)
		}
		w.o.Cache = store
		again, err := w.make(o)
		if err != nil || again[amd64].Digest != made[amd64].Digest || w.engine.count("wheel") != 1 {
			t.Errorf("%v, %v", again, err)
		}
		if blob, err := store.OpenBlob(made[amd64].Digest); err != nil {
			t.Error(err)
		} else {
			blob.Close()
		}
	}
}

func TestWheelIsJudgedInEachRun(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "")
	bad := errors.New("it needs libfoo.so.1, which the base image lacks")
	w.examine = func(int, *build.Built) ([]string, error) { return []string{"odd"}, bad }
	for range 2 { // of the wheel that was built, and then of that in the cache
		if _, err := w.make(o); !errors.Is(err, bad) || !errors.Is(err, ErrBuild) || !strings.Contains(err.Error(), "its wheel, demo-1.0-py3-none-any.whl, can't be used") {
			t.Errorf("%v", err)
		}
	}
	w.examine = nil // another base image
	w.mustMake(o)
	if n := w.engine.count("wheel"); n != 1 {
		t.Errorf("built %d times", n)
	}
	if fmt.Sprint(w.told) != "[demo-1.0-py3-none-any.whl: odd demo-1.0-py3-none-any.whl: odd]" { // once a run
		t.Errorf("told %q", w.told)
	}
}

func TestHouseWithoutImagesTellsWhatBuildsRequire(t *testing.T) {
	w := newWorld(t)
	w.tool("a", "1.0", "")
	o := w.sdist("demo", "1.0", "", "a")
	for i := range w.o.Platforms {
		w.o.Platforms[i].Image, w.o.Platforms[i].Env = nil, nil
	}
	h := w.house()
	r, err := h.Prepare(t.Context(), o)
	if err != nil || h.CanBuild() || len(r.Tools.Picks) != 1 || w.engine.opened != 0 {
		t.Errorf("%v, %v", r, err)
	}
}

func TestNearest(t *testing.T) {
	slow := func(i int) bool { return i == 0 || i == 2 }
	if got := fmt.Sprint(nearest([]int{0, 1, 2, 3}, slow)); got != "[1 3 0 2]" {
		t.Error(got)
	}
}
