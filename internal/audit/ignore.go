package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Ignore is one finding, or a kind of finding, that somebody has accepted.
type Ignore struct {
	// ID is that of an advisory (any of its names), a rule's code, or
	// "code/package".
	ID     string
	Reason string
	Until  time.Time // the last day on which it holds; zero: for ever
	Text   string    // as written
}

// ParseIgnore reads "ID", "ID:REASON", "ID:UNTIL" and "ID:REASON:UNTIL", UNTIL
// being a date such as 2026-12-31.
func ParseIgnore(text string) (Ignore, error) {
	id, rest, _ := strings.Cut(text, ":")
	i := Ignore{ID: strings.TrimSpace(id), Reason: strings.TrimSpace(rest), Text: text}
	if i.ID == "" || strings.ContainsAny(i.ID, " \t\n") {
		return i, fmt.Errorf("%q names no finding", text)
	}
	at := strings.LastIndexByte(rest, ':') + 1
	last := strings.TrimSpace(rest[at:])
	if !looksLikeDate(last) {
		return i, nil
	}
	until, err := time.Parse(time.DateOnly, last)
	if err != nil {
		return i, fmt.Errorf("%q: %q is no date", text, last)
	}
	i.Until, i.Reason = until, strings.TrimSpace(rest[:max(at-1, 0)])
	return i, nil
}

// looksLikeDate tells 2026-13-99, which is a mistake, from a reason.
func looksLikeDate(s string) bool {
	if len(s) != len(time.DateOnly) {
		return false
	}
	for i, c := range []byte(s) {
		if dash := i == 4 || i == 7; dash != (c == '-') || !dash && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// expired tells whether the ignore has run out by the given day.
func (i *Ignore) expired(today time.Time) bool {
	return !i.Until.IsZero() && !today.Before(i.Until.AddDate(0, 0, 1))
}

// covers tells whether the ignore is about a finding.
func (i *Ignore) covers(x *Finding) bool {
	same := func(id string) bool { return strings.EqualFold(id, i.ID) }
	return same(x.ID) || same(x.Code) || same(x.Code+"/"+string(x.Package)) || slices.ContainsFunc(x.Aliases, same)
}

// Ignored is a finding that an ignore covers.
type Ignored struct {
	Finding
	Reason string `json:"reason,omitempty"`
	Until  string `json:"until,omitempty"`
}

// expired reports ignores whose day is over. What they covered is reported as
// well.
var expired = Rule{
	Code: "expired-ignore", Severity: Low,
	Title: "An ignore has expired",
	Help:  "Look at the finding again, then remove the ignore or give it a new date.",
}

// Sift takes out the findings that an ignore covers. Expired ignores cover
// nothing and become findings themselves, at place. Unused holds the ignores that
// cover nothing.
func Sift(list []Finding, ignores []Ignore, today time.Time, place Place) (open []Finding, ignored []Ignored, unused []Ignore) {
	used := make([]bool, len(ignores))
	for _, x := range list {
		at := slices.IndexFunc(ignores, func(i Ignore) bool { return !i.expired(today) && i.covers(&x) })
		if at < 0 {
			open = append(open, x)
			continue
		}
		for k := range ignores {
			used[k] = used[k] || ignores[k].covers(&x)
		}
		one := Ignored{Finding: x, Reason: ignores[at].Reason}
		if !ignores[at].Until.IsZero() {
			one.Until = ignores[at].Until.Format(time.DateOnly)
		}
		ignored = append(ignored, one)
	}
	for k := range ignores {
		i := &ignores[k]
		switch {
		case i.expired(today):
			open = append(open, Finding{
				Code: expired.Code, ID: expired.Code + "/" + i.ID, Severity: expired.Severity, Place: place,
				Message: fmt.Sprintf("the ignore of %s has expired on %s", i.ID, i.Until.Format(time.DateOnly)),
				Fix:     "look at it again, then remove the ignore or give it a new date",
			})
		case !used[k]:
			unused = append(unused, *i)
		}
	}
	Sort(open)
	return open, ignored, unused
}
