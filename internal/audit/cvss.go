package audit

import (
	"math"
	"strings"
)

// Score returns the base score of a CVSS 2, 3.0 or 3.1 vector, or the score of a
// CVSS 4.0 vector with all that it says; ok false if it is none or not complete.
func Score(vector string) (score float64, ok bool) {
	if len(vector) > maxVector {
		return 0, false
	}
	metrics := map[string]string{}
	version := "2"
	for part := range strings.SplitSeq(strings.Trim(vector, "() "), "/") {
		k, v, found := strings.Cut(part, ":")
		if !found {
			return 0, false
		}
		if k == "CVSS" {
			version = v
			continue
		}
		metrics[k] = v
	}
	switch version {
	case "4.0":
		return score4(metrics)
	case "3.0", "3.1":
		return score3(metrics)
	case "2":
		return score2(metrics)
	}
	return 0, false
}

// maxVector is far above the length of a vector with all its metrics (some 250
// bytes).
const maxVector = 1000

type weights map[string]float64

// weigh looks metrics up, ok false if one is missing or unknown.
func weigh(metrics map[string]string, want ...any) (out []float64, ok bool) {
	for i := 0; i+1 < len(want); i += 2 {
		w, found := want[i+1].(weights)[metrics[want[i].(string)]]
		if !found {
			return nil, false
		}
		out = append(out, w)
	}
	return out, true
}

// score3 is section 7.1 of the CVSS 3.1 specification; that of 3.0 differs in the
// rounding only.
func score3(m map[string]string) (float64, bool) {
	impact := weights{"H": 0.56, "L": 0.22, "N": 0}
	privileges := weights{"N": 0.85, "L": 0.62, "H": 0.27}
	changed := m["S"] == "C"
	if changed {
		privileges = weights{"N": 0.85, "L": 0.68, "H": 0.5}
	}
	w, ok := weigh(m, "AV", weights{"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}, "AC", weights{"L": 0.77, "H": 0.44},
		"PR", privileges, "UI", weights{"N": 0.85, "R": 0.62}, "C", impact, "I", impact, "A", impact)
	if !ok || !changed && m["S"] != "U" {
		return 0, false
	}
	iss := 1 - (1-w[4])*(1-w[5])*(1-w[6])
	sub := 6.42 * iss
	if changed {
		sub = 7.52*(iss-0.029) - 3.25*math.Pow(iss-0.02, 15)
	}
	if sub <= 0 {
		return 0, true
	}
	sum := sub + 8.22*w[0]*w[1]*w[2]*w[3]
	if changed {
		sum *= 1.08
	}
	return roundUp(math.Min(sum, 10)), true
}

// roundUp is appendix A of CVSS 3.1: up to one decimal, without the errors of
// binary fractions.
func roundUp(x float64) float64 {
	n := math.Round(x * 100000)
	if math.Mod(n, 10000) == 0 {
		return n / 100000
	}
	return (math.Floor(n/10000) + 1) / 10
}

// score2 is section 3.2.1 of the CVSS 2 guide.
func score2(m map[string]string) (float64, bool) {
	impact := weights{"N": 0, "P": 0.275, "C": 0.660}
	w, ok := weigh(m, "AV", weights{"L": 0.395, "A": 0.646, "N": 1}, "AC", weights{"H": 0.35, "M": 0.61, "L": 0.71},
		"Au", weights{"M": 0.45, "S": 0.56, "N": 0.704}, "C", impact, "I", impact, "A", impact)
	if !ok {
		return 0, false
	}
	sub := 10.41 * (1 - (1-w[3])*(1-w[4])*(1-w[5]))
	factor := 1.176
	if sub == 0 {
		factor = 0
	}
	score := (0.6*sub + 0.4*20*w[0]*w[1]*w[2] - 1.5) * factor
	return math.Max(0, math.Round(score*10)/10), true
}
