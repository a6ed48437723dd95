package plan

import (
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// native brings the libraries that the new files need and the base lacks, and
// those of which the base has too old a one. Both images are asked as their own
// loaders would ask.
func (p *planner) native() error {
	n := &native{planner: p, brought: map[string]int{}}
	if len(n.laidELF()) == 0 {
		return p.noteErr
	}
	// Each round brings at least one library, or is the last.
	for n.rounds = 1; n.rounds <= maxRounds; n.rounds++ {
		again, err := n.round()
		if err == nil {
			err = p.noteErr
		}
		if err != nil || !again {
			return err
		}
	}
	return failf("", "more than %d rounds of libraries that need libraries", maxRounds)
}

// maxRounds bounds how deep libraries need each other; the deepest chains of
// desktop software have about 30.
const maxRounds = 200

type native struct {
	*planner
	rounds  int
	brought map[string]int // library name and what needs it -> in which round
	dev     *side          // the development image with the new files in it
	noDev   bool           // it can't be asked
}

// side is one tree with what its loader finds for all ELF files in it.
type side struct {
	tree    elfTree
	closure []*elfdeps.Closure
	byReal  map[string]*elfdeps.Object
	byName  map[string]elfdeps.Dep // some place where a name is found
	// found has the needs that are met in some process: a library that nobody
	// loads by itself finds more with the directories of what needs it.
	found map[need]bool
}

// need is a file's need of a library.
type need struct{ real, name string }

// laidELF returns the new ELF files, in order of path.
func (n *native) laidELF() []*laid {
	t := elfTree{planner: n.planner}
	var out []*laid
	for f := range n.laidSet().All() {
		if i := t.info(f); i != nil && i.Dynamic {
			out = append(out, n.laid[f.Path])
		}
	}
	return out
}

// round looks once at all needs. again is true if something was brought.
func (n *native) round() (again bool, err error) {
	now, err := n.newSide(n.tree(), n.in.Base.Python, n.in.LibraryPath)
	if err != nil {
		return false, err
	}
	if err := n.checkRelr(now); err != nil {
		return false, err
	}
	for _, c := range now.closure {
		for _, o := range c.Objects {
			l := n.laid[o.Real]
			if l == nil {
				continue // what the base lacks for itself is not ours
			}
			for _, d := range o.Needs {
				if !d.IsMissing() || now.found[need{o.Real, d.Name}] {
					continue
				}
				came, err := n.missing(l, o, d)
				if err != nil {
					return false, err
				}
				again = again || came
			}
		}
	}
	if again {
		return true, nil
	}
	return n.versions(now)
}

// newSide asks the loader of an interpreter what everything new needs.
func (n *native) newSide(set files.Set, python *inspect.Interpreter, libraryPath string) (*side, error) {
	s := &side{tree: elfTree{planner: n.planner, set: set}, byReal: map[string]*elfdeps.Object{}, byName: map[string]elfdeps.Dep{}, found: map[need]bool{}}
	loader, err := elfdeps.NewLoader(s.tree, python.Loader, elfdeps.LoaderOptions{LibraryPath: libraryPath})
	if err != nil {
		return nil, failf("", "the Python %s of an image: %v", python.Path, err)
	}
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
	mainPath := python.Path
	if main == nil || !main.Dynamic {
		mainPath = ""
	}
	c, err := loader.Closure(libraries, mainPath)
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
		if s.byReal[o.Real] == nil {
			s.byReal[o.Real] = o
		}
		for _, d := range o.Needs {
			if d.IsMissing() {
				continue
			}
			s.found[need{o.Real, d.Name}] = true
			if _, ok := s.byName[d.Name]; !ok && d.Path != "" {
				s.byName[d.Name] = d
			}
		}
	}
}

// find returns where this side finds what the file at real needs as name.
func (s *side) find(real, name string) (elfdeps.Dep, bool) {
	if o := s.byReal[real]; o != nil {
		for _, d := range o.Needs {
			if d.Name == name && !d.IsMissing() && d.Path != "" {
				return d, true
			}
		}
	}
	d, ok := s.byName[name]
	return d, ok
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
	s, err := n.newSide(n.planner.dev.Merge(n.laidSet()), n.in.Dev.Python, n.in.DevLibraryPath)
	if err != nil {
		n.warnf("libraries of the development image: %v", err)
		return nil
	}
	n.dev = s
	return s
}

// missing deals with a library that the new image lacks. came is true if it was
// brought.
func (n *native) missing(l *laid, o *elfdeps.Object, d elfdeps.Dep) (came bool, err error) {
	path := l.file.Path
	key := d.Name + "\x00" + path
	switch n.brought[key] {
	case 0:
	case n.rounds:
		return true, nil // the file was reached on two ways
	default:
		return false, n.notFound(path, d)
	}
	dev := n.devSide()
	if dev != nil {
		if there, ok := dev.find(o.Real, d.Name); ok {
			n.brought[key] = n.rounds
			if n.excluded(there.Path) {
				n.warnf("%s: %q needs %s, which --exclude leaves out", l.reason.Owner, path, d.Name)
				return false, nil
			}
			before := len(n.laid)
			err := n.bringChain(there.Path, Reason{Why: "needed by " + path})
			return len(n.laid) > before || err != nil, err
		}
	}
	switch {
	case d.Provider != "":
		return false, nil // loaded by its package before it is needed
	case isOptional(path):
		n.warnf("%s: %q needs %s, which is in neither image; %s works without", l.reason.Owner, path, d.Name, l.reason.Owner)
	case l.by != nil && l.by.Wheel != nil:
		return false, failf("install the library in the development image, or leave the file out with --exclude",
			"%s: %q of the wheel needs %s, which neither the base nor the development image has%s", l.reason.Owner, path, d.Name, problem(d))
	default:
		// The development image can't load it either, so nobody can miss it.
		n.warnf("%s: %q needs %s, which the development image lacks as well%s", owner(l), path, d.Name, problem(d))
	}
	return false, nil
}

func problem(d elfdeps.Dep) string {
	if d.Problem == "" {
		return ""
	}
	return " (" + d.Problem + ")"
}

func owner(l *laid) string {
	if l.reason.Owner == "" {
		return "the development image"
	}
	return l.reason.Owner
}

// notFound is the error for a library that was brought and is not found all the
// same.
func (n *native) notFound(path string, d elfdeps.Dep) error {
	if n.excluded(path) {
		return nil
	}
	there, ok := n.dev.find(path, d.Name)
	if !ok || n.excluded(there.Path) {
		return nil
	}
	dir := "/" + dirOf(there.Path)
	return failf(fmt.Sprintf("set --env LD_LIBRARY_PATH=%s", dir),
		"%q needs %s, which the development image finds in %s by its %s; the loader of the new image does not look there%s",
		path, d.Name, dir, there.Via, problem(d))
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
