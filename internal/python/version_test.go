package python

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
)

type versionCase struct {
	ID, Op, A, B                         string
	In                                   json.RawMessage
	OK                                   bool
	Norm, Base, Public, Epoch, Canonical string
	Release                              []string
	Local                                *string
	IsPrerelease                         bool `json:"is_prerelease"`
	IsPostrelease                        bool `json:"is_postrelease"`
	IsDevrelease                         bool `json:"is_devrelease"`
	Want                                 json.RawMessage
}

func TestVersionVectors(t *testing.T) {
	vectors(t, "versions", func(t *testing.T, c *versionCase) {
		switch c.Op {
		case "parse":
			checkVersion(t, c)
		case "cmp":
			a, b := mustVersion(t, c.A), mustVersion(t, c.B)
			want, _ := strconv.Atoi(string(c.Want))
			if got := a.Compare(b); got != want {
				t.Errorf("%s: %q compared to %q is %d, want %d", c.ID, c.A, c.B, got, want)
			}
			if got := b.Compare(a); got != -want {
				t.Errorf("%s: %q compared to %q is %d, want %d", c.ID, c.B, c.A, got, -want)
			}
		case "sort":
			var in, want []string
			mustJSON(t, c.In, &in)
			mustJSON(t, c.Want, &want)
			slices.SortStableFunc(in, func(a, b string) int { return mustVersion(t, a).Compare(mustVersion(t, b)) })
			if !slices.Equal(in, want) {
				t.Errorf("%s: sorted %q, want %q", c.ID, in, want)
			}
		default:
			t.Errorf("%s: unknown op %q", c.ID, c.Op)
		}
	})
}

func checkVersion(t *testing.T, c *versionCase) {
	t.Helper()
	var in string
	mustJSON(t, c.In, &in)
	v, err := ParseVersion(in)
	if (err == nil) != c.OK {
		t.Errorf("%s: parsing %q gives error %v, want ok %v", c.ID, in, err, c.OK)
	}
	if err != nil || !c.OK {
		return
	}
	if v.String() != c.Norm || v.Public().String() != c.Public || v.Base().String() != c.Base {
		t.Errorf("%s: %q is %s, public %s, base %s; want %s, %s, %s", c.ID, in, v, v.Public(), v.Base(), c.Norm, c.Public, c.Base)
	}
	local := ""
	if c.Local != nil {
		local = *c.Local
	}
	if v.Local() != local {
		t.Errorf("%s: %q has local label %q, want %q", c.ID, in, v.Local(), local)
	}
	if v.IsPrerelease() != c.IsPrerelease || v.IsPostrelease() != c.IsPostrelease || v.IsDevrelease() != c.IsDevrelease {
		t.Errorf("%s: %q is pre, post, dev: %v %v %v", c.ID, in, v.IsPrerelease(), v.IsPostrelease(), v.IsDevrelease())
	}
	var release []string
	for _, n := range v.Release() {
		release = append(release, strconv.FormatUint(n, 10))
	}
	for i, n := range c.Release {
		if _, err := strconv.ParseUint(n, 10, 64); err != nil {
			c.Release[i] = "18446744073709551615"
		}
	}
	if !slices.Equal(release, c.Release) {
		t.Errorf("%s: %q has release %v, want %v", c.ID, in, release, c.Release)
	}
}

func mustVersion(t testing.TB, s string) Version {
	t.Helper()
	v, err := ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustJSON(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func TestZeroVersionIsZero(t *testing.T) {
	var zero Version
	if v := mustVersion(t, "0.0"); zero.Compare(v) != 0 || zero.String() != "0" {
		t.Errorf("the zero version is %s and compares %d to 0.0", zero, zero.Compare(v))
	}
	if mustVersion(t, "0.dev0").Compare(zero) >= 0 {
		t.Error("0.dev0 is not before the zero version")
	}
}
