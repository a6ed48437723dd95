package main

import (
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps/elftest"
)

// elfKinds makes ELF files that no processor can run and every loader would take for what
// they say they are. The first line of a file of a tree chooses one:
//
//	#!musl VERSION                      musl
//	#!glibc VERSION                     the loader of glibc
//	#!libc VERSION                      libc.so.6 of glibc
//	#!lib SONAME [NEEDED...]            a library; a word LIB:SYMBOL_VERSION needs that of it
//	#!python VERSION INTERP [NEEDED...] CPython
//
// An architecture may stand before the kind, as in "#!arm64 lib ...".
func elfKinds(line, arch string) ([]byte, bool) {
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if len(words) > 1 && (words[0] == "amd64" || words[0] == "arm64") {
		arch, words = words[0], words[1:]
	}
	if len(words) < 2 {
		return nil, false
	}
	var f elftest.File
	switch words[0] {
	case "musl":
		f = elftest.MuslLoader(words[1])
	case "glibc":
		f = elftest.Loader(words[1], "/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/")
	case "libc":
		f = elftest.File{
			Soname: "libc.so.6", ROData: "\x00GNU C Library stable release version " + words[1] + ".\x00",
			VerDef: []string{"GLIBC_2.17", "GLIBC_" + words[1]},
		}
	case "lib":
		f = elftest.File{Soname: words[1]}
		for _, w := range words[2:] {
			if lib, version, ok := strings.Cut(w, ":"); ok {
				f.VerNeed = map[string][]string{lib: {version}}
				w = lib
			}
			f.Needed = append(f.Needed, w)
		}
	case "python":
		minor := strings.Split(words[1], ".")
		f = elftest.Python(words[1], minor[0]+minor[1], words[2], words[3:]...)
	default:
		return nil, false
	}
	if arch == "arm64" {
		f.Machine = 183
	}
	return f.Bytes(), true
}
