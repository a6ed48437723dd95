package audit

import (
	"github.com/r-seed-1713b764/distill/internal/python"
)

// needsBuild reports entries that are built from source on some platform.
var needsBuild = Rule{
	Code: "needs-build", Severity: Low, lockOnly: true,
	Title: "A platform has no wheel and needs a build from source",
	Help:  "Builds are slow, need a compiler, and run code of the package. A version with wheels for all platforms spares it.",
	check: checkNeedsBuild,
}

func anyVersion(python.Version) bool { return true }

func checkNeedsBuild(f *Facts) []Finding {
	var out []Finding
	for _, i := range f.Items {
		if on := f.onBy(i, byBuild); len(on) > 0 {
			why := "there is no wheel for " + f.names(on)
			if option := f.Lock.WheelsBy(i.Name); option != "" {
				why = "the lock was made with " + option + ", and has no wheel for " + f.names(on)
			}
			out = append(out, f.finding(i, on, why+": it has to be built from source", f.sparesBuild(i)))
		}
	}
	return out
}

// sparesBuild names the nearest newer version that has wheels everywhere.
func (f *Facts) sparesBuild(i *Item) string {
	l := f.Index[i.Name]
	if l == nil || l.Missing || i.Version == nil {
		return "lock a version that has wheels, if there is one"
	}
	v, ok := l.versionWithWheels(f.Targets, i.On, false, func(v python.Version) bool { return v.Compare(*i.Version) >= 0 })
	option := f.Lock.WheelsBy(i.Name)
	switch {
	case ok && v.Equal(*i.Version) && option != "":
		return "the index has wheels of this version for " + f.names(i.On) + ": lock again without " + option + ", or ignore the finding"
	case !ok:
		return "no newer version has wheels for " + f.names(i.On)
	case v.Equal(*i.Version):
		return "the index has wheels of this version for " + f.names(i.On) + ": lock again, and see what left them out (--no-binary in a requirements file?)"
	}
	return v.String() + " has wheels for " + f.names(i.On)
}
