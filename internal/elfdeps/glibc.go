package elfdeps

import (
	"strings"
)

// setGlibc fills in what the loader of glibc knows before a program starts.
func (l *Loader) setGlibc() {
	l.dirs = l.facts.SystemDirs
	l.plat = l.self.info.Arch()
	l.lib = "lib"
	if len(l.dirs) > 0 {
		// slibdir without its prefix: "lib64" for /lib64/, "lib/TRIPLET" for
		// Debian's /lib/TRIPLET/.
		parts := strings.Split(strings.Trim(l.dirs[0], "/"), "/")
		n := len(parts)
		if l.lib = parts[n-1]; strings.Contains(l.lib, "-linux-") && n > 1 {
			l.lib = parts[n-2] + "/" + l.lib
		}
	}
	l.env = splitAny(l.opts.LibraryPath, ":;")
	l.caps = l.opts.HWCaps
	if len(l.caps) == 0 {
		l.caps = allCaps(l.self.info)
	}
	if b, ok := l.t.ReadFile(rel(l.facts.Cache), maxCache); ok {
		l.setCache(b)
	}
}

// allCaps are the glibc-hwcaps names of a machine, best first (sysdeps/*/dl-hwcap-subdirs.c).
func allCaps(i *Info) []string {
	switch i.Arch() {
	case "x86_64":
		return []string{"x86-64-v4", "x86-64-v3", "x86-64-v2"}
	case "ppc64le":
		return []string{"power11", "power10", "power9"}
	case "s390x":
		return []string{"z17", "z16", "z15", "z14", "z13"}
	}
	return nil
}

// setCache keeps the usable entries of ld.so.cache. A damaged cache is no cache, as
// for the loader.
func (l *Loader) setCache(b []byte) {
	entries, err := ParseCache(b)
	if err != nil {
		return
	}
	l.cache, l.cacheHW = map[string][]string{}, map[string][]CacheEntry{}
	flags := cacheFlags(l.self.info)
	for _, e := range entries {
		if e.Flags != flags && e.Flags != 1 { // 1 is plain ELF, valid everywhere
			continue
		}
		switch {
		case e.HWCaps != "":
			l.cacheHW[e.Name] = append(l.cacheHW[e.Name], e)
		case e.LegacyHWCap == 0: // platform subdirectories of old, unused since 2.37
			l.cache[e.Name] = append(l.cache[e.Name], e.Path)
		}
	}
}

// searchGlibc follows _dl_map_object of elf/dl-load.c.
func (l *Loader) searchGlibc(f *found, name string, by *loaded) {
	noDefault := false
	if by != nil {
		noDefault = by.info.NoDefault
		if !by.info.HasRunPath && l.inRPaths(f, name, by) {
			return
		}
	}
	if l.inDirs(f, l.env, name, "LD_LIBRARY_PATH") {
		return
	}
	if by != nil && by.info.HasRunPath && l.inDirs(f, l.glibcPath(by, by.info.RunPath), name, "RUNPATH") {
		return
	}
	if l.inCache(f, name, noDefault) {
		return
	}
	if !noDefault {
		l.inDirs(f, l.dirs, name, "default directory")
	}
}

// inRPaths searches the DT_RPATH of by and of what loaded it, up to and always
// including the program. An object with DT_RUNPATH has no DT_RPATH.
func (l *Loader) inRPaths(f *found, name string, by *loaded) bool {
	for o := by; o != nil; o = o.parent {
		if !o.info.HasRunPath && l.inDirs(f, l.glibcPath(o, o.info.RPath), name, "RPATH") {
			return true
		}
	}
	return false
}

// glibcPath expands the tokens of a search path. An element with an unknown token
// names a directory that is not there.
func (l *Loader) glibcPath(o *loaded, list []string) []string {
	if o.ready {
		return o.rpath
	}
	o.ready = true
	for _, d := range list {
		o.rpath = append(o.rpath, l.expand(o, d))
	}
	return o.rpath
}

// expand replaces $ORIGIN, $LIB and $PLATFORM, with and without braces.
func (l *Loader) expand(o *loaded, s string) string {
	if !strings.Contains(s, "$") {
		return s
	}
	return strings.NewReplacer(
		"${ORIGIN}", o.origin(), "$ORIGIN", o.origin(),
		"${LIB}", l.lib, "$LIB", l.lib,
		"${PLATFORM}", l.plat, "$PLATFORM", l.plat).Replace(s)
}

// inCache looks the name up in ld.so.cache. A program that does not want default
// directories gets no entry that points into them.
func (l *Loader) inCache(f *found, name string, noDefault bool) bool {
	for _, c := range l.caps {
		for _, e := range l.cacheHW[name] {
			real, problem, stop := l.accept(rel(e.Path))
			if e.HWCaps != c || !stop || problem != "" {
				continue
			}
			if len(l.opts.HWCaps) > 0 {
				f.path, f.real, f.via = rel(e.Path), real, "ld.so.cache"
				return true
			}
			f.variants = append(f.variants, rel(e.Path))
		}
	}
	for _, p := range l.cache[name] {
		if noDefault && l.inDefault(p) {
			continue
		}
		if real, problem, stop := l.accept(rel(p)); stop {
			f.path, f.real, f.problem, f.via = rel(p), real, problem, "ld.so.cache"
			return true
		}
		break // the loader takes the first entry and does not try a second
	}
	return false
}

func (l *Loader) inDefault(p string) bool {
	for _, d := range l.dirs {
		if rest, ok := strings.CutPrefix(p, d); ok && !strings.Contains(rest, "/") {
			return true
		}
	}
	return false
}

func splitAny(s, seps string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(seps, r) })
}
