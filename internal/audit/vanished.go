package audit

import "fmt"

// vanished reports what the index does not have any more.
var vanished = Rule{
	Code: "vanished", Severity: High, lockOnly: true,
	Title: "The index does not have the file any more",
	Help:  "The next installation without a cache fails, and whoever removed the file had a reason. Lock another version.",
	check: checkVanished,
}

func checkVanished(f *Facts) []Finding {
	var out []Finding
	for _, p := range f.listed() {
		var gone []string
		for _, l := range p.files {
			if l.listed == nil {
				gone = append(gone, l.file.Name)
			}
		}
		var message string
		switch {
		case len(gone) == 0:
			continue
		case p.listing.Missing:
			message = "the project is not on " + p.listing.Where + " any more"
		case len(p.listing.files(*p.item.Version)) == 0:
			message = "the version is not on " + p.listing.Where + " any more"
		default:
			message = fmt.Sprintf("%s not on %s any more", some(gone, "is", "are"), p.listing.Where)
		}
		out = append(out, f.finding(p.item, p.item.On, message, "lock another version of it, or name the index that has it"))
	}
	return out
}

// some names one thing, or the first of several.
func some(list []string, one, many string) string {
	if len(list) == 1 {
		return list[0] + " " + one
	}
	return fmt.Sprintf("%d files, %s among them, %s", len(list), list[0], many)
}
