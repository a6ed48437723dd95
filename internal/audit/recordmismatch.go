package audit

import (
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// recordMismatch reports files that are not as their package's list says.
var recordMismatch = verifyRule{
	Rule: Rule{
		Code: "record-mismatch", Severity: High,
		Title: "A package's files are not those of its list",
		Help: "A file that RECORD lists is missing, or has another content. A missing module breaks what imports it; a changed file " +
			"was patched by hand, and tools that check installations will complain.",
	},
	verify: checkRecords,
}

func checkRecords(v *verifier) []Finding {
	var out []Finding
	for _, d := range v.env.Distributions {
		for _, p := range d.Missing {
			x := v.missing(d, p)
			out = append(out, x)
		}
		for _, p := range d.Modified {
			x := v.finding(p, "has another content than "+d.FilesFrom+" says", "install the package anew, or accept what was patched")
			x.Severity = Low
			out = append(out, x)
		}
		if d.Refused != "" {
			x := v.about(d, "its files are not known: "+d.Refused, "install the package anew")
			x.Severity = Medium
			out = append(out, x)
		}
	}
	return out
}

// missing makes a finding of a listed file that is not there.
func (v *verifier) missing(d *inspect.Distribution, p string) Finding {
	x := v.about(d, fmt.Sprintf("%s lists %s, which is not there", d.FilesFrom, p), "install the package anew, or keep the file (--include)")
	if i := strings.LastIndexByte(p, '.'); i < 0 || !isCode(p[i:]) {
		x.Severity = Medium
	}
	return x
}

// isCode tells whether files with this suffix are imported or loaded.
func isCode(suffix string) bool {
	switch suffix {
	case ".pyi", ".pyx", ".pxd", ".c", ".h", ".cpp", ".hpp", ".a", ".txt", ".md", ".rst", ".html", ".typed", ".f90":
		return false
	}
	return true
}
