package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/modules"
)

// optionalImport tells what packages could use that is not there: optional imports.
var optionalImport = verifyRule{
	Rule: Rule{
		Code: "optional-import", Severity: Low,
		Title: "A package can use modules that are not in the image",
		Help:  "Nothing fails: the package goes on without them, or imports them when a function that needs them is called.",
	},
	verify: checkOptional,
}

func checkOptional(v *verifier) []Finding {
	missing := map[*inspect.Distribution][]string{}
	for _, m := range v.scope {
		d := v.owner[m.File]
		if d == nil || m.Facts == nil || isSide(m.File) {
			continue
		}
		for k := range m.Facts.Imports {
			i := &m.Facts.Imports[k]
			if !i.Optional {
				continue
			}
			for _, n := range v.tree.Needs(m, i) {
				top, _, _ := strings.Cut(n.Name, ".")
				if found, known := v.tree.Find(top); found == nil && known && n.Missing() && !modules.IsStdlib(top) && !slices.Contains(missing[d], top) {
					missing[d] = append(missing[d], top)
				}
			}
		}
	}
	var out []Finding
	for _, d := range v.env.Distributions {
		list := missing[d]
		if len(list) == 0 {
			continue
		}
		slices.Sort(list)
		const shown = 12
		text := strings.Join(list[:min(len(list), shown)], ", ")
		if len(list) > shown {
			text += fmt.Sprintf(" and %d more", len(list)-shown)
		}
		out = append(out, v.about(d, "can use modules that are not in the image: "+text, "require what the application uses of them"))
	}
	return out
}
