package audit

import (
	"fmt"
	"path"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/bytecode"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// staleByteCode reports byte code that Python will not use.
var staleByteCode = verifyRule{
	Rule: Rule{
		Code: "stale-bytecode", Severity: Medium,
		Title: "Byte code does not belong to its source",
		Help:  "Python compiles the module at each start, which takes time, and the file takes space. Lay it anew.",
	},
	verify: checkByteCode,
}

func checkByteCode(v *verifier) []Finding {
	py := v.env.Python
	if py == nil || len(py.Version.Release()) < 2 {
		return nil
	}
	r := py.Version.Release()
	magic, known := bytecode.Magic(int(r[0]), int(r[1]))
	tag := bytecode.Tag(int(r[0]), int(r[1]))
	stale := map[string]int{} // by package directory
	var order []string
	for f := range v.env.Files.All() {
		h, ok := inspect.ByteCode(f)
		dir := path.Dir(f.Path)
		if !ok || path.Base(dir) != bytecode.Dir || v.o.Inherited(f.Path) {
			continue
		}
		stem, _, ok := strings.Cut(path.Base(f.Path), "."+tag+".pyc")
		if !ok {
			continue
		}
		source := v.file(path.Dir(dir) + "/" + stem + ".py")
		if source != nil && h.IsOf(source.ModTime, source.Size) && (!known || h.Magic == magic) {
			continue
		}
		if stale[dir]++; stale[dir] == 1 {
			order = append(order, dir)
		}
	}
	var out []Finding
	for _, dir := range order {
		x := v.finding(dir, fmt.Sprintf("has %d files of byte code that Python will not use", stale[dir]), "make the image anew, or leave them out (--exclude)")
		out = append(out, x)
	}
	return out
}
