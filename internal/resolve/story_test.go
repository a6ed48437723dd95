package resolve

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/python"
)

var (
	relaxHint = regexp.MustCompile(`^relax ".+" \((\S+):(\d+)\): (\S+) (\S+) fits$`)
	nearHint  = regexp.MustCompile(`^(\S+) (\S+) can be had for`)
	askHint   = regexp.MustCompile(`(?:taken only if it is pinned|ask for one): (\S+==\S+)`)
)

// TestRelaxedLinesFit does what each hint says: the line pinned to the version
// that is said to fit must have an answer.
func TestRelaxedLinesFit(t *testing.T) {
	tried := 0
	for _, file := range storyWorlds {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range parseWorlds(t, file, string(text)) {
			_, err := Solve(context.Background(), c.world, c.req)
			var none *NoSolution
			if !errors.As(err, &none) {
				t.Fatalf("%s: %v", c.name, err)
			}
			for _, h := range none.Hints() {
				m := relaxHint.FindStringSubmatch(h)
				if m == nil {
					continue
				}
				tried++
				if _, err := Solve(context.Background(), c.world, pinned(t, c.req, m[1], m[2], m[4])); err != nil {
					t.Errorf("%s: %s, but: %v", c.name, h, err)
				}
			}
		}
	}
	if tried < 15 {
		t.Errorf("only %d hints were tried", tried)
	}
}

// pinned returns a request in which one line pins its package.
func pinned(t *testing.T, req Request, file, line, version string) Request {
	t.Helper()
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	pin, err := python.ParseSpecifiers("==" + version)
	if err != nil {
		t.Fatal(err)
	}
	list := &req.Requirements
	if file == "constraints.txt" {
		list = &req.Constraints
	}
	*list = slices.Clone(*list)
	(*list)[n-1].Specifiers = pin
	return req
}

// TestHintsHelp does what all other hints say that name a version or --pre.
func TestHintsHelp(t *testing.T) {
	tried := 0
	for _, file := range storyWorlds {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range parseWorlds(t, file, string(text)) {
			_, err := Solve(context.Background(), c.world, c.req)
			var none *NoSolution
			if !errors.As(err, &none) {
				t.Fatalf("%s: %v", c.name, err)
			}
			try := func(hint string, change func(*Request)) {
				tried++
				req := c.req
				change(&req)
				if _, err := Solve(context.Background(), c.world, req); err != nil {
					t.Errorf("%s: %s, but: %v", c.name, hint, err)
				}
			}
			for _, h := range none.Hints() {
				if m := nearHint.FindStringSubmatch(h); m != nil {
					try(h, pinning(python.Name(m[1]), mustVersion(m[2])))
				}
				if m := askHint.FindStringSubmatch(h); m != nil {
					r := mustRequirement(m[1])
					try(h, asking(r.Name, r.Specifiers))
				}
				if strings.HasPrefix(h, "allow pre-releases") {
					try(h, func(r *Request) { r.Options.Pre = true })
				}
			}
		}
	}
	if tried < 6 {
		t.Errorf("only %d hints were tried", tried)
	}
}

// inFirst is a world whose index is one of two, and the first.
type inFirst struct{ *world }

func (f inFirst) Project(ctx context.Context, name python.Name, url string) (*Project, error) {
	p, err := f.world.Project(ctx, name, url)
	if p != nil {
		p.Index, p.Others = "https://one.example.org/", []string{"https://two.example.org/"}
	}
	return p, err
}

func TestIndexesThatWereNotAskedAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"want b>=2\n": `requirements.txt:1: no version of b fits ">=2" (there is 1.0 in https://one.example.org/)`,
		"want a\n":    "requirements.txt:1: a can't be met: no version of b fits:\n  requirements.txt:1 wants a\n  a 1.0 needs b>=2, but there is only 1.0 in https://one.example.org/",
	} {
		c := parseWorlds(t, "", "== x\nindex\n  a 1.0 | needs b>=2\n  b 1.0\n"+text)[0]
		_, err := Solve(context.Background(), inFirst{c.world}, c.req)
		var none *NoSolution
		if !errors.As(err, &none) || none.Story != want {
			t.Errorf("got %v, want %q", err, want)
			continue
		}
		if h := none.Hints(); len(h) == 0 || !strings.HasPrefix(h[0], "b is taken from https://one.example.org/, the first index that has it, so https://two.example.org/ was not asked") {
			t.Errorf("got hints %q", h)
		}
	}
}

// TestFilesThatAreNotThereAreToldOf covers a version of which the index lists no
// files at all, as those of old projects.
func TestFilesThatAreNotThereAreToldOf(t *testing.T) {
	c := parseWorlds(t, "", "== x\nindex\n  a 1.0\nwant a\n")[0]
	c.world.projects["a"].list[0].candidate.Artifacts = nil
	_, err := Solve(context.Background(), c.world, c.req)
	if want := "requirements.txt:1: a 1.0 has no files"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}
