package audit

import (
	"fmt"
	"strings"
)

// status reports projects that the index marks (PEP 792).
var status = Rule{
	Code: "project-status", Severity: Low, lockOnly: true,
	Title: "The index marks the project as archived, deprecated or quarantined",
	Help:  "Nobody will fix what is found next. Look for its successor; a quarantined project may be malware.",
	check: checkStatus,
}

func checkStatus(f *Facts) []Finding {
	var out []Finding
	for _, p := range f.listed() {
		s := p.listing.Status
		if s == "" || s == "active" {
			continue
		}
		message := fmt.Sprintf("the project is %s", s)
		if why := strings.Join(strings.Fields(p.listing.StatusReason), " "); why != "" {
			message += ": " + why
		}
		x := f.finding(p.item, p.item.On, message, "look for another project that does the same")
		if s == "quarantined" {
			x.Severity, x.Fix = Critical, "remove it: the index suspects it of being harmful"
		}
		out = append(out, x)
	}
	return out
}
