package audit

// unfit reports entries that have no file for a platform.
var unfit = Rule{
	Code: "unfit", Severity: High, lockOnly: true,
	Title: "No file of the lock fits a platform",
	Help:  "Installing there fails. Lock for all platforms that are shipped: distill lock --platform linux/amd64,linux/arm64.",
	check: checkUnfit,
}

func checkUnfit(f *Facts) []Finding {
	var out []Finding
	for _, i := range f.Items {
		if on := f.onBy(i, noWay); len(on) > 0 {
			message := "none of its wheels fits " + f.names(on) + ", and there is no source archive"
			fix := "lock again for this platform"
			if l := f.Index[i.Name]; l != nil && !l.Missing {
				if v, ok := l.versionWithWheels(f.Targets, i.On, true, anyVersion); ok {
					fix = v.String() + " has wheels for " + f.names(i.On)
				}
			}
			out = append(out, f.finding(i, on, message, fix))
		}
	}
	return out
}
