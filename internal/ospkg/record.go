package ospkg

import (
	"bytes"
	"strings"
)

// StatusDir is where a record of dpkg can lie as a file of its own, beside or without the
// status file: images without dpkg have it so, and scanners read it.
const StatusDir = dpkgDir + "status.d"

// RecordName returns the name of the package's file in [StatusDir]: its own, by which
// scanners look for the list of digests as well, or one that no other version has if
// that is taken.
func (p *Package) RecordName(taken bool) string {
	if !taken {
		return p.Name
	}
	return p.Name + "_" + strings.NewReplacer("/", "_", ":", "%3a").Replace(p.Version)
}

// Record returns the control data of a package of dpkg as it stands in [StatusDir]: without
// the state that dpkg keeps and the digests of configuration files.
func (p *Package) Record() []byte {
	var out []byte
	skip := false
	for line := range bytes.Lines(p.Stanza) {
		if line[0] != ' ' && line[0] != '\t' {
			key, _, _ := bytes.Cut(line, []byte(":"))
			skip = bytes.EqualFold(key, []byte("Status")) || bytes.EqualFold(key, []byte("Conffiles"))
		}
		if !skip {
			out = append(out, line...)
		}
	}
	return append(bytes.TrimRight(out, "\r\n"), '\n')
}

// Sums returns the lines of a list of digests (info/NAME.md5sums) whose path, without
// a leading slash, keep takes.
func Sums(list []byte, keep func(path string) bool) []byte {
	var out []byte
	for line := range bytes.Lines(list) {
		text := strings.TrimRight(string(line), "\r\n")
		_, path, ok := strings.Cut(text, " ")
		path = strings.TrimLeft(strings.TrimLeft(path, " *"), "./")
		if ok && path != "" && len(text) <= 4096 && keep(path) {
			out = append(append(out, text...), '\n')
		}
	}
	return out
}

// SumsPath returns the paths at which dpkg may keep the list of digests of a package.
func (p *Package) SumsPath() []string {
	if p.Format == Distroless {
		return []string{StatusDir + "/" + p.Name + ".md5sums"}
	}
	return []string{dpkgDir + "info/" + p.Name + ":" + p.Arch + ".md5sums", dpkgDir + "info/" + p.Name + ".md5sums"}
}

// Reduced returns the record of a package of apk with those of its files only whose path,
// without a leading slash, keep takes.
func (p *Package) Reduced(keep func(path string) bool) []byte {
	var out, head []byte // head is the directory whose files come
	dir, inFiles, kept := "", false, false
	for line := range bytes.Lines(p.Stanza) {
		line = append(bytes.TrimRight(line, "\r\n"), '\n')
		if len(line) < 3 || line[1] != ':' {
			continue
		}
		value := string(bytes.TrimSpace(line[2:]))
		switch line[0] {
		case 'F':
			dir, inFiles, kept = strings.Trim(value, "/"), true, false
			head = bytes.Clone(line)
			continue
		case 'R':
			if dir != "" {
				value = dir + "/" + value
			}
			if kept = keep(value); kept {
				out = append(append(out, head...), line...)
				head = nil
			}
			inFiles = true
			continue
		case 'M': // of the directory
			if inFiles {
				head = append(head, line...)
				continue
			}
		}
		if !inFiles || kept {
			out = append(out, line...)
		}
	}
	return out
}

// AppendApk returns a database of apk with more records behind those that it has, which stay
// byte for byte.
func AppendApk(database []byte, records ...[]byte) []byte {
	out := bytes.Clone(database)
	for len(out) > 0 && !bytes.HasSuffix(out, []byte("\n\n")) {
		out = append(out, '\n')
	}
	for _, r := range records {
		out = append(append(out, bytes.TrimRight(r, "\n")...), "\n\n"...)
	}
	return out
}
