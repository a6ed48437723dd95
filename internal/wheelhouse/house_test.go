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
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
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

func TestWhatTheBackEndAsksForIsFoundAndRemembered(t *testing.T) {
	w := newWorld(t)
	w.tool("meson-python", "1.0", "")
	w.tool("ninja", "1.11", "")
	o := w.sdist("demo", "1.0", "", "meson-python")
	w.engine.answer = func(_ context.Context, c *call) error {
		c.requires, c.wheel = []string{"ninja >= 1.8"}, c.native()
		if c.hook == "wheel" {
			if _, there := c.job.Files.Get("env/ninja.py"); !there {
				return errors.New("ninja is not there")
			}
		}
		return nil
	}
	for run := range 2 {
		h := w.house()
		r, err := h.Prepare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%q %d", r.Asked, len(r.Tools.Picks)); got != `["ninja>=1.8"] 2` {
			t.Errorf("run %d: asked %s", run, got)
		}
		if _, err := h.Make(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	// The back end is asked on both platforms: they could differ.
	if w.engine.count("requires") != 2 {
		t.Errorf("asked more than once on a platform")
	}
}

// TestAskedOfWhatIsThereAlready: that the requirement is among those of pyproject.toml
// must not make the wheel take the place of the answer.
func TestAskedOfWhatIsThereAlready(t *testing.T) {
	w := newWorld(t)
	w.tool("wheel", "0.40", "")
	o := w.sdist("demo", "1.0", "", "wheel")
	w.engine.answer = func(_ context.Context, c *call) error { c.requires = []string{"wheel"}; return nil }
	for run := range 2 {
		h := w.house()
		r, err := h.Prepare(t.Context(), o)
		if err != nil || fmt.Sprint(r.Asked) != "[wheel]" {
			t.Errorf("run %d: %v, %v", run, r.Asked, err)
		}
		if _, err := h.Make(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(w.engine.runs); n != 2 {
		t.Errorf("ran %v", w.engine.runs)
	}
}

func TestLockThatKnowsAsksNobody(t *testing.T) {
	w := newWorld(t)
	w.tool("a", "1.0", "")
	w.tool("b", "1.0", "")
	o := w.sdist("demo", "1.0", "", "a")
	o.Asked, o.Known = []string{"b"}, true
	w.mustMake(o)
	if got := fmt.Sprint(w.engine.runs); got != "[wheel demo-1.0.tar.gz linux/amd64]" {
		t.Errorf("ran %s", got)
	}
	// It knows that nothing is asked for, and is wrong.
	o.Asked = nil
	w.engine.answer = func(_ context.Context, c *call) error { c.requires = []string{"b"}; return nil }
	for range 2 {
		_, err := w.make(o)
		var b *BuildError
		if !errors.As(err, &b) || err.Error() != "demo 1.0 for linux/amd64: its back end asks for more than the lock knows: b" {
			t.Errorf("%v", err)
		} else if fmt.Sprint(b.Hints()) != "[lock it anew with --upgrade-package demo]" {
			t.Errorf("hints %q", b.Hints())
		}
	}
}

// TestLockThatKnewTooLittleIsBetterTheNextTime: a setup.py that tells what it wants only
// while it builds gives the same short answer whenever it is asked.
func TestLockThatKnewTooLittleIsBetterTheNextTime(t *testing.T) {
	for _, asked := range [][]string{nil, {"x"}} {
		w := newWorld(t)
		w.tool("x", "1.0", "")
		w.tool("y", "1.0", "")
		o := w.sdist("demo", "1.0", "")
		o.Asked, o.Known = asked, true
		w.engine.answer = func(_ context.Context, c *call) error {
			if c.requires = asked; c.hook == "wheel" && !slices.Contains(c.asked, "y") {
				c.requires, c.asked = append(slices.Clip(asked), "y"), nil
			}
			return nil
		}
		if _, err := w.make(o); err == nil || !strings.Contains(err.Error(), "more than the lock knows: ") {
			t.Errorf("%v: %v", asked, err)
		}
		o.Asked, o.Known = nil, false
		r, err := w.house().Prepare(t.Context(), o)
		if err != nil || fmt.Sprint(r.Asked) != fmt.Sprint(append(slices.Clip(asked), "y")) {
			t.Errorf("locked anew: %v, %v", r.Asked, err)
		}
		w.mustMake(o)
	}
}

// TestWhatShowsOnlyWhileBuildingIsFoundForAllPlatforms: it makes one part, so that the lock
// is that of a second run.
func TestWhatShowsOnlyWhileBuildingIsFoundForAllPlatforms(t *testing.T) {
	for _, native := range []bool{false, true} {
		w := newWorld(t)
		w.tool("y", "1.0", "")
		o := w.sdist("demo", "1.0", "")
		w.engine.answer = func(_ context.Context, c *call) error {
			if c.hook == "wheel" && !slices.Contains(c.asked, "y") {
				c.requires, c.asked = []string{"y"}, nil
			}
			if native {
				c.wheel = c.native()
			}
			return nil
		}
		for run := range 2 {
			h := w.house()
			r, err := h.Prepare(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := h.Make(t.Context(), r)
			if err != nil || len(parts) != 1 || fmt.Sprint(parts[0].Targets, parts[0].Asked) != "[0 1] [y]" || len(parts[0].Wheels) != 2 {
				t.Errorf("native %t, run %d: %+v, %v", native, run, parts, err)
			}
			if run == 1 && (parts[0].Ready != r || w.engine.count("") > 0) {
				t.Errorf("the second run is not told by the cache")
			}
			if !native && slices.ContainsFunc(w.engine.runs, func(s string) bool { return strings.HasSuffix(s, "arm64") }) {
				t.Errorf("ran %v", w.engine.runs)
			}
			w.engine.count("")
		}
	}
}

func TestPlatformThatAsksForMoreIsPreparedAlone(t *testing.T) {
	for _, near := range [][]string{nil, {"x"}} {
		w := newWorld(t)
		w.tool("x", "1.0", "")
		w.tool("y", "1.0", "")
		o := w.sdist("demo", "1.0", "")
		w.engine.answer = func(_ context.Context, c *call) error {
			c.wheel = c.native()
			if c.requires = near; c.platform == "linux/arm64" {
				c.requires = append(slices.Clip(near), "y")
			}
			return nil
		}
		var first string
		for run := range 2 {
			h := w.house()
			r, err := h.Prepare(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := h.Make(t.Context(), r)
			if err != nil || len(parts) != 2 {
				t.Fatalf("%v: %v", parts, err)
			}
			var got string
			for _, p := range parts {
				got += fmt.Sprintf("%v %v %d %s %d; ", p.Targets, p.Asked, len(p.Tools.Targets), p.Tools.Targets[0].Name, len(p.Wheels))
			}
			if first == "" {
				first = got
			}
			if want := fmt.Sprintf("[0] %v 1 linux/amd64 1; [1] %v 1 linux/arm64 1; ", near, append(slices.Clip(near), "y")); got != want || got != first {
				t.Errorf("run %d: parts %s, want %s", run, got, want)
			}
			if run == 1 && w.engine.count("") != 0 {
				t.Error("the second run built something")
			}
			w.engine.count("")
		}
	}
}

// What a back end has said it wants counts: it is not asked once more by the build.
func TestBackEndIsAskedOnce(t *testing.T) {
	w := newWorld(t)
	w.tool("y", "1.0", "")
	o := w.sdist("demo", "1.0", "")
	w.engine.answer = func(_ context.Context, c *call) error {
		if c.hook == "wheel" {
			c.requires = []string{"y"}
		}
		return nil
	}
	if _, err := w.make(o); err != nil {
		t.Errorf("%v", err)
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

func TestBuildsThatRequireEachOther(t *testing.T) {
	w := newWorld(t)
	w.sdist("a", "1.0", "", "b")
	w.sdist("b", "1.0", "", "a")
	o := w.sdist("demo", "1.0", "", "a")
	if _, err := w.make(o); !errors.Is(err, ErrBuild) || !strings.Contains(err.Error(), "builds require each other: demo 1.0 > a 1.0 > b 1.0 > a 1.0") {
		t.Errorf("%v", err)
	}
	w = newWorld(t)
	w.sdist("d0", "1.0", "")
	for i := 1; i < 12; i++ {
		o = w.sdist(fmt.Sprintf("d%d", i), "1.0", "", fmt.Sprintf("d%d", i-1))
	}
	if _, err := w.make(o); !errors.Is(err, ErrBuild) || !strings.Contains(err.Error(), "d11 1.0 > d10 1.0") {
		t.Errorf("%v", err)
	}
}

func TestMissingNeedsStopBeforeTheEngineIsOpened(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("psycopg2", "2.9.9", "")
	o.Known = true
	for _, p := range w.o.Platforms {
		p.Image.Config.Config.Env = nil
	}
	w.o.Alternative = func(_ context.Context, name python.Name, target int) string { return "0.9" }
	_, err := w.make(o)
	var b *BuildError
	if !errors.As(err, &b) || b.Tried || !strings.Contains(err.Error(), "pg_config") {
		t.Fatalf("%v", err)
	}
	if w.engine.opened != 0 || len(w.engine.runs) != 0 {
		t.Error("the engine was opened")
	}
	if got := fmt.Sprint(b.Hints()); !strings.Contains(got, "or allow psycopg2 0.9, which has a wheel for linux/") {
		t.Errorf("hints %s", got)
	}
}

func TestFailingBackEnd(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "")
	w.engine.answer = func(_ context.Context, c *call) error {
		if c.hook != "wheel" {
			return nil
		}
		fmt.Fprintf(c.job.Log, "gcc -c demo.c\ndemo.c:1:10: fatal error: foo.h: No such file or directory\n")
		return &sandbox.ExitError{Code: 1}
	}
	for range 2 { // nothing is remembered
		_, err := w.make(o)
		var b *BuildError
		if !errors.As(err, &b) || !b.Tried || !errors.Is(err, ErrBuild) {
			t.Fatalf("%v", err)
		}
		if !strings.HasPrefix(err.Error(), "demo 1.0 for linux/amd64: building demo-1.0.tar.gz: ") || !strings.Contains(err.Error(), "\n  demo.c:1:10: fatal error: foo.h") {
			t.Errorf("%v", err)
		}
		logs := w.logs()
		if len(logs) != 1 || !slices.Contains(b.Hints(), "the whole log: "+logs[0]) {
			t.Fatalf("logs %v, hints %q", logs, b.Hints())
		}
		if text, err := os.ReadFile(logs[0]); err != nil || !strings.Contains(string(text), "gcc -c demo.c") {
			t.Errorf("%q, %v", text, err)
		}
		if w.engine.count("wheel") != 1 {
			t.Error("it was not built")
		}
	}
	if len(w.output) == 0 || w.output[0] != "linux/amd64: building demo 1.0: gcc -c demo.c" {
		t.Errorf("output %q", w.output)
	}
}

func TestLimitIsNoFaultOfThePackage(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "")
	w.engine.answer = func(_ context.Context, c *call) error { return &sandbox.ExitError{Limit: "time", Bound: "1h0m0s"} }
	_, err := w.make(o)
	var b *BuildError
	if !errors.As(err, &b) || b.Tried || !strings.Contains(err.Error(), "over its limit of time (1h0m0s)") || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestInterruptLeavesNothing(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "")
	o.Known = true
	ctx, cancel := context.WithCancel(t.Context())
	w.engine.answer = func(ctx context.Context, c *call) error {
		fmt.Fprintln(c.job.Log, "half")
		cancel()
		<-ctx.Done()
		return &sandbox.ExitError{Signal: "killed"}
	}
	h := w.house()
	r, err := h.Prepare(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Make(ctx, r); !errors.Is(err, context.Canceled) || errors.Is(err, ErrBuild) {
		t.Errorf("%v", err)
	}
	if len(w.logs()) != 0 || len(h.slots) != 0 {
		t.Errorf("logs %v, %d slots", w.logs(), len(h.slots))
	}
	w.engine.answer = nil
	w.engine.count("")
	if _, err := h.Make(t.Context(), r); err != nil || w.engine.count("wheel") != 1 {
		t.Errorf("after it: %v", err)
	}
}

func TestEngineIsAskedForAgainAfterAnInterrupt(t *testing.T) {
	h := newWorld(t).house()
	h.engine = nil
	h.o.Engine = "tcp://192.0.2.1:1"
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.opened(ctx); !errors.Is(err, context.Canceled) || h.failed != nil {
		t.Errorf("%v, remembered %v", err, h.failed)
	}
}

func TestFailuresThatAreNoBuilds(t *testing.T) {
	w := newWorld(t)
	w.tool("a", "1.0", "")
	o := w.sdist("demo", "1.0", "", "a")
	w.fetches["a-1.0-py3-none-any.whl"] = fmt.Errorf("a: %w", pypi.ErrOffline)
	_, err := w.make(o)
	var b *BuildError
	if !errors.Is(err, pypi.ErrOffline) || errors.As(err, &b) && b.Tried {
		t.Errorf("a build requirement that can't be fetched: %v", err)
	}
	w.fetches["a-1.0-py3-none-any.whl"] = fmt.Errorf("a: %w", cache.ErrFolder)
	if _, err := w.make(o); errors.Is(err, ErrBuild) || !errors.Is(err, cache.ErrFolder) {
		t.Errorf("a full disk: %v", err)
	}
	w.o.Resolve = func(context.Context, Question) (*resolve.Resolution, error) { return nil, context.Canceled }
	if _, err := w.make(o); errors.Is(err, ErrBuild) {
		t.Errorf("an interrupt: %v", err)
	}
}

func TestBuildGetsNoSecretsOfTheImage(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "")
	w.engine.answer = func(_ context.Context, c *call) error { return &sandbox.ExitError{Code: 1} }
	_, err := w.make(o)
	var b *BuildError
	if !errors.As(err, &b) {
		t.Fatal(err)
	}
	env := w.engine.jobs[0].Env
	if !slices.Contains(env, "CC=clang") || !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "PATH=") && strings.HasSuffix(v, ":/opt/bin") }) {
		t.Errorf("env %q", env)
	}
	if all := fmt.Sprint(env, err, b.Hints(), w.logged, w.output); strings.Contains(all, "hunter2") || strings.Contains(all, "SECRET_TOKEN") {
		t.Errorf("the secret shows in %s", all)
	}
	if !slices.Contains(env, "SOURCE_DATE_EPOCH=315619200") {
		t.Errorf("epoch: %q", env)
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

func TestMetadataOfABuildIsKept(t *testing.T) {
	for _, hook := range []bool{true, false} {
		w := newWorld(t)
		o := w.sdist("demo", "1.0", "")
		o.Targets = nil
		w.engine.answer = func(_ context.Context, c *call) error {
			c.metadata, c.lines = hook, []string{"Requires-Dist: numpy"}
			return nil
		}
		for run := range 2 {
			text, err := w.house().Metadata(t.Context(), o)
			if err != nil || !strings.Contains(string(text), "Requires-Dist: numpy") {
				t.Errorf("%q, %v", text, err)
			}
			if n := w.engine.count("metadata"); n != 1-run {
				t.Errorf("run %d: %d builds", run, n)
			}
		}
		// What had to make the whole wheel has made it.
		o.Targets = []int{amd64}
		w.mustMake(o)
		if n := w.engine.count("wheel"); hook != (n == 1) {
			t.Errorf("%d builds for the wheel", n)
		}
	}
}

func TestMetadataOfWhatWantsMoreWhileItBuilds(t *testing.T) {
	w := newWorld(t)
	w.tool("y", "1.0", "")
	o := w.sdist("demo", "1.0", "")
	ever := false
	w.engine.answer = func(_ context.Context, c *call) error {
		if c.hook == "metadata" && (ever || !slices.Contains(c.asked, "y")) {
			c.requires, c.asked = []string{"y"}, nil
		}
		return nil
	}
	if text, err := w.house().Metadata(t.Context(), o); err != nil || !strings.Contains(string(text), "Name: demo") || len(w.logs()) > 0 {
		t.Errorf("%q, %v, logs %v", text, err, w.logs())
	}
	ever = true
	o = w.sdist("other", "1.0", "")
	if _, err := w.house().Metadata(t.Context(), o); !errors.Is(err, ErrBuild) || !strings.Contains(err.Error(), "do not ask for the same twice") {
		t.Errorf("%v", err)
	}
}

func TestArchivesThatAskForFilesOfThisMachine(t *testing.T) {
	for _, url := range []string{"file:///etc/passwd", "/etc/x-1.0.whl", "http://10.0.0.1/x-1.0-py3-none-any.whl", "git+https://host.example/x"} {
		w := newWorld(t)
		o := w.sdist("demo", "1.0", "", "x @ "+url)
		if _, err := w.make(o); !errors.Is(err, ErrBuild) || !strings.Contains(err.Error(), "neither from an index nor over https") || len(w.asked) != 0 {
			t.Errorf("%s: %v", url, err)
		}
	}
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "", slices.Repeat([]string{"a"}, maxRequirements+1)...)
	if _, err := w.make(o); !errors.Is(err, ErrBuild) || !strings.Contains(err.Error(), "201 build requirements") {
		t.Errorf("%v", err)
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

func TestHints(t *testing.T) {
	b := &BuildError{Cause: &resolve.NoSolution{}, Advice: []string{" a", "", "b", "a "}}
	if got := fmt.Sprint(b.Hints()); got != "[a b]" {
		t.Error(got)
	}
}

func TestNearest(t *testing.T) {
	slow := func(i int) bool { return i == 0 || i == 2 }
	if got := fmt.Sprint(nearest([]int{0, 1, 2, 3}, slow)); got != "[1 3 0 2]" {
		t.Error(got)
	}
}

func TestLinesArePassedOnWhole(t *testing.T) {
	w := newWorld(t)
	h := w.house()
	l, err := h.newLog("linux/amd64", "step", "name")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(l, "a\nb")
	fmt.Fprintf(l, "c\n%s\n", strings.Repeat("x", 3*maxLine))
	if err := l.end(true); err != nil || len(w.output) != 3 || w.output[1] != "linux/amd64: step: bc" || len(w.output[2]) > maxLine+len("linux/amd64: step: ") {
		t.Errorf("%q, %v", w.output, err)
	}
}
