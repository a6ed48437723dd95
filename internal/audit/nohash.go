package audit

// noHash reports files that the lock has no digest of.
var noHash = Rule{
	Code: "no-hash", Severity: High, lockOnly: true,
	Title: "The lock has no hash of a file",
	Help:  "Whatever the index sends is installed. PEP 751 asks for a hash of each file: lock again.",
	check: func(f *Facts) []Finding {
		return f.hashes("no hash", func(h map[string]string) bool { return len(h) == 0 })
	},
}

// hashes reports the entries that have files with hashes of a kind.
func (f *Facts) hashes(what string, bad func(map[string]string) bool) []Finding {
	var out []Finding
	for _, i := range f.Items {
		if i.Entry == nil {
			continue
		}
		var names []string
		for _, file := range lockFiles(i.Entry) {
			if bad(file.Hashes) {
				names = append(names, file.Name)
			}
		}
		if len(names) > 0 {
			out = append(out, f.finding(i, i.On, some(names, "has", "have")+" "+what, "lock again: distill lock writes the sha256 of each file"))
		}
	}
	return out
}
