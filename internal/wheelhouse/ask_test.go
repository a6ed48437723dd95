package wheelhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

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
