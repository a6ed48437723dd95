package plan

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/hints"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// hintKey names a hint: the package, and which of its hints.
type hintKey struct {
	pkg python.Name
	at  int
}

// hinted brings what hints say about new packages and about the interpreter, each
// hint once, when its condition holds.
func (n *native) hinted() (again bool, err error) {
	names := []python.Name{hints.Python}
	for _, pk := range n.picks {
		if pk.InBase == nil && pk.Name != hints.Python {
			names = append(names, pk.Name)
		}
	}
	for _, name := range names {
		for i, h := range n.in.Hints.For(name) {
			key := hintKey{name, i}
			if n.done[key] || len(h.Libraries)+len(h.Files)+len(h.Programs) == 0 {
				continue
			}
			when, holds, err := n.holds(h)
			if err != nil {
				return false, err
			}
			if !holds {
				continue
			}
			n.done[key] = true
			came, err := n.bringHint(h, when)
			if err != nil {
				return false, err
			}
			again = again || came
		}
	}
	return again, nil
}

// holds tells whether the condition of a hint holds, and by which new files.
func (n *native) holds(h hints.Hint) (when []string, ok bool, err error) {
	if len(h.When) == 0 {
		return nil, true, nil
	}
	globs, err := n.siteGlobs(h.When)
	if err != nil {
		return nil, false, err
	}
	for f := range n.laidSet().All() {
		if n.laid[f.Path].present {
			continue
		}
		if slices.ContainsFunc(globs, func(g siteGlob) bool { return g.match(f.Path) }) {
			when = append(when, f.Path)
		}
	}
	return when, len(when) > 0, nil
}

// siteGlob is a glob with a piece of text that all its matches have in them, which is
// much cheaper to look for.
type siteGlob struct {
	glob
	literal string
}

func (g siteGlob) match(path string) bool {
	return strings.Contains(path, g.literal) && g.glob.match(path)
}

// siteGlobs parses globs of hints: those without a leading slash hold below each site
// directory of the new image.
func (p *planner) siteGlobs(list []string) ([]siteGlob, error) {
	var out []siteGlob
	for _, text := range list {
		full := []string{text}
		if !strings.HasPrefix(text, "/") {
			full = nil
			for _, site := range p.siteDirs() {
				full = append(full, "/"+site+"/"+text)
			}
		}
		globs, err := parseGlobs(full)
		if err != nil {
			return nil, err
		}
		for _, g := range globs {
			out = append(out, siteGlob{g, longestLiteral(g.text)})
		}
	}
	return out, nil
}

