package python

import (
	"slices"
	"testing"
)

func TestRunsAreWhatContainsSays(t *testing.T) {
	var versions []Version
	for _, s := range []string{"0", "1.0.dev1", "1.0a1", "1.0", "1.0+a", "1.0.post1", "1.1", "1.2rc1", "1.2", "1!0", "1!1.0"} {
		v, err := ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v)
	}
	slices.SortFunc(versions, Version.Compare)
	for _, text := range []string{
		"", ">=1.0", ">1.0", "<1.0", "<=1.0", "==1.0", "!=1.0", "==1.*", "!=1.*", "~=1.0", "===1.0", "<1.0a1", ">=1!0", "<0", "!=1.0,!=1.2", ">=1.0,!=1.1,<1!0",
	} {
		s, err := ParseSpecifiers(text)
		if err != nil {
			t.Fatal(err)
		}
		r := s.Ranges()
		var got []Version
		for _, run := range r.Runs(versions) {
			got = append(got, versions[run[0]:run[1]]...)
		}
		var want []Version
		for _, v := range versions {
			if r.Contains(v) {
				want = append(want, v)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
