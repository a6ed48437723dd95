package audit

import (
	"fmt"
	"path"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// entryPoint reports console scripts that can't start.
var entryPoint = verifyRule{
	Rule: Rule{
		Code: "entry-point", Severity: High,
		Title: "A console script can't start",
		Help:  "The module that it calls is not there, or the interpreter in its first line is not.",
	},
	verify: checkEntryPoints,
}

func checkEntryPoints(v *verifier) []Finding {
	if v.tree == nil {
		return nil
	}
	var out []Finding
	for _, d := range v.env.Distributions {
		if d.Shadowed {
			continue
		}
		for _, e := range v.scripts(d) {
			if e.Module == "" {
				continue
			}
			if m, known := v.tree.Find(e.Module); m == nil && known {
				out = append(out, v.about(d, fmt.Sprintf("the script %s calls %s, which is not in the image", e.Name, e.Module), "keep the module (--include)"))
			}
		}
		for _, p := range d.Files {
			if x, ok := v.launcher(p); ok {
				out = append(out, x)
			}
		}
	}
	return out
}

// launcher checks the first line of a script.
func (v *verifier) launcher(p string) (Finding, bool) {
	f, ok := v.env.Files.Get(p)
	if !ok || path.Base(path.Dir(p)) != "bin" || !f.IsRegular() {
		return Finding{}, false
	}
	line, ok := inspect.FirstLine(f)
	if !ok {
		return Finding{}, false
	}
	words := strings.Fields(line)
	if len(words) == 0 {
		return Finding{}, false
	}
	program := words[0]
	what := "/" + strings.TrimPrefix(program, "/")
	if path.Base(program) == "env" && len(words) > 1 {
		if v.file(program) != nil {
			return Finding{}, false // PATH decides
		}
	}
	if v.file(program) != nil {
		return Finding{}, false
	}
	x := v.finding(p, fmt.Sprintf("is started by %s, which is not in the image", what), "keep the interpreter, or leave the script out (--exclude)")
	if !strings.Contains(path.Base(program), "python") {
		x.Severity = Medium // a shell that slim images do without
	}
	return x, true
}
