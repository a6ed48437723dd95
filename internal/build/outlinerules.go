package build

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// scriptFacts is what the Python modules beside setup.py say.
type scriptFacts struct {
	compiles bool // extension modules are mentioned
	cffi     bool
	rust     bool
	fortran  bool
	texts    stringSet // "kind text"
}

// The kinds of what a script names.
const (
	kindPC      = "pc "
	kindHeader  = "header "
	kindProgram = "program "
	kindLibrary = "library "
)

// read takes what one module says.
func (f *scriptFacts) read(text []byte) {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return bytes.Contains(text, []byte(w)) })
	}
	if bytes.Contains(text, []byte("def get_versions()")) && has("versioneer") {
		return // a copy of versioneer is a thousand lines about something else
	}
	f.cffi = f.cffi || has("cffi_modules")
	f.rust = f.rust || has("RustExtension", "rust_extensions")
	f.compiles = f.compiles || f.cffi || has("ext_modules", "Extension(", "cythonize(")
	f.fortran = f.fortran || has("numpy.distutils", "f2py", "gfortran")
	literals(text, f.literal)
}

func (f *scriptFacts) literal(l literal) {
	if len(l.text) > 200 {
		return
	}
	call, key := strings.ToLower(l.call), lastPart(l.key)
	command, rest, _ := strings.Cut(l.text, " ")
	switch {
	case isPkgConfig(command):
		if l.first == "" && rest == "" {
			f.texts.add(kindProgram + "pkg-config")
		}
		for _, w := range strings.Fields(rest) {
			f.addPC(w)
		}
		return
	case isPkgConfig(l.first), strings.Contains(call, "pkgconfig"), strings.Contains(call, "pkg_config"):
		f.addPC(l.text)
		return
	case isConfigProgram(command), rest == "" && slices.Contains(buildPrograms, command):
		f.texts.add(kindProgram + command)
	case key == "libraries", strings.HasSuffix(call, "libraries.append"), strings.HasSuffix(call, "libraries.extend"), strings.Contains(call, "find_library"):
		if isLibrary(l.text) {
			f.texts.add(kindLibrary + l.text)
		}
	case strings.HasSuffix(l.text, ".h"):
		if (strings.Contains(call, "include") || strings.Contains(call, "header")) && isHeader(l.text) {
			f.texts.add(kindHeader + l.text)
		}
	}
}

// addPC takes a word of a call of pkg-config for the name of a .pc file, if it is one: no
// option, no version.
func (f *scriptFacts) addPC(w string) {
	if isPCName(w) && !isPkgConfig(w) {
		f.texts.add(kindPC + w)
	}
}

// into hands on what was found. Headers that the archive has itself are no need.
func (f *scriptFacts) into(to *found, have map[string]bool) {
	for _, t := range f.texts.sorted() {
		kind, text, _ := strings.Cut(t, " ")
		switch kind + " " {
		case kindPC:
			to.pc.add(text)
		case kindProgram:
			to.programs.add(text)
		case kindLibrary:
			to.libraries.add(text)
		case kindHeader:
			if !have[path.Base(text)] {
				to.headers.add(text)
			}
		}
	}
}

func lastPart(dotted string) string { return dotted[strings.LastIndexByte(dotted, '.')+1:] }

func isPkgConfig(s string) bool { return s == "pkg-config" || s == "pkgconf" }

// isPCName tells whether a word can name a .pc file.
func isPCName(w string) bool {
	if len(w) < 2 || len(w) > 64 || strings.HasSuffix(w, ".pc") {
		return false
	}
	letter := false
	for i := range len(w) {
		switch c := w[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			letter = true
		case c >= '0' && c <= '9', i > 0 && (c == '-' || c == '_' || c == '.' || c == '+'):
		default:
			return false
		}
	}
	return letter && (w[0] < '0' || w[0] > '9')
}

// Programs that tell where a library is, and whose names have an underscore.
var underscored = []string{"pg_config", "mysql_config", "mariadb_config", "odbc_config"}

