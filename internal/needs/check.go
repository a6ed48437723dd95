package needs

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Image is what is looked into: one platform of the development image.
type Image struct {
	Files files.Set
	Env   []string // of its configuration: PATH, CPATH, PKG_CONFIG_PATH ...
	// Manager is its package manager, "apk", "apt", "rpm" or "conda"; "" lets Check find out.
	Manager string
	// Prefix and Stdlib are those of the interpreter that builds
	// ("usr", "usr/lib/python3.11").
	Prefix, Stdlib string
	Arch           string // "x86_64", "aarch64"
	// Markers decide which external dependencies count; nil: all.
	Markers *python.MarkerEnv
}

// ManagerOf names the package manager of an image by the database that it keeps: "apk",
// "apt" (of dpkg), "rpm", or "" for none.
func ManagerOf(set files.Set) string {
	for _, m := range []struct{ path, name string }{
		{"lib/apk/db/installed", "apk"}, {"usr/lib/apk/db/installed", "apk"}, {"var/lib/dpkg/status", "apt"}, {"var/lib/dpkg/status.d", "apt"},
		{"var/lib/rpm", "rpm"}, {"usr/lib/sysimage/rpm", "rpm"},
	} {
		if _, _, ok := set.Lookup(m.path); ok {
			return m.name
		}
	}
	return ""
}

// Check looks for each need of the list in the image. It opens at most one small file.
func Check(l List, img Image) Report {
	s := newSearch(&img)
	r := Report{Name: l.Name, Docs: l.Docs}
	if len(s.managers) > 0 {
		r.Manager = s.managers[0]
	}
	for _, n := range l.Needs {
		if n.marker != nil && img.Markers != nil {
			if ok, err := n.marker.Eval(img.Markers); err == nil && !ok {
				continue
			}
		}
		item := s.item(n)
		if n.kind == libcHeader && (item.Found != "" || !hasCompiler(r.Items)) {
			continue // worth telling only where a compiler may have come without them
		}
		r.Items = append(r.Items, item)
	}
	s.needPkgConfig(&r, l.pkgConfig)
	return r
}

func hasCompiler(items []Item) bool {
	return slices.ContainsFunc(items, func(i Item) bool { return i.Need.kind == compiler && i.Found != "" })
}

// needPkgConfig adds the program pkg-config to what may be missing if something was found
// that lies where only it tells builds to look.
func (s *search) needPkgConfig(r *Report, n Need) {
	aside := slices.ContainsFunc(r.Items, func(i Item) bool { return i.aside })
	named := slices.ContainsFunc(r.Items, func(i Item) bool { return i.Need.Name == n.Name })
	if !aside || named || len(n.Programs) == 0 {
		return
	}
	if item := s.item(n); item.Found == "" {
		r.Items = append(r.Items, item)
	}
}

// search holds the folders of an image in which builds look for things.
type search struct {
	set                        files.Set
	env                        map[string]string
	include, lib, pc, programs []string // without slashes around
	python                     []string // folders of Python.h
	sysroots                   []string // folders of headers that only conda's compilers look into

	managers []string // whose packages help, best first

	stdlib string
	system bool   // the interpreter is the operating system's
	asked  bool   // notes were looked for
	notes  []byte // _sysconfigdata
}

func newSearch(img *Image) *search {
	s := &search{set: img.Files, env: map[string]string{}, stdlib: strings.Trim(img.Stdlib, "/")}
	for _, e := range img.Env {
		if k, v, ok := strings.Cut(e, "="); ok {
			s.env[k] = v
		}
	}
	prefix := strings.Trim(img.Prefix, "/")
	triples := tripletsOf(img.Arch)
	s.programs = s.folders("PATH")
	if len(s.programs) == 0 {
		s.programs = splitFolders(defaultPath)
	}
	for _, v := range []string{"CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH"} {
		s.include = append(s.include, s.folders(v)...)
	}
	s.lib = s.folders("LIBRARY_PATH")
	s.pc = s.folders("PKG_CONFIG_PATH")
	roots := []string{"usr/local", "usr"}
	if prefix != "usr" && prefix != "usr/local" && prefix != "" {
		roots = append([]string{prefix}, roots...)
	}
	for _, root := range roots {
		s.addRoot(root, triples)
	}
	for _, t := range triples {
		s.lib = append(s.lib, "lib/"+t)
	}
	if only := s.folders("PKG_CONFIG_LIBDIR"); len(only) > 0 { // instead of the usual ones
		s.pc = append(s.folders("PKG_CONFIG_PATH"), only...)
	}
	s.lib = append(s.lib, "lib64", "lib")
	s.addGCC(triples)
	s.addZig(img.Arch)
	if prefix != "" {
		s.sysroots = []string{prefix + "/" + img.Arch + "-conda-linux-gnu/sysroot/usr/include"}
	}
	s.addPython(img, prefix, triples)
	s.managers = s.managersOf(img, prefix)
	return s
}

