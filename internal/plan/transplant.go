package plan

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// Transplant is the question whether layers that were planned for one base can
// stand on another one as they are.
type Transplant struct {
	Platform string
	// Old and New are the whole images with the layers in them; New as it would be.
	Old, New         *inspect.Environment
	OldBase, NewBase files.Set
	// Added is what the layers hold, with the directories that they bring.
	Added  files.Set
	InBase []string // packages that are used and that the base brings: "six 1.16.0"
}

// maxTroubles bounds what one error tells.
const maxTroubles = 8

// Check tells what on the new base would not be as it was planned: an *Error that
// names each with need and have, or nil. What was wrong on the old base already
// is not held against the new one. Warnings are differences that need not matter.
func (t *Transplant) Check() (warnings []string, err error) {
	c := &transplant{Transplant: t}
	c.python()
	if len(c.troubles) == 0 { // else all that follows would only say it again
		c.paths()
		c.scripts()
		c.distributions()
		c.native()
	}
	if c.err != nil {
		return nil, c.err
	}
	if len(c.troubles) == 0 {
		return c.warnings, nil
	}
	text := c.troubles
	if n := len(text) - maxTroubles; n > 0 {
		text = append(slices.Clone(text[:maxTroubles]), fmt.Sprintf("and %d more", n))
	}
	return nil, failf("the application has to be built for this base: distill --from IMAGE --onto BASE", "%s: %s", t.Platform, strings.Join(text, "\n  "))
}

type transplant struct {
	*Transplant
	troubles []string
	warnings []string
	err      error
}

// trouble says a thing once, however many files it is about.
func (c *transplant) trouble(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(c.troubles, text) {
		c.troubles = append(c.troubles, text)
	}
}

// python compares the interpreters.
func (c *transplant) python() {
	old, now := c.Old.Python, c.New.Python
	switch {
	case old == nil:
		return
	case now == nil:
		c.trouble("the application needs %s, the new base has no Python", pythonOf(old))
		return
	}
	for _, x := range []struct{ what, need, have string }{
		{"", pythonOf(old), pythonOf(now)},
		{"ABI ", old.ABI, now.ABI},
		{"processor ", old.Arch, now.Arch},
		{"C library ", old.Libc.Family, now.Libc.Family},
	} {
		if x.need != x.have {
			c.trouble("the application is made for %s%s, the new base has %s", x.what, x.need, x.have)
			return
		}
	}
	// musl has no symbol versions that could tell what is needed.
	if old.Libc.Family == "musl" && old.LibcVersion != "" && now.LibcVersion != "" && elfdeps.CompareNumbers(now.LibcVersion, old.LibcVersion) < 0 {
		c.trouble("the application was planned for musl %s, the new base has %s", old.LibcVersion, now.LibcVersion)
	}
}

// paths finds what the layers would hide of the new base, or what of it would
// be in their way.
func (c *transplant) paths() {
	dirs := map[string]bool{} // looked at
	for f := range c.Added.All() {
		if !c.parents(f, dirs) {
			continue
		}
		now, there := c.NewBase.Get(f.Path)
		if f.Mode.IsDir() {
			c.directory(f, now)
			continue
		}
		if isDir(c.NewBase, f.Path, now) {
			c.trouble("%q is a file of the application and a directory in the new base", f.Path)
			continue
		}
		if there && !c.mayHide(f, now) {
			continue
		}
		if f.IsSymlink() {
			c.link(f)
		}
	}
}

// parents tells whether the way to f is made of directories in the new base too: a
// layer's entry does not follow links.
func (c *transplant) parents(f *files.File, dirs map[string]bool) bool {
	for dir := dirOf(f.Path); dir != ""; dir = dirOf(dir) {
		fine, seen := dirs[dir]
		if seen && !fine {
			return false
		}
		if seen {
			continue
		}
		now, there := c.NewBase.Get(dir)
		dirs[dir] = !there || now.Mode.IsDir()
		if !dirs[dir] {
			what := "file"
			if now.IsSymlink() {
				what = fmt.Sprintf("link to %q", now.Link)
			}
			c.trouble("%q is a directory that the application has files in, and a %s in the new base", dir, what)
			return false
		}
	}
	return true
}

// directory compares a directory that a layer brings with that of the new base.
func (c *transplant) directory(f, now *files.File) {
	switch {
	case now == nil:
	case !now.Mode.IsDir():
		c.trouble("%q is a directory of the application, and none in the new base", f.Path)
	case now.Mode != f.Mode || now.UID != f.UID || now.GID != f.GID:
		c.warnings = append(c.warnings, fmt.Sprintf("directory %q gets the mode and owner that it had on the old base", f.Path))
	}
}

