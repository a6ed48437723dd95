package audit

import (
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// unwanted reports entries that nothing asks for any more.
var unwanted = Rule{
	Code: "unwanted", Severity: Low, lockOnly: true,
	Title: "The lock has a package that nothing asks for",
	Help:  "It is shipped for nothing, and its next vulnerability counts: lock again.",
	check: checkUnwanted,
}

// checkUnwanted walks from the requirements along what the lock says of its
// dependencies. A lock that says nothing of them, as those of other tools, can't
// be judged.
func checkUnwanted(f *Facts) []Finding {
	if f.Wanted == nil {
		return nil
	}
	next := map[python.Name][]python.Name{}
	for _, i := range f.Items {
		for _, d := range i.Entry.Dependencies {
			next[i.Name] = append(next[i.Name], d.Name)
		}
		for _, w := range i.Entry.Distill.WantedBy {
			if parent := wanter(w); parent != "" {
				next[parent] = append(next[parent], i.Name)
			}
		}
	}
	if len(next) == 0 && f.Lock.Distill.Python == "" {
		return nil
	}
	reached := map[python.Name]bool{}
	var queue []python.Name
	for _, r := range f.Wanted.Requirements {
		queue = append(queue, r.Name)
	}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if !reached[n] {
			reached[n] = true
			queue = append(queue, next[n]...)
		}
	}
	var out []Finding
	for _, i := range f.Items {
		if !reached[i.Name] {
			out = append(out, f.finding(i, i.On, "no requirement leads to it", "lock again"))
		}
	}
	return out
}

// wanter is the project in "pandas 2.2.3: numpy>=1.26", "" for a requirements
// file.
func wanter(text string) python.Name {
	who, _, _ := pylock.SplitWanter(text)
	name, version, ok := strings.Cut(who, " ")
	if _, err := python.ParseVersion(version); !ok || err != nil {
		return ""
	}
	return python.NormalizeName(name)
}
