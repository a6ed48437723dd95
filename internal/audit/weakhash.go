package audit

// weakHash reports files with no digest that holds against an attacker.
var weakHash = Rule{
	Code: "weak-hash", Severity: Medium, lockOnly: true,
	Title: "The lock has only weak hashes of a file",
	Help:  "Files with a given md5 or sha1 can be made. Lock again with an index that gives sha256.",
	check: func(f *Facts) []Finding {
		return f.hashes("only weak hashes (md5 or sha1)", func(h map[string]string) bool { return len(h) > 0 && !hasStrong(h) })
	},
}

// hasStrong knows the algorithms of Python's hashlib that are not broken.
func hasStrong(h map[string]string) bool {
	for algorithm := range h {
		switch algorithm {
		case "sha256", "sha384", "sha512", "sha512_256", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s":
			return true
		}
	}
	return false
}
