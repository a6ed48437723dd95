package plan

import (
	"iter"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// stdlib tells which files of a development image are the standard library, and which
// of them can stay behind.
type stdlib struct {
	dev     files.Set
	dir     string // real path
	zip     string // python311.zip beside it
	level   string // of --trim
	tkinter bool   // its extension module is there
}

// ruleByteCode is the rule for byte code, which is made from what is kept.
const ruleByteCode = "byte code"

func newStdlib(r *runtimer) *stdlib {
	s := &stdlib{dev: r.dev, dir: r.py.Stdlib, level: r.in.Options.Trim}
	if s.level == "" {
		s.level = "safe"
	}
	if real, ok := r.dev.Resolve(r.py.Stdlib); ok {
		s.dir = real
	}
	s.zip = join(dirOf(s.dir), strings.ReplaceAll(baseOf(s.dir), ".", "")+".zip")
	for f := range r.dev.Under(s.dir + "/lib-dynload") {
		s.tkinter = s.tkinter || strings.HasPrefix(baseOf(f.Path), "_tkinter.") && r.without[f.Path] == ""
	}
	return s
}

// all yields the files of the standard library. Packages that others installed into folders
// inside it are not among them.
func (s *stdlib) all() iter.Seq[*files.File] {
	return func(yield func(*files.File) bool) {
		if f, ok := s.dev.Get(s.zip); ok && !yield(f) {
			return
		}
		for f := range s.dev.Under(s.dir) {
			top, _, below := strings.Cut(f.Path[len(s.dir)+1:], "/")
			if below && strings.HasSuffix(top, "-packages") {
				continue
			}
			if !yield(f) {
				return
			}
		}
	}
}

// leaves names the rule by which a file of the standard library stays behind, "" if it
// comes along. CPython's own builders of small images leave out the same: the tests,
// what only building extension modules needs, the editor, and the wheels of pip.
func (s *stdlib) leaves(f *files.File) string {
	if f.Path == s.zip {
		return ""
	}
	rel := f.Path[len(s.dir)+1:]
	if strings.HasSuffix(rel, ".pyc") || strings.Contains(rel, "__pycache__/") {
		return ruleByteCode
	}
	if s.level == "none" {
		return ""
	}
	if rule := safeRule(rel, s.tkinter); rule != "" || s.level != "max" {
		return rule
	}
	return maxRule(rel)
}

// safeRule is about what no installed program misses.
func safeRule(rel string, tkinter bool) string {
	top, rest, _ := strings.Cut(rel, "/")
	base := baseOf(rel)
	switch {
	case top == "test", strings.Contains("/"+dirOf(rel)+"/", "/tests/"), strings.Contains("/"+dirOf(rel)+"/", "/test/"),
		strings.Contains(rel, "/idle_test/"), top == "lib-dynload" && isTestModule(base):
		return "tests"
	case strings.HasPrefix(top, "config-"), strings.HasSuffix(base, ".a"), strings.HasSuffix(base, ".h"):
		return "headers and static libraries"
	case top == "idlelib", top == "turtledemo":
		return "editor and demos"
	case top == "ensurepip" && strings.HasSuffix(rest, ".whl"):
		return "wheels of pip"
	case top == "distutils" && strings.HasSuffix(base, ".exe"), strings.HasPrefix(rel, "venv/scripts/nt/"), top == "msilib":
		return "Windows"
	case !tkinter && (top == "tkinter" || rel == "turtle.py"):
		return "Tk without its library"
	case top == "lib-dynload" && strings.HasPrefix(base, "nis."):
		// PEP 594 took it out of Python; with it come libnsl, libtirpc and Kerberos.
		return "NIS"
	}
	return ""
}

// isTestModule knows the extension modules that only CPython's own tests import.
func isTestModule(base string) bool {
	name, _, _ := strings.Cut(base, ".")
	return strings.HasPrefix(name, "_test") || name == "_ctypes_test" || name == "_xxtestfuzz" || strings.HasPrefix(name, "xxlimited")
}

// maxRule is about what only interactive use and old tools miss.
func maxRule(rel string) string {
	top, _, _ := strings.Cut(rel, "/")
	switch {
	case top == "pydoc_data":
		return "help texts"
	case top == "tkinter", rel == "turtle.py", strings.HasPrefix(rel, "lib-dynload/_tkinter."):
		return "Tk"
	case top == "lib2to3":
		return "lib2to3"
	case top == "ensurepip":
		return "wheels of pip"
	}
	return ""
}
