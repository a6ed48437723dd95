package inspect

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Difference is one thing that two platforms of an image do not share.
type Difference struct {
	What string `json:"what"` // "Python", "libc", or the name of a distribution
	A    string `json:"a"`    // version in the first, "" if it is not there
	B    string `json:"b"`
}

// Diff returns what differs between two environments: the interpreter, the C
// library, then distributions in order of name.
func Diff(a, b *Environment) []Difference {
	var out []Difference
	add := func(what, x, y string) {
		if x != y {
			out = append(out, Difference{What: what, A: x, B: y})
		}
	}
	add("Python", pythonText(a.Python), pythonText(b.Python))
	add("libc", libcText(a.Python), libcText(b.Python))
	versions := [2]map[python.Name]string{versionsOf(a), versionsOf(b)}
	names := make([]python.Name, 0, len(versions[0]))
	for _, v := range versions {
		for n := range v {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		add(string(n), versions[0][n], versions[1][n])
	}
	return out
}

func versionsOf(e *Environment) map[python.Name]string {
	out := map[python.Name]string{}
	for _, d := range e.Distributions {
		if !d.Shadowed {
			out[d.Name] = d.Version.String()
		}
	}
	return out
}

func pythonText(i *Interpreter) string {
	if i == nil {
		return ""
	}
	return i.Version.String()
}

func libcText(i *Interpreter) string {
	if i == nil || i.Libc.Family == "" {
		return ""
	}
	return strings.TrimSpace(i.Libc.Family + " " + i.LibcVersion)
}
