package plan

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// native brings what the new files need when they run and the base lacks: the libraries
// that the loader is told of, those of which the base has too old a one, what hints
// name, and what is loaded by name. Both images are asked as their own loaders would
// ask.
func (p *planner) native() error {
	if p.in.Base.Python == nil {
		return nil // then nothing new is a package
	}
	n := newNative(p)
	if len(n.laidELF()) == 0 {
		if _, err := n.newSide(n.newTree(), p.in.Base.Python, p.in.LibraryPath); err != nil {
			return p.noteErr // a broken loader is the base's own affair
		}
	}
	// Each round brings at least one file, or is the last.
	for n.rounds = 1; n.rounds <= maxRounds; n.rounds++ {
		again, err := n.round()
		if err == nil && !again {
			again, err = n.atRunTime()
		}
		if err == nil {
			err = p.noteErr
		}
		if err != nil {
			return err
		}
		if !again {
			return n.finish()
		}
	}
	return failf("", "more than %d rounds of libraries that need libraries", maxRounds)
}

// atRunTime brings what the loader is not told of. again is true if something was
// brought.
func (n *native) atRunTime() (again bool, err error) {
	for _, step := range []func() (bool, error){n.found, n.hinted, n.drivers, n.loaded} {
		came, err := step()
		if err != nil {
			return false, err
		}
		again = again || came
	}
	if again {
		n.dev, n.noDev = nil, false // it has to be asked about these, too
	}
	return again, nil
}

func (n *native) finish() error {
	n.tellLoads()
	if err := n.judge(); err != nil {
		return err
	}
	return n.layCache()
}

// maxRounds bounds how deep libraries need each other; the deepest chains of
// desktop software have about 30.
const maxRounds = 200

type native struct {
	*planner
	rounds  int
	brought map[need]int // in which round
	now     *side        // the new image, in this round
	lacks   []lack       // what could not be brought, in this round
	dev     *side        // the development image with the new files in it
	noDev   bool         // it can't be asked
	done    map[hintKey]bool
	// optional are globs on files that a package works without.
	optional map[python.Name][]siteGlob
	loads    loads
	entries  []elfdeps.CacheEntry       // that the new cache needs beside the base's
	since    map[elfdeps.CacheEntry]int // the round that brought an entry
}

func newNative(p *planner) *native {
	return &native{
		planner: p, brought: map[need]int{}, done: map[hintKey]bool{},
		optional: map[python.Name][]siteGlob{}, since: map[elfdeps.CacheEntry]int{},
		loads: loads{seen: map[string]bool{}, unknown: map[string][]string{}, leave: map[python.Name][]string{}},
	}
}

// need is a file's need of a library.
type need struct{ real, name string }

// lack is a need that the new image does not meet.
type lack struct {
	l *laid
	o *elfdeps.Object
	d elfdeps.Dep
}

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

// laidLinks returns the new links whose name may be a library's, in order of path.
func (n *native) laidLinks() []string {
	var out []string
	for f := range n.laidSet().All() {
		if f.IsSymlink() && !n.laid[f.Path].present && strings.Contains(baseOf(f.Path), ".so") {
			out = append(out, f.Path)
		}
	}
	return out
}

// devFinds tells whether the development image meets a need of an object.
func (n *native) devFinds(o *elfdeps.Object, name string) bool {
	dev := n.devSide()
	if dev == nil || dev.byPath[o.Path] == nil {
		return false
	}
	_, ok := dev.find(o, name)
	return ok
}

// round looks once at all needs. again is true if something was brought.
func (n *native) round() (again bool, err error) {
	if n.now, err = n.newSide(n.newTree(), n.in.Base.Python, n.in.LibraryPath); err != nil {
		return false, err
	}
	for _, check := range []func(*side) error{n.checkFamily, n.checkRelr} {
		if err := check(n.now); err != nil {
			return false, err
		}
	}
	n.lacks = nil
	for _, links := range []bool{false, true} {
		if again, err = n.needs(links); err != nil || again {
			return again, err
		}
	}
	return n.versions(n.now)
}

// needs looks at what new libraries need, those that are reached by links or the others.
func (n *native) needs(links bool) (again bool, err error) {
	for _, c := range n.now.closure {
		for _, o := range c.Objects {
			if n.now.links[o.Path] != links {
				continue
			}
			l, at := n.laid[o.Real], o.Real
			if links {
				l, at = n.laid[o.Path], o.Path
			}
			if l == nil {
				continue // what the base lacks for itself is not ours
			}
			for _, d := range o.Needs {
				if !d.IsMissing() || n.now.found[need{at, d.Name}] {
					continue
				}
				if links && !n.devFinds(o, d.Name) {
					continue // nobody loads it by this name, or it fails as it does there
				}
				came, err := n.missing(lack{l, o, d})
				if err != nil {
					return false, err
				}
				again = again || came
			}
		}
	}
	return again, nil
}

// missing brings a library that the new image lacks, if the development image
// has it. came is true if it did.
func (n *native) missing(k lack) (came bool, err error) {
	path, name := k.l.file.Path, k.d.Name
	key := need{path, name}
	switch n.brought[key] {
	case 0:
	case n.rounds:
		return true, nil // the file was reached on two ways
	default:
		return n.notFound(k)
	}
	dev := n.devSide()
	if dev == nil {
		n.lacks = append(n.lacks, k)
		return false, nil
	}
	there, ok := dev.find(k.o, name)
	if !ok {
		n.lacks = append(n.lacks, k)
		return false, nil
	}
	if n.leftOut(there.Path) {
		n.warnf("%s: %q needs %s, which --exclude leaves out", owner(k.l), path, name)
		return false, nil
	}
	n.brought[key] = n.rounds
	for _, v := range there.Variants { // for newer processors
		if n.leftOut(v) {
			continue
		}
		if err := n.bringChain(v, Reason{Why: "needed by " + path}); err != nil {
			return false, err
		}
	}
	return true, n.bringChain(there.Path, Reason{Why: "needed by " + path})
}

// notFound is about a library that was brought and is not found all the same: the cache
// has to name it. came is true if it does now.
func (n *native) notFound(k lack) (came bool, err error) {
	dev := n.devSide()
	if dev == nil {
		return false, nil
	}
	there, ok := dev.find(k.o, k.d.Name)
	if !ok {
		return false, nil
	}
	if n.cached(k.d.Name, there) {
		return true, nil
	}
	dir := "/" + dirOf(there.Path)
	return false, failf("set --env LD_LIBRARY_PATH="+dir,
		"%q needs %s, which the development image finds in %s by its %s; the loader of the new image does not look there%s",
		k.l.file.Path, k.d.Name, dir, there.Via, problem(k.d))
}

// leftOut tells whether the user does not want a file of the development image, or a link on
// the way to it.
func (p *planner) leftOut(path string) bool {
	hops, _ := trace(p.dev, path)
	return p.excluded(path) || slices.ContainsFunc(hops, func(f *files.File) bool { return p.excluded(f.Path) })
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

// isExtension tells whether Python imports a file by its name, as opposed to a
// library that something loads if it can.
func (n *native) isExtension(path string) bool {
	name := baseOf(path)
	for _, suffix := range []string{n.in.Base.Python.ExtSuffix, ".abi3.so"} {
		if suffix != "" && strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return strings.HasSuffix(name, ".so") && !strings.HasPrefix(name, "lib")
}
