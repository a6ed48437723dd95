package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/pysource"
)

// Caches are left behind whatever --trim says: byte code that is stale as soon as
// the epoch becomes the time of its source, and what test and lint tools keep.

var cacheDirs = []string{"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}

// isCache tells whether path is a cache. has tells whether the package has
// another path: byte code without its source is code, not cache.
func isCache(path string, has func(string) bool) bool {
	for part := range strings.SplitSeq(dirOf(path), "/") {
		for _, c := range cacheDirs {
			if part == c {
				return true
			}
		}
	}
	for _, ext := range []string{".pyc", ".pyo"} {
		if module, ok := strings.CutSuffix(path, ext); ok {
			return has(module + ".py")
		}
	}
	return false
}

// trim leaves out of each pick what the rules of its level match, unless the user
// or a hint wants it, or a module that stays imports it.
func (p *planner) trim() error {
	level := trimLevels[p.in.Options.Trim]
	if level == trimNone || p.in.Base.Python == nil { // without one there is nothing to lay either
		return nil
	}
	t := newTrimmer(p, level)
	all := make([]*trimPick, 0, len(p.picks))
	for _, pk := range p.picks {
		if pk.InBase != nil {
			continue
		}
		c, err := t.candidates(pk)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	t.spare(all)
	for _, c := range all {
		p.cut(c)
	}
	return nil
}

// cut takes the candidates out of their pick and counts them.
func (p *planner) cut(c *trimPick) {
	if len(c.rule) == 0 {
		return
	}
	pk := c.pick
	pk.files = slices.DeleteFunc(pk.files, func(f *files.File) bool {
		rule, ok := c.rule[f]
		if ok {
			p.countTrimmed(pk.label, rule, f.Size)
		}
		return ok
	})
	pk.short = true
}

// countTrimmed adds one file to the report.
func (p *planner) countTrimmed(owner, rule string, size int64) {
	i, ok := slices.BinarySearchFunc(p.trimmed, Trimmed{Owner: owner, Rule: rule}, func(a, b Trimmed) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(a.Rule, b.Rule))
	})
	if !ok {
		p.trimmed = slices.Insert(p.trimmed, i, Trimmed{Owner: owner, Rule: rule})
	}
	p.trimmed[i].Files++
	p.trimmed[i].Bytes += size
}

// trimmer knows what trimming needs beside the rules.
type trimmer struct {
	*planner
	level int
	sites []string // directories of sys.path in the new image, longer ones first
}

func newTrimmer(p *planner, level int) *trimmer {
	base := p.in.Base.Python
	t := &trimmer{planner: p, level: level}
	t.sites = slices.Concat(base.SiteDirs, []string{base.Purelib, base.Platlib})
	for _, pk := range p.picks {
		if pk.Installed != nil && pk.Installed.PathEntry != "" {
			t.sites = append(t.sites, pk.Installed.PathEntry, p.newMove(pk.Installed).path(pk.Installed.PathEntry))
		}
	}
	t.sites = slices.DeleteFunc(t.sites, func(s string) bool { return s == "" })
	slices.SortFunc(t.sites, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	t.sites = slices.Compact(t.sites)
	return t
}

// trimPick is what rules match of one pick.
type trimPick struct {
	pick *pick
	keys map[*files.File]string // as rules see it
	rule map[*files.File]string // by which it would go
}

// candidates asks the rules about each file of a pick.
func (t *trimmer) candidates(pk *pick) (*trimPick, error) {
	var keep []string
	for _, h := range t.in.Hints.For(pk.Name) {
		keep = append(keep, h.Keep...)
	}
	spared, err := parseGlobs(keep)
	if err != nil {
		return nil, err
	}
	c := &trimPick{pick: pk, keys: make(map[*files.File]string, len(pk.files)), rule: map[*files.File]string{}}
	list, of := t.look(pk)
	for i := range list {
		f, file := &list[i], pk.files[i]
		c.keys[file] = f.key()
		if isLicence(f.name) || slices.ContainsFunc(f.dirs, isLicence) || isMetadata(f.dirs) || slices.ContainsFunc(t.wanted, func(g glob) bool { return g.match(file.Path) }) {
			continue
		}
		if f.site && slices.ContainsFunc(spared, func(g glob) bool { return g.match(f.key()) }) {
			continue
		}
		for _, r := range trimRules {
			if r.level <= t.level && r.match(f) {
				c.rule[file] = r.name
				break
			}
		}
	}
	if of.allTests(list) {
		for file, rule := range c.rule {
			if rule == "tests" {
				delete(c.rule, file)
			}
		}
	}
	return c, nil
}

// MayMiss tells whether a package works without a file that its list names and the
// development image lacks: somebody has trimmed that by hand.
func MayMiss(path string) bool {
	f := trimFile{dirs: strings.Split(dirOf(path), "/"), name: baseOf(path), site: true, of: &trimPackage{native: true}}
	if isMetadata(f.dirs) {
		return false
	}
	if f.in(testDirs...) {
		return true
	}
	return slices.ContainsFunc(trimRules, func(r trimRule) bool { return r.level == trimSafe && r.match(&f) })
}

// isMetadata tells whether a file is part of the record of a package.
func isMetadata(dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool {
		return strings.HasSuffix(d, ".dist-info") || strings.HasSuffix(d, ".egg-info") || d == "EGG-INFO"
	})
}