// mayHide tells whether a file of the layers may stand where the new base has now:
// they are the same, or the old base had the same, so that the plan meant it.
func (c *transplant) mayHide(f, now *files.File) bool {
	same, err := sameContent(f, now)
	if err == nil && !same {
		if old, ok := c.OldBase.Get(f.Path); ok {
			same, err = sameContent(old, now)
		}
	}
	if err != nil {
		c.err = err
		return false
	}
	if !same {
		owner := ownerIn(c.New, f.Path)
		if owner != "" {
			owner = " of " + owner
		}
		c.trouble("%q%s would hide a file of the new base that the old base had not, or had in another version", f.Path, owner)
	}
	return same
}

// link finds links that led somewhere and do no longer.
func (c *transplant) link(f *files.File) {
	if _, _, ok := c.Old.Files.Lookup(f.Path); !ok {
		return
	}
	if _, _, ok := c.New.Files.Lookup(f.Path); !ok {
		c.trouble("link %q leads to %q, which the new base has not", f.Path, f.Link)
	}
}

// sameContent compares two files of which the digest of one may not be known.
func sameContent(a, b *files.File) (bool, error) {
	switch {
	case a.Mode.Type() != b.Mode.Type() || a.Size != b.Size || a.Link != b.Link:
		return false, nil
	case !a.IsRegular() || a.Size == 0:
		return true, nil
	case a.SHA256 != "" && b.SHA256 != "":
		return a.SHA256 == b.SHA256, nil
	}
	x, err := a.Open()
	if err != nil {
		return false, err
	}
	defer x.Close()
	y, err := b.Open()
	if err != nil {
		return false, err
	}
	defer y.Close()
	return equalReaders(x, y)
}

func equalReaders(x, y io.Reader) (bool, error) {
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(x, a)
		m, err2 := io.ReadFull(y, b)
		if n != m || string(a[:n]) != string(b[:m]) {
			return false, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return true, nil
		}
		if err = cmp.Or(err, err2); err != nil {
			return false, err
		}
	}
}

// scripts finds scripts whose interpreter the new base has not.
func (c *transplant) scripts() {
	for f := range c.Added.All() {
		if len(f.Note) < 2 || f.Note[0] != '#' || f.Note[1] != '!' {
			continue
		}
		line, _, _ := strings.Cut(string(f.Note[2:]), "\n")
		words := strings.Fields(line)
		if len(words) == 0 || !strings.HasPrefix(words[0], "/") {
			continue
		}
		if _, _, ok := c.Old.Files.Lookup(words[0]); !ok {
			continue
		}
		if _, _, ok := c.New.Files.Lookup(words[0]); !ok {
			c.trouble("script %q starts %s, which the new base has not", f.Path, words[0])
		}
	}
}

// distributions finds packages that Python would no longer find, or twice.
func (c *transplant) distributions() {
	if c.Old.Python == nil || c.New.Python == nil {
		return
	}
	first := map[string]*inspect.Distribution{}
	for _, d := range c.New.Distributions {
		if first[string(d.Name)] == nil {
			first[string(d.Name)] = d
		}
	}
	seen := map[string]bool{}
	for _, d := range c.Old.Distributions {
		if seen[string(d.Name)] {
			continue
		}
		seen[string(d.Name)] = true
		if !c.adds(d.Info) {
			continue
		}
		switch now := first[string(d.Name)]; {
		case now == nil:
			c.trouble("%s %s lies in /%s, where the new base's Python does not look", d.Name, d.Version, d.Location)
		case now.Info != d.Info:
			c.trouble("the application has %s %s, but the new base's Python finds %s in /%s first", d.Name, d.Version, now.Version, now.Location)
		}
	}
	c.twice()
	for _, want := range c.InBase {
		name, version, _ := strings.Cut(want, " ")
		switch now := first[name]; {
		case now == nil:
			c.trouble("the application uses %s of the base, and the new base has none", want)
		case now.Version.String() != version:
			c.warnings = append(c.warnings, fmt.Sprintf("the application uses %s of the base, the new base has %s", want, now.Version))
		}
	}
}

// adds tells whether a record is in the layers.
func (c *transplant) adds(info string) bool {
	if _, ok := c.Added.Get(info); ok {
		return true
	}
	for range c.Added.Under(info) {
		return true
	}
	return false
}

// twice finds packages of the application that the new base has as well, where the old
// base had none, or had it where the plan took it away: a whiteout names files of that
// version.
func (c *transplant) twice() {
	own, known := map[string]string{}, map[string]bool{}
	before, now := map[string]int{}, map[string]int{}
	for _, d := range c.Old.Distributions {
		before[string(d.Name)]++
		known[d.Info] = true
		if own[string(d.Name)] == "" && c.adds(d.Info) {
			own[string(d.Name)] = d.Version.String()
		}
	}
	for _, d := range c.New.Distributions {
		now[string(d.Name)]++
	}
	for _, d := range c.New.Distributions {
		name := string(d.Name)
		if own[name] != "" && now[name] > before[name] && !known[d.Info] && !c.adds(d.Info) {
			c.trouble("the new base has %s %s in /%s, beside the application's %s: the old base had none, or another one that was taken away",
				name, d.Version, d.Location, own[name])
		}
	}
}

