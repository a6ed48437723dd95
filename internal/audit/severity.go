package audit

import (
	"fmt"
	"slices"
	"strings"
)

// Severity says how bad a finding is.
type Severity int

// The severities. Unknown is that of an advisory that does not tell; it weighs as
// much as High.
const (
	Unset Severity = iota
	Low
	Medium
	High
	Critical
	Unknown
)

var severityWords = []string{"", "low", "medium", "high", "critical", "unknown"}

// String returns the word for a severity.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityWords) {
		return ""
	}
	return severityWords[s]
}

// MarshalText writes the word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSeverity reads a threshold: low, medium, high or critical.
func ParseSeverity(text string) (Severity, error) {
	i := slices.Index(severityWords, strings.ToLower(strings.TrimSpace(text)))
	if i < int(Low) || i > int(Critical) {
		return Unset, fmt.Errorf("%q is none of low, medium, high and critical", text)
	}
	return Severity(i), nil
}

func (s Severity) weight() int {
	if s == Unknown {
		return int(High)
	}
	return int(s)
}

// AtLeast tells whether s weighs as much as the threshold t.
func (s Severity) AtLeast(t Severity) bool { return s.weight() >= t.weight() }

// Rated returns the severity of a CVSS base score, by the scale that CVSS 3 and 4
// share. A score of 0 is low: somebody wrote an advisory after all.
func Rated(score float64) Severity {
	switch {
	case score >= 9:
		return Critical
	case score >= 7:
		return High
	case score >= 4:
		return Medium
	}
	return Low
}