// isConfigProgram tells whether a word is a program that says where a library is:
// "xml2-config", "pg_config".
func isConfigProgram(w string) bool {
	stem, ok := strings.CutSuffix(w, "-config")
	if !ok {
		return slices.Contains(underscored, w)
	}
	switch stem {
	case "", "pkg", "python", "python3", "build", "read", "test", "no", "site", "git", "llvm":
		return stem == "llvm"
	case "net-snmp":
		return true
	}
	return !strings.ContainsFunc(stem, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

func isHeader(s string) bool {
	return len(s) > 2 && s[0] != '/' && !strings.ContainsAny(s, " *{}%\\<>\"") && !strings.Contains(s, "..")
}

// Libraries that come with the compiler and the C library, or are another system's.
var noLibraries = []string{
	"c", "m", "dl", "rt", "pthread", "util", "resolv", "crypt", "nsl", "socket", "stdc++", "gcc", "gcc_s", "gfortran", "gomp", "atomic", "c++", "python", "npymath",
	"psapi", "userenv", "winmm", "msmpi", "dbghelp", "ntdll", "synchronization", "version", "iphlpapi", "shfolder", "npyrandom", "shlwapi", "bcrypt", "zdll", "zlib", "ole",
}

// isLibrary tells whether a word names a library that somebody has to install: what
// follows -l.
func isLibrary(w string) bool {
	if !isPCName(w) && w != "z" || slices.Contains(noLibraries, strings.ToLower(w)) {
		return false
	}
	// Of Windows: ws2_32, advapi32, libssl (which the linker here would find as liblibssl).
	return !strings.HasSuffix(w, "32") && !strings.HasPrefix(w, "lib") && !strings.HasSuffix(w, "_static") && !strings.HasSuffix(w, ".dll")
}

// mesonFile is what one meson.build names.
type mesonFile struct {
	languages, deps, libraries, programs, subdirs, projects []string
}

// readMeson takes what a meson.build names in so many words; what it computes is not seen.
func readMeson(text []byte) *mesonFile {
	f := &mesonFile{}
	literals(text, func(l literal) {
		call := l.call
		switch {
		case call == "project" && l.first != "" && l.key == "":
			f.languages = append(f.languages, l.text)
		case call == "add_languages" && l.key == "":
			f.languages = append(f.languages, l.text)
		case call == "dependency" && l.key == "":
			f.deps = append(f.deps, l.text)
		case call == "subdir" && l.key == "":
			f.subdirs = append(f.subdirs, l.text)
		case call == "subproject" && l.key == "" && l.first == "":
			f.projects = append(f.projects, l.text)
		case call == "find_program" && l.key == "":
			f.programs = append(f.programs, l.text)
		case strings.HasSuffix(call, ".find_library") && l.key == "" && l.first == "":
			f.libraries = append(f.libraries, l.text)
		}
	})
	return f
}

// The languages of Meson that are called otherwise here; all but these and the same names
// are none that Python modules are made of.
var mesonLanguages = map[string]string{"c": "c", "cpp": "c++", "cython": "cython", "fortran": "fortran", "rust": "rust"}

// What Meson calls dependencies, and Python packages, the compiler or the interpreter bring.
var noDependencies = []string{
	"python", "python3", "python-3", "numpy", "pybind11", "nanobind", "threads", "dl", "appleframeworks", "_numpy", "f2py", "cython", "py3", "intl", "iconv", "xsimd", "scipy-openblas", "py3cairo",
	"pythoncapi_compat", "pythoncapi-compat", "dependency",
}

// readMesonTree takes what the meson.build files say that are read in a build, from that of
// the top folder on.
func (c *outliner) readMesonTree(f *found) {
	seen := map[string]bool{}
	queue := []string{""}
	for len(queue) > 0 {
		dir := queue[0]
		queue = queue[1:]
		m := c.meson[dir]
		if m == nil || seen[dir] {
			continue
		}
		seen[dir] = true
		for _, s := range m.subdirs {
			queue = append(queue, path.Join(dir, s))
		}
		for _, p := range m.projects {
			folder, wrapped := c.wraps[p]
			if folder == "" {
				folder = p
			}
			if at := path.Join("subprojects", folder); c.meson[at] != nil {
				queue = append(queue, at)
			} else if wrapped {
				f.downloads.add(p)
			}
		}
		for _, l := range m.languages {
			if lang, ok := mesonLanguages[l]; ok {
				f.languages.add(lang)
				if !strings.HasPrefix(dir, "subprojects/") {
					f.certain.add(lang)
				}
			}
		}
		for _, d := range m.deps {
			if isPCName(d) && !slices.Contains(noDependencies, strings.ToLower(d)) {
				f.pc.add(d)
			}
		}
		for _, l := range m.libraries {
			if isLibrary(l) {
				f.libraries.add(l)
			}
		}
		for _, p := range m.programs {
			if p == "pkg-config" || isConfigProgram(p) || slices.Contains(buildPrograms, p) {
				f.programs.add(p)
			}
		}
	}
}

// Programs that build files look for, and that the image has or has not.
var buildPrograms = []string{"swig", "bison", "flex", "nasm", "yasm", "protoc", "g-ir-scanner", "make", "cmake", "mpicc", "h5cc"}

// wrapFolder returns the folder that a .wrap file names for its sources.
func wrapFolder(text []byte) string {
	for line := range bytes.Lines(text) {
		if k, v, ok := strings.Cut(string(line), "="); ok && strings.TrimSpace(k) == "directory" {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// cmakeFile is what one CMakeLists.txt names.
type cmakeFile struct {
	languages, packages, modules, subdirs, downloads []string
}

// readCMake takes what a CMakeLists.txt names in so many words.
func readCMake(text []byte) *cmakeFile {
	f := &cmakeFile{}
	commands(text, func(name string, args []string) {
		if len(args) == 0 {
			return
		}
		switch name {
		case "project":
			f.languages = append(f.languages, projectLanguages(args[1:])...)
		case "enable_language":
			f.languages = append(f.languages, args...)
		case "find_package":
			f.packages = append(f.packages, args[0])
		case "pkg_check_modules", "pkg_search_module":
			f.modules = append(f.modules, checkedModules(args[1:])...)
		case "fetchcontent_declare", "externalproject_add":
			if isPCName(args[0]) {
				f.downloads = append(f.downloads, args[0])
			}
		case "add_subdirectory":
			f.subdirs = append(f.subdirs, args[0])
		}
	})
	return f
}

// projectLanguages reads the arguments of project after its name; without any, CMake
// takes C and C++.
func projectLanguages(args []string) []string {
	var out []string
	skip, named := false, false
	for _, a := range args {
		switch {
		case skip:
			skip = false
		case a == "LANGUAGES":
			named = true
		case a == "VERSION", a == "DESCRIPTION", a == "HOMEPAGE_URL", a == "COMPAT_VERSION", a == "SPDX_LICENSE":
			skip = true
		default:
			out = append(out, a)
		}
	}
	if len(out) == 0 && !named {
		return []string{"C", "CXX"}
	}
	return out
}

// checkedModules reads the arguments of pkg_check_modules after the prefix.
func checkedModules(args []string) []string {
	var out []string
	for _, a := range args {
		if a == "REQUIRED" || a == "QUIET" || a == "IMPORTED_TARGET" || a == "GLOBAL" || strings.HasPrefix(a, "NO_CMAKE") {
			continue
		}
		if i := strings.IndexAny(a, "<>="); i > 0 {
			a = a[:i]
		}
		if isPCName(a) {
			out = append(out, a)
		}
	}
	return out
}

var cmakeLanguages = map[string]string{"C": "c", "CXX": "c++", "Fortran": "fortran"}

// readCMakeTree takes what the CMakeLists.txt say that are read in a build. Libraries in
// the archive bring theirs, which say what they can be built with and not what is needed.
func (c *outliner) readCMakeTree(f *found, certain bool) {
	seen := map[string]bool{}
	queue := []string{""}
	for len(queue) > 0 {
		dir := queue[0]
		queue = queue[1:]
		m := c.cmake[dir]
		if m == nil || seen[dir] {
			continue
		}
		seen[dir] = true
		for _, l := range m.languages {
			if lang, ok := cmakeLanguages[l]; ok {
				f.languages.add(lang)
				if certain {
					f.certain.add(lang)
				}
			}
		}
		f.names.add(slices.DeleteFunc(slices.Clone(m.packages), func(p string) bool { return !isPCName(p) || isPythonPackage(p) })...)
		f.pc.add(m.modules...)
		f.downloads.add(m.downloads...)
		for _, s := range m.subdirs {
			if s = path.Join(dir, s); !isVendored(s) {
				queue = append(queue, s)
			}
		}
	}
}

// isPythonPackage tells whether what find_package finds is the interpreter's, a build
// requirement's or the compiler's.
func isPythonPackage(p string) bool {
	p = strings.ToLower(p)
	return strings.HasPrefix(p, "python") || slices.Contains([]string{"pybind11", "nanobind", "cython", "numpy", "threads", "f2py", "scikit", "pythonextensions", "pkgconfig", "git", "taskflow", "rapidfuzz"}, p)
}

func isVendored(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if slices.Contains([]string{"extern", "external", "third_party", "thirdparty", "3rdparty", "vendor", "deps", "_deps", "subprojects"}, part) {
			return true
		}
	}
	return false
}
