package plan

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/hints"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// loads is what is known about libraries that are loaded by name at run time.
type loads struct {
	seen    map[string]bool // files that were asked, by path
	leave   map[python.Name][]string
	absent  []absent            // found in neither image
	unknown map[string][]string // by owner: modules that load what their text does not say
	finds   []find              // calls of find_library whose library is in the new image
	waiting []waiting           // brought in this round
	lacking []lacking           // by hints
}

// lacking is what a hint says about libraries none of which is in either image.
type lacking struct {
	pkg  python.Name
	why  string
	libs []string
}

// absent is a library that a file may load and that neither image has.
type absent struct {
	l    *laid
	name string
	must bool // the file says that it can't do without
}

// find is a call of ctypes.util.find_library.
type find struct {
	l       *laid
	name    string // "magic"
	library string // "libmagic.so.1"
}

// waiting is a library that was brought, and that the new image's loader has to find.
type waiting struct {
	l        *laid
	name, by string
	dev      elfdeps.Dep // as the development image's finds it
}

// loaded brings the libraries that new files load by name: literals of Python code,
// .note.dlopen, and names in the constants of ELF files that import dlopen. What
// the development image has was there when the code was tried, so it is brought; what
// neither has is only told. Why so: docs/decisions/0051-dlopen.md.
func (n *native) loaded() (again bool, err error) {
	for f := range n.laidSet().All() {
		l := n.laid[f.Path]
		if l.present || n.loads.seen[f.Path] || len(f.Note) == 0 {
			continue
		}
		n.loads.seen[f.Path] = true
		var came bool
		switch f.Note[0] {
		case sourceNote:
			came, err = n.loadedBySource(l)
		case elfNote:
			came, err = n.loadedByELF(l)
		}
		if err != nil {
			return false, err
		}
		again = again || came
	}
	return again, nil
}

// found makes the new image's loader find what was brought in the round before.
func (n *native) found() (again bool, err error) {
	for _, w := range n.loads.waiting {
		if strings.HasPrefix(w.name, "/") || n.now.has(w.name, w.by) {
			continue
		}
		if n.cached(w.name, w.dev) {
			again = true
			continue
		}
		n.warnf("%s: %q loads %s, which the development image finds in /%s by its %s; the loader of the new image does not look there",
			owner(w.l), w.l.file.Path, w.name, dirOf(w.dev.Path), w.dev.Via)
	}
	n.loads.waiting = nil
	return again, nil
}

// loadedBySource brings what a Python module names in calls of ctypes and cffi.
func (n *native) loadedBySource(l *laid) (again bool, err error) {
	// What the module of find_library itself names is in its test function.
	if strings.HasSuffix(l.file.Path, "/ctypes/util.py") {
		return false, nil
	}
	facts := n.source(l.file)
	if facts == nil {
		return false, nil
	}
	unknown, named := false, false
	for _, load := range facts.Loads {
		name := load.Library
		named = named || name != "" && load.Call == "find_library"
		switch {
		case name == "":
			unknown = true
			continue
		case load.Call == "find_library", load.Call == "dlopen" && !strings.ContainsAny(name, "./"): // cffi asks find_library for such
			var ok bool
			if name, ok = n.findLibrary(l, name); !ok {
				continue
			}
		case !strings.Contains(name, ".so"):
			continue // of another system
		}
		came, _, err := n.load(l, name, "", false)
		if err != nil {
			return false, err
		}
		again = again || came
	}
	if unknown && !named { // else it mostly opens what find_library gave
		n.loads.unknown[owner(l)] = append(n.loads.unknown[owner(l)], l.file.Path)
	}
	return again, nil
}

