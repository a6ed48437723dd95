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
	for _, i := range items {
		if i.Version == nil {
			continue
		}
		k := slices.IndexFunc(out, func(o *Item) bool { return o.Key() == i.Key() })
		if k < 0 {
			out = append(out, &Item{Name: i.Name, Version: i.Version, On: slices.Clone(i.On), Place: i.Place, Entry: i.Entry, Note: i.Note})
			continue
		}
		out[k].On = append(out[k].On, i.On...)
		slices.Sort(out[k].On)
		out[k].On = slices.Compact(out[k].On)
	}
	return out
}

// maxSummary cuts summaries; some databases put the whole story there.
const maxSummary = 300

// summary is the first thing that one of the advisories says.
func (m *merged) summary() string {
	for _, a := range m.advisories {
		text := strings.Join(strings.Fields(a.Summary), " ")
		if text == "" {
			continue
		}
		if r := []rune(text); len(r) > maxSummary {
			text = string(r[:maxSummary]) + "..."
		}
		return text
	}
	return "known vulnerability"
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
