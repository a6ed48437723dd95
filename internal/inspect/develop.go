package inspect

import (
	"fmt"
	"slices"
	"strings"
)

// develop completes a develop install, see plainTree.
func (s *scan) develop(d *Distribution) {
	if d.Refused == "" {
		s.plainTree(d)
	}
	if d.Refused != "" {
		d.Files = nil
	}
}

// plainTree adds the modules of a develop install to its files: they lie in a source tree, from which they
// can be taken if they are whole packages or single files there. Refused says why if
// that can't be told.
func (s *scan) plainTree(d *Distribution) {
	trees := []string{d.Location}
	if strings.HasSuffix(d.Info, ".dist-info") { // of PEP 660: the tree is where its .pth says
		var mapped []string
		if trees, mapped = s.editable(d); len(mapped) > 0 {
			s.mapped(d, mapped)
			return
		}
	}
	names := s.topLevel(d)
	found := false
	for _, tree := range trees {
		for _, n := range names {
			list := s.plainModule(join(tree, n))
			found = found || len(list) > 0
			d.Files = append(d.Files, list...)
		}
	}
	if !found {
		d.Refused = fmt.Sprintf("it is a develop install of /%s, where no package %s is", d.Editable, strings.Join(names, " or "))
	}
}

// topLevel are the names of the modules of d: those of top_level.txt, else the
// project's own.
func (s *scan) topLevel(d *Distribution) []string {
	names := strings.Fields(string(s.small(d.Info + "/top_level.txt")))
	names = slices.DeleteFunc(names[:min(len(names), maxModules)], func(n string) bool { return strings.ContainsAny(n, "/.") })
	if len(names) == 0 {
		names = []string{strings.ReplaceAll(d.Metadata.RawName, "-", "_"), strings.ReplaceAll(string(d.Name), "-", "_")}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// plainModule returns the files of the package or module at p, nil if there is none. A
// folder without an __init__.py may be anything, and is not taken.
func (s *scan) plainModule(p string) []string {
	if _, ok := s.exists(p + "/__init__.py"); ok {
		return s.under(nil, p, nil)
	}
	for _, suffix := range []string{".py", s.i.ExtSuffix, ".abi3.so", ".so"} {
		if f, ok := s.exists(p + suffix); ok && suffix != "" {
			return []string{f}
		}
	}
	return nil
}

// editable returns the folders that the .pth files of d add to sys.path, and the
// paths of the modules that a finder of setuptools maps.
func (s *scan) editable(d *Distribution) (trees, mapped []string) {
	for _, p := range d.Files {
		if !strings.HasSuffix(p, ".pth") || parentDir(p) != d.Location {
			continue
		}
		for line := range strings.Lines(string(s.small(p))) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "/") {
				trees = append(trees, strings.Trim(line, "/"))
			}
			rest, ok := strings.CutPrefix(line, "import ")
			if !ok {
				continue
			}
			module, _, _ := strings.Cut(rest, ";")
			finder := join(d.Location, strings.TrimSpace(module)+".py")
			if _, own := slices.BinarySearch(d.Files, finder); own {
				mapped = append(mapped, mapping(string(s.small(finder)))...)
			}
		}
	}
	return trees, mapped
}

// mapping reads the line of a finder of setuptools that says where modules are:
// MAPPING: dict[str, str] = {'acme': '/src/acme'}.
func mapping(text string) []string {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "MAPPING") {
			continue
		}
		_, dict, _ := strings.Cut(line, "{")
		var out []string
		for i, part := range strings.Split(dict, "'") {
			if i%4 == 3 && strings.HasPrefix(part, "/") { // of 'name': 'path', the path
				out = append(out, strings.Trim(part, "/"))
			}
		}
		return out
	}
	return nil
}

// mapped takes the modules that a finder maps.
func (s *scan) mapped(d *Distribution, paths []string) {
	for _, p := range paths[:min(len(paths), maxModules)] {
		clean, ok := joinInside("", p)
		if !ok || strings.Contains(p, "..") {
			d.Refused = fmt.Sprintf("it is a develop install of /%s, whose finder names %q", d.Editable, p)
			return
		}
		list := s.plainModule(strings.TrimSuffix(clean, ".py"))
		if len(list) == 0 {
			d.Refused = fmt.Sprintf("it is a develop install of /%s, and /%s is no package", d.Editable, clean)
			return
		}
		d.Files = append(d.Files, list...)
	}
}

func parentDir(p string) string { return p[:max(strings.LastIndexByte(p, '/'), 0)] }