// addRoot adds the folders below one root, those of an architecture first.
func (s *search) addRoot(root string, triples []string) {
	for _, t := range triples {
		s.include = append(s.include, root+"/include/"+t)
		s.lib = append(s.lib, root+"/lib/"+t)
		s.pc = append(s.pc, root+"/lib/"+t+"/pkgconfig")
	}
	s.include = append(s.include, root+"/include")
	s.lib = append(s.lib, root+"/lib64", root+"/lib")
	s.pc = append(s.pc, root+"/lib64/pkgconfig", root+"/lib/pkgconfig", root+"/share/pkgconfig")
}

// addGCC adds where gcc has headers and libraries of its own (omp.h).
func (s *search) addGCC(triples []string) {
	for _, t := range triples {
		for f := range s.set.Children("usr/lib/gcc/" + t) {
			s.include = append(s.include, f.Path+"/include")
			s.lib = append(s.lib, f.Path)
		}
	}
}

// Folders that zig is put into: the system's packages, and those who unpack its archive.
var zigFolders = []string{"usr/lib/zig", "usr/local/lib/zig", "usr/local/zig", "opt/zig"}

// addZig adds where zig, which is a C compiler too, has the headers of Linux and of the C
// libraries.
func (s *search) addZig(arch string) {
	for _, dir := range zigFolders {
		for _, lib := range []string{dir + "/lib/libc/include", dir + "/libc/include"} {
			for _, name := range []string{arch + "-linux-any", "any-linux-any", "generic-musl", "generic-glibc"} {
				s.include = append(s.include, lib+"/"+name)
			}
		}
	}
}

// addPython adds where the interpreter's headers are: below its prefix, in the folder
// called like that of its standard library.
func (s *search) addPython(img *Image, prefix string, triples []string) {
	base := img.Stdlib[strings.LastIndexByte(img.Stdlib, '/')+1:]
	if base == "" {
		return
	}
	home := prefix
	if i := strings.LastIndex(img.Stdlib, "/lib"); i > 0 { // of a virtual environment: that of its base
		home = strings.Trim(img.Stdlib[:i], "/")
	}
	s.system = home == "usr"
	s.python = []string{home + "/include/" + base}
	for _, t := range triples {
		s.python = append(s.python, home+"/include/"+t+"/"+base)
	}
}

// tripletsOf returns what folders of an architecture are called, with glibc and musl.
func tripletsOf(arch string) []string {
	switch arch {
	case "":
		return nil
	case "i686", "i386":
		return []string{"i386-linux-gnu", "i386-linux-musl"}
	case "armv7l", "armv8l":
		return []string{"arm-linux-gnueabihf", "arm-linux-musleabihf"}
	case "ppc64le":
		return []string{"powerpc64le-linux-gnu", "powerpc64le-linux-musl"}
	}
	return []string{arch + "-linux-gnu", arch + "-linux-musl"}
}

// defaultPath is what container runtimes set if the image sets nothing.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// folders returns those that a variable of the image names.
func (s *search) folders(variable string) []string { return splitFolders(s.env[variable]) }

func splitFolders(list string) []string {
	var out []string
	for dir := range strings.SplitSeq(list, ":") {
		if strings.HasPrefix(dir, "/") {
			out = append(out, files.Clean(dir))
		}
	}
	return out
}

// item looks for one need and, if it is not there, says what carries it.
func (s *search) item(n Need) Item {
	item := s.find(n)
	if n.kind == pythonHeader {
		item.Need.Packages = s.headerPackages(n.Packages)
	}
	if item.Found != "" {
		return item
	}
	for _, m := range s.managers {
		if list := item.Need.Packages.For(m); len(list) > 0 {
			item.Add, item.Manager = list, m
			break
		}
	}
	return item
}

// headerPackages returns the packages with the headers of the interpreter: none if it is
// not the operating system's, and those of its version if there is another python3.
func (s *search) headerPackages(p Packages) Packages {
	if !s.system {
		return Packages{}
	}
	name := s.stdlib[strings.LastIndexByte(s.stdlib, '/')+1:]
	first, ok := s.set.Resolve("usr/bin/python3")
	first = first[strings.LastIndexByte(first, '/')+1:]
	if ok && strings.HasPrefix(first, "python3.") && first != name {
		return Packages{APT: []string{name + "-dev"}, RPM: []string{name + "-devel"}}
	}
	return p
}

