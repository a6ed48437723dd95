package elfdeps

import (
	"bytes"
	"slices"
	"strings"
)

// libcFacts recognises a C library and a dynamic loader, and keeps what their
// constants say: the version, and where the loader searches.
func (p *parser) libcFacts() error {
	i := p.info
	isLoader := i.Type == TypeDyn && !i.PIE && i.Dynamic && len(i.Needed) == 0 && i.Interp == "" && p.entry != 0
	isGlibc := i.Soname == "libc.so.6"
	if !isLoader && !isGlibc {
		return nil
	}
	var all []byte
	if err := p.scan(maxFacts, func(b []byte, seen int) { all = append(all, b[seen:]...) }); err != nil {
		return err
	}
	if isGlibc {
		i.Version = glibcVersion(all)
		return nil
	}
	if at := bytes.Index(all, []byte("/etc/ld-musl-")); at >= 0 {
		// musl prints the directory of its own lib/ before it: "%.*s/etc/ld-musl-ARCH.path"
		path, _, ok := bytes.Cut(all[at:min(len(all), at+100)], []byte{0})
		if ok && bytes.HasSuffix(path, []byte(".path")) {
			i.Loader = &LoaderFacts{Family: "musl", PathFile: string(path)}
			i.Version = muslVersion(all)
		}
		return nil
	}
	cache := glibcCachePath(all)
	if cache == "" {
		return nil
	}
	i.Loader = &LoaderFacts{Family: "glibc", Cache: cache, SystemDirs: glibcSystemDirs(all)}
	i.Version = glibcVersion(all)
	return nil
}

// glibcVersion finds the banner "GNU C Library (...) stable release version 2.36."
// of libc.so.6; since 2.33 the loader has it too, as "ld.so (...) stable ...".
func glibcVersion(b []byte) string {
	const mark = " release version "
	for {
		at := bytes.Index(b, []byte(mark))
		if at < 0 {
			return ""
		}
		b = b[at+len(mark):]
		n := 0
		for n < len(b) && n < 16 && (b[n] == '.' || b[n] >= '0' && b[n] <= '9') {
			n++
		}
		if v := strings.TrimRight(string(b[:n]), "."); strings.Count(v, ".") >= 1 {
			return v
		}
	}
}

// glibcCachePath finds the constant LD_SO_CACHE: sysconfdir and "/ld.so.cache".
func glibcCachePath(b []byte) string {
	at := bytes.Index(b, []byte("/ld.so.cache\x00"))
	if at < 0 {
		return ""
	}
	from := bytes.LastIndexByte(b[:at], 0) + 1
	if s := string(b[from : at+len("/ld.so.cache")]); strings.HasPrefix(s, "/") && len(s) < 1024 {
		return s
	}
	return ""
}

// glibcSystemDirs finds the constant system_dirs of elf/dl-load.c: directories with
// a slash at the end, one after the other, each with a NUL behind it. It is the
// longest such row in the file.
func glibcSystemDirs(b []byte) []string {
	var best, row []string
	for len(b) > 0 {
		s, rest, ok := bytes.Cut(b, []byte{0})
		if !ok {
			break
		}
		b = rest
		if isSystemDir(s) {
			row = append(row, string(s))
			continue
		}
		// Padding may stand before the constant, never inside it.
		if len(row) > len(best) {
			best = row
		}
		row = nil
		if i := bytes.IndexByte(s, '/'); i > 0 && isSystemDir(s[i:]) && !printableBefore(s, i) {
			row = []string{string(s[i:])}
		}
	}
	if len(row) > len(best) {
		best = row
	}
	return best
}

func printableBefore(s []byte, i int) bool { return s[i-1] >= ' ' && s[i-1] < 0x7f }

func isSystemDir(s []byte) bool {
	if len(s) < 3 || len(s) > 1024 || s[0] != '/' || s[len(s)-1] != '/' {
		return false
	}
	for _, c := range s {
		if c <= ' ' || c >= 0x7f || c == '%' {
			return false
		}
	}
	return bytes.Contains(s, []byte("/lib"))
}

// muslVersion finds the constant of version.c, "1.2.5" or "1.2.5-git-3-gabcdef".
func muslVersion(b []byte) string {
	for len(b) > 0 {
		s, rest, ok := bytes.Cut(b, []byte{0})
		if !ok {
			return ""
		}
		if len(s) >= 5 && len(s) < 40 && isDotted(s, 3) {
			return string(s)
		}
		b = rest
	}
	return ""
}

