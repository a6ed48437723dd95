package resolve

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// besides adds packages with many versions that have nothing to do with others.
func (c *worldCase) besides(packages, versions int) {
	for p := range packages {
		name := fmt.Sprintf("z%d", p)
		for v := range versions {
			line := fmt.Sprintf("%s %d", name, v+1)
			if p+1 < packages {
				line += fmt.Sprintf(" | needs z%d>=%d", p+1, v/2)
			}
			c.world.release(line, "")
		}
		if p%2 == 0 {
			c.req.Requirements = append(c.req.Requirements, mustRequirement(name))
		}
	}
}

// solveCounting is Solve, and the number of conflicts on the way.
func (c *worldCase) solveCounting() (*Resolution, int, error) {
	f := newFetcher(c.world, &c.req, newPolicy(&c.req))
	defer f.wait.Wait()
	s := &search{ctx: context.Background(), fetch: f, req: &c.req}
	r, err := s.run()
	return r, s.stats.Conflicts, err
}

func TestUnrelatedPackagesAreNotTriedForAYankedOne(t *testing.T) {
	none, admitted := 0, 0
	for n := range 1200 {
		c := randomWorld(rand.New(rand.NewPCG(uint64(n), 17)), true)
		before, conflicts, err := c.solveCounting()
		c.besides(6, 30)
		after, conflictsAfter, errAfter := c.solveCounting()
		if (err == nil) != (errAfter == nil) {
			t.Fatalf("world %d: %v before, %v after\n%s", n, err, errAfter, c)
		}
		if conflictsAfter > 2*conflicts+4 {
			t.Errorf("world %d: %d conflicts before, %d after\n%s", n, conflicts, conflictsAfter, c)
		}
		if err != nil {
			var no *NoSolution
			if !errors.As(err, &no) {
				t.Fatal(err)
			}
			none++
			continue
		}
		got := slices.DeleteFunc(lines(after), func(s string) bool { return s[0] == 'z' })
		if want := lines(before); !slices.Equal(got, want) {
			t.Fatalf("world %d: got %q, want %q", n, got, want)
		}
		if len(before.Picks) > 0 && slices.ContainsFunc(before.Picks, func(p *Pick) bool { return p.On[0].Artifact.Yanked }) {
			admitted++
		}
	}
	t.Logf("%d worlds without an answer, %d with a yanked version in it", none, admitted)
	if none < 100 || admitted < 10 {
		t.Error("the random worlds are too easy or too hard")
	}
}

// TestNothingButYankedVersions covers the ways in which a requirement comes to
// want what was yanked.
func TestNothingButYankedVersions(t *testing.T) {
	parents := ""
	for v := range 40 {
		parents += fmt.Sprintf("  parent %d | needs yan>=1.1\n", v+1)
	}
	index := "== x\nindex\n  yan 1.0\n  yan 1.1 | yanked broken\n" + parents
	for name, wants := range map[string]string{
		"direct":       "want yan>1\n",
		"transitive":   "want parent\n",
		"constraint":   "want yan\nconstrain yan>=1.1\n",
		"locked":       "option locked z0 3\nwant yan>1\n",
		"one platform": "target linux/amd64\nwant yan>1\n",
		"lowest":       "option lowest\nwant parent\n",
	} {
		c := parseWorlds(t, "", index+wants)[0]
		c.besides(8, 60)
		_, conflicts, err := c.solveCounting()
		var no *NoSolution
		if !errors.As(err, &no) {
			t.Errorf("%s: got %v", name, err)
		}
		if conflicts > 100 {
			t.Errorf("%s: %d conflicts", name, conflicts)
		}
	}
}

// TestAnOlderVersionAdmitsAYankedOne needs a version that is not taken first, of
// a package among many.
func TestAnOlderVersionAdmitsAYankedOne(t *testing.T) {
	c := parseWorlds(t, "", "== x\nindex\n  yan 1.1 | yanked\n  b 1 | needs c==1\n  b 2 | needs c==2\n  c 1 | needs yan==1.1\n  c 2\nwant yan\nwant b\n")[0]
	c.besides(8, 60)
	r, conflicts, err := c.solveCounting()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []python.Name{"yan", "b", "c"} {
		if !slices.ContainsFunc(r.Picks, func(p *Pick) bool { return p.Name == name }) {
			t.Errorf("%s is missing in %q", name, lines(r))
		}
	}
	if conflicts > 20 {
		t.Errorf("%d conflicts", conflicts)
	}
}