// loadedByELF brings what an ELF file says that it loads, in a note or by the names in
// its constants.
func (n *native) loadedByELF(l *laid) (again bool, err error) {
	info := n.now.tree.info(l.file)
	if info == nil || !info.Dynamic || !info.Dlopen && len(info.DlopenNotes) == 0 {
		return false, nil
	}
	noted := map[string]bool{}
	for _, text := range info.DlopenNotes {
		for _, note := range parseDlopenNote(text) {
			for _, name := range note.Soname {
				noted[name] = true
			}
			came, err := n.loadNoted(l, note)
			if err != nil {
				return false, err
			}
			again = again || came
		}
	}
	for _, name := range info.LibNames {
		if noted[name] || isLibc(baseOf(name)) || name == info.Soname || name == baseOf(l.file.Path) {
			continue
		}
		came, _, err := n.load(l, name, l.file.Path, false)
		if err != nil {
			return false, err
		}
		again = again || came
	}
	return again, nil
}

// dlopenNote is an entry of .note.dlopen (ELF dlopen metadata of the UAPI group): one
// feature, the libraries that serve it in order of preference, and how much it matters.
type dlopenNote struct {
	Soname   []string `json:"soname"`
	Priority string   `json:"priority"` // "required", "recommended" (default), "suggested"
}

// parseDlopenNote returns the entries of a note; one of another shape has none.
func parseDlopenNote(text string) []dlopenNote {
	var list []dlopenNote
	if json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	return list
}

// loadNoted brings the first library that serves a feature, unless the feature is one that
// most can do without.
func (n *native) loadNoted(l *laid, note dlopenNote) (came bool, err error) {
	if note.Priority == "suggested" {
		return false, nil
	}
	before := len(n.loads.absent)
	for i, name := range note.Soname {
		must := note.Priority == "required" && i == len(note.Soname)-1
		came, there, err := n.load(l, name, l.file.Path, must)
		if err != nil || there {
			n.loads.absent = n.loads.absent[:before]
			return came, err
		}
	}
	return false, nil
}

// load brings a library that code of l loads under a name. by is the file that calls
// dlopen, "" for the interpreter. there is true if the new image has it now.
func (n *native) load(l *laid, name, by string, must bool) (came, there bool, err error) {
	if name == "" || strings.Contains(name, "/") && !strings.HasPrefix(name, "/") || n.isLeft(l, name) {
		return false, false, nil
	}
	if n.now.has(name, by) {
		return false, true, nil
	}
	var paths []string
	if dev := n.devSide(); dev != nil {
		if d, ok := dev.dlopen(name, by); ok && d.Path != "" {
			paths = append(slices.Clone(d.Variants), d.Path)
			n.loads.waiting = append(n.loads.waiting, waiting{l, name, by, d})
		} else if path, ok := dev.beside(name, by); ok {
			paths = []string{path}
		}
	}
	if len(paths) == 0 {
		n.loads.absent = append(n.loads.absent, absent{l, name, must})
		return false, false, nil
	}
	for _, path := range paths {
		one, err := n.bringNew(path, "loaded by "+l.file.Path)
		if err != nil {
			return false, false, err
		}
		came = came || one
	}
	return came, true, nil
}

// has tells whether code of the file at by finds a library: by the loader, or beside
// itself, as code does that asks where it lies.
func (s *side) has(name, by string) bool {
	if _, ok := s.dlopen(name, by); ok {
		return true
	}
	_, ok := s.beside(name, by)
	return ok
}

func (s *side) beside(name, by string) (path string, ok bool) {
	if by == "" || strings.Contains(name, "/") {
		return "", false
	}
	path = join(dirOf(by), name)
	real, ok := s.tree.Real(path)
	return path, ok && s.tree.ELF(real) != nil
}

// isLeft tells whether hints say that a library is not brought for a file.
func (n *native) isLeft(l *laid, name string) bool {
	names := []python.Name{hints.Python}
	if l.by != nil {
		names = append(names, l.by.Name)
	}
	for _, pkg := range names {
		list, ok := n.loads.leave[pkg]
		if !ok {
			for _, h := range n.in.Hints.For(pkg) {
				list = append(list, h.Leave...)
			}
			n.loads.leave[pkg] = list
		}
		if slices.ContainsFunc(list, func(pattern string) bool { return matchPart(pattern, baseOf(name)) }) {
			return true
		}
	}
	return false
}

