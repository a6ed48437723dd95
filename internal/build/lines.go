package build

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much a line of a log says, the best first.
const (
	saysMissing   = iota // what is not there: a header, a library, a program, memory
	saysError            // a compiler's, linker's or build tool's own error
	saysException        // the end of a traceback
	saysFailed           // only that something went wrong
	saysNothing
)

// maxLine is how much of a line is shown, in bytes.
const maxLine = 300

// maxSearched is how long a line may be to be looked at, in bytes; those of linkers come
// to some thousands.
const maxSearched = 16 << 10

// farFromEnd is how many lines follow what did not end a build: many a setup.py compiles
// something to see whether it can, and goes on. A real error is followed by what other
// processes still print, and by a traceback.
const farFromEnd = 300

// Lines picks the lines of a build's log that say what is wrong, the best first, at most
// n: those of compilers, linkers and build tools about what is missing, their other
// errors, the last line of a traceback. log is the end of a log (see [Log.Tail]). What
// belongs to one message but stands in several lines is put into one. With none of them
// the last line that is not empty is taken.
func Lines(log []byte, n int) []string {
	lines := strings.Split(strings.ToValidUTF8(string(log), "\ufffd"), "\n")
	type found struct {
		text string
		says int
		at   int
	}
	var list []found
	seen := map[string]bool{}
	inTrace := false
	last := ""
	for i := 0; i < len(lines); i++ {
		line := strings.TrimRightFunc(lines[i], unicode.IsSpace)
		if line != "" {
			last = line
		}
		text, used := joined(line, lines[i+1:])
		says := classify(line)
		if used > 0 {
			says = min(says, classify(text))
		}
		switch {
		case strings.HasPrefix(line, "Traceback (most recent call last)"):
			inTrace = true
		case inTrace && line != "" && line[0] != ' ' && line[0] != '\t':
			inTrace = false
			says = min(says, classifyException(line))
		}
		at := i
		i += used
		if says == saysNothing {
			continue
		}
		if at < len(lines)-farFromEnd {
			says = max(says, saysFailed)
		}
		if text = clipLine(text); !seen[text] {
			seen[text] = true
			list = append(list, found{text, says, at})
		}
	}
	slices.SortStableFunc(list, func(a, b found) int {
		if d := a.says - b.says; d != 0 {
			return d
		}
		if a.says >= saysException { // of tracebacks, the last one ended it
			return cmp.Compare(b.at, a.at)
		}
		return cmp.Compare(a.at, b.at)
	})
	var out []string
	for _, f := range list[:max(0, min(n, len(list)))] {
		out = append(out, f.text)
	}
	if len(out) == 0 && last != "" && n > 0 {
		out = []string{clipLine(strings.TrimSpace(last))}
	}
	return out
}

func clipLine(s string) string {
	if len(s) <= maxLine {
		return s
	}
	cut := maxLine
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// joined adds to a line what follows and belongs to it, and tells how many lines that are.
func joined(line string, rest []string) (text string, used int) {
	text = strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(line, "CMake Error"):
		// CMake Error at FILE:LINE (COMMAND): and then indented text, which an empty line ends
		for i, l := range rest[:min(len(rest), 12)] {
			t := strings.TrimSpace(l)
			if t != "" && !strings.HasPrefix(l, " ") || t == "" && used > 0 {
				break
			}
			if t != "" {
				text += " " + t
				used = i + 1
			}
		}
	case strings.HasSuffix(line, " maturin failed"):
		for used < len(rest) && used < 5 && strings.HasPrefix(rest[used], "  Caused by: ") {
			text += " " + strings.TrimSpace(rest[used])
			used++
		}
	case strings.HasPrefix(line, "error"): // rustc
		if len(rest) > 0 && strings.HasPrefix(strings.TrimSpace(rest[0]), "--> ") {
			return text + " " + strings.TrimSpace(rest[0]), 1
		}
	}
	return text, used
}

