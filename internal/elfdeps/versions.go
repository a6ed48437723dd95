package elfdeps

// VersionGap is a symbol version that a file needs and a library lacks.
type VersionGap struct {
	File string // that needs it
	Lib  string // "libc.so.6"
	Need string // "GLIBC_2.38"
	Have string // highest of the namespace that the library defines, "" if none
}

// MaxVersions returns the highest version needed of each namespace: "GLIBC" -> "2.34".
func MaxVersions(infos []*Info) map[string]string { panic("contract") }