// tellLoads tells what may be loaded and could not be brought.
func (n *native) tellLoads() {
	for _, x := range n.loads.lacking {
		if !slices.ContainsFunc(x.libs, func(name string) bool { return n.now.has(name, "") }) {
			n.warnf("%s: %s, but neither image has %s", x.pkg, strings.TrimPrefix(x.why, string(x.pkg)+" "), strings.Join(x.libs, " or "))
		}
	}
	byOwner := map[string][]absent{}
	for _, a := range n.loads.absent {
		by := a.l.file.Path
		if n.now.has(a.name, by) {
			continue // something brought it later
		}
		if a.must {
			n.warnf("%s: %q can't do without %s, which neither image has", owner(a.l), by, a.name)
			continue
		}
		byOwner[owner(a.l)] = append(byOwner[owner(a.l)], a)
	}
	for _, who := range slices.Sorted(maps.Keys(byOwner)) {
		libs := map[string]bool{}
		for _, a := range byOwner[who] {
			libs[a.name] = true
		}
		first := byOwner[who][0].l.file.Path
		n.notef("%s: %s in neither image; %q loads %s if it can", who, some(slices.Sorted(maps.Keys(libs))), first, pronounOf(len(libs)))
	}
	for _, who := range slices.Sorted(maps.Keys(n.loads.unknown)) {
		n.notef("%s: %s loading libraries by names that the text does not tell", who, some(n.loads.unknown[who]))
	}
}

func pronounOf(count int) string {
	if count == 1 {
		return "it"
	}
	return "them"
}

// findLibrary returns what ctypes.util.find_library gives in the development image, or
// in the new one.
func (n *native) findLibrary(l *laid, name string) (library string, ok bool) {
	if dev := n.devSide(); dev != nil {
		library, ok = dev.findLibrary(name)
	}
	if !ok {
		library, ok = n.now.findLibrary(name)
	}
	if ok && !n.isLeft(l, library) {
		n.loads.finds = append(n.loads.finds, find{l, name, library})
	}
	return library, ok
}

// findLibrary is ctypes.util.find_library with all the programs that it may ask: the first
// name of ld.so.cache, or what a compiler would link with.
func (s *side) findLibrary(name string) (library string, ok bool) {
	if strings.ContainsAny(name, "/*?[") {
		return "", false
	}
	prefix := "lib" + name + "."
	for _, e := range s.cacheEntries() {
		if strings.HasPrefix(e.Name, prefix) {
			return e.Name, true
		}
	}
	for _, dir := range append(s.loader.Dirs(), "usr/local/lib") {
		real, ok := s.tree.Real(join(dir, "lib"+name+".so"))
		if info := s.tree.ELF(real); ok && info != nil {
			return cmp.Or(info.Soname, baseOf(real)), true
		}
	}
	return "", false
}

// cacheEntries are the entries of ld.so.cache for the interpreter's machine, in the order
// in which ldconfig shows them.
func (s *side) cacheEntries() []elfdeps.CacheEntry {
	self := s.tree.ELF(s.loader.Path())
	if s.loader.Cache() == "" || self == nil {
		return nil
	}
	text, ok := s.tree.ReadFile(s.loader.Cache(), maxCache)
	if !ok {
		return nil
	}
	list, err := elfdeps.ParseCache(text)
	if err != nil {
		return nil
	}
	flags := elfdeps.CacheFlags(self)
	return slices.DeleteFunc(list, func(e elfdeps.CacheEntry) bool { return e.Flags != flags })
}

// maxCache bounds ld.so.cache: 40 KB on a full Debian.
const maxCache = 16 << 20
