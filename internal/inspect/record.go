package inspect

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// fromList reads RECORD or installed-files.txt, if the distribution has one.
func (s *scan) fromList(d *Distribution) bool {
	if d.list == nil || d.Refused != "" {
		return false
	}
	var entries []python.RecordEntry
	if d.FilesFrom = path.Base(d.list.path); d.FilesFrom == "RECORD" {
		var err error
		if entries, err = python.ParseRecord(d.list.text); err != nil {
			d.Refused = "RECORD: " + err.Error()
			return true
		}
	} else {
		for line := range strings.Lines(string(d.list.text)) {
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				entries = append(entries, python.RecordEntry{Path: line, Size: -1})
			}
		}
		d.Files = s.under(nil, d.Info, nil)
	}
	roots := append(schemeRoots(d.Location), s.i.Headers)
	d.Files = slices.Grow(d.Files, len(entries))
	for _, e := range entries {
		if err := s.entry(d, e, roots); err != nil {
			d.Refused = d.FilesFrom + ": " + err.Error()
			d.Files = nil
			return true
		}
	}
	return true
}

// entry checks one line of a list. A line outside the installation scheme is an error, even
// if it only gets there by a symbolic link: else it could name /etc/shadow.
func (s *scan) entry(d *Distribution, e python.RecordEntry, roots []string) error {
	name := e.Path
	if len(roots) == 2 && roots[0] == d.Location {
		// pip install --target records scripts and data as ../../bin/x of the scheme that
		// it installs to at first, and moves them into the target.
		if rest, ok := strings.CutPrefix(name, "../../"); ok && !strings.HasPrefix(rest, "..") {
			name = rest
		}
	}
	p, ok := joinInside(d.list.base, name)
	if !ok || !inRoots(p, roots) {
		return fmt.Errorf("%q lies outside the installation scheme", e.Path)
	}
	f, ok := s.r.t.get(p)
	switch {
	case !ok:
		if !strings.HasSuffix(p, ".pyc") {
			d.Missing = append(d.Missing, p)
		}
		return nil
	case f.Mode.IsDir():
		return nil
	case !inRoots(f.Path, roots):
		return fmt.Errorf("%q leads outside the installation scheme, to %q", e.Path, f.Path)
	}
	d.Files = append(d.Files, f.Path)
	if !f.IsRegular() || strings.HasSuffix(p, ".pyc") || f.Path == d.list.path {
		return nil
	}
	sized := e.Size >= 0 && e.Size != f.Size
	hashed := e.Algorithm == "sha256" && f.SHA256 != "" && e.Digest != f.SHA256
	if sized || hashed {
		d.Modified = append(d.Modified, f.Path)
	}
	return nil
}

// joinInside joins a listed path to the directory it is relative to. ok is false for
// what would leave the root, and for names that no file has.
func joinInside(dir, name string) (string, bool) {
	if name == "" || strings.ContainsRune(name, 0) {
		return "", false
	}
	if strings.HasPrefix(name, "/") {
		dir = ""
	} else if dir != "" && isPlain(name) {
		return dir + "/" + name, true
	}
	var parts []string
	if dir != "" {
		parts = strings.Split(dir, "/")
	}
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			if len(parts) == 0 {
				return "", false
			}
			parts = parts[:len(parts)-1]
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/"), len(parts) > 0
}

// isPlain tells whether a relative name is clean and stays below where it starts, as
// nearly all lines of a RECORD do.
func isPlain(name string) bool {
	afterSlash := true
	for i := range len(name) {
		c := name[i]
		if afterSlash && (c == '.' || c == '/') {
			return false
		}
		afterSlash = c == '/'
	}
	return !afterSlash
}

// schemeRoots are the directories that an installer may write to for packages in
// location: the prefix of PREFIX/lib/python3.N/site-packages (scripts go to bin, data
// below the prefix), and for any other directory (pip's --target, a source
// folder) only that.
func schemeRoots(location string) []string {
	lib := path.Dir(path.Dir(location))
	prefix := path.Dir(lib)
	isPackages := strings.HasSuffix(path.Base(location), "-packages") && strings.HasPrefix(path.Base(path.Dir(location)), "python")
	if !isPackages || !strings.HasPrefix(path.Base(lib), "lib") {
		return []string{location}
	}
	if prefix == "." { // a prefix of "/" must not open the whole root
		return []string{location, "bin", "share", "include"}
	}
	return []string{prefix}
}

func inRoots(p string, roots []string) bool {
	for _, r := range roots {
		if isBelow(p, r) {
			return true
		}
	}
	return false
}
