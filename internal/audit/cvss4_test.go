package audit

import "testing"

// TestScores4 has vectors drawn by lot, scored by the calculator that FIRST
// publishes, those of the specification's ends, and what is no vector.
func TestScores4(t *testing.T) {
	const base = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H"
	for vector, want := range map[string]float64{
		base + "/SC:N/SI:N/SA:N": 9.3,
		base + "/SC:H/SI:H/SA:H": 10,
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N": 0,
		"CVSS:4.0/AV:N/AC:H/AT:P/PR:L/UI:A/VC:N/VI:H/VA:N/SC:N/SI:L/SA:N": 5.7,
		"CVSS:4.0/AV:N/AC:H/AT:N/PR:L/UI:P/VC:N/VI:L/VA:H/SC:H/SI:N/SA:L": 7,
		"CVSS:4.0/AV:L/AC:H/AT:P/PR:N/UI:P/VC:N/VI:N/VA:N/SC:L/SI:H/SA:N": 4.5,
		"CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:P/VC:H/VI:N/VA:N/SC:L/SI:H/SA:H": 7,
		"CVSS:4.0/AV:P/AC:L/AT:P/PR:L/UI:N/VC:H/VI:L/VA:N/SC:H/SI:N/SA:L": 5.7,
		"CVSS:4.0/AV:A/AC:H/AT:N/PR:H/UI:N/VC:H/VI:N/VA:N/SC:L/SI:N/SA:H": 6.9,
		"CVSS:4.0/AV:P/AC:H/AT:P/PR:L/UI:A/VC:L/VI:L/VA:L/SC:L/SI:L/SA:H": 2.1,
		"CVSS:4.0/AV:P/AC:H/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:L/SI:H/SA:N": 2,
		// Half a tenth is rounded up.
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:N/VA:L/SC:H/SI:H/SA:H": 8.6,
		// With threat and environment.
		"CVSS:4.0/AV:N/AC:L/AT:P/PR:H/UI:P/VC:H/VI:H/VA:L/SC:H/SI:N/SA:L/E:U/CR:M/IR:M/AR:H/MAV:P/MAT:N/MPR:L/MUI:A/MVI:H/MSC:H/MSI:H/MSA:S": 5.7,
		"CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:P/VC:H/VI:L/VA:H/SC:N/SI:N/SA:L/E:P/CR:M/AR:L/MAV:L/MAC:H/MAT:P/MPR:N/MVA:H/MSC:L/MSA:H":            4.7,
		"CVSS:4.0/AV:L/AC:H/AT:P/PR:L/UI:P/VC:H/VI:L/VA:L/SC:N/SI:H/SA:H/CR:H/IR:M/AR:M/MAV:N/MAC:H/MPR:N/MUI:A/MVC:N/MVI:N/MSC:N/MSI:N":     4.6,
		base + "/SC:N/SI:N":          -1,
		base + "/SC:N/SI:N/SA:S":     -1, // the environment only
		base + "/SC:N/SI:N/SA:N/E:Z": -1,
	} {
		got, ok := Score(vector)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s: got %v, want %v", vector, got, want)
		}
	}
}

// TestEveryClassHasAScore counts the classes, and checks that none is worse than
// one above it.
func TestEveryClassHasAScore(t *testing.T) {
	n := 0
	for i := range 324 {
		c := class4{i / 108, i / 54 % 2, i / 18 % 3, i / 6 % 3, i / 2 % 3, i % 2}
		if c[2] == 2 && c[5] == 0 {
			if c.score() != 0 {
				t.Errorf("%v has a score", c)
			}
			continue
		}
		n++
		if c.score() == 0 {
			t.Errorf("%v has no score", c)
		}
		for k, g := range c.groups() {
			if next, ok := g.next(); ok && next > c.score() {
				t.Errorf("%v: group %d: %v is below %v", c, k, next, c.score())
			}
		}
	}
	if n != 270 {
		t.Errorf("%d classes", n)
	}
}
