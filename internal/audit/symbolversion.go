package audit

import (
	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// symbolVersion reports native code that needs newer libraries than there are.
var symbolVersion = verifyRule{
	Rule: Rule{
		Code: "symbol-version", Severity: High,
		Title: "Native code needs a symbol version that a library lacks",
		Help:  "Loading the file fails. Take a newer base, or a build of the package for an older system.",
	},
	verify: checkSymbols,
}

func checkSymbols(v *verifier) []Finding {
	if v.closure == nil || v.loader.Family() != "glibc" {
		return nil
	}
	var out []Finding
	for _, o := range v.objects() {
		lib := func(name string) *elfdeps.Info {
			for _, d := range o.Needs {
				if d.Name != name || d.IsMissing() {
					continue
				}
				if f, ok := v.env.Files.Get(d.Real); ok {
					return inspect.ELF(f)
				}
			}
			return nil
		}
		for _, g := range elfdeps.Gaps(o.Path, o.Info, lib) {
			x := v.finding(o.Real, g.String(), "take a newer base image, or a build of the package for an older system")
			x.Severity = v.weight(o)
			out = append(out, x)
		}
	}
	return out
}
