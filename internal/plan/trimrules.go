package plan

import (
	"path"
	"slices"
	"strings"
)

// trimRule says what one rule of --trim leaves out. Which package it is about
// does not matter: what a package needs all the same stands in the hints.
type trimRule struct {
	name  string // as reports show it
	level int    // from which level of --trim on
	match func(f *trimFile) bool
}

// The levels of --trim; caches go at all of them, see isCache.
const (
	trimNone = iota
	trimSafe
	trimMax
)

// trimLevels are the levels by name; "" is the default.
var trimLevels = map[string]int{"none": trimNone, "safe": trimSafe, "": trimSafe, "max": trimMax}

// trimFile is one file of a package, as rules look at it.
type trimFile struct {
	dirs []string // the directories it is in, below the site directory or the root
	name string
	site bool // below a directory that is on sys.path
	of   *trimPackage
}

// trimPackage is what rules ask of the package as a whole. Paths are those of
// [trimFile.key].
type trimPackage struct {
	files   map[string]bool
	tests   map[string]bool   // directories that hold tests
	modules map[string]bool   // directories with an __init__.py
	native  bool              // it has an extension module or library
	lazy    bool              // it reads its __init__.pyi at run time
	newest  map[string]string // of botocore's services, the date of the latest description
	known   bool              // what its modules import was noted when they were read
}

func (f *trimFile) dir() string { return strings.Join(f.dirs, "/") }

// key is the path that a module's source has: byte code is as its source.
func (f *trimFile) key() string { return join(f.dir(), f.name) }

func (f *trimFile) in(names ...string) bool {
	return slices.ContainsFunc(f.dirs, func(d string) bool { return slices.Contains(names, d) })
}

func (f *trimFile) ends(suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return len(f.name) > len(s) && strings.HasSuffix(f.name, s) })
}

// trimRules are asked in this order; the first that matches names the reason.
var trimRules = []trimRule{
	{"tests", trimSafe, isTest},
	{"stubs", trimSafe, isStub},
	{"headers", trimSafe, isHeader},
	{"static libraries", trimSafe, func(f *trimFile) bool { return f.ends(".a", ".la", ".lib", ".obj") || !f.site && f.ends(".o") }},
	{"build files", trimSafe, isBuildFile},
	{"sources", trimSafe, isSource},
	{"documentation", trimSafe, isDocumentation},
	{"debug files", trimSafe, func(f *trimFile) bool {
		return f.ends(".dbg", ".debug", ".pdb", ".js.map", ".mjs.map", ".css.map")
	}},
	{"other systems", trimSafe, func(f *trimFile) bool { return f.ends(".exe", ".dylib", ".pyd") }},
	{"translations", trimMax, isTranslation},
	{"sample data", trimMax, isSample},
	{"old interfaces", trimMax, isSuperseded},
}

// testDirs are names of directories that may hold tests. A directory "testing"
// is an interface to test with (numpy.testing), and stays.
var testDirs = []string{"test", "tests", "_tests", "testsuite", "test_suite", "SelfTest"}

// isTest matches all in a directory of tests, which is one of those names with a
// module in it that is named like a test: django.test has none. Where it is not
// known what modules import, none goes.
func isTest(f *trimFile) bool {
	if !f.site || !f.of.known {
		return false
	}
	for i := range f.dirs {
		if f.of.tests[strings.Join(f.dirs[:i+1], "/")] {
			return true
		}
	}
	return f.name == "conftest.py" || f.name == "_pytest.py"
}

// namesTest tells whether pytest or unittest would collect a module.
func namesTest(name string) bool {
	module, ok := strings.CutSuffix(name, ".py")
	return ok && (strings.HasPrefix(module, "test_") || strings.HasSuffix(module, "_test") || module == "conftest")
}

func isStub(f *trimFile) bool {
	return f.site && f.ends(".pyi") && !(f.of.lazy && f.name == "__init__.pyi")
}

// isHeader matches headers, those of C++ without an extension only in a folder for
// headers: docutils has texts in one.
func isHeader(f *trimFile) bool {
	if f.ends(".h", ".hh", ".hpp", ".hxx", ".h++", ".cuh", ".inl", ".ipp", ".tpp", ".tcc") {
		return true
	}
	return f.in("include") && (!strings.Contains(f.name, ".") || f.ends(".inc", ".def", ".mod", ".f90", ".h.in"))
}

