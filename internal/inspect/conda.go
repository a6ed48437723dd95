package inspect

import (
	"encoding/json"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// CondaPackage is one record of a conda prefix.
type CondaPackage struct {
	Name, Version, Build string
	License              string
	Depends              []string
	Prefix               string   // "opt/anaconda3"
	Record               string   // path of the conda-meta file
	Files                []string // those in the tree, sorted
	Missing              []string

	sums map[string]string // sha256 by path, dropped after Read
}

// condaRecord is the part of a conda-meta file that matters.
type condaRecord struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Build     string   `json:"build"`
	License   string   `json:"license"`
	Depends   []string `json:"depends"`
	Files     []string `json:"files"`
	PathsData struct {
		Paths []struct {
			Path           string `json:"_path"`
			SHA256         string `json:"sha256"`
			SHA256InPrefix string `json:"sha256_in_prefix"`
			Type           string `json:"path_type"`
		} `json:"paths"`
	} `json:"paths_data"`
}

// condaNote is what is kept of a record: Sums stand at the places of Files and are
// "" where there is none.
type condaNote struct {
	Name, Version, Build, License string
	Depends, Files, Sums          []string
}

// noteCondaRecord condenses a record; one that is no JSON object of this shape has no
// note and is told by Read.
func noteCondaRecord(r io.ReaderAt, size int64) ([]byte, error) {
	b, err := readHead(r, size, maxRecord)
	if err != nil {
		return nil, err
	}
	var rec condaRecord
	if json.Unmarshal(b, &rec) != nil || rec.Name == "" {
		return nil, nil
	}
	n := condaNote{Name: rec.Name, Version: rec.Version, Build: rec.Build, License: rec.License, Depends: rec.Depends}
	for _, p := range rec.PathsData.Paths {
		sum := p.SHA256InPrefix
		if sum == "" {
			sum = p.SHA256
		}
		if p.Type == "softlink" || p.Type == "directory" || p.Type == "pyc_file" {
			sum = "" // of what the link leads to, or nothing
		}
		n.Files, n.Sums = append(n.Files, p.Path), append(n.Sums, strings.ToLower(sum))
	}
	if len(n.Files) == 0 {
		n.Files, n.Sums = rec.Files, make([]string, len(rec.Files))
	}
	text, err := json.Marshal(n)
	if err != nil {
		return nil, nil
	}
	return append([]byte{noteConda}, text...), nil
}

// readConda reads the records of all conda prefixes.
func (r *reader) readConda() {
	for f := range r.img.All() {
		if !f.IsRegular() || !strings.HasSuffix(f.Path, ".json") || path.Base(path.Dir(f.Path)) != "conda-meta" {
			continue
		}
		n, ok := readCondaNote(f)
		if !ok {
			r.warn("%s: not a conda record", f.Path)
			continue
		}
		c := &CondaPackage{
			Name: n.Name, Version: n.Version, Build: n.Build, License: n.License, Depends: n.Depends,
			Prefix: strings.TrimPrefix(path.Dir(path.Dir(f.Path)), "."), Record: f.Path, sums: map[string]string{},
		}
		r.condaFiles(c, n)
		r.conda = append(r.conda, c)
	}
}

func readCondaNote(f *files.File) (n condaNote, ok bool) {
	if len(f.Note) == 0 || f.Note[0] != noteConda {
		return n, false
	}
	ok = json.Unmarshal(f.Note[1:], &n) == nil && len(n.Sums) == len(n.Files)
	return n, ok
}

// condaFiles notes the files of a record that are there. A line that leaves the
// prefix is passed over with a warning: conda never writes one.
func (r *reader) condaFiles(c *CondaPackage, n condaNote) {
	for i, p := range n.Files {
		full, ok := joinInside(c.Prefix, p)
		if !ok || !isBelow(full, c.Prefix) {
			r.warn("%s: %q lies outside the prefix", c.Record, p)
			continue
		}
		f, ok := r.t.get(full)
		switch {
		case !ok:
			if !strings.HasSuffix(full, ".pyc") {
				c.Missing = append(c.Missing, full)
			}
		case f.Mode.IsDir():
		case !isBelow(f.Path, c.Prefix):
			r.warn("%s: %q leads outside the prefix", c.Record, p)
		default:
			c.Files = append(c.Files, f.Path)
			if n.Sums[i] != "" {
				c.sums[f.Path] = n.Sums[i]
			}
			if _, taken := r.condaOwner[f.Path]; !taken {
				r.condaOwner[f.Path] = c
			}
		}
	}
	slices.Sort(c.Files)
	c.Files = slices.Compact(c.Files)
	slices.Sort(c.Missing)
}

// fromConda takes the files of d from a conda record.
func (d *Distribution) fromConda(c *CondaPackage, r *reader) {
	d.FilesFrom = "conda-meta"
	d.Files = slices.Clone(c.Files)
	d.Missing = slices.Clone(c.Missing)
	for _, p := range d.Files {
		if sum := c.sums[p]; sum != "" {
			if f, ok := r.img.Get(p); ok && f.IsRegular() && f.SHA256 != "" && f.SHA256 != sum && !strings.HasSuffix(p, ".pyc") {
				d.Modified = append(d.Modified, p)
			}
		}
	}
}

// condaOnly adds Python packages that conda knows and Python's own metadata does not.
func (r *reader) condaOnly(i *Interpreter, list []*Distribution) []*Distribution {
	known := map[string]bool{}
	for _, d := range list {
		known[d.Owner] = true
	}
	for _, c := range r.conda {
		if c.Prefix != i.Prefix || known[c.Name] || c.Name == "python" || !slices.ContainsFunc(c.Depends, isPythonDepend) {
			continue
		}
		if !slices.ContainsFunc(c.Files, func(p string) bool { return isBelow(p, i.Purelib) || isBelow(p, i.Platlib) }) {
			continue
		}
		name, err := python.ParseName(c.Name)
		version, verr := python.ParseVersion(c.Version)
		if err != nil || verr != nil {
			continue
		}
		d := &Distribution{
			Name: name, Version: version, Kind: Conda, Info: c.Record, Location: i.Purelib, Owner: c.Name, Installer: "conda",
			Metadata: &python.Metadata{Name: name, RawName: c.Name, Version: version, License: c.License},
		}
		d.fromConda(c, r)
		d.order = slices.Index(i.SysPath, i.Purelib)
		list = append(list, d)
	}
	return list
}

func isPythonDepend(s string) bool { return s == "python" || strings.HasPrefix(s, "python ") }
