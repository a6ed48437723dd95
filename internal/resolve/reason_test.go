package resolve

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// TestRangesPassedOverEndWithTheirVersions covers a version of the image, which is
// preferred to newer ones, in the middle of those that are passed over.
func TestRangesPassedOverEndWithTheirVersions(t *testing.T) {
	c := parseWorlds(t, "", "== x\nindex\n  a 1.0\n  a 2.0\n  a 2.1\n  a 2.2\n  a 3.0\n  a 3.1\nimage linux/amd64\n  a 2.2\nimage linux/arm64\n  a 2.2\nwant a<2\n")[0]
	r, err := Solve(context.Background(), c.world, c.req)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range r.Picks[0].Passed {
		got = append(got, fmt.Sprintf("%s (%d)", p, p.Count))
	}
	want := []string{
		"2.2: requirements.txt wants <2 (1)",
		"3.1 to 2.0 (4 versions): requirements.txt wants <2 (4)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
