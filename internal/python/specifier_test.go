package python

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

type specifierCase struct {
	ID, Op, In, Norm, Spec, Version string
	OK                              bool
	Prereleases                     *bool
	Specs                           [][2]string
	Versions                        []string
	Want                            json.RawMessage
}

func TestSpecifierVectors(t *testing.T) {
	vectors(t, "specifiers", func(t *testing.T, c *specifierCase) {
		switch c.Op {
		case "parse":
			checkSpecifiers(t, c)
		case "contains":
			checkContains(t, c)
		case "filter":
			checkFilter(t, c)
		default:
			t.Errorf("%s: unknown op %q", c.ID, c.Op)
		}
	})
}

func checkSpecifiers(t *testing.T, c *specifierCase) {
	t.Helper()
	s, err := ParseSpecifiers(c.In)
	if (err == nil) != c.OK {
		t.Errorf("%s: parsing %q gives error %v, want ok %v", c.ID, c.In, err, c.OK)
	}
	if err != nil || !c.OK {
		return
	}
	if s.String() != c.Norm {
		t.Errorf("%s: %q is %q, want %q", c.ID, c.In, s, c.Norm)
	}
	var specs [][2]string
	for _, clause := range s.All() {
		specs = append(specs, [2]string{clause.Operator(), clause.VersionText()})
	}
	slices.SortFunc(specs, func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	if !slices.Equal(specs, c.Specs) {
		t.Errorf("%s: %q has clauses %q, want %q", c.ID, c.In, specs, c.Specs)
	}
	if want := c.Prereleases != nil && *c.Prereleases; s.NamesPrerelease() != want {
		t.Errorf("%s: %q names a pre-release: %v, want %v", c.ID, c.In, s.NamesPrerelease(), want)
	}
	again, err := ParseSpecifiers(s.String())
	if err != nil || again.String() != s.String() {
		t.Errorf("%s: %q printed and parsed again is %q, %v", c.ID, s, again, err)
	}
}

func checkContains(t *testing.T, c *specifierCase) {
	t.Helper()
	s, err := ParseSpecifiers(c.Spec)
	if err != nil {
		t.Errorf("%s: %v", c.ID, err)
		return
	}
	// Unknown means admitted when it is the only candidate.
	pre := c.Prereleases == nil || *c.Prereleases
	want := string(c.Want) == "true"
	if got := s.ContainsText(c.Version, pre); got != want {
		t.Errorf("%s: %q contains %q (pre-releases %v): %v, want %v", c.ID, c.Spec, c.Version, pre, got, want)
	}
	v, err := ParseVersion(c.Version)
	if err != nil || strings.Contains(c.Spec, "===") {
		return
	}
	if got := s.Contains(v, pre); got != want {
		t.Errorf("%s: %q contains version %q (pre-releases %v): %v, want %v", c.ID, c.Spec, c.Version, pre, got, want)
	}
	if got := s.Ranges().Contains(v) && (pre || !v.IsPrerelease()); got != want {
		t.Errorf("%s: ranges of %q contain %q: %v, want %v", c.ID, c.Spec, c.Version, got, want)
	}
	if got := !s.Ranges().Complement().Contains(v) && (pre || !v.IsPrerelease()); got != want {
		t.Errorf("%s: the complement of the ranges of %q contains %q: %v", c.ID, c.Spec, c.Version, want)
	}
}

// checkFilter applies the rule that PEP 440 gives for an unknown attitude to
// pre-releases: only if nothing else fits.
func checkFilter(t *testing.T, c *specifierCase) {
	t.Helper()
	s, err := ParseSpecifiers(c.Spec)
	if err != nil {
		t.Errorf("%s: %v", c.ID, err)
		return
	}
	var want []string
	mustJSON(t, c.Want, &want)
	filter := func(pre bool) (out []string) {
		for _, v := range c.Versions {
			if s.ContainsText(v, pre) {
				out = append(out, v)
			}
		}
		return out
	}
	var got []string
	switch {
	case c.Prereleases != nil:
		got = filter(*c.Prereleases)
	case s.NamesPrerelease():
		got = filter(true)
	default:
		if got = filter(false); len(got) == 0 {
			got = filter(true)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q leaves %q, want %q", c.ID, c.Spec, got, want)
	}
}
