package audit

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// vector4 is a CVSS 4 vector: for each metric the letter of its value.
type vector4 map[string]string

// metrics4 holds, for each metric that counts, its values from the most to the least
// severe. Those in front of the gap must be given; for the others the first is what
// is meant if they are not (section 2.3 and 4 of the specification). A metric in
// modified counts instead of the base metric if it is given (section 4.2).
var (
	required4 = map[string]string{
		"AV": "NALP", "AC": "LH", "AT": "NP", "PR": "NLH", "UI": "NPA",
		"VC": "HLN", "VI": "HLN", "VA": "HLN", "SC": "HLN", "SI": "HLN", "SA": "HLN",
	}
	optional4 = map[string]string{"E": "APU", "CR": "HML", "IR": "HML", "AR": "HML"}
	// Only the environment can make a subsequent system unsafe.
	unsafe4 = map[string]string{"SI": "SHLN", "SA": "SHLN"}
)

// score4 is section 8 of the CVSS 4.0 specification: the class that a vector is in
// (its macro vector) has a score, from which is taken what the vector is less
// severe than the worst ones of the class, in the measure of the next classes.
func score4(m map[string]string) (float64, bool) {
	v, ok := effective4(m)
	if !ok {
		return 0, false
	}
	if !slices.ContainsFunc([]string{"VC", "VI", "VA", "SC", "SI", "SA"}, func(k string) bool { return v[k] != "N" }) {
		return 0, true
	}
	class := v.class()
	score := class.score()
	sum, lower := 0.0, 0
	for _, g := range class.groups() {
		next, exists := g.next()
		if !exists {
			continue
		}
		lower++
		sum += (score - next) * float64(v.distance(g.worst)) / float64(g.depth)
	}
	if lower > 0 {
		score -= sum / float64(lower)
	}
	// The sums of tenths are not exact: 8.95 is to be 9.0.
	return math.Round(math.Min(10, math.Max(0, score))*10+1e-6) / 10, true
}

// effective4 returns the values that count, ok false if one is missing or unknown.
func effective4(m map[string]string) (v vector4, ok bool) {
	v = vector4{}
	for metric, values := range required4 {
		value := m[metric]
		if len(value) != 1 || !strings.Contains(values, value) {
			return nil, false
		}
		v[metric] = value
		if values = cmp.Or(unsafe4[metric], values); m["M"+metric] != "" && m["M"+metric] != "X" {
			value = m["M"+metric]
			if len(value) != 1 || !strings.Contains(values, value) {
				return nil, false
			}
			v[metric] = value
		}
	}
	for metric, values := range optional4 {
		v[metric] = values[:1]
		if value := m[metric]; value != "" && value != "X" {
			if len(value) != 1 || !strings.Contains(values, value) {
				return nil, false
			}
			v[metric] = value
		}
	}
	return v, true
}

// is tells whether all the given metrics ("AV:N") are so.
func (v vector4) is(all ...string) bool {
	for _, s := range all {
		metric, value, _ := strings.Cut(s, ":")
		if v[metric] != value {
			return false
		}
	}
	return true
}

// any tells whether one of the given metrics is so.
func (v vector4) any(some ...string) bool {
	return slices.ContainsFunc(some, func(s string) bool { return v.is(s) })
}

// class4 is a macro vector: a level, 0 being the worst, for each of six groups of
// metrics (tables 24 to 29 of the specification).
type class4 [6]int

func (v vector4) class() class4 {
	level := func(worst, middle bool) int {
		switch {
		case worst:
			return 0
		case middle:
			return 1
		}
		return 2
	}
	c := class4{
		level(v.is("AV:N", "PR:N", "UI:N"), v.any("AV:N", "PR:N", "UI:N") && !v.is("AV:P")),
		level(v.is("AC:L", "AT:N"), true),
		level(v.is("VC:H", "VI:H"), v.any("VC:H", "VI:H", "VA:H")),
		level(v.any("SI:S", "SA:S"), v.any("SC:H", "SI:H", "SA:H")),
		strings.Index(optional4["E"], v["E"]),
		level(v.is("CR:H", "VC:H") || v.is("IR:H", "VI:H") || v.is("AR:H", "VA:H"), true),
	}
	return c
}

// score returns the score of a class; 0 for one that there is not.
func (c class4) score() float64 {
	if c[0] > 2 || c[1] > 1 || c[2] > 2 || c[3] > 2 || c[4] > 2 || c[5] > 1 {
		return 0
	}
	return float64(scores4[(c[0]*2+c[1])*3+c[2]][(c[3]*3+c[4])*2+c[5]]) / 10
}

// group4 is one of the groups by which classes are compared; the third and the
// sixth are one, as they share metrics.
type group4 struct {
	lower []class4 // the classes that are one level less severe in it
	worst []string // the worst vectors of the group's level
	depth int      // how many steps less severe a vector of that level can be, and one
}

// next returns the score of the next class; of two, the higher one.
func (g *group4) next() (score float64, exists bool) {
	for _, c := range g.lower {
		if s := c.score(); s > 0 {
			score, exists = math.Max(score, s), true
		}
	}
	return score, exists
}

