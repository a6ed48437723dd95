package resolve

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
)

var update = flag.Bool("update", false, "write the golden files")

func TestWorlds(t *testing.T) {
	files, err := filepath.Glob("testdata/*.world")
	if err != nil || len(files) == 0 {
		t.Fatal("no worlds", err)
	}
	for _, file := range files {
		if slices.Contains(storyWorlds, file) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range parseWorlds(t, file, string(text)) {
			t.Run(c.name, func(t *testing.T) { c.run(t) })
		}
	}
}

func (c *worldCase) run(t *testing.T) {
	r, err := Solve(context.Background(), c.world, c.req)
	var none *NoSolution
	switch {
	case errors.As(err, &none):
		if !c.fails {
			t.Fatalf("no solution: %v", err)
		}
		return
	case err != nil:
		t.Fatal(err)
	case c.fails:
		t.Fatalf("got %q, want no solution", lines(r))
	}
	slices.Sort(c.want)
	if got := lines(r); len(c.from) == 0 && !slices.Equal(got, c.want) {
		t.Errorf("got %q\nwant %q", got, c.want)
	}
	if got := sources(r); len(c.from) > 0 && !slices.Equal(got, c.from) {
		t.Errorf("got %q\nwant %q", got, c.from)
	}
	if !slices.EqualFunc(r.Warnings, c.warns, strings.HasPrefix) {
		t.Errorf("got warnings %q, want %q", r.Warnings, c.warns)
	}
	if c.quiet && c.world.pages.Load()+c.world.asked.Load() > 0 {
		t.Errorf("the index was asked for %d pages and %d metadata", c.world.pages.Load(), c.world.asked.Load())
	}
}

// storyWorlds are worlds without an answer; those of the second file are reduced
// from what docs/conflicts.md shows.
var storyWorlds = []string{"testdata/stories.world", "testdata/conflicts.world"}

// TestStories shows what is said about each way in which nothing fits.
func TestStories(t *testing.T) {
	for _, file := range storyWorlds {
		t.Run(filepath.Base(file), func(t *testing.T) { tellStories(t, file, strings.TrimSuffix(file, ".world")+".txt") })
	}
}

func tellStories(t *testing.T, file, golden string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, c := range parseWorlds(t, file, string(text)) {
		_, err := Solve(context.Background(), c.world, c.req)
		var none *NoSolution
		if !errors.As(err, &none) {
			t.Errorf("%s: got %v", c.name, err)
			continue
		}
		fmt.Fprintf(&got, "== %s\n%s\n", c.name, none.Story)
		for _, h := range none.Hints() {
			fmt.Fprintf(&got, "hint: %s\n", h)
		}
		fmt.Fprintln(&got)
	}
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the stories differ from %s; run go test -update and read them:\n%s", golden, got.Bytes())
	}
}

// hard is a world without an answer that takes long to prove: more pigeons than
// holes.
func hard(holes int) *worldCase {
	c := &worldCase{world: newWorld()}
	c.req.Targets = []Target{testTarget("linux/amd64", "3.11.2", glibc(36))}
	for p := range holes + 1 {
		name := fmt.Sprintf("p%d", p)
		for h := range holes {
			line := fmt.Sprintf("%s %d", name, h+1)
			for q := range holes + 1 {
				if q != p {
					line += fmt.Sprintf(" | needs p%d!=%d", q, h+1)
				}
			}
			c.world.release(line, "")
		}
		c.req.Requirements = append(c.req.Requirements, mustRequirement(name))
	}
	return c
}

func TestStepsAreBounded(t *testing.T) {
	c := hard(9)
	c.req.Options.MaxSteps = 500
	_, err := Solve(context.Background(), c.world, c.req)
	var end *Exhausted
	if !errors.As(err, &end) || end.Name == "" {
		t.Errorf("got %v", err)
	}
	var none *NoSolution
	if !errors.As(err, &none) || len(none.Hints()) == 0 {
		t.Errorf("%v is no NoSolution with a hint", err)
	}
}

func TestCancelledSearchEnds(t *testing.T) {
	c := hard(10)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := Solve(ctx, c.world, c.req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

// failing is a world whose index fails for one package.
type failing struct {
	*world
	name python.Name
}

func (f failing) Project(ctx context.Context, name python.Name, url string) (*Project, error) {
	if name == f.name {
		return nil, errBroken
	}
	return f.world.Project(ctx, name, url)
}

var errBroken = errors.New("the index is broken")

func TestErrorOfTheSourceAborts(t *testing.T) {
	text := "== x\nindex\n  a 1.0 | needs b\n  b 1.0\n  c 1.0\nwant a\n"
	c := parseWorlds(t, "", text)[0]
	if _, err := Solve(context.Background(), failing{c.world, "b"}, c.req); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	if _, err := Solve(context.Background(), failing{c.world, "c"}, c.req); err != nil {
		t.Errorf("a package that nobody wants: %v", err)
	}
}

func TestTargetsAreBounded(t *testing.T) {
	c := hard(1)
	for _, n := range []int{0, 64} {
		c.req.Targets = make([]Target, n)
		if _, err := Solve(context.Background(), c.world, c.req); err == nil {
			t.Errorf("%d targets are accepted", n)
		}
	}
}
