package audit

import "strings"

// yanked reports versions that their authors have taken back (PEP 592).
var yanked = Rule{
	Code: "yanked", Severity: Medium, lockOnly: true,
	Title: "The version was yanked from the index",
	Help:  "Its authors ask not to use it any more. Lock again with --upgrade-package NAME.",
	check: checkYanked,
}

func checkYanked(f *Facts) []Finding {
	var out []Finding
	for _, p := range f.listed() {
		for _, l := range p.files {
			if l.listed == nil || !l.listed.Yanked {
				continue
			}
			message := "yanked"
			if why := strings.Join(strings.Fields(l.listed.YankedReason), " "); why != "" {
				message += ": " + why
			}
			out = append(out, f.finding(p.item, p.item.On, message, "lock another version of it"))
			break
		}
	}
	return out
}
