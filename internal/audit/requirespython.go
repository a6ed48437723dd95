package audit

import (
	"fmt"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// requiresPython reports entries that don't run on the interpreter.
var requiresPython = Rule{
	Code: "requires-python", Severity: High, lockOnly: true,
	Title: "A package does not support the Python of a platform",
	Help:  "Installers refuse it, or it fails when it runs. Lock for the Python that the image has.",
	check: checkRequiresPython,
}

func checkRequiresPython(f *Facts) []Finding {
	var out []Finding
	whole := &Item{Place: Place{File: f.file()}}
	for t := range f.Targets {
		whole.On = append(whole.On, t)
	}
	out = append(out, f.refusing(whole, f.Lock.RequiresPython, "the lock is")...)
	for _, i := range f.Items {
		if i.Entry != nil {
			out = append(out, f.refusing(i, i.Entry.RequiresPython, "it is")...)
		}
	}
	return out
}

// refusing reports the targets whose Python is not in a set.
func (f *Facts) refusing(i *Item, s python.Specifiers, what string) []Finding {
	var on []int
	for _, t := range i.On {
		if !s.Contains(f.Targets[t].Python, true) {
			on = append(on, t)
		}
	}
	if len(on) == 0 {
		return nil
	}
	message := fmt.Sprintf("%s for Python %s, there is %s on %s", what, s, f.Targets[on[0]].Python, f.names(on))
	return []Finding{f.finding(i, on, message, "lock again for this Python")}
}

// file is the name of the lock file.
func (f *Facts) file() string {
	for _, i := range f.Items {
		return i.Place.File
	}
	return ""
}
