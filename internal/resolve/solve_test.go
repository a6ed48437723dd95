package resolve

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWorlds(t *testing.T) {
	files, err := filepath.Glob("testdata/*.world")
	if err != nil || len(files) == 0 {
		t.Fatal("no worlds", err)
	}
	for _, file := range files {
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
	if got := lines(r); !slices.Equal(got, c.want) {
		t.Errorf("got %q\nwant %q", got, c.want)
	}
	if c.quiet && c.world.pages.Load()+c.world.asked.Load() > 0 {
		t.Errorf("the index was asked for %d pages and %d metadata", c.world.pages.Load(), c.world.asked.Load())
	}
}
