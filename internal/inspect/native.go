package inspect

// NativeNeeds is what the ELF files of one distribution need from outside it.
type NativeNeeds struct {
	ELF       []string          // its ELF files
	Libraries []NativeLibrary   // in order of name
	Versions  map[string]string // highest needed symbol version of each namespace: "GLIBC" -> "2.34"
	Libc      string            // "glibc", "musl" or "" (none or static)
	Machine   string            // "x86_64", "aarch64"
}

// NativeLibrary is a needed library that is not one of the distribution's files.
type NativeLibrary struct {
	Name  string // DT_NEEDED
	Path  string // where the loader finds it, "" if missing
	By    string // first file that needs it
	Owner string // distribution or OS package that owns Path, "" if none
}

// Native returns the native needs of d in its environment.
func (e *Environment) Native(d *Distribution) *NativeNeeds { panic("contract") }
