package ospkg

import (
	"bytes"
	"strings"
)

// apk reads a database of apk-tools 2: one letter, a colon, the value. F: names a
// directory and R: a file in it.
func (r *reader) apk(path string) {
	b, ok := r.t.ReadFile(path, maxStatus)
	if !ok {
		return
	}
	if r.apkNames == nil {
		r.apkNames = map[string]bool{}
	}
	paragraphs(b, func(stanza []byte) {
		p := &Package{Format: Apk, Stanza: stanza}
		var listed []string
		dir := ""
		for line := range bytes.Lines(stanza) {
			line = bytes.TrimRight(line, "\r\n")
			if len(line) < 2 || line[1] != ':' || len(line) > 1<<16 {
				continue
			}
			value := string(line[2:])
			switch line[0] {
			case 'P':
				p.Name = value
			case 'V':
				p.Version = value
			case 'A':
				p.Arch = value
			case 'o':
				p.Source = value
			case 'L':
				p.License = value
			case 'D':
				p.Depends = strings.Fields(value)
			case 'p':
				p.Provides = strings.Fields(value)
			case 'F':
				dir = strings.Trim(value, "/")
			case 'R':
				if dir != "" {
					value = dir + "/" + value
				}
				listed = append(listed, value)
			}
		}
		if !r.add(p, path) {
			return
		}
		r.apkNames[p.Name] = true
		for _, f := range listed {
			r.own(p, f)
		}
		r.apkLicence(p)
	})
}

// apkLicence notes the licence texts that a -doc package would bring.
func (r *reader) apkLicence(p *Package) {
	dir := "usr/share/licenses/" + p.Name
	for _, n := range r.t.List(dir) {
		if final, ok := r.t.Place(dir + "/" + n); ok {
			p.LicenseFiles = append(p.LicenseFiles, final)
		}
	}
}