// longestLiteral returns the longest part of a pattern without wildcards or slashes.
func longestLiteral(pattern string) string {
	best := ""
	for s := range strings.FieldsFuncSeq(pattern, func(r rune) bool { return strings.ContainsRune(`*?[]\/`, r) }) {
		if len(s) > len(best) {
			best = s
		}
	}
	if strings.ContainsAny(pattern, `[\`) {
		return "" // what stands in brackets is no text
	}
	return best
}

// siteDirs are the directories of the new image that packages lie in.
func (p *planner) siteDirs() []string {
	py := p.in.Base.Python
	var out []string
	for _, d := range append([]string{py.Purelib, py.Platlib}, py.SiteDirs...) {
		if d != "" && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// bringHint brings what a hint names, as far as the development image has it and the
// new image lacks it.
func (n *native) bringHint(h hints.Hint, when []string) (came bool, err error) {
	var paths []string
	for _, name := range h.Libraries {
		paths = append(paths, n.hintedLibraries(name, when)...)
	}
	if len(paths) == 0 && len(h.Libraries) > 0 && !h.Spare {
		n.lacksAll(h)
	}
	for _, name := range h.Programs {
		paths = append(paths, n.hintedProgram(name)...)
	}
	for _, text := range h.Files {
		list, err := n.hintedFiles(text)
		if err != nil {
			return false, err
		}
		paths = append(paths, list...)
	}
	for _, path := range paths {
		one, err := n.bringNew(path, h.Why)
		if err != nil {
			return false, err
		}
		came = came || one
	}
	return came, nil
}

// lacksAll keeps in mind that no library of a hint is in the development image. What globs
// name may be of another release, so they say nothing.
func (n *native) lacksAll(h hints.Hint) {
	if h.Package == hints.Python || slices.ContainsFunc(h.Libraries, func(name string) bool { return strings.ContainsAny(name, `*?[`) }) {
		return
	}
	n.loads.lacking = append(n.loads.lacking, lacking{h.Package, h.Why, h.Libraries})
}

// bringNew brings what path leads to. came is false if it was there already, or is
// not wanted.
func (n *native) bringNew(path, why string) (came bool, err error) {
	if n.leftOut(path) {
		return false, nil
	}
	if _, _, ok := n.base.Lookup(path); ok {
		return false, nil // what the base has is its own affair
	}
	before := len(n.laid)
	err = n.bringChain(path, Reason{Why: why})
	return len(n.laid) > before, err
}

// hintedLibraries returns where the development image has libraries of a name, or
// glob on names: where its loader looks, and beside the files that the hint is about.
func (n *native) hintedLibraries(name string, when []string) []string {
	dev := n.devSide()
	if dev == nil {
		return nil
	}
	if !strings.ContainsAny(name, `*?[`) {
		if _, ok := n.now.dlopen(name, ""); ok {
			return nil
		}
		if d, ok := dev.dlopen(name, ""); ok && d.Path != "" {
			return append(d.Variants, d.Path)
		}
	}
	dirs := dev.loader.Dirs()
	for _, path := range when {
		dirs = append(dirs, dirOf(path))
	}
	seen := map[string]bool{}
	var out []string
	for _, dir := range dirs {
		dir, ok := n.planner.dev.Resolve(dir)
		if !ok || seen[dir] {
			continue
		}
		seen[dir] = true
		for f := range n.planner.dev.Children(dir) {
			if !f.Mode.IsDir() && matchPart(name, baseOf(f.Path)) {
				out = append(out, f.Path)
			}
		}
	}
	return out
}

// programDirs are where a shell looks without a PATH of its own.
var programDirs = []string{"usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"}

// hintedProgram returns where the development image has a program.
func (n *native) hintedProgram(name string) []string {
	if n.in.Dev == nil {
		return nil
	}
	dirs := programDirs
	if py := n.in.Dev.Python; py != nil {
		dirs = append([]string{py.Scripts, dirOf(py.Path)}, dirs...)
	}
	for _, dir := range dirs {
		if f, _, ok := n.base.Lookup(join(dir, name)); ok && f.IsRegular() {
			return nil
		}
	}
	for _, dir := range dirs {
		if f, _, ok := n.planner.dev.Lookup(join(dir, name)); ok && f.IsRegular() && f.Mode&0o111 != 0 {
			return []string{join(dir, name)}
		}
	}
	return nil
}

// hintedFiles returns the files of the development image that a glob names.
func (n *native) hintedFiles(text string) ([]string, error) {
	globs, err := parseGlobs([]string{text})
	if err != nil {
		return nil, err
	}
	root := globs[0].root()
	real, ok := n.planner.dev.Resolve(root)
	if !ok {
		real = root
	}
	if real != root { // lib of a merged root
		text = "/" + real + strings.TrimPrefix(strings.TrimPrefix(text, "/"), root)
		if globs, err = parseGlobs([]string{text}); err != nil {
			return nil, err
		}
	}
	var out []string
	for f := range n.under(globs[0].root()) {
		if !f.Mode.IsDir() && globs[0].match(f.Path) && leads(n.planner.dev, f) {
			// As it was named: the links on the way come along, too.
			out = append(out, root+strings.TrimPrefix(f.Path, real))
		}
	}
	return out, nil
}

// leads tells whether f is a file, or a link to one.
func leads(set files.Set, f *files.File) bool {
	to, _, ok := set.Lookup(f.Path)
	return ok && to.IsRegular()
}
