package plan

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// cached makes the new image's loader find a library by its cache: one that the
// development image finds by its own, by LD_LIBRARY_PATH, or by the run path of a
// program that the base has otherwise. ok is false for a loader without a cache, and if the
// cache of an earlier round has it already.
func (n *native) cached(name string, d elfdeps.Dep) (ok bool) {
	if n.now.loader.Cache() == "" {
		return false
	}
	dev := n.devSide()
	var found []elfdeps.CacheEntry
	for _, e := range dev.cacheEntries() {
		if e.Name == name && (rel(e.Path) == d.Path || slices.Contains(d.Variants, rel(e.Path))) {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		self := dev.tree.ELF(dev.loader.Path())
		found = []elfdeps.CacheEntry{{Name: name, Path: "/" + d.Path, Flags: elfdeps.CacheFlags(self)}}
	}
	for _, e := range found {
		if n.since[e] == 0 {
			n.entries = append(n.entries, e)
			n.since[e] = n.rounds
		}
		ok = ok || n.since[e] == n.rounds // several files of this round may want it
	}
	return ok
}

// newTree is the new image with its cache.
func (n *native) newTree() files.Set {
	if len(n.entries) == 0 {
		return n.tree()
	}
	return n.tree().Merge(files.NewSet([]*files.File{n.cacheFile(n.settled(n.now.loader.Cache()), n.entries)}))
}

// cacheFile is the base's cache, as far as what it names is still there, and what is
// added to it. An entry of the base comes before an added one of the same name.
func (n *native) cacheFile(path string, added []elfdeps.CacheEntry) *files.File {
	old := elfTree{planner: n.planner, set: n.base}
	var all []elfdeps.CacheEntry
	if text, ok := old.ReadFile(path, maxCache); ok {
		if list, err := elfdeps.ParseCache(text); err == nil {
			tree := n.tree()
			all = slices.DeleteFunc(list, func(e elfdeps.CacheEntry) bool {
				_, _, ok := tree.Lookup(e.Path)
				return !ok
			})
		}
	}
	for _, e := range added {
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return newText(path, 0o644, elfdeps.EncodeCache(all))
}

// layCache lays the new cache, if the new image needs one: because its loader finds
// something by nothing else, or for find_library, which asks ldconfig, which reads it.
// Once it is written, it has all that the development image's has and came along.
func (n *native) layCache() error {
	if n.now == nil || n.now.loader.Cache() == "" {
		return nil
	}
	if err := n.forFindLibrary(); err != nil || len(n.entries) == 0 {
		return err
	}
	if dev := n.devSide(); dev != nil {
		for _, e := range dev.cacheEntries() {
			if n.isNew(e.Path) && !slices.Contains(n.entries, e) {
				n.entries = append(n.entries, e)
			}
		}
	}
	slices.SortStableFunc(n.entries, func(a, b elfdeps.CacheEntry) int { return strings.Compare(a.Name+"\x00"+a.Path, b.Name+"\x00"+b.Path) })
	path, err := n.settle(n.now.loader.Cache(), "the loader's cache")
	if err != nil {
		return err
	}
	f := n.cacheFile(path, n.entries)
	if old, _, ok := n.base.Lookup(path); ok { // its mode and owner stay
		f = moved(withText(old, []byte(f.Content.(text))), path)
	}
	if l := n.laid[path]; l != nil && !l.runtime {
		return nil // --include brought another
	}
	n.lay(path, &laid{file: f, merged: true, reason: Reason{Owner: mergedName, Why: "the loader finds libraries by it"}})
	return nil
}

// isNew tells whether a file that the base lacks is at path, or at what that leads to.
func (n *native) isNew(path string) bool {
	set := n.laidSet()
	for _, at := range []string{rel(path), n.settled(rel(path))} {
		if f, ok := set.Get(at); ok && !n.laid[f.Path].present {
			return true
		}
	}
	return false
}

// settled is settle for a path that may not be written.
func (n *native) settled(path string) string {
	at, err := n.settle(path, "")
	if err != nil {
		return path
	}
	return at
}

func rel(path string) string { return strings.TrimLeft(path, "/") }

// ldconfig is the program that ctypes.util.find_library asks for the cache.
const ldconfig = "sbin/ldconfig"

// forFindLibrary makes calls of find_library give what they give in the development image:
// they ask ldconfig for the cache, or else a compiler, which no slim image has.
// Without both they return None although the library is there.
func (n *native) forFindLibrary() error {
	for _, f := range n.loads.finds {
		if _, ok := n.now.dlopen(f.library, ""); !ok {
			continue // it was told that it is not there
		}
		if !n.bringLdconfig(f) {
			n.notef("%s: find_library(%q) in %q gives None in the new image, which has no ldconfig", owner(f.l), f.name, f.l.file.Path)
			continue
		}
		if got, ok := n.cacheHas(f.name); ok && got == f.library {
			continue
		}
		d, _ := n.now.dlopen(f.library, "")
		flags := elfdeps.CacheFlags(n.now.tree.ELF(n.now.loader.Path()))
		n.entries = append(n.entries, elfdeps.CacheEntry{Name: f.library, Path: "/" + d.Path, Flags: flags})
	}
	return nil
}

// cacheHas is find_library by the new image's cache alone, as it would be now.
func (n *native) cacheHas(name string) (library string, ok bool) {
	s := &side{tree: elfTree{planner: n.planner, set: n.newTree()}, loader: n.now.loader}
	for _, e := range s.cacheEntries() {
		if strings.HasPrefix(e.Name, "lib"+name+".") {
			return e.Name, true
		}
	}
	return "", false
}

// bringLdconfig tells whether the new image has ldconfig, and brings it for what needs it.
// The C library's own parts are not worth it: code that asks for them goes on
// with None, which stands for the program itself (threadpoolctl).
func (n *native) bringLdconfig(f find) bool {
	tree := n.tree()
	if to, _, ok := tree.Lookup(ldconfig); ok && to.IsRegular() {
		return true
	}
	if isLibc(f.library) {
		return false
	}
	to, _, ok := n.planner.dev.Lookup(ldconfig)
	if !ok || !to.IsRegular() {
		return false
	}
	info := n.now.tree.info(to)
	if info == nil || info.Dynamic && info.Interp != "" || n.excluded(ldconfig) { // a script of Ubuntu's, which needs a shell
		return false
	}
	return n.bringChain(ldconfig, Reason{Why: "find_library asks it, in " + f.l.file.Path}) == nil
}