// isDotted tells whether s begins with n numbers with dots between, and ends
// there or with a label after '-' or '_'.
func isDotted(s []byte, n int) bool {
	for ; n > 0; n-- {
		d := 0
		for d < len(s) && s[d] >= '0' && s[d] <= '9' {
			d++
		}
		if d == 0 || d > 4 {
			return false
		}
		if s = s[d:]; n > 1 {
			if len(s) == 0 || s[0] != '.' {
				return false
			}
			s = s[1:]
		}
	}
	return len(s) == 0 || s[0] == '-' || s[0] == '_'
}

// pythonFacts reads CPython's constants out of the file that defines its API:
// the program, or libpython of a shared build.
func (p *parser) pythonFacts() error {
	if !p.info.IsProgram() && !strings.HasPrefix(p.info.Soname, "libpython") {
		return nil
	}
	if ok, err := p.symbol(false, "Py_GetVersion"); err != nil || !ok {
		return err
	}
	// The tag may stand in another piece than the version: keep candidates.
	var tag, suffix string
	var versions []string
	if err := p.scan(maxFacts, func(b []byte, _ int) {
		if tag == "" {
			tag = cString(b, "cpython-", false)
		}
		if suffix == "" {
			suffix = cString(b, ".cpython-", true)
		}
		versions = appendVersions(versions, b)
	}); err != nil {
		return err
	}
	minor := strings.TrimRight(strings.TrimPrefix(tag, "cpython-"), "dmt") // free-threaded: cpython-313t
	if len(minor) < 2 {
		return nil
	}
	prefix := minor[:1] + "." + minor[1:] + "."
	for _, v := range versions {
		if strings.HasPrefix(v, prefix) {
			p.info.Python = &PythonFacts{Version: strings.TrimSuffix(v, "+"), CacheTag: tag, ExtSuffix: suffix, Builtins: p.builtins()}
			return nil
		}
	}
	return nil
}

// maxBuiltins is far above the hundred modules that CPython has in C.
const maxBuiltins = 1000

// builtins lists the modules whose PyInit_ function is among the dynamic symbols.
func (p *parser) builtins() []string {
	const prefix = "\x00PyInit_"
	var out []string
	for b := p.dynstr; len(out) < maxBuiltins; {
		at := bytes.Index(b, []byte(prefix))
		if at < 0 {
			break
		}
		b = b[at+len(prefix):]
		name, _, ok := bytes.Cut(b[:min(len(b), maxName)], []byte{0})
		if !ok {
			break
		}
		out = append(out, string(name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cString returns the first constant that begins with prefix and digits, and is
// that and ABI flags alone or, if library is true, ends in ".so".
func cString(b []byte, prefix string, library bool) string {
	for {
		at := bytes.Index(b, []byte(prefix))
		if at < 0 {
			return ""
		}
		b = b[at:]
		s, _, ok := bytes.Cut(b[:min(len(b), 128)], []byte{0})
		rest := s[min(len(prefix), len(s)):]
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		if ok && digits > 1 && (library && bytes.HasSuffix(s, []byte(".so")) || !library && len(bytes.Trim(rest[digits:], "dmt")) == 0) {
			return string(s)
		}
		b = b[len(prefix):]
	}
}

// appendVersions adds constants such as "3.11.2", "3.13.0rc1" or "3.12.1+".
func appendVersions(list []string, b []byte) []string {
	for len(b) > 0 && len(list) < 64 {
		at := bytes.Index(b, []byte("3."))
		if at < 0 {
			return list
		}
		s, _, ok := bytes.Cut(b[at:min(len(b), at+24)], []byte{0})
		boundary := at == 0 || b[at-1] != '.' && (b[at-1] < '0' || b[at-1] > '9')
		if ok && boundary && isPyVersion(s) {
			list = append(list, string(s))
		}
		b = b[at+2:]
	}
	return list
}

// isPyVersion tells whether s is a PY_VERSION: three numbers, perhaps a
// pre-release label, perhaps "+" (built from a checkout).
func isPyVersion(s []byte) bool {
	s = bytes.TrimSuffix(s, []byte("+"))
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9', c == '.':
		case c == 'a' || c == 'b' || c == 'r' || c == 'c':
			return bytes.Count(s[:i], []byte(".")) == 2
		default:
			return false
		}
	}
	return bytes.Count(s, []byte(".")) == 2 && len(s) >= 5
}