func isBuildFile(f *trimFile) bool {
	return f.ends(".pc", ".cmake", ".cmake.in", ".m4") || f.name == "meson.build" || f.name == "CMakeLists.txt"
}

// isSource matches the sources of extension modules. In a package without any
// they may be data.
func isSource(f *trimFile) bool {
	return f.site && f.of.native && (f.ends(
		".pyx", ".pxd", ".pxi", ".pyx.in", ".pxd.in", ".pxi.in", ".pyx.tp", ".pxd.tp", ".pxi.tp",
		".c", ".cc", ".cpp", ".cxx", ".c++", ".f", ".for", ".f77", ".f90", ".f95", ".c.in", ".c.src", ".pyf"))
}

// docExtensions are those of texts and pictures for people.
var docExtensions = []string{".rst", ".md", ".txt", ".html", ".htm", ".css", ".js", ".pdf", ".ps", ".png", ".svg", ".jpg", ".gif", ".ipynb", ".py", ".pyc", ".tex", ".texi", ".info"}

// manuals are what packages write manuals from, below the site directory.
var manuals = []string{"botocore/data/*/*/examples-1.json", "botocore/data/*/*/examples-1.json.gz"}

// isDocumentation matches texts in a folder for them that is no package of Python
// (botocore.docs is one), and what goes to share/man and share/doc.
func isDocumentation(f *trimFile) bool {
	if f.site && slices.ContainsFunc(manuals, func(s string) bool { return matchPart(s, f.key()) }) {
		return true
	}
	if !f.site {
		for i, d := range f.dirs[:max(0, len(f.dirs)-1)] {
			if d == "share" && slices.Contains([]string{"man", "doc", "info", "gtk-doc"}, f.dirs[i+1]) {
				return true
			}
		}
		return false
	}
	for i, d := range f.dirs {
		if slices.Contains([]string{"doc", "docs", "documentation", "examples", "example", "_examples", "man"}, d) {
			return i > 0 && !f.of.modules[strings.Join(f.dirs[:i+1], "/")] && (f.ends(docExtensions...) || !strings.Contains(f.name, "."))
		}
	}
	return false
}

// isTranslation matches the texts of programs in other languages than English,
// and Babel's data about other locales.
func isTranslation(f *trimFile) bool {
	english := func(locale string) bool {
		return locale == "root" || locale == "en" || strings.HasPrefix(locale, "en_") || strings.HasPrefix(locale, "en@")
	}
	if f.ends(".mo", ".po", ".pot") {
		for i, d := range f.dirs {
			if d == "LC_MESSAGES" && i > 0 {
				return !english(f.dirs[i-1])
			}
		}
		return false
	}
	return f.site && f.in("locale-data") && f.ends(".dat") && !english(strings.TrimSuffix(f.name, ".dat"))
}

// samples are data sets that packages bring to try them with, below the site
// directory.
var samples = []string{
	"bokeh/sampledata/_data/*",
	"matplotlib/mpl-data/sample_data/*",
	"plotly/package_data/datasets/*",
	"pywt/data/*.npz",
	"sklearn/datasets/data/*",
	"sklearn/datasets/images/*",
	"statsmodels/datasets/*/*.csv",
	"vega_datasets/_data/*",
}

func isSample(f *trimFile) bool {
	return f.site && !f.ends(".py", ".pyc") && slices.ContainsFunc(samples, func(s string) bool { return matchPart(s, f.key()) })
}

// service returns the name and date of a description of a web service, which botocore
// has below botocore/data/NAME/DATE.
func (f *trimFile) service() (name, date string) {
	if d := f.dirs; f.site && len(d) == 4 && d[0] == "botocore" && d[1] == "data" {
		return d[2], d[3]
	}
	return "", ""
}

// isSuperseded matches descriptions of services that only a client gets which asks for an
// old date (api_version).
func isSuperseded(f *trimFile) bool {
	name, date := f.service()
	return name != "" && date < f.of.newest[name]
}

// isLicence tells whether a file may hold the terms under which the others are
// given, which have to go with them.
func isLicence(name string) bool {
	stem := strings.ToUpper(strings.TrimSuffix(name, path.Ext(name)))
	return slices.ContainsFunc([]string{"LICENSE", "LICENCE", "LICENSING", "COPYING", "COPYRIGHT", "NOTICE", "THIRD-PARTY"}, func(s string) bool { return strings.Contains(stem, s) })
}
