// Package elfdeps says what an ELF file needs (libraries, symbol versions) and
// where a given image's loader finds it.
//
// Files are parsed by this package's own reader and not by debug/elf: that one
// declares itself not hardened, builds all sections of a file, and takes a
// multiple of the time where only the dynamic section matters.
package elfdeps

import (
	"errors"
	"strings"
)

// Numbers of the gABI and its processor supplements that callers compare with.
const (
	TypeRel  = 1 // ET_REL, an object file
	TypeExec = 2 // ET_EXEC
	TypeDyn  = 3 // ET_DYN

	Machine386     = 3
	MachinePPC64   = 21
	MachineS390    = 22
	MachineARM     = 40
	MachineX86_64  = 62
	MachineAArch64 = 183
	MachineRISCV   = 243
)

// ErrDamaged is wrapped by errors about content that claims to be ELF and is
// not; other errors of [Parse] are about reading.
var ErrDamaged = errors.New("damaged ELF file")

// Info is what matters of one ELF file.
type Info struct {
	Class     int    // 32 or 64
	BigEndian bool   // byte order
	Machine   uint16 // EM_ number
	Type      uint16 // ET_ number
	Dynamic   bool   // has a dynamic section
	PIE       bool   // an ET_DYN that is a program
	NoDefault bool   // DF_1_NODEFLIB: default directories are not searched
	Relr      bool   // has DT_RELR relocations, which musl before 1.2.4 ignores
	Dlopen    bool   // imports dlopen or dlmopen
	TextRel   bool   // has relocations in its code, which has to be writable for them
	ExecStack bool   // asks for an executable stack

	Interp     string   // PT_INTERP, with its leading slash
	Soname     string   // DT_SONAME
	Needed     []string // DT_NEEDED, in order
	RPath      []string // DT_RPATH, split at colons
	RunPath    []string // DT_RUNPATH, split at colons
	HasRunPath bool     // DT_RUNPATH is there, perhaps empty, and voids RPath

	VerNeed []VersionNeed
	VerDef  []string // versions that it defines, without its own name

	DlopenNotes []string // JSON texts of .note.dlopen (systemd, ELF_DLOPEN_METADATA)
	LibNames    []string // "lib*.so*" strings of a file that imports dlopen, sorted

	// Strip says how the file gets smaller, as package elfstrip writes it; nil if it
	// does not, or if nobody asked.
	Strip []byte

	// Version is the C library's own version in its library or loader file
	// ("2.36", "1.2.5"), else "".
	Version string
	Loader  *LoaderFacts // of a dynamic loader, else nil
	Python  *PythonFacts // of a Python program or library, else nil
}

// VersionNeed is one library's entry in the symbol version needs.
type VersionNeed struct {
	Lib      string // "libc.so.6"
	Versions []string
}

// LoaderFacts is what a dynamic loader's own file says about where it searches.
type LoaderFacts struct {
	Family     string   // "glibc" or "musl"
	SystemDirs []string // "/lib/x86_64-linux-gnu/", in order; glibc only
	Cache      string   // "/etc/ld.so.cache"; glibc only
	PathFile   string   // "/etc/ld-musl-x86_64.path"; musl only
}

// PythonFacts is what the file with CPython's code in it says about itself.
type PythonFacts struct {
	Version   string // PY_VERSION, "3.11.2"
	CacheTag  string // "cpython-311"
	ExtSuffix string // ".cpython-311-x86_64-linux-gnu.so", "" if there is none
	// Builtins are the modules that are compiled in and have an exported function to make
	// them ("math" of Debian's), sorted; nil if the functions are not exported.
	Builtins []string
}

// IsProgram tells whether i is started by itself, not loaded by another.
func (i *Info) IsProgram() bool {
	return i.Type == TypeExec || i.PIE
}

// Arch returns the machine as uname and wheel tags call it, "" if unknown.
func (i *Info) Arch() string {
	switch {
	case i.Machine == MachineX86_64 && i.Class == 64:
		return "x86_64"
	case i.Machine == Machine386:
		return "i686"
	case i.Machine == MachineAArch64:
		return "aarch64"
	case i.Machine == MachineARM:
		return "armv7l"
	case i.Machine == MachinePPC64 && !i.BigEndian:
		return "ppc64le"
	case i.Machine == MachinePPC64:
		return "ppc64"
	case i.Machine == MachineS390:
		return "s390x"
	case i.Machine == MachineRISCV && i.Class == 64:
		return "riscv64"
	}
	return ""
}

// glibcNames begin the names of glibc's own libraries.
var glibcNames = [...]string{"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "ld-linux", "ld64.so."}

// Libc returns the family of the C library that i is linked against, by the
// names that it needs: "glibc", "musl", or "" if it says nothing about it.
func (i *Info) Libc() string {
	for _, n := range i.Needed {
		if n == "libc.so" || strings.HasPrefix(n, "libc.musl-") || strings.HasPrefix(n, "ld-musl-") {
			return "musl"
		}
		for _, g := range glibcNames {
			if strings.HasPrefix(n, g) {
				return "glibc"
			}
		}
	}
	return ""
}
