package plan

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// replace finds the files of the base that vanish because their package is
// picked in another version, or the same one with other files.
func (p *planner) replace() error {
	picked := map[python.Name]*pick{}
	for _, pk := range p.picks {
		if pk.InBase == nil {
			picked[pk.Name] = pk
		}
	}
	others := map[string]bool{} // files of packages that stay
	var old []*inspect.Distribution
	for _, d := range p.in.Base.Distributions {
		if picked[d.Name] != nil {
			old = append(old, d)
			continue
		}
		for _, path := range d.Files {
			others[path] = true
		}
	}
	if len(old) == 0 {
		return nil
	}
	for _, d := range old {
		p.vanishes(picked[d.Name], d, others)
	}
	p.vanishByteCode()
	p.base = p.in.Base.Files.Filter(func(f *files.File) bool { return !p.vanish[f.Path] })
	return nil
}

func (p *planner) vanishes(pk *pick, d *inspect.Distribution, others map[string]bool) {
	if d.Refused != "" || d.Kind == inspect.Develop || d.Editable != "" || len(d.Files) == 0 {
		p.warnf("%s: the base has %s at %s and does not say which files are its; sys.path decides", pk.label, d.Version, d.Info)
		return
	}
	p.sites = append(p.sites, d.Location)
	for _, path := range d.Files {
		at, ok := p.in.Base.Files.ResolveParent(path)
		if !ok || others[path] || others[at] {
			continue
		}
		f, ok := p.in.Base.Files.Get(at)
		if !ok || f.Mode.IsDir() {
			continue
		}
		// What the operating system put there stays, unless the package as a
		// whole is the operating system's.
		if os := p.in.Base.OS; os != nil {
			if owner := os.Owner(at); owner != nil && owner.Name != d.Owner {
				continue
			}
		}
		p.vanish[at] = true
	}
}

// vanishByteCode adds the byte code of modules that vanish: packages of the
// operating system don't list it.
func (p *planner) vanishByteCode() {
	dirs := map[string]bool{}
	for path := range p.vanish {
		if strings.HasSuffix(path, ".py") {
			dirs[dirOf(path)] = true
		}
	}
	var code []string
	for dir := range dirs {
		for f := range p.in.Base.Files.Under(join(dir, "__pycache__")) {
			module, _, _ := strings.Cut(baseOf(f.Path), ".")
			if strings.HasSuffix(f.Path, ".pyc") && p.vanish[join(dir, module+".py")] {
				code = append(code, f.Path)
			}
		}
	}
	for _, path := range code {
		p.vanish[path] = true
	}
}

// settleWhiteouts turns what vanishes into the fewest whiteouts, now that it is
// known what is laid, and takes it out of the base.
func (p *planner) settleWhiteouts() {
	p.settled = true
	for path := range p.laid {
		delete(p.vanish, path)
	}
	set := p.laidSet()
	gone := map[string]bool{}
	for _, dir := range p.emptied {
		gone[dir] = true
	}
	for path := range p.vanish {
		if !isBelow(path, gone) {
			gone[p.highest(path, set)] = true
		}
	}
	if len(gone) == 0 {
		p.base = p.in.Base.Files // replace may have hidden what is laid again
		return
	}
	for path := range gone {
		p.whiteouts = append(p.whiteouts, path)
	}
	slices.Sort(p.whiteouts)
	p.base = p.in.Base.Files.Filter(func(f *files.File) bool {
		return !gone[f.Path] && !isBelow(f.Path, gone)
	})
}

// isBelow tells whether one of dirs holds path.
func isBelow(path string, dirs map[string]bool) bool {
	for dir := dirOf(path); dir != ""; dir = dirOf(dir) {
		if dirs[dir] {
			return true
		}
	}
	return false
}

// highest returns the largest directory inside a site directory that can vanish
// with path as a whole, or path itself.
func (p *planner) highest(path string, laid files.Set) string {
	best := path
	for dir := dirOf(path); p.inSite(dir) && p.isEmptied(dir) && isEmpty(laid, dir); dir = dirOf(dir) {
		best = dir
	}
	return best
}

// inSite tells whether dir lies below a directory of sys.path that loses
// something; that directory itself is never taken away.
func (p *planner) inSite(dir string) bool {
	return slices.ContainsFunc(p.sites, func(site string) bool { return dir != site && within(dir, site) }) &&
		!slices.Contains(p.sites, dir)
}

// isEmptied tells whether the base has nothing but directories left in dir.
func (p *planner) isEmptied(dir string) bool {
	for f := range p.base.Under(dir) {
		if !f.Mode.IsDir() {
			return false
		}
	}
	return true
}

func isEmpty(s files.Set, dir string) bool {
	if _, ok := s.Get(dir); ok {
		return false
	}
	for range s.Under(dir) {
		return false
	}
	return true
}
