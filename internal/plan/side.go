package plan

import (
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// side is one tree with what its loader finds for all ELF files in it.
type side struct {
	tree    elfTree
	loader  *elfdeps.Loader // of the interpreter
	main    string          // the interpreter as the loader takes it, "" for a static one
	closure []*elfdeps.Closure
	byPath  map[string]*elfdeps.Object
	byReal  map[string]*elfdeps.Object // one of those with this final path
	byName  map[string]elfdeps.Dep     // some place where a name is found
	// found has the needs that are met in some process: a library that nobody
	// loads by itself finds more with the directories of what needs it.
	found map[need]bool
	// links are names of new libraries that are links. $ORIGIN is where the name lies, so
	// that each finds what lies beside it.
	links map[string]bool
}

// newSide asks the loader of an interpreter what everything new needs.
func (n *native) newSide(set files.Set, python *inspect.Interpreter, libraryPath string) (*side, error) {
	s := &side{tree: elfTree{planner: n.planner, set: set}, byReal: map[string]*elfdeps.Object{}, byName: map[string]elfdeps.Dep{}, found: map[need]bool{},
		links: map[string]bool{}, byPath: map[string]*elfdeps.Object{}}
	loader, err := elfdeps.NewLoader(s.tree, python.Loader, elfdeps.LoaderOptions{LibraryPath: libraryPath})
	if err != nil {
		return nil, failf("", "the Python %s of an image: %v", python.Path, err)
	}
	s.loader = loader
	main := s.tree.ELF(python.Path)
	var libraries []string
	for _, l := range n.laidELF() {
		path := l.file.Path
		info := s.tree.ELF(path)
		if info == nil {
			continue // a path that this tree resolves to something else
		}
		if main != nil && (info.Machine != main.Machine || info.Class != main.Class) {
			if strings.HasSuffix(path, python.ExtSuffix) && python.ExtSuffix != "" {
				return nil, failf("", "%s: %q is for %s, Python for %s", owner(l), path, machine(info), machine(main))
			}
			continue // data of debuggers and installers
		}
		switch {
		case !info.IsProgram():
			libraries = append(libraries, path)
		case info.Interp != "": // else it is its own loader
			if err := n.program(s, path, info, loader, libraryPath); err != nil {
				return nil, err
			}
		}
	}
	for _, path := range n.laidLinks() {
		real, ok := s.tree.Real(path)
		if info := s.tree.ELF(real); ok && info != nil && info.Dynamic && !info.IsProgram() &&
			(main == nil || info.Machine == main.Machine && info.Class == main.Class) {
			s.links[path] = true
			libraries = append(libraries, path)
		}
	}
	if main != nil && main.Dynamic {
		s.main = python.Path
	}
	c, err := loader.Closure(libraries, s.main)
	if err != nil {
		return nil, failf("", "%v", err)
	}
	s.add(c)
	return s, nil
}

func machine(i *elfdeps.Info) string {
	if a := i.Arch(); a != "" {
		return a
	}
	return fmt.Sprintf("ELF machine %d (%d bits)", i.Machine, i.Class)
}

// program adds what a program needs by the rules of its own loader.
func (n *native) program(s *side, path string, info *elfdeps.Info, python *elfdeps.Loader, libraryPath string) error {
	loader := python
	if real, ok := s.tree.Real(strings.TrimLeft(info.Interp, "/")); !ok || real != python.Path() {
		var err error
		loader, err = elfdeps.NewLoader(s.tree, info.Interp, elfdeps.LoaderOptions{LibraryPath: libraryPath})
		if err != nil {
			n.warnf("%s: program %q can't run: %v", owner(n.laid[path]), path, err)
			return nil
		}
	}
	c, err := loader.Closure(nil, path)
	if err != nil {
		return failf("", "%v", err)
	}
	s.add(c)
	return nil
}

func (s *side) add(c *elfdeps.Closure) {
	s.closure = append(s.closure, c)
	for _, o := range c.Objects {
		s.byPath[o.Path] = o
		if s.byReal[o.Real] == nil {
			s.byReal[o.Real] = o
		}
		for _, d := range o.Needs {
			if d.IsMissing() {
				continue
			}
			s.found[need{o.Real, d.Name}] = true
			s.found[need{o.Path, d.Name}] = true
			if _, ok := s.byName[d.Name]; !ok && d.Path != "" {
				s.byName[d.Name] = d
			}
		}
	}
}

// find returns where this side finds what an object, which may be of the other one, needs
// as name.
func (s *side) find(of *elfdeps.Object, name string) (elfdeps.Dep, bool) {
	o := s.byPath[of.Path]
	if o == nil {
		o = s.byReal[of.Real]
	}
	if o == nil { // it lies elsewhere here
		d, ok := s.byName[name]
		return d, ok
	}
	for _, d := range o.Needs {
		if d.Name == name && !d.IsMissing() && d.Path != "" {
			return d, true
		}
	}
	return elfdeps.Dep{}, false
}

// dlopen returns where dlopen of a name leads, called by the file at by; "" stands for the
// interpreter. ok is false if it finds nothing.
func (s *side) dlopen(name, by string) (elfdeps.Dep, bool) {
	if by == "" || s.tree.ELF(by) == nil {
		by = s.main
	}
	d, err := s.loader.Dlopen(name, by, s.main)
	return d, err == nil && !d.IsMissing()
}

// devSide is the development image as if everything new stood in it; nil if it
// has no loader that could be asked.
func (n *native) devSide() *side {
	if n.dev != nil || n.noDev {
		return n.dev
	}
	n.noDev = true
	if n.in.Dev == nil || n.in.Dev.Python == nil {
		return nil
	}
	// The new cache names what came along, that of the development image all.
	set := n.laidSet().Filter(func(f *files.File) bool { return baseOf(f.Path) != "ld.so.cache" })
	s, err := n.newSide(n.planner.dev.Merge(set), n.in.Dev.Python, n.in.DevLibraryPath)
	if err != nil {
		n.warnf("libraries of the development image: %v", err)
		return nil
	}
	n.dev = s
	return s
}

// elfTree is a set of files as the loader code asks for it.
type elfTree struct {
	*planner
	set files.Set
}

// ReadFile implements elfdeps.Tree.
func (t elfTree) ReadFile(path string, limit int64) ([]byte, bool) {
	f, _, ok := t.set.Lookup(path)
	if !ok || !f.IsRegular() {
		return nil, false
	}
	b, err := f.ReadAll(limit)
	return b, err == nil
}

// Real implements elfdeps.Tree.
func (t elfTree) Real(path string) (string, bool) {
	_, real, ok := t.set.Lookup(path)
	return real, ok
}

// ELF implements elfdeps.Tree.
func (t elfTree) ELF(real string) *elfdeps.Info {
	f, ok := t.set.Get(real)
	if !ok {
		return nil
	}
	return t.info(f)
}

// elfNote begins the notes of ELF files; the probe of inspect has others, too.
const elfNote = 1

// info decodes the note of a file, once.
func (t elfTree) info(f *files.File) *elfdeps.Info {
	if len(f.Note) == 0 || f.Note[0] != elfNote {
		return nil
	}
	if i, ok := t.infos[f]; ok {
		return i
	}
	i, err := elfdeps.Decode(f.Note)
	if err != nil && t.noteErr == nil {
		t.noteErr = fmt.Errorf("%q: %w", f.Path, err)
	}
	t.infos[f] = i
	return i
}
