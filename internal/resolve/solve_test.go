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
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

func TestWorlds(t *testing.T) {
	files, err := filepath.Glob("testdata/*.world")
	if err != nil || len(files) == 0 {
		t.Fatal("no worlds", err)
	}
	for _, file := range files {
		if file == storyWorlds {
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
	if got := lines(r); !slices.Equal(got, c.want) {
		t.Errorf("got %q\nwant %q", got, c.want)
	}
	if c.quiet && c.world.pages.Load()+c.world.asked.Load() > 0 {
		t.Errorf("the index was asked for %d pages and %d metadata", c.world.pages.Load(), c.world.asked.Load())
	}
}

const storyWorlds = "testdata/stories.world"

// TestStories shows what is said about each way in which nothing fits.
func TestStories(t *testing.T) {
	text, err := os.ReadFile(storyWorlds)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, c := range parseWorlds(t, storyWorlds, string(text)) {
		_, err := Solve(context.Background(), c.world, c.req)
		var none *NoSolution
		if !errors.As(err, &none) {
			t.Errorf("%s: got %v", c.name, err)
			continue
		}
		fmt.Fprintf(&got, "== %s\n%s\n", c.name, none.Story)
		for _, h := range none.Hints {
			fmt.Fprintf(&got, "hint: %s\n", h)
		}
		fmt.Fprintln(&got)
	}
	const golden = "testdata/stories.txt"
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
