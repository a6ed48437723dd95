// Package ospkg reads the databases of dpkg and apk: which packages are
// installed and which path belongs to which.
package ospkg

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Tree is what the databases are read from; paths have no leading slash.
type Tree interface {
	// ReadFile returns the content of the regular file at path, links followed.
	// ok is false if there is none or it has more than limit bytes. The content
	// is not changed and may be kept.
	ReadFile(path string, limit int64) (content []byte, ok bool)
	// List returns the names in the directory at path, sorted.
	List(path string) []string
	// Place returns the path under which the tree has the file or link that a
	// package lists as path: links in all parts but the last are followed, so
	// that lib/x is found at usr/lib/x of a merged root. ok is false if
	// nothing or a directory is there.
	Place(path string) (final string, ok bool)
}

// Format says which database a package stands in.
type Format string

// The known formats.
const (
	Dpkg       Format = "dpkg"          // var/lib/dpkg/status and info/*.list
	Distroless Format = "dpkg status.d" // one file a package in var/lib/dpkg/status.d
	Apk        Format = "apk"           // lib/apk/db/installed
)

// Package is one installed package of the operating system.
type Package struct {
	Format        Format
	Name          string
	Version       string
	Arch          string
	Source        string // source package (dpkg) or origin (apk), Name if not said
	SourceVersion string // Version if not said
	Depends       []string
	Provides      []string
	License       string   // as written, apk only
	LicenseFiles  []string // usr/share/doc/NAME/copyright, if it is in the tree
	// Stanza is the record as it stands in the database, without the blank line
	// behind it; that of apk has the list of files in it.
	Stanza []byte
	// Files are the listed paths that are in the tree, as the tree has them,
	// sorted, without directories. Databases list much that slim images lack.
	Files []string
}

// Database is what all databases of a tree say.
type Database struct {
	Packages []*Package // in order of name, then arch
	Warnings []string   // damaged records, which were passed over
	owners   map[string]*Package
}

// Bounds on the databases: some ten times the largest known (Debian with all of a
// desktop has 5,000 packages, 10 MB of status and 500,000 paths).
const (
	maxStatus   = 64 << 20
	maxList     = 16 << 20
	maxPackages = 1 << 16
	maxPaths    = 4 << 20
	maxWarnings = 100
)

// Read reads all databases in t. A tree without any gives an empty Database.
func Read(t Tree) *Database {
	d := &reader{t: t, db: &Database{owners: map[string]*Package{}}, used: map[string]bool{}}
	d.dpkg()
	d.apk("lib/apk/db/installed")
	if len(d.apkNames) == 0 {
		d.apk("usr/lib/apk/db/installed") // apk-tools 3
	}
	db := d.db
	slices.SortStableFunc(db.Packages, func(a, b *Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch))
	})
	for _, p := range db.Packages {
		slices.Sort(p.Files)
		p.Files = slices.Compact(p.Files)
		for _, f := range p.Files {
			if _, ok := db.owners[f]; !ok {
				db.owners[f] = p
			}
		}
	}
	return db
}

// Owner returns the package that owns path as the tree has it, nil if none does. Of
// several the first in order of Packages is taken.
func (d *Database) Owner(path string) *Package {
	if d == nil {
		return nil
	}
	return d.owners[path]
}

// Package returns the package of this name, nil if there is none.
func (d *Database) Package(name string) *Package {
	if d == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(d.Packages, name, func(p *Package, n string) int { return strings.Compare(p.Name, n) })
	if !ok {
		return nil
	}
	return d.Packages[i]
}

// reader collects packages of all databases.
type reader struct {
	t        Tree
	db       *Database
	paths    int             // listed so far
	used     map[string]bool // lists of dpkg
	apkNames map[string]bool
}

func (r *reader) warn(format string, a ...any) {
	if len(r.db.Warnings) < maxWarnings {
		r.db.Warnings = append(r.db.Warnings, fmt.Sprintf(format, a...))
	}
}

// add keeps a package unless it has no proper name.
func (r *reader) add(p *Package, from string) bool {
	if !isName(p.Name) || p.Version == "" {
		r.warn("%s: record without a proper name and version (%q)", from, p.Name)
		return false
	}
	if len(r.db.Packages) >= maxPackages {
		r.warn("%s: more than %d packages", from, maxPackages)
		return false
	}
	p.Source = cmp.Or(p.Source, p.Name)
	p.SourceVersion = cmp.Or(p.SourceVersion, p.Version)
	r.db.Packages = append(r.db.Packages, p)
	return true
}

// own notes a listed path, if it is there.
func (r *reader) own(p *Package, path string) {
	if r.paths++; r.paths > maxPaths {
		if r.paths == maxPaths+1 {
			r.warn("more than %d listed files: the rest is passed over", maxPaths)
		}
		return
	}
	if final, ok := r.t.Place(path); ok {
		p.Files = append(p.Files, final)
	}
}

// isName tells whether s is a package name; it becomes part of file names.
func isName(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '+', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return s != "." && s != ".."
}

// paragraphs yields what is separated by blank lines.
func paragraphs(b []byte, yield func(p []byte)) {
	for len(b) > 0 {
		for len(b) > 0 && (b[0] == '\n' || b[0] == '\r') {
			b = b[1:]
		}
		end := blankLine(b)
		if end > 0 {
			yield(b[:end:end])
		}
		b = b[end:]
	}
}

// blankLine returns where the first blank line begins, without the newline before it.
func blankLine(b []byte) int {
	for i := 0; i < len(b); i++ {
		if b[i] != '\n' {
			continue
		}
		j := i + 1
		if j < len(b) && b[j] == '\r' {
			j++
		}
		if j >= len(b) || b[j] == '\n' {
			return i
		}
	}
	return len(b)
}

func splitList(s, seps string) []string {
	var out []string
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(seps, r) }) {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}