// managersOf lists the package managers of which packages would help, best first.
func (s *search) managersOf(img *Image, prefix string) []string {
	if img.Manager != "" {
		return []string{img.Manager}
	}
	var out []string
	if _, _, ok := s.set.Lookup(prefix + "/conda-meta"); ok && prefix != "" {
		out = append(out, "conda")
	}
	m := ManagerOf(img.Files)
	if m == "apk" && s.isGNU() {
		// An interpreter for glibc on Alpine: its packages are built for another C library.
		return out
	}
	if m != "" {
		out = append(out, m)
	}
	return out
}

// find looks for one need, in the order in which most builds do.
func (s *search) find(n Need) Item {
	item := Item{Need: n}
	switch n.kind {
	case absent, unknown:
		return item
	case compiler:
		return s.compiler(n)
	case pythonHeader:
		item.Found = s.at(s.python, n.Header)
		return item
	case libcHeader:
		item.Found = s.at(append(slices.Clone(s.include), s.sysroots...), n.Header)
		return item
	}
	if at, v := s.elsewhere(n); at != "" {
		item.Found, item.Env = at, v
		return item
	}
	if n.Header != "" {
		if item.Found = s.at(s.include, n.Header); item.Found != "" {
			return item
		}
	}
	item.Found = s.nested(n)
	for _, p := range n.Programs {
		if at := s.command(p); at != "" {
			if item.Found == "" {
				item.Found = at
			}
			return item // it leads builds to the headers, wherever these are
		}
	}
	if item.Found != "" {
		item.aside = true
		return item
	}
	for _, p := range n.PkgConfig {
		if dir := s.at(s.pc, p+".pc"); dir != "" {
			item.Found, item.aside = dir+"/"+p+".pc", true
			return item
		}
	}
	for _, l := range n.Libraries {
		for _, name := range []string{l, strings.TrimSuffix(l, ".so") + ".a"} {
			if dir := s.at(s.lib, name); dir != "" {
				item.Found = dir + "/" + name
				return item
			}
		}
	}
	return item
}

// at returns the first folder, with a slash before it, that has the file; "" if none has.
func (s *search) at(folders []string, name string) string {
	for _, dir := range folders {
		if f, _, ok := s.set.Lookup(dir + "/" + name); ok && f.IsRegular() {
			return "/" + dir
		}
	}
	return ""
}

// program returns the folder of PATH that has a program.
func (s *search) program(name string) string {
	for _, dir := range s.programs {
		if f, _, ok := s.set.Lookup(dir + "/" + name); ok && f.IsRegular() && f.Mode&0o111 != 0 {
			return "/" + dir
		}
	}
	return ""
}

// elsewhere looks where a variable of the image points to. A variable that is set to
// something else than a folder (flags, a version) is taken at its word.
func (s *search) elsewhere(n Need) (at, variable string) {
	for _, v := range n.Env {
		value := s.env[v]
		if value == "" {
			continue
		}
		dir := files.Clean(value)
		if f, _, ok := s.set.Lookup(dir); !strings.HasPrefix(value, "/") || !ok || !f.Mode.IsDir() {
			return value, v
		}
		if n.Header == "" || s.at([]string{dir, dir + "/include"}, n.Header) != "" {
			return "/" + dir, v
		}
	}
	return "", ""
}

// nested looks for the header in folders below those of compilers that are called like
// the library ("hdf5/serial").
func (s *search) nested(n Need) string {
	if n.Header == "" {
		return ""
	}
	names := []string{plain(n.Name)}
	for _, p := range n.PkgConfig {
		names = append(names, plain(p))
	}
	for _, dir := range s.include {
		for f := range s.set.Children(dir) {
			if !isCalled(f.Path[strings.LastIndexByte(f.Path, '/')+1:], names) {
				continue
			}
			if at := s.below(f.Path, n.Header, 2); at != "" {
				return at
			}
		}
	}
	return ""
}

// below looks for a header in a folder and, if depth is above 0, in those below it.
func (s *search) below(dir, header string, depth int) string {
	if at := s.at([]string{dir}, header); at != "" || depth == 0 {
		return at
	}
	for f := range s.set.Children(dir) {
		if f.Mode.IsDir() {
			if at := s.below(f.Path, header, depth-1); at != "" {
				return at
			}
		}
	}
	return ""
}

// isCalled tells whether a folder has one of the names, or begins with one.
func isCalled(base string, names []string) bool {
	base = plain(base)
	for _, n := range names {
		if len(n) > 1 && (strings.HasPrefix(base, n) || len(base) > 2 && strings.HasPrefix(n, base)) {
			return true
		}
	}
	return false
}

// plain is a name without case, punctuation and "lib" before it.
func plain(name string) string { return strings.TrimPrefix(key("name", name), "name ") }
