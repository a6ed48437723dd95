package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
)

// versions checks the symbol versions of everything new, and of what uses a
// brought library, against what the new image has. A library that is too old in the
// base and new enough in the development image is brought (again is true then); the
// C library can't be, since everything else in the base is built against its own.
func (n *native) versions(now *side) (again bool, err error) {
	for _, c := range now.closure {
		for _, o := range c.Objects {
			for _, g := range n.gaps(now, o) {
				came, err := n.newer(o, g)
				if err != nil {
					return false, err
				}
				again = again || came
			}
		}
	}
	return again, nil
}

func (n *native) gaps(now *side, o *elfdeps.Object) []elfdeps.VersionGap {
	return elfdeps.Gaps(o.Path, o.Info, func(name string) *elfdeps.Info {
		for _, d := range o.Needs {
			if d.Name == name && !d.IsMissing() && (n.laid[o.Real] != nil || n.laid[d.Real] != nil) {
				return now.tree.ELF(d.Real)
			}
		}
		return nil
	})
}

func (n *native) newer(o *elfdeps.Object, g elfdeps.VersionGap) (came bool, err error) {
	who := "the base"
	if l := n.laid[o.Real]; l != nil {
		who = owner(l)
	}
	have := g.Have
	if have == "" {
		have = "no such version"
	}
	if isLibc(g.Lib) {
		return false, failf("take a base image with a newer C library", "%s: %q needs %s of %s, the base image has %s", who, o.Real, g.Need, g.Lib, have)
	}
	key := need{o.Real, g.Lib}
	dev := n.devSide()
	if n.brought[key] == n.rounds {
		return true, nil
	}
	if dev == nil || n.brought[key] != 0 {
		return false, n.tooOld(who, o, g, have)
	}
	there, ok := dev.find(o, g.Lib)
	if !ok || n.leftOut(there.Path) {
		return false, n.tooOld(who, o, g, have)
	}
	i := dev.tree.ELF(there.Real)
	if i == nil || !slices.Contains(i.VerDef, g.Need) {
		return false, n.tooOld(who, o, g, have)
	}
	if lost := n.lost(o, g.Lib, there.Path, i); lost != "" {
		return false, failf("take a base image whose "+g.Lib+" has both", "%s: %q needs %s of %s, which the development image has; but that lacks %s of the base image's",
			who, o.Real, g.Need, g.Lib, lost)
	}
	n.brought[key] = n.rounds
	return true, n.bringChain(there.Path, Reason{Why: g.Need + " needed by " + o.Real})
}

// lost returns a symbol version that the base's library has and the one that would take its
// place lacks, "" if there is none: a compiler's library is only replaced by a newer.
func (n *native) lost(o *elfdeps.Object, lib, path string, by *elfdeps.Info) string {
	for _, d := range o.Needs {
		if d.Name != lib || d.Path == "" || n.settled(path) != n.settled(d.Path) {
			continue // it is found in another place, and stays for what else uses it
		}
		if old := n.now.tree.ELF(d.Real); old != nil {
			for _, v := range old.VerDef {
				if !slices.Contains(by.VerDef, v) {
					return v
				}
			}
		}
	}
	return ""
}

func (n *native) tooOld(who string, o *elfdeps.Object, g elfdeps.VersionGap, have string) error {
	return failf("take a base image with a newer "+g.Lib, "%s: %q needs %s of %s, the base image has %s", who, o.Real, g.Need, g.Lib, have)
}

// isLibc tells whether a needed name is a part of glibc, all of which come from
// one build and can only be replaced together.
func isLibc(name string) bool {
	stem, _, _ := strings.Cut(name, ".so")
	switch stem {
	case "libc", "libm", "libpthread", "libdl", "librt", "libutil", "libresolv", "libanl", "libnsl", "libmvec", "libthread_db":
		return true
	}
	return strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld64.") || strings.HasPrefix(name, "ld.so")
}

// checkFamily refuses extension modules for another C library or machine than the
// interpreter's, by their suffix and by what they are linked against. One that lies
// beside the right one is of no matter: wheels for several systems have such.
func (n *native) checkFamily(now *side) error {
	python := n.in.Base.Python
	for _, l := range n.laidELF() {
		path := l.file.Path
		if l.by == nil || n.isOptional(l) {
			continue
		}
		right := strings.HasSuffix(path, ".abi3.so") || python.ExtSuffix != "" && strings.HasSuffix(path, python.ExtSuffix)
		if have := now.tree.info(l.file).Libc(); right && have != "" && python.Libc.Family != "" && have != python.Libc.Family {
			return failf("take it from an index, or from a development image with the base's C library",
				"%s: %q is linked against %s, Python of the base image against %s", owner(l), path, have, python.Libc.Family)
		}
		module, tag, ok := cutExtSuffix(path)
		_, want, known := cutExtSuffix(python.ExtSuffix)
		if right || !ok || !known || tag == want || !sameABI(tag, want) {
			continue
		}
		if _, _, there := now.tree.set.Lookup(module + python.ExtSuffix); !there {
			return failf("take it from an index, or from a development image with the base's C library",
				"%s: %q is an extension module for %s, Python of the base image takes %s", owner(l), path, tag, want)
		}
	}
	return nil
}

// cutExtSuffix splits the name of an extension module: "a/b", "cpython-311-x86_64-linux-musl".
func cutExtSuffix(path string) (module, tag string, ok bool) {
	rest, ok := strings.CutSuffix(path, ".so")
	i := strings.LastIndex(rest, ".cpython-")
	if !ok || i < 0 {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

// sameABI tells whether two tags are of the same version of Python.
func sameABI(a, b string) bool {
	abi := func(s string) string { v, _, _ := strings.Cut(strings.TrimPrefix(s, "cpython-"), "-"); return v }
	return abi(a) == abi(b)
}

// checkRelr refuses relocations that the base's musl would pass over: 1.2.4 was
// the first to know DT_RELR, and older ones crash when the file is loaded.
func (n *native) checkRelr(now *side) error {
	python := n.in.Base.Python
	if python.Libc.Family != "musl" {
		return nil
	}
	real, _ := now.tree.Real(strings.TrimLeft(python.Loader, "/"))
	info := now.tree.ELF(real)
	if info == nil || info.Version == "" || !olderThan(info.Version, 1, 2, 4) {
		return nil
	}
	for _, l := range n.laidELF() {
		if i := now.tree.info(l.file); i.Relr {
			return failf("take a base image with musl 1.2.4 or newer", "%s: %q needs a musl that knows DT_RELR (1.2.4), the base image has %s",
				owner(l), l.file.Path, info.Version)
		}
	}
	return nil
}

func olderThan(version string, want ...int) bool {
	parts := strings.Split(version, ".")
	for i, w := range want {
		have := 0
		if i < len(parts) {
			have, _ = strconv.Atoi(parts[i])
		}
		if have != w {
			return have < w
		}
	}
	return false
}
