package elfdeps

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// VersionGap is a symbol version that a file needs and a library lacks.
type VersionGap struct {
	File string // that needs it
	Lib  string // "libc.so.6"
	Need string // "GLIBC_2.38"
	Have string // highest of the namespace that the library defines, "" if none
}

// String says it for an error message.
func (g VersionGap) String() string {
	have := g.Have
	if have == "" {
		have = "none of that name"
	}
	return g.File + " needs " + g.Need + " of " + g.Lib + ", which has " + have
}

// SplitVersion splits a symbol version at its number: "GLIBC_2.34" is "GLIBC"
// and "2.34", "OPENSSL_1_1_0" is "OPENSSL" and "1_1_0". One without a number
// ("GLIBC_PRIVATE") is all namespace.
func SplitVersion(v string) (namespace, number string) {
	for i := 1; i+1 < len(v); i++ {
		if v[i] == '_' && v[i+1] >= '0' && v[i+1] <= '9' {
			return v[:i], v[i+1:]
		}
	}
	return v, ""
}

// CompareNumbers compares the numbers of two symbol versions part by part.
func CompareNumbers(a, b string) int {
	sep := func(r rune) bool { return r == '.' || r == '_' }
	as, bs := strings.FieldsFunc(a, sep), strings.FieldsFunc(b, sep)
	for i := range min(len(as), len(bs)) {
		x, errX := strconv.ParseUint(as[i], 10, 64)
		y, errY := strconv.ParseUint(bs[i], 10, 64)
		c := cmp.Compare(x, y)
		if errX != nil || errY != nil {
			c = strings.Compare(as[i], bs[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

// MaxVersions returns the highest number needed of each namespace: "GLIBC" ->
// "2.34". Versions without a number are left out.
func MaxVersions(infos []*Info) map[string]string {
	out := map[string]string{}
	for _, i := range infos {
		for _, n := range i.VerNeed {
			for _, v := range n.Versions {
				raise(out, v)
			}
		}
	}
	return out
}

func raise(best map[string]string, v string) {
	ns, num := SplitVersion(v)
	if num == "" {
		return
	}
	if have, ok := best[ns]; !ok || CompareNumbers(num, have) > 0 {
		best[ns] = num
	}
}

// Gaps returns the versions that the file at path, described by i, needs and the libraries
// lack. lib returns what a needed name is, nil if that is unknown. As for
// glibc's loader, a library that defines no versions at all satisfies every need;
// musl's loader does not look at versions, so callers don't ask there.
func Gaps(path string, i *Info, lib func(name string) *Info) []VersionGap {
	var out []VersionGap
	for _, n := range i.VerNeed {
		l := lib(n.Lib)
		if l == nil || len(l.VerDef) == 0 {
			continue
		}
		for _, v := range n.Versions {
			if slices.Contains(l.VerDef, v) {
				continue
			}
			g := VersionGap{File: path, Lib: n.Lib, Need: v}
			best := map[string]string{}
			for _, d := range l.VerDef {
				raise(best, d)
			}
			if ns, _ := SplitVersion(v); best[ns] != "" {
				g.Have = ns + "_" + best[ns]
			}
			out = append(out, g)
		}
	}
	return out
}
