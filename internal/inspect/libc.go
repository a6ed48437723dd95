package inspect

import (
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// readLibc finds the C library that a program gets: from its own loader, never
// from os-release, since one image may hold two. glibc's version is that of the libc.so.6
// which the loader finds, musl's that of the loader itself. Where the files don't tell,
// the package of the OS that owns them does.
func (i *Interpreter) readLibc(r *reader, info *elfdeps.Info) {
	t := r.t
	l, err := elfdeps.NewLoader(t, info.Interp, elfdeps.LoaderOptions{LibraryPath: r.env["LD_LIBRARY_PATH"]})
	if err != nil {
		// Its name still tells the family.
		if strings.Contains(info.Interp, "ld-musl") {
			i.Libc.Family = "musl"
		} else if strings.Contains(info.Interp, "/ld-linux") || strings.Contains(info.Interp, "/ld64") {
			i.Libc.Family = "glibc"
		}
		return
	}
	version := ""
	if lib := t.ELF(l.Libc()); lib != nil {
		version = lib.Version
		if version == "" {
			version = maxGlibc(lib)
		}
	}
	if version == "" {
		version = t.ELF(l.Path()).Version
	}
	if p := r.os.Owner(l.Path()); version == "" && p != nil {
		version = upstreamVersion(p.Version)
	}
	i.LibcVersion = version
	i.Libc = parseLibc(l.Family(), version)
}

// maxGlibc is the highest symbol version that a libc.so.6 defines; every release but a few
// defines one of its own.
func maxGlibc(lib *elfdeps.Info) string {
	best := ""
	for _, v := range lib.VerDef {
		if ns, num := elfdeps.SplitVersion(v); ns == "GLIBC" && num != "" && elfdeps.CompareNumbers(num, best) > 0 {
			best = num
		}
	}
	return best
}

func parseLibc(family, version string) python.Libc {
	l := python.Libc{Family: family}
	parts := strings.SplitN(version, ".", 3)
	if len(parts) >= 2 {
		l.Major, _ = strconv.Atoi(parts[0])
		l.Minor, _ = strconv.Atoi(parts[1])
	}
	return l
}
