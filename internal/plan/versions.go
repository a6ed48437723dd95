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
	there, ok := dev.find(o.Real, g.Lib)
	if !ok || n.excluded(there.Path) {
		return false, n.tooOld(who, o, g, have)
	}
	if i := dev.tree.ELF(there.Real); i == nil || !slices.Contains(i.VerDef, g.Need) {
		return false, n.tooOld(who, o, g, have)
	}
	n.brought[key] = n.rounds
	return true, n.bringChain(there.Path, Reason{Why: g.Need + " needed by " + o.Real})
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
