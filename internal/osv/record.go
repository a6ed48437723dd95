package osv

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// record is the part of the OSV schema (1.x) that is used.
type record struct {
	SchemaVersion string          `json:"schema_version"`
	ID            string          `json:"id"`
	Aliases       []string        `json:"aliases"`
	Summary       string          `json:"summary"`
	Details       string          `json:"details"`
	Withdrawn     *string         `json:"withdrawn"`
	Severity      []severity      `json:"severity"`
	Affected      []affected      `json:"affected"`
	References    []reference     `json:"references"`
	Specific      json.RawMessage `json:"database_specific"`
}

type severity struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

type reference struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

type affected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Ranges   []versionRange  `json:"ranges"`
	Versions []string        `json:"versions"`
	Severity []severity      `json:"severity"`
	Specific json.RawMessage `json:"database_specific"`
	System   json.RawMessage `json:"ecosystem_specific"`
}

type versionRange struct {
	Type   string  `json:"type"`
	Events []event `json:"events"`
}

type event struct {
	Introduced   *string `json:"introduced"`
	Fixed        *string `json:"fixed"`
	LastAffected *string `json:"last_affected"`
	Limit        *string `json:"limit"`
}

// ParseRecord reads one record. What it says of other ecosystems than PyPI is
// left out. notes tells which versions are none; they count so that nothing is
// missed: a beginning that can't be read is the first version, an end is none.
func ParseRecord(b []byte) (a *audit.Advisory, notes []string, err error) {
	if len(b) > maxRecord {
		return nil, nil, fmt.Errorf("more than %d bytes: %w", maxRecord, ErrDamaged)
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, nil, fmt.Errorf("no OSV record: %w: %w", err, ErrDamaged)
	}
	if !isID(r.ID) {
		return nil, nil, fmt.Errorf("no OSV record: its id is %s: %w", strconv.Quote(cut(r.ID)), ErrDamaged)
	}
	if v := r.SchemaVersion; v != "" && !strings.HasPrefix(v, "1.") {
		return nil, nil, fmt.Errorf("%s: its schema version is %s: %w", r.ID, strconv.Quote(cut(v)), ErrDamaged)
	}
	a = &audit.Advisory{ID: r.ID, Summary: cut(r.text()), Withdrawn: r.Withdrawn != nil && *r.Withdrawn != "", URL: r.url()}
	for _, x := range r.Aliases {
		if isID(x) {
			a.Aliases = append(a.Aliases, x)
		}
	}
	a.Severity, a.Score = rate(r.Severity, r.Specific)
	if a.Severity == audit.Unset {
		a.Severity = audit.Unknown
	}
	for i := range r.Affected {
		if one, ok := r.Affected[i].of(r.ID, &notes); ok {
			a.Affected = append(a.Affected, one)
		}
	}
	return a, notes, nil
}

// maxText is more of a summary or a version than anybody reads.
const maxText = 4096

func cut(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// isID tells whether s can name an advisory: it goes into URLs and on terminals.
func isID(s string) bool {
	if s == "" || len(s) > 200 || s[0] == '.' {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.:+", c) >= 0) {
			return false
		}
	}
	return true
}

// text is the summary, else the first line of the details.
func (r *record) text() string {
	if s := strings.TrimSpace(r.Summary); s != "" {
		return s
	}
	for line := range strings.Lines(r.Details) {
		if line = strings.TrimSpace(strings.TrimLeft(line, "# ")); line != "" {
			return line
		}
	}
	return ""
}

// url is where to read more.
func (r *record) url() string {
	for _, x := range r.References {
		if x.Type == "ADVISORY" && strings.HasPrefix(x.URL, "https://") && len(x.URL) <= maxText {
			return x.URL
		}
	}
	return "https://osv.dev/vulnerability/" + r.ID
}

// rate takes the score of a CVSS vector, else the word of the database.
func rate(list []severity, specific ...json.RawMessage) (audit.Severity, float64) {
	for _, want := range []string{"CVSS_V3", "CVSS_V4", "CVSS_V2", ""} {
		for _, s := range list {
			if want != "" && s.Type != want {
				continue
			}
			score, ok := audit.Score(s.Score)
			if f, err := strconv.ParseFloat(s.Score, 64); err == nil && f >= 0 && f <= 10 && !math.IsNaN(f) {
				score, ok = f, true
			}
			if ok {
				return audit.Rated(score), score
			}
		}
	}
	for _, raw := range specific {
		var d struct {
			Severity string `json:"severity"`
		}
		if json.Unmarshal(raw, &d) != nil {
			continue
		}
		switch strings.ToUpper(d.Severity) {
		case "CRITICAL":
			return audit.Critical, 0
		case "HIGH":
			return audit.High, 0
		case "MODERATE", "MEDIUM":
			return audit.Medium, 0
		case "LOW":
			return audit.Low, 0
		}
	}
	return audit.Unset, 0
}

// of converts what is said of one package, ok false if it is none of PyPI's.
func (x *affected) of(id string, notes *[]string) (out audit.Affected, ok bool) {
	// "PyPI:..." would be PyPI with a suffix, which the schema allows.
	if system, _, _ := strings.Cut(x.Package.Ecosystem, ":"); system != "PyPI" {
		return out, false
	}
	out.Name = python.NormalizeName(x.Package.Name)
	for _, text := range x.Versions {
		if v, err := python.ParseVersion(text); err == nil {
			out.Versions = append(out.Versions, v)
		} else {
			out.Odd = append(out.Odd, text)
		}
	}
	slices.SortFunc(out.Versions, python.Version.Compare)
	out.Severity, out.Score = rate(x.Severity, x.Specific, x.System)
	for _, r := range x.Ranges {
		if r.Type == "GIT" {
			continue
		}
		var events []audit.Event
		for _, e := range r.Events {
			events = e.appendTo(events, id, notes)
		}
		out.Ranges = append(out.Ranges, audit.NewRange(events))
	}
	return out, true
}

// appendTo converts an event; one object may stand for several.
func (e *event) appendTo(events []audit.Event, id string, notes *[]string) []audit.Event {
	for _, one := range []struct {
		kind audit.EventKind
		text *string
	}{{audit.Introduced, e.Introduced}, {audit.Fixed, e.Fixed}, {audit.LastAffected, e.LastAffected}, {audit.Limit, e.Limit}} {
		if one.text == nil {
			continue
		}
		text := *one.text
		if one.kind == audit.Introduced && text == "0" || one.kind == audit.Limit && text == "*" {
			events = append(events, audit.Event{Kind: one.kind, Everywhere: true})
			continue
		}
		v, err := python.ParseVersion(text)
		if err != nil {
			*notes = append(*notes, fmt.Sprintf("%s: %s is no version", id, strconv.Quote(text[:min(len(text), 80)])))
			if one.kind == audit.Introduced {
				events = append(events, audit.Event{Kind: one.kind, Everywhere: true})
			}
			continue
		}
		events = append(events, audit.Event{Kind: one.kind, Version: v})
	}
	return events
}
