package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// changed reports files whose digest on the index is not that of the lock.
var changed = Rule{
	Code: "changed", Severity: Critical, lockOnly: true,
	Title: "The file on the index is not the one that was locked",
	Help:  "Indexes do not replace files: this is an attack, or another index answers. Find out which before anything is installed.",
	check: checkChanged,
}

func checkChanged(f *Facts) []Finding {
	var out []Finding
	for _, p := range f.listed() {
		var names []string
		var first string
		for _, l := range p.files {
			if l.listed == nil {
				continue
			}
			if why := difference(l.file.Hashes, l.listed.Hashes); why != "" {
				if len(names) == 0 {
					first = why
				}
				names = append(names, l.file.Name)
			}
		}
		if len(names) > 0 {
			message := fmt.Sprintf("%s another content on %s: %s", some(names, "has", "have"), p.listing.Where, first)
			out = append(out, f.finding(p.item, p.item.On, message, "do not install it before it is clear which file is right"))
		}
	}
	return out
}

// difference compares the digests that both sides have.
func difference(lock, index map[string]string) string {
	for _, algorithm := range slices.Sorted(maps.Keys(lock)) {
		if there, ok := index[algorithm]; ok && !strings.EqualFold(there, lock[algorithm]) {
			return fmt.Sprintf("%s %s, the lock has %s", algorithm, short(there), short(lock[algorithm]))
		}
	}
	return ""
}

// short is enough of a digest to tell two apart.
func short(digest string) string {
	if len(digest) > 16 {
		return digest[:16] + "..."
	}
	return digest
}