// groups returns the groups of a class, with the worst vectors of table 24 to 29
// and the depths that follow from them.
func (c class4) groups() []group4 {
	down := func(group ...int) class4 {
		d := c
		for _, g := range group {
			d[g]++
		}
		return d
	}
	both := []class4{down(2)}
	switch {
	case c[2] == 1 && c[5] == 0:
		both = []class4{down(5)}
	case c[2] == 0 && c[5] == 0:
		both = []class4{down(5), down(2)}
	}
	level := c[2]*2 + c[5]
	return []group4{
		{[]class4{down(0)}, [][]string{
			{"AV:N/PR:N/UI:N"},
			{"AV:A/PR:N/UI:N", "AV:N/PR:L/UI:N", "AV:N/PR:N/UI:P"},
			{"AV:P/PR:N/UI:N", "AV:A/PR:L/UI:P"},
		}[c[0]], []int{1, 4, 5}[c[0]]},
		{[]class4{down(1)}, [][]string{{"AC:L/AT:N"}, {"AC:H/AT:N", "AC:L/AT:P"}}[c[1]], []int{1, 2}[c[1]]},
		{both, [][]string{
			{"VC:H/VI:H/VA:H/CR:H/IR:H/AR:H"},
			{"VC:H/VI:H/VA:L/CR:M/IR:M/AR:H", "VC:H/VI:H/VA:H/CR:M/IR:M/AR:M"},
			{"VC:L/VI:H/VA:H/CR:H/IR:H/AR:H", "VC:H/VI:L/VA:H/CR:H/IR:H/AR:H"},
			{
				"VC:L/VI:H/VA:L/CR:H/IR:M/AR:H", "VC:L/VI:H/VA:H/CR:H/IR:M/AR:M", "VC:H/VI:L/VA:H/CR:M/IR:H/AR:M",
				"VC:H/VI:L/VA:L/CR:M/IR:H/AR:H", "VC:L/VI:L/VA:H/CR:H/IR:H/AR:M",
			},
			nil, // there is no such level
			{"VC:L/VI:L/VA:L/CR:H/IR:H/AR:H"},
		}[level], []int{7, 6, 8, 8, 1, 10}[level]},
		{[]class4{down(3)}, [][]string{{"SC:H/SI:S/SA:S"}, {"SC:H/SI:H/SA:H"}, {"SC:L/SI:L/SA:L"}}[c[3]], []int{6, 5, 4}[c[3]]},
		{[]class4{down(4)}, [][]string{{"E:A"}, {"E:P"}, {"E:U"}}[c[4]], 1},
	}
}

// distance returns how many steps v is less severe than the first of the worst
// vectors that is nowhere less severe than it.
func (v vector4) distance(worst []string) int {
	for _, w := range worst {
		sum, fits := 0, true
		for part := range strings.SplitSeq(w, "/") {
			metric, value, _ := strings.Cut(part, ":")
			values := cmp.Or(unsafe4[metric], cmp.Or(required4[metric], optional4[metric]))
			steps := strings.Index(values, v[metric]) - strings.Index(values, value)
			fits = fits && steps >= 0
			sum += steps
		}
		if fits {
			return sum
		}
	}
	return 0
}

// scores4 holds the scores of the 270 classes in tenths (the lookup table of the
// specification): a row for each level of the first three groups, in it the
// levels of the last three. 0 is a class that there is not.
var scores4 = [18][18]uint8{
	{100, 99, 98, 95, 95, 92, 100, 96, 93, 87, 91, 81, 93, 90, 89, 80, 81, 68},
	{98, 95, 95, 92, 90, 84, 93, 92, 89, 81, 81, 65, 88, 80, 78, 70, 69, 48},
	{0, 92, 0, 82, 0, 72, 0, 79, 0, 69, 0, 50, 0, 69, 0, 55, 0, 27},
	{99, 97, 95, 92, 92, 85, 95, 91, 90, 83, 84, 71, 92, 81, 82, 71, 72, 53},
	{95, 93, 92, 85, 85, 73, 92, 82, 80, 72, 70, 59, 84, 70, 71, 52, 50, 30},
	{0, 86, 0, 75, 0, 52, 0, 71, 0, 52, 0, 29, 0, 63, 0, 29, 0, 17},
	{98, 95, 94, 87, 91, 81, 94, 89, 86, 74, 77, 64, 87, 75, 74, 63, 63, 49},
	{94, 89, 88, 77, 76, 67, 86, 76, 74, 58, 59, 50, 72, 57, 57, 52, 52, 25},
	{0, 83, 0, 70, 0, 54, 0, 65, 0, 58, 0, 26, 0, 53, 0, 21, 0, 13},
	{95, 90, 88, 76, 76, 70, 90, 77, 75, 62, 61, 53, 77, 66, 68, 59, 52, 30},
	{89, 78, 76, 67, 62, 58, 74, 59, 57, 57, 47, 23, 61, 52, 57, 29, 24, 16},
	{0, 71, 0, 59, 0, 30, 0, 58, 0, 26, 0, 15, 0, 23, 0, 13, 0, 6},
	{93, 87, 86, 72, 75, 58, 86, 74, 74, 61, 56, 34, 70, 54, 52, 40, 40, 22},
	{85, 75, 74, 55, 62, 51, 72, 57, 55, 41, 46, 19, 53, 36, 34, 19, 19, 8},
	{0, 64, 0, 51, 0, 20, 0, 47, 0, 21, 0, 11, 0, 24, 0, 9, 0, 4},
	{88, 75, 73, 53, 60, 50, 73, 55, 59, 40, 41, 20, 54, 43, 45, 22, 20, 11},
	{75, 55, 58, 45, 40, 21, 61, 51, 48, 18, 20, 9, 46, 18, 17, 7, 8, 2},
	{0, 53, 0, 24, 0, 14, 0, 24, 0, 12, 0, 5, 0, 10, 0, 3, 0, 1},
}
