package audit

// unchecked reports entries that no database knows.
var unchecked = Rule{
	Code: "unchecked", Severity: Low, lockOnly: true,
	Title: "The entry can't be looked up in a database of vulnerabilities",
	Help:  "It comes from a version control system or a folder. Look after its vulnerabilities yourself, or take a release.",
	check: checkUnchecked,
}

func checkUnchecked(f *Facts) []Finding {
	var out []Finding
	for _, i := range f.Items {
		switch {
		case i.Entry == nil || i.Version != nil && i.Entry.Elsewhere == "":
		case i.Entry.Elsewhere == "vcs":
			out = append(out, f.finding(i, i.On, "it comes from a version control system", "take a release of it"))
		case i.Entry.Elsewhere == "directory":
			out = append(out, f.finding(i, i.On, "it comes from a folder, which has no hash", "take a release of it"))
		default:
			out = append(out, f.finding(i, i.On, "its version is not known before it is built", "take a release of it"))
		}
	}
	return out
}
