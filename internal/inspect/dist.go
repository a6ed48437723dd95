package inspect

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// distributions finds everything that i can import by a record, in order of name,
// then of sys.path.
func (r *reader) distributions(i *Interpreter) []*Distribution {
	s := &scan{r: r, i: i, real: map[string]bool{}}
	s.readEggLinks()
	for n, dir := range i.SysPath {
		s.dir(n, dir)
	}
	list := r.condaOnly(i, s.list)
	slices.SortStableFunc(list, func(a, b *Distribution) int {
		return cmp.Or(strings.Compare(string(a.Name), string(b.Name)), cmp.Compare(a.order, b.order), betterRecord(a, b))
	})
	for n, d := range list {
		d.Shadowed = n > 0 && list[n-1].Name == d.Name
	}
	s.list = list
	s.files()
	return list
}

// betterRecord orders two records of one project in one folder, which pip would
// never leave: the one with a list of files first, then the newer one.
func betterRecord(a, b *Distribution) int {
	score := func(d *Distribution) int {
		if d.list != nil {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(score(a), score(b)), b.Version.Compare(a.Version), strings.Compare(a.Info, b.Info))
}

// scan collects the records on one sys.path.
type scan struct {
	r    *reader
	i    *Interpreter
	list []*Distribution
	real map[string]bool // directories seen
	// links are the .egg-link files of the site directories by the real directory
	// that they point to.
	links   map[string][]string
	visited int // files that were looked at as parts of folders
}

// maxVisited bounds the work on distributions that claim whole folders, which a
// hostile image may let overlap: twice the largest number of files of an image.
const maxVisited = 4_000_000

// dir looks at one entry of sys.path.
func (s *scan) dir(order int, dir string) {
	t := s.r.t
	real, ok := t.dir(dir)
	if !ok {
		if strings.HasSuffix(dir, ".egg") {
			s.zippedEgg(order, dir)
		}
		return
	}
	if s.real[real] {
		return
	}
	s.real[real] = true
	if strings.HasSuffix(real, ".egg") && t.hasDir(real+"/EGG-INFO") {
		s.egg(order, real)
		return
	}
	links := s.links[real]
	if slices.Contains(s.i.SiteDirs, real) {
		links = nil // an egg-link to where it stands itself is no develop install
	}
	for _, name := range t.List(real) {
		p := real + "/" + name
		switch {
		case strings.HasSuffix(name, ".dist-info") && t.hasDir(p):
			s.distInfo(order, real, p)
		case strings.HasSuffix(name, ".egg-info") && t.hasDir(p):
			s.eggInfo(order, real, p, links)
		case strings.HasSuffix(name, ".egg-info"):
			s.eggFile(order, real, p)
		}
	}
}

// add completes what all kinds share and keeps the distribution. infoFile is the
// file that decides who owns the record.
func (s *scan) add(order int, d *Distribution, meta []byte, infoFile string) *Distribution {
	d.order = order
	m, err := python.ParseMetadata(meta)
	if err != nil || m.Name == "" {
		name, version := nameFromInfo(d.Info)
		d.Name, d.Version = name, version
		if d.Name == "" {
			s.r.warn("%s: no name in it", d.Info)
			return nil
		}
		d.Metadata = &python.Metadata{Name: d.Name, RawName: string(d.Name), Version: d.Version}
		if err != nil {
			d.Refused = path.Base(infoFile) + ": " + err.Error()
		}
	} else {
		d.Name, d.Version, d.Metadata = m.Name, m.Version, m
	}
	if !slices.Contains(s.i.SiteDirs, d.Location) {
		d.PathEntry = d.Location
	}
	if c := s.r.condaOwner[infoFile]; c != nil {
		d.Owner = c.Name
	} else if p := s.r.os.Owner(infoFile); p != nil {
		d.Owner = p.Name
	}
	s.list = append(s.list, d)
	return d
}

// nameFromInfo splits "acme_text-1.2-py3.11.egg-info" or "six-1.16.0.dist-info".
func nameFromInfo(info string) (python.Name, python.Version) {
	base := path.Base(info)
	if base == "EGG-INFO" {
		base = path.Base(path.Dir(info))
	}
	for _, suffix := range []string{".dist-info", ".egg-info", ".egg"} {
		base = strings.TrimSuffix(base, suffix)
	}
	parts := strings.Split(base, "-")
	name, err := python.ParseName(parts[0])
	if err != nil {
		return "", python.Version{}
	}
	var version python.Version
	if len(parts) > 1 {
		version, _ = python.ParseVersion(parts[1])
	}
	return name, version
}

// small returns the content of a small file of a record, "" if it is not there.
func (s *scan) small(p string) []byte {
	b, _ := s.r.t.ReadFile(p, maxSmall)
	return b
}

// headers returns the header block of a METADATA or PKG-INFO file.
func (s *scan) headers(p string) ([]byte, bool) {
	f, ok := s.r.t.file(p)
	if !ok {
		return nil, false
	}
	if len(f.Note) > 0 && f.Note[0] == noteHeaders {
		return f.Note[1:], true
	}
	b, err := f.ReadAll(maxMetadata)
	if err != nil {
		return nil, false
	}
	return headerBlock(b), true
}

// files fills in the list of files of each distribution. Those without a list of their own
// come last, since they get what nobody else lists.
func (s *scan) files() {
	var unlisted []*Distribution
	for _, d := range s.list {
		listed := d.Files != nil || s.fromList(d) && !s.ownerKnowsBetter(d) || s.fromOwner(d)
		if !listed && d.Refused == "" {
			unlisted = append(unlisted, d)
		}
	}
	s.overwritten()
	if len(unlisted) > 0 {
		claimed := map[string]bool{}
		for _, d := range s.list {
			for _, p := range d.Files {
				claimed[p] = true
			}
		}
		for _, d := range unlisted {
			s.fromTopLevel(d, claimed)
		}
	}
	for _, d := range s.list {
		slices.Sort(d.Files)
		if d.Kind == Develop {
			s.develop(d)
			slices.Sort(d.Files)
		}
		d.Files = slices.Compact(d.Files)
		slices.Sort(d.Missing)
		slices.Sort(d.Modified)
		d.list = nil
	}
}

// overwritten tells of files that two distributions list with different content:
// the image has the one that was installed last.
func (s *scan) overwritten() {
	by := map[string]*Distribution{}
	for _, d := range s.list {
		for _, p := range d.Modified {
			by[p] = d
		}
	}
	if len(by) == 0 {
		return
	}
	for _, d := range s.list {
		for _, p := range d.Files {
			if o := by[p]; o != nil && o != d && !slices.Contains(d.Modified, p) {
				s.r.warn("%s: of %s, overwritten by %s", p, o.Name, d.Name)
			}
		}
	}
}

// ownerKnowsBetter tells whether a RECORD that does not agree with the files is
// only out of date: conda and Debian change files after the wheel was made, and
// their own lists are right then.
func (s *scan) ownerKnowsBetter(d *Distribution) bool {
	if d.Owner == "" || d.Kind == Develop || d.Refused != "" || len(d.Missing)+len(d.Modified) == 0 {
		return false
	}
	if c := s.r.condaOwner[d.infoFile]; c != nil {
		byConda := &Distribution{}
		byConda.fromConda(c, s.r)
		if len(byConda.Missing)+len(byConda.Modified) >= len(d.Missing)+len(d.Modified) {
			return false
		}
	} else if len(d.Modified) > 0 {
		return false // dpkg and apk check nothing that is known here
	}
	d.Files, d.FilesFrom, d.Missing, d.Modified = nil, "", nil, nil
	return true
}

// fromOwner takes the files of the conda or OS package that owns the record.
func (s *scan) fromOwner(d *Distribution) bool {
	switch {
	case d.Owner == "" || d.Kind == Develop || d.Refused != "":
		return false
	case s.r.condaOwner[d.infoFile] != nil:
		d.fromConda(s.r.condaOwner[d.infoFile], s.r)
		return true
	}
	p := s.r.os.Owner(d.infoFile)
	if p == nil {
		return false
	}
	d.FilesFrom = strings.TrimSuffix(string(p.Format), " status.d")
	d.Files = slices.Clone(p.Files)
	// Debian keeps setuptools' record in python3-pkg-resources and the module in
	// python3-setuptools.
	for _, f := range s.modules(d, nil) {
		if s.r.os.Owner(f) != nil {
			d.Files = append(d.Files, f)
		}
	}
	return true
}

// under appends all files below a directory that are not directories.
func (s *scan) under(list []string, dir string, claimed map[string]bool) []string {
	for f := range s.r.img.Under(dir) {
		if s.visited++; s.visited > maxVisited {
			return list
		}
		if !f.Mode.IsDir() && !claimed[f.Path] {
			list = append(list, f.Path)
		}
	}
	return list
}

// exists returns the path of a file or link, if it is there.
func (s *scan) exists(p string) (string, bool) {
	f, ok := s.r.t.get(p)
	if !ok || f.Mode.IsDir() {
		return "", false
	}
	return f.Path, true
}

// scripts returns the launchers of the console scripts that d declares.
func (s *scan) scripts(d *Distribution, entryPoints []byte, claimed map[string]bool) []string {
	points, err := python.ParseEntryPoints(entryPoints)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range points {
		if e.Group != "console_scripts" && e.Group != "gui_scripts" || strings.Contains(e.Name, "/") {
			continue
		}
		if p, ok := s.exists(join(s.i.Scripts, e.Name)); ok && !claimed[p] {
			out = append(out, p)
		}
	}
	return out
}
