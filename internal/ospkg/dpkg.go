package ospkg

import (
	"bytes"
	"strings"
)

const dpkgDir = "var/lib/dpkg/"

// dpkg reads the status file, or the folder that distroless images have in its
// place.
func (r *reader) dpkg() {
	divert := r.diversions()
	if b, ok := r.t.ReadFile(dpkgDir+"status", maxStatus); ok {
		paragraphs(b, func(stanza []byte) {
			p, installed := parseStanza(stanza, Dpkg)
			if !installed || !r.add(p, dpkgDir+"status") {
				return
			}
			r.listed(p, r.infoList(p), divert)
			r.copyright(p)
		})
	}
	for _, name := range r.t.List(dpkgDir + "status.d") {
		if strings.HasSuffix(name, ".md5sums") {
			continue
		}
		b, ok := r.t.ReadFile(dpkgDir+"status.d/"+name, maxList)
		if !ok {
			continue
		}
		p, _ := parseStanza(bytes.Trim(b, "\r\n"), Distroless)
		if !r.add(p, dpkgDir+"status.d/"+name) {
			continue
		}
		sums, _ := r.t.ReadFile(dpkgDir+"status.d/"+name+".md5sums", maxList)
		r.lines(sums, func(line string) {
			if _, path, ok := strings.Cut(line, " "); ok {
				r.own(p, strings.TrimLeft(strings.TrimLeft(path, " *"), "./"))
			}
		})
		r.copyright(p)
	}
}

// infoList returns the list of files of a package. Each list is used once, whatever the
// status file says, so that the work is bounded by the size of the database.
func (r *reader) infoList(p *Package) []byte {
	for _, name := range []string{p.Name + ":" + p.Arch, p.Name} {
		list, ok := r.t.ReadFile(dpkgDir+"info/"+name+".list", maxList)
		if !ok {
			continue
		}
		if r.used[name] {
			r.warn("%s: %s stands in it twice", dpkgDir+"status", name)
			return nil
		}
		r.used[name] = true
		return list
	}
	return nil
}

// listed notes the files of an info/*.list. Directories are listed like files, and may
// be links in the tree (lib of a merged root): what has something below it is none of
// the package's files.
func (r *reader) listed(p *Package, list []byte, divert map[string]diversion) {
	dirs := map[string]bool{}
	r.lines(list, func(line string) {
		if i := strings.LastIndexByte(line, '/'); i > 0 {
			dirs[line[:i]] = true
		}
	})
	r.lines(list, func(line string) {
		if dirs[line] {
			return
		}
		if to, ok := divert[line]; ok && to.by != p.Name {
			line = to.path
		}
		r.own(p, strings.TrimLeft(line, "/"))
	})
}

func (r *reader) lines(b []byte, yield func(line string)) {
	for line := range bytes.Lines(b) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 && len(line) <= 4096 {
			yield(string(line))
		}
	}
}

// copyright notes the licence file that Debian's policy (12.5) wants.
func (r *reader) copyright(p *Package) {
	if final, ok := r.t.Place("usr/share/doc/" + p.Name + "/copyright"); ok {
		p.LicenseFiles = append(p.LicenseFiles, final)
	}
}

// diversion is where dpkg puts a file of any package but one.
type diversion struct{ path, by string }

// diversions reads lines by threes: path, diverted to, by which package (":" is
// the local administrator).
func (r *reader) diversions() map[string]diversion {
	b, ok := r.t.ReadFile(dpkgDir+"diversions", maxList)
	if !ok {
		return nil
	}
	out := map[string]diversion{}
	var three []string
	r.lines(b, func(line string) {
		if three = append(three, line); len(three) == 3 {
			out[three[0]] = diversion{path: three[1], by: three[2]}
			three = three[:0]
		}
	})
	return out
}

// parseStanza reads one record of deb822. installed is false for what was
// removed and left its configuration.
func parseStanza(stanza []byte, format Format) (p *Package, installed bool) {
	p = &Package{Format: format, Stanza: stanza}
	installed = format == Distroless
	for line := range bytes.Lines(stanza) {
		if line[0] == ' ' || line[0] == '\t' { // goes on with a field that is not wanted
			continue
		}
		key, rest, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(key) > 32 {
			continue
		}
		value := func() string { return string(bytes.TrimSpace(rest)) }
		switch strings.ToLower(string(key)) {
		case "package":
			p.Name = value()
		case "version":
			p.Version = value()
		case "architecture":
			p.Arch = value()
		case "status":
			f := strings.Fields(value())
			installed = len(f) == 3 && strings.HasPrefix(f[2], "installed") || len(f) == 3 && strings.HasPrefix(f[2], "triggers-")
		case "source":
			name, version, _ := strings.Cut(value(), " (")
			p.Source, p.SourceVersion = strings.TrimSpace(name), strings.TrimSuffix(version, ")")
		case "depends", "pre-depends":
			p.Depends = append(p.Depends, splitList(value(), ",")...)
		case "provides":
			p.Provides = splitList(value(), ",")
		}
	}
	if !isName(p.Arch) {
		p.Arch = ""
	}
	return p, installed
}