// What stands anywhere in a line, and what it says then. The programs that print them:
// gcc, clang and zig; GNU ld, gold, lld and mold; sh; distutils; pkgconf; meson; CMake;
// cargo and maturin.
var marks = []struct {
	text string
	says int
}{
	{"No space left on device", saysMissing},
	{"Cannot allocate memory", saysMissing},
	{"virtual memory exhausted", saysMissing},
	{"internal compiler error: Killed", saysMissing},
	{"Killed signal terminated program", saysMissing},
	{": fatal error: ", saysMissing},
	{"cannot find -l", saysMissing},
	{"unable to find library -l", saysMissing},
	{"library not found: ", saysMissing},
	{"unable to execute '", saysMissing},
	{"' failed: No such file or directory", saysMissing},
	{"ERROR: Dependency ", saysMissing},
	{"ERROR: Program ", saysMissing},
	{"ERROR: Unknown compiler(s)", saysMissing},
	{"Could NOT find ", saysMissing},
	{"Could not find a package configuration file provided by", saysMissing},
	{"CMake is not installed", saysMissing},
	{"was not found in the pkg-config search path", saysMissing},
	{"can't find Rust compiler", saysMissing},
	{"Rust not found", saysMissing},
	{"rustc, the rust compiler, is not installed", saysMissing},
	{"Cargo, the Rust package manager, is not installed", saysMissing},
	{"error: failed to get `", saysMissing},
	{"error: failed to download", saysMissing},
	{"error: no matching package named", saysMissing},
	{"attempting to make an HTTP request, but --offline was specified", saysMissing},
	{"you're using offline mode (--offline)", saysMissing},
	{"error: linker `", saysMissing},
	{"Do you have cargo in your PATH?", saysMissing},
	{" maturin failed", saysError},
	{": error: ", saysError},
	{": ERROR: ", saysError},
	{"undefined reference to ", saysError},
	{"undefined symbol: ", saysError},
	{": not found", saysError},
	{": command not found", saysError},
}

// What a line begins with.
var beginnings = []struct {
	text string
	says int
}{
	{"CMake Error", saysError},
	{"error[E", saysError},
	{"Error compiling Cython file", saysNothing}, // its own line follows
	{"error: command ", saysFailed},
	{"error: could not compile ", saysFailed},
	{"error: metadata-generation-failed", saysNothing},
	{"error: ", saysError},
	{"ERROR: ", saysError},
	{"Error: ", saysError},
	{"No package '", saysMissing},
	{"Package '", saysMissing},
	{"make: *** ", saysFailed},
	{"ninja: error: ", saysError},
}

// classify tells how much a line says by itself.
func classify(line string) int {
	if line == "" || line[0] == '+' || len(line) > maxSearched || strings.HasPrefix(line, "warning: ") {
		return saysNothing
	}
	best := saysNothing
	for _, m := range marks {
		if m.says < best && strings.Contains(line, m.text) {
			best = m.says
		}
	}
	if line[0] == ' ' || line[0] == '\t' {
		if best == saysError { // source text that a compiler quotes, or an argument
			return saysNothing
		}
		return best
	}
	for _, b := range beginnings {
		if strings.HasPrefix(line, b.text) {
			return min(best, b.says)
		}
	}
	if best > saysError && isCythonError(line) {
		return saysError
	}
	return best
}

// isCythonError tells whether a line is "name.pyx:12:3: message".
func isCythonError(line string) bool {
	for _, ext := range []string{".pyx:", ".pxd:", ".pxi:"} {
		if _, rest, ok := strings.Cut(line, ext); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' && strings.Contains(rest, ": ") {
			return !strings.Contains(rest, "warning: ")
		}
	}
	return false
}

// classifyException tells how much the last line of a traceback says.
func classifyException(line string) int {
	name, _, _ := strings.Cut(line, ":")
	switch name = name[strings.LastIndexByte(name, '.')+1:]; name {
	case "ModuleNotFoundError":
		return saysMissing
	case "CalledProcessError", "CompileError", "LinkError", "SystemExit", "KeyboardInterrupt":
		return saysFailed
	}
	return saysException
}
