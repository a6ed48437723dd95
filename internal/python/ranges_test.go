package python

import (
	"strings"
	"testing"
)

func TestRangesStringIsForPeople(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "any version",
		">=1.0":               ">=1",
		">=1.0,<2":            ">=1,<2",
		">=1.5.2,<2":          ">=1.5.2,<2",
		"==1.4":               "==1.4",
		"==1.4.*":             "==1.4.*",
		"==1.0.*":             "==1.0.*",
		"==0.*":               "<1",
		"~=1.4.2":             ">=1.4.2,<1.5",
		"!=1.4":               "!=1.4",
		"!=1.4.*,>=1":         ">=1,!=1.4.*",
		">=1,!=1.2,!=1.4,<2":  ">=1,!=1.2,!=1.4,<2",
		">1.4":                ">1.4",
		"<=1.4":               "<=1.4",
		"<1.4":                "<1.4",
		"<1.4rc1":             "<1.4rc1",
		">1.4rc1":             ">1.4rc1",
		">=2,<1":              "no version",
		"==1.4+cu118":         "==1.4+cu118",
		"!=1.4+cu118":         "!=1.4+cu118",
		">=20241124":          ">=20241124",
		"<1!2":                "<1!2.dev0",
		"===1.0":              "==1",
		"===foobar":           "no version",
		">=3.6,!=3.0.*,<4.0":  ">=3.6,<4",
		"!=3.0.*,!=3.1.*,>=2": ">=2,<3 or >=3.2.dev0",
	} {
		s, err := ParseSpecifiers(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Ranges().String(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestRangesStringOfUnions(t *testing.T) {
	r := func(s string) Ranges {
		out, err := ParseSpecifiers(s)
		if err != nil {
			t.Fatal(err)
		}
		return out.Ranges()
	}
	for _, c := range []struct {
		ranges Ranges
		want   string
	}{
		{r("<1").Union(r(">=2,<3")), "<1 or >=2,<3"},
		{r("==1.0").Union(r("==1.2")), "==1 or ==1.2"},
		{r("==1.0").Union(r(">=2")).Union(r("==1.5.*")), "==1 or ==1.5.* or >=2"},
		{Only(mustVersion(t, "1.2")).Complement(), "!=1.2"},
		{AllVersions().Difference(r(">=1")), "<1"},
	} {
		if got := c.ranges.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// probes are versions of all kinds around those that the sets below name.
var probes = strings.Fields(`0.dev0 0 0.0.0.0.0.1 1.dev0 1.dev1 1.dev1+l 1a0.dev0 1a0 1a1.dev0 1a1 1a1+l 1a1.post0.dev0
	1a1.post0 1a1.post1 1a2.dev0 1a2 1b1 1rc1 1.0 1.0+a 1.0+a.1 1.0+1 1.0.post0.dev0 1.0.post0 1.0.post1.dev1 1.0.post1 1.0.post1+l
	1.0.post2 1.0.0.0.0.1.dev0 1.0.0.0.0.1 1.0.0.0.1 1.0.0.1 1.0.1 1.1.dev0 1.1 1.2.255 1.2.256 1.3 1.255 1.256 2.dev0 2a1 2
	3.0.post524286 3.0.post524287.dev0 3.0.post524287 3.0.post524288 3.1a524286 3.1a524287.dev0 3.1a524287 3.1a524288
	3.2.dev524286 3.2.dev524287 3.2.dev524288 65535 65535.1 65536 65536.0.1 20241124 1!0.dev0 1!0 1!1.0 1!1.0.post1 1!1.1 2!1`)

var probeSets = strings.Fields(`>=1 >1 <1 <=1 ==1 !=1 ==1.* !=1.* ~=1.0 ~=1.0.1 ==1.0+a !=1.0+a >=1.dev1 >1.dev1 <1.dev1 <=1.dev1
	==1.dev1 !=1.dev1 >1a1 >=1a1 <1a1 <=1a1 ==1a1 !=1a1 >1a1.post0 <1a1.post0 <=1a1.post0 ==1a1.post0 >1.0.post1 >=1.0.post1
	<1.0.post1 <=1.0.post1 ==1.0.post1 !=1.0.post1 >1.0.post1.dev1 <=1.0.post1.dev1 ==1.0.0.0.0.1 >1.0.0.0.0.1 <=1.2.256 >1.2.256
	==1.2.* ==1.255.* ==1.256.* ~=65535.0 ==65535.* ==65536.* >3.0.post524286 <=3.0.post524286 >3.0.post524287 <=3.1a524286 >3.1a524286
	>3.2.dev524286 <=3.2.dev524286 ==3.2.dev524287 >=1!0 <1!1 >1!1.0 <=1!1.0 ==1!1.* ===1.0 ===1.0+a ===x <0 >=0.dev0 >0`)

func TestRangesAgreeWithSpecifiers(t *testing.T) {
	for _, set := range probeSets {
		s, err := ParseSpecifiers(set)
		if err != nil {
			t.Fatal(err)
		}
		r := s.Ranges()
		complement := r.Complement()
		if !complement.Complement().Equal(r) {
			t.Errorf("%s: complement of the complement differs", set)
		}
		for _, p := range probes {
			v := mustVersion(t, p)
			want := s.Contains(v, true)
			if strings.HasPrefix(set, "===") { // spelling is beyond Ranges
				want = v.String() == set[3:]
			}
			if r.Contains(v) != want || complement.Contains(v) == want {
				t.Errorf("%s contains %s: %v, ranges %v, complement %v", set, p, want, r.Contains(v), complement.Contains(v))
			}
		}
	}
}

func TestRangesAlgebra(t *testing.T) {
	var sets []Ranges
	for _, text := range probeSets {
		s, err := ParseSpecifiers(text)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, s.Ranges())
	}
	var versions []Version
	for _, p := range probes {
		versions = append(versions, mustVersion(t, p))
	}
	for i, a := range sets {
		for j, b := range sets {
			both, either := a.Intersect(b), a.Union(b)
			for _, v := range versions {
				if both.Contains(v) != (a.Contains(v) && b.Contains(v)) || either.Contains(v) != (a.Contains(v) || b.Contains(v)) {
					t.Fatalf("%s and %s: wrong for %s", probeSets[i], probeSets[j], v)
				}
			}
			if !both.Equal(b.Intersect(a)) || !either.Equal(b.Union(a)) {
				t.Errorf("%s and %s: order matters", probeSets[i], probeSets[j])
			}
			if !either.Complement().Equal(a.Complement().Intersect(b.Complement())) {
				t.Errorf("%s and %s: De Morgan does not hold", probeSets[i], probeSets[j])
			}
			if !both.IsSubset(a) || !a.IsSubset(either) || a.IsDisjoint(b) != both.IsEmpty() {
				t.Errorf("%s and %s: subsets are wrong", probeSets[i], probeSets[j])
			}
			if got := a.Difference(b).Union(both); !got.Equal(a) {
				t.Errorf("%s and %s: difference is wrong", probeSets[i], probeSets[j])
			}
		}
	}
}

func TestProbesAreSorted(t *testing.T) {
	for i := 1; i < len(probes); i++ {
		if a, b := mustVersion(t, probes[i-1]), mustVersion(t, probes[i]); a.Compare(b) >= 0 || b.Compare(a) <= 0 {
			t.Errorf("%s is not below %s", a, b)
		}
	}
}

func TestOnlyIsOneVersion(t *testing.T) {
	for _, p := range probes {
		only := Only(mustVersion(t, p))
		for _, q := range probes {
			if got := only.Contains(mustVersion(t, q)); got != (p == q) {
				t.Errorf("only %s contains %s: %v", p, q, got)
			}
		}
	}
}
