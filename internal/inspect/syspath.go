package inspect

import (
	"path"
	"slices"
	"strings"
)

// maxPthLine and maxSysPath bound what .pth files can add; real ones have a
// few lines.
const (
	maxPthLine = 4096
	maxSysPath = 4096
)

// searchPath builds sys.path as site.py would, as far as it can be known without
// running anything.
type searchPath struct {
	t       *tree
	dirs    []string
	seen    map[string]bool
	imports []string // .pth files with lines that begin with import
}

// add appends an existing directory or zip file, once.
func (s *searchPath) add(p string) bool {
	p = strings.Trim(path.Clean("/"+p), "/")
	if p == "" || s.seen[p] || len(s.dirs) >= maxSysPath {
		return false
	}
	if _, ok := s.t.Real(p); !ok {
		return false
	}
	s.seen[p] = true
	s.dirs = append(s.dirs, p)
	return true
}

// addSite appends a site directory and what its .pth files name (site.addsitedir).
// Lines that begin with import are code; they are noted and not run.
func (s *searchPath) addSite(dir string) {
	s.add(dir)
	if !s.t.hasDir(dir) {
		return
	}
	for _, name := range s.t.List(dir) {
		if !strings.HasSuffix(name, ".pth") || strings.HasPrefix(name, ".") {
			continue
		}
		b, ok := s.t.ReadFile(dir+"/"+name, maxSmall)
		if !ok {
			continue
		}
		s.addPth(dir, name, string(b))
	}
}

func (s *searchPath) addPth(dir, name, text string) {
	added := len(s.dirs)
	front := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "", strings.HasPrefix(line, "#"), len(line) > maxPthLine:
		case strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "import\t"):
			// easy_install of old moves its eggs before everything else by
			// such a line.
			front = front || strings.Contains(line, "__egginsert")
			s.imports = append(s.imports, dir+"/"+name)
		case strings.HasPrefix(line, "/"):
			s.add(line)
		default:
			s.add(dir + "/" + line)
		}
	}
	if front {
		eggs := slices.Clone(s.dirs[added:])
		s.dirs = slices.Insert(slices.Delete(s.dirs, added, len(s.dirs)), 0, eggs...)
	}
}

// sysPath fills in the interpreter's SysPath and SiteDirs.
func (i *Interpreter) sysPath(t *tree, env environ) {
	s := &searchPath{t: t, seen: map[string]bool{}}
	for _, d := range strings.Split(env["PYTHONPATH"], ":") {
		if strings.HasPrefix(d, "/") {
			s.add(d)
		}
	}
	if i.Stdlib != "" {
		s.add(path.Dir(i.Stdlib) + "/" + strings.ReplaceAll(path.Base(i.Stdlib), ".", "") + ".zip")
		s.add(i.Stdlib)
		s.add(i.Stdlib + "/lib-dynload")
	}
	i.SiteDirs = i.siteDirs(t)
	if home := strings.Trim(env["HOME"], "/"); i.Scheme != "venv" && env["PYTHONNOUSERSITE"] == "" {
		// A user's own packages come before the system's. Images run as root
		// unless they say otherwise, and then HOME is set or not used.
		if home == "" {
			home = "root"
		}
		if user := home + "/.local/lib/" + i.pythonDir() + "/site-packages"; t.hasDir(user) {
			s.addSite(user)
		}
	}
	for _, d := range i.SiteDirs {
		s.addSite(d)
	}
	i.SysPath = s.dirs
	i.PthImports = slices.Compact(s.imports)
}

// pythonDir is "python3.11", or "python3.13t" of a free-threaded build.
func (i *Interpreter) pythonDir() string {
	r := i.Version.Release()
	dir := "python" + itoa(r[0]) + "." + itoa(r[1])
	if strings.HasSuffix(i.ABI, "t") {
		dir += "t"
	}
	return dir
}

// siteDirs are the directories that site.py looks into, there or not, first
// one first.
func (i *Interpreter) siteDirs(t *tree) []string {
	py := i.pythonDir()
	switch i.Scheme {
	case "debian":
		return []string{
			i.Prefix + "/local/lib/" + py + "/dist-packages",
			i.Prefix + "/lib/python3/dist-packages",
			i.Prefix + "/lib/" + py + "/dist-packages",
		}
	case "venv":
		dirs := []string{i.Prefix + "/lib/" + py + "/site-packages"}
		if i.base != nil {
			dirs = append(dirs, i.base.SiteDirs...)
		}
		return dirs
	}
	var dirs []string
	if lib := path.Base(path.Dir(i.Stdlib)); lib != "lib" && lib != "." {
		dirs = append(dirs, join(i.Prefix, lib+"/"+py+"/site-packages")) // sys.platlibdir of Fedora
	}
	return append(dirs, join(i.Prefix, "lib/"+py+"/site-packages"))
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