// native compares what the loaders of both images find.
func (c *transplant) native() {
	if c.Old.Python == nil || c.New.Python == nil {
		return
	}
	known := map[string]bool{}
	for _, g := range c.gaps(c.Old) {
		known[g.key] = true
	}
	for _, g := range c.gaps(c.New) {
		if !known[g.key] {
			c.trouble("%s", g.text)
		}
	}
}

// nativeGap is something that a file needs and the loader does not find.
type nativeGap struct{ key, text string }

func (c *transplant) gaps(e *inspect.Environment) []nativeGap {
	tree := elfTree{planner: &planner{infos: map[*files.File]*elfdeps.Info{}}, set: e.Files}
	options := elfdeps.LoaderOptions{LibraryPath: e.LibraryPath}
	main := tree.ELF(e.Python.Path)
	var libraries []string
	out := c.relr(tree, e)
	for f := range c.Added.All() {
		i := tree.info(f)
		at, ok := e.Files.Get(f.Path)
		if i == nil || !i.Dynamic || !ok || !at.IsRegular() || main != nil && (i.Machine != main.Machine || i.Class != main.Class) {
			continue
		}
		switch {
		case !i.IsProgram():
			libraries = append(libraries, f.Path)
		case i.Interp != "":
			out = append(out, c.programGaps(tree, f.Path, i, options)...)
		}
	}
	if len(libraries) == 0 {
		return out
	}
	loader, err := elfdeps.NewLoader(tree, e.Python.Loader, options)
	if err != nil {
		return append(out, nativeGap{e.Python.Loader, fmt.Sprintf("the Python %s: %v", e.Python.Path, err)})
	}
	mainPath := e.Python.Path
	if main == nil || !main.Dynamic {
		mainPath = ""
	}
	closure, err := loader.Closure(libraries, mainPath)
	if err != nil {
		return append(out, nativeGap{"closure", err.Error()})
	}
	return append(out, closureGaps(tree, loader, closure)...)
}

func (c *transplant) programGaps(tree elfTree, path string, i *elfdeps.Info, options elfdeps.LoaderOptions) []nativeGap {
	loader, err := elfdeps.NewLoader(tree, i.Interp, options)
	if err != nil {
		return []nativeGap{{path + " " + i.Interp, fmt.Sprintf("program %q can't run: %v", path, err)}}
	}
	closure, err := loader.Closure(nil, path)
	if err != nil {
		return []nativeGap{{path, fmt.Sprintf("program %q: %v", path, err)}}
	}
	return closureGaps(tree, loader, closure)
}

func closureGaps(tree elfTree, loader *elfdeps.Loader, closure *elfdeps.Closure) []nativeGap {
	found := map[need]string{} // in some process
	for _, o := range closure.Objects {
		for _, d := range o.Needs {
			if !d.IsMissing() {
				found[need{o.Real, d.Name}] = d.Real
			}
		}
	}
	var out []nativeGap
	for _, o := range closure.Objects {
		for _, d := range o.Needs {
			if _, ok := found[need{o.Real, d.Name}]; !ok && d.Provider == "" {
				out = append(out, nativeGap{o.Real + " " + d.Name, fmt.Sprintf("%q needs %s, which the new base has not%s", o.Real, d.Name, problem(d))})
			}
		}
		if loader.Family() == "musl" {
			continue
		}
		for _, g := range elfdeps.Gaps(o.Path, o.Info, func(name string) *elfdeps.Info { return tree.ELF(found[need{o.Real, name}]) }) {
			out = append(out, nativeGap{o.Real + " " + g.Lib + " " + g.Need,
				fmt.Sprintf("%q needs %s of %s, the new base has %s", o.Real, g.Need, g.Lib, cmp.Or(g.Have, "no such version"))})
		}
	}
	return out
}

// relr finds relocations that musl passes over before 1.2.4.
func (c *transplant) relr(tree elfTree, e *inspect.Environment) []nativeGap {
	version := e.Python.LibcVersion
	if e.Python.Libc.Family != "musl" || version == "" || elfdeps.CompareNumbers(version, "1.2.4") >= 0 {
		return nil
	}
	var out []nativeGap
	for f := range c.Added.All() {
		if i := tree.info(f); i != nil && i.Relr {
			out = append(out, nativeGap{f.Path + " relr", fmt.Sprintf("%q needs a musl that knows DT_RELR (1.2.4), the new base has %s", f.Path, version)})
		}
	}
	return out
}