// look shows the files of a pick as rules see them.
func (t *trimmer) look(pk *pick) ([]trimFile, *trimPackage) {
	of := &trimPackage{files: map[string]bool{}, tests: map[string]bool{}, modules: map[string]bool{}, newest: map[string]string{}}
	list := make([]trimFile, len(pk.files))
	for i, file := range pk.files {
		f := &list[i]
		*f = t.trimFile(file)
		f.of = of
		of.files[f.key()] = true
		of.native = of.native || f.site && len(file.Note) > 0 && file.Note[0] == elfNote
		of.known = of.known || len(file.Note) > 0 && file.Note[0] == sourceNote
		if name, date := f.service(); date > of.newest[name] {
			of.newest[name] = date
		}
		if f.name == "__init__.py" {
			of.modules[f.dir()] = true
			of.lazy = of.lazy || t.importsLazyLoader(file)
		}
		if !f.site || !namesTest(f.name) {
			continue
		}
		for k := len(f.dirs); k > 0; k-- { // the innermost of such names
			if slices.Contains(testDirs, f.dirs[k-1]) {
				of.tests[strings.Join(f.dirs[:k], "/")] = true
				break
			}
		}
	}
	return list, of
}

// importsLazyLoader tells whether a package reads its __init__.pyi when it runs.
func (t *trimmer) importsLazyLoader(f *files.File) bool {
	facts := t.source(f)
	return facts != nil && slices.ContainsFunc(facts.Imports, func(i pysource.Import) bool {
		return strings.HasSuffix(i.Module, "lazy_loader") || slices.Contains(i.Names, "lazy_loader")
	})
}

// trimFile splits a path; byte code is shown as its source.
func (t *trimmer) trimFile(file *files.File) trimFile {
	f := trimFile{name: baseOf(file.Path)}
	dir := dirOf(file.Path)
	for _, s := range t.sites {
		if within(dir, s) {
			dir, f.site = strings.Trim(dir[len(s):], "/"), true
			break
		}
	}
	if dir != "" {
		f.dirs = strings.Split(dir, "/")
	}
	if n := len(f.dirs); n > 0 && f.dirs[n-1] == "__pycache__" && strings.HasSuffix(f.name, ".pyc") {
		f.dirs = f.dirs[:n-1]
		f.name, _, _ = strings.Cut(f.name, ".")
		f.name += ".py"
	}
	return f
}

// allTests tells whether a package has no module that is no test: then tests are
// what it is for.
func (of *trimPackage) allTests(list []trimFile) bool {
	for i := range list {
		f := &list[i]
		if f.site && (f.ends(".py", ".so")) && !isTest(f) && !isMetadata(f.dirs) {
			return false
		}
	}
	return true
}
