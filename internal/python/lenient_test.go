package python

import "testing"

// The left sides stand in published metadata.
var repairs = map[string]string{
	">=3.6,":                     ">=3.6",
	">=2.7.*":                    ">=2.7",
	">=2.7.*,!=3.0.*":            "!=3.0.*,>=2.7",
	"!=3.0*,>=2.7":               "!=3.0.*,>=2.7",
	">=2.7,!=3.0*,!=3.1*,!=3.2*": "!=3.0.*,!=3.1.*,!=3.2.*,>=2.7",
	">=3.6'":                     ">=3.6",
	">='2.7'":                    ">=2.7",
	`>="3.7"`:                    ">=3.7",
	">=3.7<4":                    "<4,>=3.7",
	">=3.7 <4":                   "<4,>=3.7",
	">=1.0!=1.1":                 "!=1.1,>=1.0",
	">=1!2.0!=1!2.1":             "!=1!2.1,>=1!2.0",
	"!=~5.0":                     "!=5.0.*",
	">=9.0.0a1.0":                ">=9.0.0a1",
	">dev":                       ">0.0.0dev",
	"~=3.6.*":                    "~=3.6",
	"<4.*":                       "<4",
	"(>=3.6)":                    ">=3.6",
	">=3.6.":                     ">=3.6",
	", >=3.6":                    ">=3.6",
	">=2.7, != 3.0.*, != 3.1.*":  "!=3.0.*,!=3.1.*,>=2.7",
}

func TestParseSpecifiersLenientRepairs(t *testing.T) {
	for in, want := range repairs {
		s, err := ParseSpecifiersLenient(in)
		if err != nil || s.String() != want {
			t.Errorf("%q is %q, %v; want %q", in, s, err, want)
		}
	}
}

func TestParseSpecifiersLenientRefusesWhatIsNone(t *testing.T) {
	for _, in := range []string{"3.6", "python", ">=", ">=x", ">=3.6 or 4", "=>3.6", "~>3.6", ">=3.6,foo", "*", "==", "==3.6.x"} {
		if s, err := ParseSpecifiersLenient(in); err == nil {
			t.Errorf("%q is taken for %q", in, s)
		}
	}
}

func TestParseRequirementLenientRepairs(t *testing.T) {
	for in, want := range map[string]string{
		"pytest (>=7.0.*) ; extra == 'Test_Suite'":           `pytest>=7.0; extra == "test-suite"`,
		"hypothesis>=6.46.1<7":                               "hypothesis<7,>=6.46.1",
		"typing-extensions (>=3.6.2.1,) ; os_name == 'nt'":   `typing-extensions>=3.6.2.1; os_name == "nt"`,
		"a[x,y] (>=1.0 <2) ; os_name == 'nt'":                `a[x,y]<2,>=1.0; os_name == "nt"`,
		"torch (>=1.9.*)":                                    "torch>=1.9",
		"ok>=1 ; python_version >= '3.8' and extra == 'dev'": `ok>=1; python_version >= "3.8" and extra == "dev"`,
		"a @ https://example.org/a.zip":                      "a @ https://example.org/a.zip",
		"jupyter-core (!=~5.0,>=4.12)":                       "jupyter-core!=5.0.*,>=4.12",
	} {
		r, err := ParseRequirementLenient(in)
		if err != nil || r.String() != want {
			t.Errorf("%q is %q, %v; want %q", in, r, err, want)
		}
	}
	for _, in := range []string{"a (1.0)", "a b", "a>=1 ; foo", "", "a[x", "a @", "-e .", "a>=1 (2)"} {
		if r, err := ParseRequirementLenient(in); err == nil {
			t.Errorf("%q is taken for %q", in, r)
		}
	}
}
