package wheelhouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

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

func TestHints(t *testing.T) {
	b := &BuildError{Cause: &resolve.NoSolution{}, Advice: []string{" a", "", "b", "a "}}
	if got := fmt.Sprint(b.Hints()); got != "[a b]" {
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
