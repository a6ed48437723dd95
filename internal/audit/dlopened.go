package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pysource"
)

// loadedByName notes the libraries that modules load by name and the loader does not
// find. They are loaded when a function that wants them is called, if at all.
func (v *verifier) loadedByName() []Finding {
	var out []Finding
	for _, m := range v.scope {
		if m.Facts == nil || isSide(m.File) {
			continue
		}
		for _, l := range m.Facts.Loads {
			if l.Library == "" || v.findsLibrary(l) {
				continue
			}
			x := v.finding(m.File, fmt.Sprintf("loads %q by %s, which the loader does not find", l.Library, l.Call),
				"keep the library (--include) if the application uses this")
			x.Severity = Low
			out = append(out, x)
		}
	}
	return out
}

// findsLibrary tells whether what a module loads is there.
func (v *verifier) findsLibrary(l pysource.Load) bool {
	name := l.Library
	if strings.HasPrefix(name, "/") {
		return v.file(name) != nil
	}
	if strings.Contains(name, "/") {
		return true // beside the module or in the working directory: not known
	}
	if l.Call != "find_library" {
		_, ok := v.loader.Find(name)
		return ok
	}
	prefix := "lib" + name + ".so"
	for _, dir := range v.libraryDirs() {
		for f := range v.env.Files.Children(dir) {
			if base := f.Path[strings.LastIndexByte(f.Path, '/')+1:]; base == prefix || strings.HasPrefix(base, prefix+".") {
				return true
			}
		}
	}
	return false
}

// libraryDirs are the directories that hold libraries which the closure has found.
func (v *verifier) libraryDirs() []string {
	var out []string
	for _, o := range v.closure.Objects {
		if i := strings.LastIndexByte(o.Real, '/'); i > 0 && v.owner[o.Real] == nil && !slices.Contains(out, o.Real[:i]) {
			out = append(out, o.Real[:i])
		}
	}
	return out
}
