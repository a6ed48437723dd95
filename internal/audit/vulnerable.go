package audit

import (
	"fmt"
	"slices"
	"strings"
)

// vulnerable reports known vulnerabilities, each once whatever the number of
// databases that have it.
var vulnerable = Rule{
	Code: "vulnerable", Severity: Unknown,
	Title: "The version has a known vulnerability",
	Help:  "Upgrade to the version that is named. If the vulnerable code is never run, write down why: --ignore ID:REASON:UNTIL.",
	check: checkVulnerable,
}

func checkVulnerable(f *Facts) []Finding {
	var out []Finding
	for _, i := range joinSame(f.Items) {
		for _, m := range mergeAliases(f.Advisories[i.Key()]) {
			x := f.finding(i, i.On, m.summary(), f.cure(i, m))
			x.ID, x.Aliases = m.ids[0], m.ids[1:]
			x.Severity, x.Score, x.URL = Unknown, 0, m.advisories[0].URL
			for _, a := range m.advisories {
				if s, score := a.rating(i.Name); x.Severity == Unknown || s != Unknown && s.weight() > x.Severity.weight() {
					x.Severity, x.Score = s, score
				}
			}
			if i.Note != "" {
				x.Message += " (" + i.Note + ")"
			}
			out = append(out, x)
		}
	}
	return out
}

// joinSame makes one item of those with the same version, in the order of the
// first ones.
func joinSame(items []*Item) []*Item {
	var out []*Item
	known := map[Key]*Item{}
	for _, i := range items {
		if i.Version == nil {
			continue
		}
		same := known[i.Key()]
		if same == nil {
			one := *i
			one.On = slices.Clone(i.On)
			known[i.Key()] = &one
			out = append(out, &one)
			continue
		}
		same.On = append(same.On, i.On...)
		slices.Sort(same.On)
		same.On = slices.Compact(same.On)
	}
	return out
}

// maxSummary cuts summaries; some databases put the whole story there.
const maxSummary = 300

// summary is the shortest thing that one of the advisories says.
func (m *merged) summary() string {
	var best string
	for _, a := range m.advisories {
		text := strings.Join(strings.Fields(a.Summary), " ")
		if text != "" && (best == "" || len(text) < len(best)) {
			best = text
		}
	}
	if best == "" {
		return "known vulnerability"
	}
	if r := []rune(best); len(r) > maxSummary {
		best = string(r[:maxSummary]) + "..."
	}
	return best
}

// cure says which version to take.
func (f *Facts) cure(i *Item, m merged) string {
	p, ok := f.Fixes[i.Key()]
	if ok && p.Version != "" {
		return strings.TrimSpace(fmt.Sprintf("upgrade to %s, %s", p.Version, p.How))
	}
	nearest := m.nearest(i)
	switch {
	case ok && p.How != "" && nearest != "":
		return fmt.Sprintf("%s is fixed, but %s", nearest, p.How)
	case ok && p.How != "":
		return p.How
	case nearest != "":
		return "upgrade to " + nearest + " or later"
	}
	return "no fixed version is known: do without it, or ignore the finding with a reason"
}

// nearest is the lowest version that all advisories of one vulnerability call
// fixed, "" if they name none.
func (m *merged) nearest(i *Item) string {
	for _, a := range m.advisories {
		for _, v := range a.FixedAfter(i.Name, *i.Version) {
			if !slices.ContainsFunc(m.advisories, func(b *Advisory) bool { return b.Affects(i.Name, v) }) {
				return v.String()
			}
		}
	}
	return ""
}
