package resolve

import (
	"context"
	"sync/atomic"
	"testing"
)

// slowSource answers what a version needs only if the answer counts.
type slowSource struct {
	Source
	refused, answered atomic.Int32
}

func (s *slowSource) Requires(ctx context.Context, c *Candidate, a *Artifact) (*Needs, error) {
	if Ahead(ctx) {
		s.refused.Add(1)
		return nil, ErrLater
	}
	s.answered.Add(1)
	return s.Source.Requires(ctx, c, a)
}

// What is asked ahead and refused is asked again once it counts, and a version that is
// passed over is never asked in earnest.
func TestLater(t *testing.T) {
	for range 20 {
		c := parseWorlds(t, "", "== x\nindex\n  a 1 | needs b<2\n  b 1 | needs c\n  b 2 | needs d\n  c 1\n  d 1\nwant a\nwant b\n")[0]
		src := &slowSource{Source: c.world}
		r, err := Solve(t.Context(), src, c.req)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for _, p := range r.Picks {
			got += string(p.Name) + p.Version.String() + " "
		}
		if got != "a1 b1 c1 " || src.answered.Load() != 3 {
			t.Fatalf("picked %s with %d answers (%d refused)", got, src.answered.Load(), src.refused.Load())
		}
	}
}
