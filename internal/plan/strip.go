package plan

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfstrip"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// ruleSymbols is the name of stripping in the report.
const ruleSymbols = "symbols"

// strip leaves the symbols out of each new ELF file that is not the user's own.
func (p *planner) strip() error {
	if trimLevels[p.in.Options.Trim] < trimMax {
		return nil
	}
	for f := range p.laidSet().All() {
		l := p.laid[f.Path]
		if l.present || !p.strips(l) {
			continue
		}
		small, saved, err := p.stripped(f)
		if err != nil {
			return err
		}
		if small == nil {
			continue
		}
		p.countTrimmed(owner(l), ruleSymbols, saved)
		l.file = small
		p.stale = true
		if l.by == nil {
			continue
		}
		for i, g := range l.by.files {
			if g == f {
				l.by.files[i] = small
			}
		}
	}
	// What two packages share is laid by one of them and written by both.
	for _, pk := range p.picks {
		for i, f := range pk.files {
			if l := p.laid[f.Path]; l != nil && l.file != f && l.file.Of != nil && l.file.Rewrite.Name() == elfstrip.Version {
				pk.files[i] = l.file
			}
		}
	}
	return nil
}

// willStrip returns the files of a package as they will be laid, nil if none of them
// is stripped.
func (p *planner) willStrip(list []*files.File) ([]*files.File, error) {
	if trimLevels[p.in.Options.Trim] < trimMax {
		return nil, nil
	}
	var out []*files.File
	for i, f := range list {
		small, _, err := p.stripped(f)
		if err != nil {
			return nil, err
		}
		if small == nil {
			continue
		}
		if out == nil {
			out = slices.Clone(list)
		}
		out[i] = small
	}
	return out, nil
}

// strips tells whether a file may be stripped: files that the user names stay as they
// are.
func (p *planner) strips(l *laid) bool {
	return l.by != nil || l.native || l.runtime
}

// stripped returns f without its symbols, and how many bytes these have; nil if it
// has none or has to keep them.
func (p *planner) stripped(f *files.File) (*files.File, int64, error) {
	info := elfTree{planner: p}.info(f)
	if info == nil || info.Strip == nil || p.isSealed(f) {
		return nil, 0, nil
	}
	recipe, err := elfstrip.Decode(info.Strip)
	if err != nil {
		return nil, 0, err
	}
	if recipe.Of != f.Size {
		return nil, 0, nil
	}
	g := *files.Rewritten(f, recipe, recipe.Size)
	g.Inode = f.Inode // all its names are stripped alike
	facts := *info
	facts.Strip = nil
	g.Note = facts.Encode()
	return &g, recipe.Saved(), nil
}

// isSealed tells whether something checks the content of f while it runs: the
// self-test of a cryptographic module, or the kernel.
func (p *planner) isSealed(f *files.File) bool {
	if _, ok := f.Xattrs["security.ima"]; ok {
		return true
	}
	dir, name := dirOf(f.Path), baseOf(f.Path)
	if name == "fips.so" { // its MAC stands in a configuration file
		return true
	}
	stem, _, _ := strings.Cut(name, ".so")
	for _, seal := range []string{name + ".hmac", "." + name + ".hmac", stem + ".chk"} {
		path := join(dir, seal)
		if p.laid[path] != nil {
			return true
		}
		for _, set := range []files.Set{p.dev, p.base} {
			if _, ok := set.Get(path); ok {
				return true
			}
		}
	}
	return false
}
