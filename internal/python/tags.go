package python

import (
	"slices"
	"strconv"
	"strings"
)

// Tag is one compatibility tag of PEP 425, such as cp311-abi3-manylinux_2_17_x86_64.
type Tag struct{ Python, ABI, Platform string }

// String returns the three parts joined by hyphens.
func (t Tag) String() string { return t.Python + "-" + t.ABI + "-" + t.Platform }

// Libc is a C library with its version.
type Libc struct {
	Family       string // "glibc" or "musl"
	Major, Minor int
}

// String returns the library in the way of the --libc flag: "glibc-2.36".
func (l Libc) String() string {
	return l.Family + "-" + strconv.Itoa(l.Major) + "." + strconv.Itoa(l.Minor)
}

// TagTarget is what decides which tags an interpreter accepts.
type TagTarget struct {
	Implementation string   // "cp"
	Major, Minor   int      // of Python
	ABIs           []string // "cp311", "cp313t", "cp37m"; empty means the default of the version
	Arch           string   // "x86_64", "aarch64"
	Libc           Libc
}

// Tags is the ordered list of tags that one interpreter accepts, best first.
type Tags struct {
	list []Tag
	// Rank works on numbers: each part that occurs has one, and ranks holds for
	// each pair of Python and ABI where the ranks of its platforms begin.
	platforms map[string]int32
	pairs     map[pair][]int32 // by number of the platform; -1 if not accepted
}

type pair struct{ python, abi string }

// TagsFor returns the tags that an interpreter accepts, in the order of the
// packaging library, but with linux_ARCH behind the manylinux and musllinux
// tags: what is built for one machine is the last choice.
func TagsFor(t TagTarget) *Tags {
	t.Minor = min(t.Minor, newestMinor)
	version := strconv.Itoa(t.Major) + strconv.Itoa(t.Minor)
	interpreter := t.Implementation + version
	abis := t.abis()
	platforms := t.platforms()
	var list []Tag
	add := func(python, abi string) {
		for _, platform := range platforms {
			list = append(list, Tag{python, abi, platform})
		}
	}
	for _, abi := range abis {
		add(interpreter, abi)
	}
	stable := ""
	if t.Implementation == "cp" && (t.Major > 3 || t.Major == 3 && t.Minor >= 2) {
		stable = "abi3"
		if len(abis) > 0 && strings.Contains(strings.TrimLeft(abis[0], "cp0123456789"), "t") {
			stable = "abi3t" // PEP 803
		}
		add(interpreter, stable)
	}
	add(interpreter, "none")
	if stable != "" {
		for minor := t.Minor - 1; minor >= 2; minor-- {
			add("cp"+strconv.Itoa(t.Major)+strconv.Itoa(minor), stable)
		}
	}
	pythons := t.pythons()
	for _, python := range pythons {
		add(python, "none")
	}
	if t.Implementation == "cp" {
		list = append(list, Tag{interpreter, "none", "any"})
	}
	for _, python := range pythons {
		list = append(list, Tag{python, "none", "any"})
	}
	return NewTags(list)
}

// abis returns the ABIs of the interpreter itself, without abi3 and none.
func (t *TagTarget) abis() []string {
	if len(t.ABIs) > 0 {
		return slices.DeleteFunc(slices.Clone(t.ABIs), func(abi string) bool {
			return abi == "abi3" || abi == "abi3t" || abi == "none"
		})
	}
	abi := t.Implementation + strconv.Itoa(t.Major) + strconv.Itoa(t.Minor)
	// Until 3.7 the m of pymalloc is part of the ABI, until 3.2 the u of UCS-4.
	if t.Implementation == "cp" && (t.Major < 3 || t.Major == 3 && t.Minor < 8) {
		abi += "m"
		if t.Major < 3 || t.Minor < 3 {
			abi += "u"
		}
	}
	return []string{abi}
}

// pythons returns py311, py3, py310 ... py30 for 3.11.
func (t *TagTarget) pythons() []string {
	major := strconv.Itoa(t.Major)
	out := []string{"py" + major + strconv.Itoa(t.Minor), "py" + major}
	for minor := t.Minor - 1; minor >= 0; minor-- {
		out = append(out, "py"+major+strconv.Itoa(minor))
	}
	return out
}

// The oldest C library of manylinux: PEP 513 for x86, PEP 599 for the others.
const (
	oldestMinorX86   = 5
	oldestMinorOther = 17
	// No C library and no Python comes near; it bounds the list for a nonsense
	// version.
	newestMinor = 200
)

// platforms returns the platform tags, best first (PEP 600, PEP 656).
func (t *TagTarget) platforms() []string {
	var out []string
	minor := min(t.Libc.Minor, newestMinor)
	switch {
	case t.Libc.Family == "musl":
		for ; minor >= 0; minor-- {
			out = append(out, "musllinux_"+strconv.Itoa(t.Libc.Major)+"_"+strconv.Itoa(minor)+"_"+t.Arch)
		}
	case t.Libc.Family == "glibc" && t.Libc.Major == 2:
		oldest := oldestMinorOther
		if t.Arch == "x86_64" || t.Arch == "i686" {
			oldest = oldestMinorX86
		}
		for ; minor >= oldest; minor-- {
			out = append(out, "manylinux_2_"+strconv.Itoa(minor)+"_"+t.Arch)
			if alias := legacyManylinux[minor]; alias != "" {
				out = append(out, alias+"_"+t.Arch)
			}
		}
	}
	return append(out, "linux_"+t.Arch)
}

// legacyManylinux are the names before PEP 600 by minor version of glibc 2.
var legacyManylinux = map[int]string{5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}

// NewTags returns the list of tags, best first. A tag that occurs twice counts
// where it is first.
func NewTags(list []Tag) *Tags {
	t := &Tags{list: list, platforms: map[string]int32{}, pairs: map[pair][]int32{}}
	for _, tag := range list {
		if _, known := t.platforms[tag.Platform]; !known {
			t.platforms[tag.Platform] = int32(len(t.platforms))
		}
	}
	for rank, tag := range list {
		key := pair{tag.Python, tag.ABI}
		ranks, known := t.pairs[key]
		if !known {
			ranks = slices.Repeat([]int32{-1}, len(t.platforms))
			t.pairs[key] = ranks
		}
		if p := t.platforms[tag.Platform]; ranks[p] < 0 {
			ranks[p] = int32(rank)
		}
	}
	return t
}

// All returns the tags, best first. The caller must not change the slice.
func (t *Tags) All() []Tag { return t.list }

// Rank returns the place of the best of a wheel's tags in the list, 0 being the
// best, or ok false if none is accepted.
func (t *Tags) Rank(w *WheelName) (rank int, ok bool) {
	best := int32(-1)
	for _, python := range w.Python {
		for _, abi := range w.ABI {
			ranks, known := t.pairs[pair{python, abi}]
			if !known {
				continue
			}
			for _, platform := range w.Platform {
				p, known := t.platforms[platform]
				if known && ranks[p] >= 0 && (best < 0 || ranks[p] < best) {
					best = ranks[p]
				}
			}
		}
	}
	return int(best), best >= 0
}
