// Package elfdeps says what an ELF file needs (libraries, symbol versions) and
// where a given image's loader finds it.
package elfdeps

import "io"

// Info is what matters of one ELF file.
type Info struct {
	Class     int    // 32 or 64
	BigEndian bool   // byte order
	Machine   uint16 // EM_X86_64 = 62, EM_AARCH64 = 183 ...
	Type      uint16 // ET_EXEC = 2, ET_DYN = 3
	Dynamic   bool   // has a dynamic section
	PIE       bool   // an ET_DYN that is a program
	NoDefault bool   // DF_1_NODEFLIB: default directories are not searched
	Relr      bool   // uses DT_RELR relocations (musl before 1.2.4 ignores them)
	Dlopen    bool   // imports dlopen or dlmopen

	Interp      string   // PT_INTERP, with its leading slash
	Soname      string   // DT_SONAME
	Needed      []string // DT_NEEDED, in order
	RPath       []string // DT_RPATH, split at colons
	RunPath     []string // DT_RUNPATH, split at colons
	HasRunPath  bool     // DT_RUNPATH is there, perhaps empty: RPath is void
	VerNeed     []VersionNeed
	VerDef      []string // versions that it defines, without its own name
	DlopenNotes []string // JSON of .note.dlopen (systemd's ELF dlopen metadata)
	LibNames    []string // "lib*.so*" strings of a file that imports dlopen, sorted
	Loader      *LoaderFacts
	Version     string // version of the C library or of Python in this file, else ""
}

// VersionNeed is one library's entry in the symbol version needs.
type VersionNeed struct {
	Lib      string // "libc.so.6"
	Versions []string
}

// LoaderFacts is what a dynamic loader's own file says about where it searches.
type LoaderFacts struct {
	Family     string   // "glibc" or "musl"
	SystemDirs []string // "/lib/x86_64-linux-gnu/", in order
	Cache      string   // "/etc/ld.so.cache"
	PathFile   string   // "/etc/ld-musl-x86_64.path"
}

// Parse reads the parts of an ELF file that matter. It returns nil and no error for
// anything that is not ELF; an error is about damage or reading. It reads
// little of the file and is bounded however large its tables claim to be.
func Parse(r io.ReaderAt, size int64) (*Info, error) { panic("contract") }

// Encode returns a compact form of i for [Decode].
func (i *Info) Encode() []byte { panic("contract") }

// Decode reads what Encode wrote.
func Decode(b []byte) (*Info, error) { panic("contract") }
