package needs

import (
	"bytes"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// maxSysconfig is more than what an interpreter notes of how it was made; CPython's has
// 45 KB.
const maxSysconfig = 1 << 20

// variables are those by which a build is told of a compiler, and under which the
// interpreter notes the one that it was made with.
var variables = map[string]string{"C compiler": "CC", "C++ compiler": "CXX"}

// compiler finds a compiler. Build back ends of setuptools' kind run the one that the
// interpreter was made with, whatever else there is: if only another one is there, the
// build has to be told.
func (s *search) compiler(n Need) Item {
	item := Item{Need: n}
	variable := variables[n.Name]
	want := ""
	if variable != "" {
		if at := s.command(firstWord(s.env[variable])); at != "" { // what the image says goes first
			item.Found = at
			return item
		}
		want = firstWord(s.sysconfig(variable))
	}
	if variable == "CXX" && !strings.Contains(want, "++") {
		want = "" // "gcc" compiles C++ only where g++ is
	}
	if want != "" {
		if at := s.command(want); at != "" {
			item.Found = at
			return item
		}
	}
	for _, p := range n.Programs {
		if at := s.command(p); at != "" {
			item.Found = at
			if want != "" {
				item.Set = variable + "=" + p
			}
			return item
		}
	}
	return item
}

// command returns where a program is that is named as in a shell.
func (s *search) command(name string) string {
	if name == "" {
		return ""
	}
	if strings.HasPrefix(name, "/") {
		if f, _, ok := s.set.Lookup(files.Clean(name)); ok && f.IsRegular() {
			return name
		}
		return ""
	}
	if dir := s.program(name); dir != "" {
		return dir + "/" + name
	}
	return ""
}

func firstWord(s string) string {
	if list := strings.Fields(s); len(list) > 0 {
		return list[0]
	}
	return ""
}

// sysconfig returns what the interpreter notes under a name of how it was made, "" if
// that can't be read.
func (s *search) sysconfig(name string) string {
	if !s.asked {
		s.asked = true
		if f := s.sysconfigFile(); f != nil {
			s.notes, _ = f.ReadAll(maxSysconfig) // without it, compilers are looked for by name
		}
	}
	for line := range bytes.Lines(s.notes) {
		rest, ok := bytes.CutPrefix(bytes.TrimLeft(line, " {"), []byte("'"+name+"':"))
		if !ok {
			continue
		}
		rest = bytes.TrimSpace(rest)
		if len(rest) < 2 || rest[0] != '\'' && rest[0] != '"' {
			return ""
		}
		value, _, _ := bytes.Cut(rest[1:], rest[:1])
		return string(value)
	}
	return ""
}

// sysconfigFile finds the module _sysconfigdata_<flags>_<system>_<triple>. Some images
// have more than one, for cross-compilers (conda's are called for them, and not "linux").
func (s *search) sysconfigFile() *files.File {
	var first *files.File
	for f := range s.set.Children(s.stdlib) {
		base := f.Path[strings.LastIndexByte(f.Path, '/')+1:]
		if !strings.HasPrefix(base, "_sysconfigdata_") || !strings.HasSuffix(base, ".py") {
			continue
		}
		real, _, ok := s.set.Lookup(f.Path)
		if !ok || !real.IsRegular() {
			continue
		}
		if strings.Contains(base, "_linux_") && !strings.Contains(base, "conda") {
			return real
		}
		if first == nil {
			first = real
		}
	}
	return first
}

// isGNU tells whether the interpreter was made for glibc on Linux.
func (s *search) isGNU() bool {
	f := s.sysconfigFile()
	return f != nil && strings.HasSuffix(f.Path, "-linux-gnu.py")
}
