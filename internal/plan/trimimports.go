package plan

import (
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/pysource"
)

// trimModule is a module that would go, with the files that it is made of: source
// and byte code.
type trimModule struct {
	pick  *trimPick
	files []*files.File
}

// spare takes out of the candidates each module that a module imports which stays,
// with the packages that it is in, and so on. However the import may be meant
// (inside a function, in a try), what is there to be imported is no superfluous file.
func (t *trimmer) spare(picks []*trimPick) {
	gone := map[string]*trimModule{}
	for _, c := range picks {
		for _, f := range c.pick.files {
			if _, ok := c.rule[f]; !ok {
				continue
			}
			name := moduleOf(c.keys[f])
			if name == "" {
				continue
			}
			m := gone[name]
			if m == nil {
				m = &trimModule{pick: c}
				gone[name] = m
			}
			m.files = append(m.files, f)
		}
	}
	if len(gone) == 0 {
		return
	}
	s := sparer{planner: t.planner, gone: gone}
	for f := range t.in.App.All() {
		s.application(f)
	}
	for _, c := range picks {
		for _, f := range c.pick.files {
			if _, ok := c.rule[f]; !ok {
				s.importer(f, c.keys[f])
			}
		}
	}
	for f := range t.in.App.All() {
		if !t.excluded(f.Path) {
			s.importer(f, f.Path)
		}
	}
	for len(s.todo) > 0 {
		name := s.todo[len(s.todo)-1]
		s.todo = s.todo[:len(s.todo)-1]
		m := gone[name]
		for _, f := range m.files {
			delete(m.pick.rule, f)
			s.importer(f, m.pick.keys[f])
		}
	}
}

// sparer follows imports.
type sparer struct {
	*planner
	gone map[string]*trimModule
	seen map[string]bool // modules that were looked for among those that would go
	todo []string        // of gone, found and not yet followed
}

// importer notes which of the modules that would go f imports.
func (s *sparer) importer(f *files.File, key string) {
	module := moduleOf(key)
	if module == "" || !strings.HasSuffix(key, ".py") {
		return
	}
	if facts := s.source(f); facts != nil {
		s.follow(facts, module, strings.HasSuffix(key, "/__init__.py"))
	}
}

// application is importer for a module of the application, which no probe has seen.
func (s *sparer) application(f *files.File) {
	if !f.IsRegular() || !strings.HasSuffix(f.Path, ".py") || f.Size > maxAppModule {
		return
	}
	facts := s.source(f)
	if facts == nil {
		text, err := f.ReadAll(maxAppModule)
		if err != nil {
			return // the layer will not be written then, and says why
		}
		facts = pysource.Scan(text)
	}
	s.follow(facts, "", false) // relative ones are of the application itself
}

// maxAppModule bounds what is read of one module of the application.
const maxAppModule = 1 << 20

// follow notes what a module imports.
func (s *sparer) follow(facts *pysource.Facts, module string, isPackage bool) {
	pkg := module // what relative imports start from
	if !isPackage {
		pkg = parentModule(module)
	}
	for _, i := range facts.Imports {
		from := i.Module
		if rest := strings.TrimLeft(from, "."); rest != from {
			up := pkg
			for range len(from) - len(rest) - 1 {
				up = parentModule(up)
			}
			from = strings.Trim(up+"."+rest, ".")
		}
		s.want(from)
		for _, name := range i.Names {
			s.want(from + "." + name)
		}
	}
}

// want notes that a module, and all packages it is in, are imported.
func (s *sparer) want(module string) {
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	for ; module != "" && !s.seen[module]; module = parentModule(module) {
		s.seen[module] = true
		if s.gone[module] != nil {
			s.todo = append(s.todo, module)
		}
	}
}

// source returns what the probe noted about a module, nil if nothing.
func (p *planner) source(f *files.File) *pysource.Facts {
	if len(f.Note) == 0 || f.Note[0] != sourceNote {
		return nil
	}
	facts, err := pysource.Decode(f.Note[1:])
	if err != nil {
		return nil
	}
	return facts
}

// sourceNote begins the notes of Python sources, see inspect's probe.
const sourceNote = 'P'

// moduleOf returns the dotted name of a source or extension module below a site
// directory, "" for what can't be imported by its name.
func moduleOf(key string) string {
	dir, name := dirOf(key), baseOf(key)
	stem, ext, _ := strings.Cut(name, ".")
	switch {
	case ext != "py" && ext != "so" && !strings.HasSuffix(ext, ".so"), stem == "":
		return ""
	case stem == "__init__":
		return strings.ReplaceAll(dir, "/", ".")
	}
	return strings.ReplaceAll(join(dir, stem), "/", ".")
}

func parentModule(name string) string {
	return name[:max(0, strings.LastIndexByte(name, '.'))]
}
