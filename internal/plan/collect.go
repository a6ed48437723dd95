package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// collect finds the files of each pick and where in the base's scheme they go.
func (p *planner) collect() error {
	for _, pk := range p.picks {
		var err error
		switch {
		case pk.Installed != nil:
			err = p.collectImage(pk)
		case pk.Wheel != nil:
			err = p.collectWheel(pk)
		}
		if err != nil {
			return err
		}
		slices.SortFunc(pk.files, func(a, b *files.File) int { return cmp.Compare(a.Path, b.Path) })
	}
	return nil
}

func (p *planner) collectImage(pk *pick) error {
	d := pk.Installed
	if err := takable(pk); err != nil {
		return err
	}
	p.warnAbout(pk)
	paths := d.Files
	if d.Kind == inspect.EggInfo || d.Kind == inspect.EggFile {
		// setuptools writes it for namespace packages, not always into its list.
		pth := strings.TrimSuffix(d.Info, ".egg-info") + "-nspkg.pth"
		if !slices.Contains(paths, pth) {
			if _, ok := p.dev.Get(pth); ok {
				paths = append(slices.Clip(paths), pth)
			}
		}
	}
	shebang := p.newShebang()
	move := p.newMove(d)
	inDev := func(path string) bool { _, ok := p.dev.Get(path); return ok }
	for _, path := range paths {
		f, err := p.devFile(path)
		if err != nil {
			return failf("", "%s: %v", pk.label, err)
		}
		if f.Mode.IsDir() {
			continue // made when something is in it
		}
		if isCache(f.Path, inDev) {
			pk.short = true
			continue
		}
		p.noteModule(pk, move.path(f.Path), f.Path)
		if f, err = shebang.fix(moved(f, move.path(f.Path))); err != nil {
			return fmt.Errorf("%s: %w", pk.label, err)
		}
		if err := p.take(pk, f); err != nil {
			return err
		}
	}
	switch {
	case d.Kind == inspect.Egg:
		return p.take(pk, eggPath(pk, move))
	case d.Kind == inspect.Develop && d.PathEntry != "":
		return p.take(pk, p.treePath(pk, move))
	}
	return nil
}

// takable refuses installs whose files are not a package.
func takable(pk *pick) error {
	d := pk.Installed
	switch {
	case d.Refused != "" && d.Kind == inspect.Develop:
		return failf("build a wheel of it and install that in the development image", "%s in the development image: %s", pk.label, d.Refused)
	case d.Refused != "":
		return failf("", "%s in the development image: %s", pk.label, d.Refused)
	case len(d.Files) == 0:
		return failf("install it with pip in the development image", "%s: the development image does not say which files are its (%s)", pk.label, d.Info)
	}
	return nil
}

// warnAbout tells what is odd about an install that is taken all the same.
func (p *planner) warnAbout(pk *pick) {
	d := pk.Installed
	never := func(string) bool { return true }
	var missing []string
	for _, m := range d.Missing {
		if !isCache(m, never) {
			missing = append(missing, m)
		}
	}
	if len(missing) > 0 {
		p.warnf("%s: %s not in the development image, though its %s names %s", pk.label, some(missing), d.FilesFrom, pronoun(missing))
	}
	if d.Kind == inspect.Develop {
		p.warnf("%s is a develop install of /%s: its modules are taken from there, and nothing else of that folder", pk.label, d.Editable)
	}
	if len(d.Modified) > 0 {
		p.warnf("%s: %s not as its %s says, taken as in the development image", pk.label, some(d.Modified), d.FilesFrom)
	}
}

// some names the first of a list: "a is", "a, b and 3 more are".
func some(list []string) string {
	switch n := len(list); {
	case n == 1:
		return list[0] + " is"
	case n <= 3:
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1] + " are"
	default:
		return fmt.Sprintf("%s and %d more are", strings.Join(list[:2], ", "), n-2)
	}
}

func pronoun(list []string) string {
	if len(list) == 1 {
		return "it"
	}
	return "them"
}

// devFile returns the file at path of the development image, whose parents may
// be links.
func (p *planner) devFile(path string) (*files.File, error) {
	if f, ok := p.dev.Get(path); ok {
		return f, nil
	}
	if at, ok := p.dev.ResolveParent(path); ok {
		if f, ok := p.dev.Get(at); ok {
			return f, nil
		}
	}
	if f, _, ok := p.dev.Lookup(path); ok && f.Mode.IsDir() {
		return f, nil
	}
	return nil, fmt.Errorf("%q is not in the development image", path)
}

// eggPath is the .pth file that puts an egg on sys.path. The development image's
// easy-install.pth names all its eggs, so it can't be taken.
func eggPath(pk *pick, move move) *files.File {
	egg := move.path(pk.Installed.PathEntry)
	return newText(join(dirOf(egg), "distill-"+string(pk.Name)+".pth"), 0o644, []byte("./"+baseOf(egg)+"\n"))
}

// treePath is the .pth file that puts the source tree of a develop install on
// sys.path, in place of a line of easy-install.pth.
func (p *planner) treePath(pk *pick, move move) *files.File {
	site := p.in.Base.Python.Purelib
	return newText(join(site, "distill-"+string(pk.Name)+".pth"), 0o644, []byte("/"+move.path(pk.Installed.PathEntry)+"\n"))
}

func (p *planner) collectWheel(pk *pick) error {
	inWheel := func(path string) bool { _, ok := pk.Wheel.Files.Get(path); return ok }
	for f := range pk.Wheel.Files.All() {
		if f.Mode.IsDir() {
			continue
		}
		if isCache(f.Path, inWheel) {
			pk.short = true
			continue
		}
		p.noteModule(pk, f.Path, "")
		if err := p.take(pk, f); err != nil {
			return err
		}
	}
	return nil
}

// take adds a file to a pick.
func (p *planner) take(pk *pick, f *files.File) error {
	if p.excluded(f.Path) {
		pk.short = true
		return nil
	}
	if err := admit(f, pk.label); err != nil {
		return err
	}
	p.warnSetuid(f, pk.label)
	pk.files = append(pk.files, f)
	return nil
}

// move takes paths of one install from the scheme of the development image to
// that of the base.
type move struct{ from, to []string }

// newMove returns the identity if the base's Python looks where d is.
func (p *planner) newMove(d *inspect.Distribution) move {
	dev, base := p.in.Dev.Python, p.in.Base.Python
	site := d.Location
	if d.Kind == inspect.Egg {
		site = dirOf(d.PathEntry)
	}
	if slices.Contains(base.SiteDirs, site) || slices.Contains(base.SysPath, site) {
		return move{}
	}
	m := move{}
	add := func(from, to string) {
		if from != "" && to != "" && from != to && !slices.Contains(m.from, from) {
			m.from, m.to = append(m.from, from), append(m.to, to)
		}
	}
	// The more special one first: Data is mostly the prefix of all others. The source
	// tree of a develop install stays where it is.
	if d.Kind != inspect.Develop {
		add(site, base.Platlib)
	}
	add(dev.Platlib, base.Platlib)
	add(dev.Purelib, base.Purelib)
	add(dev.Scripts, base.Scripts)
	add(dev.Headers, base.Headers)
	add(dev.Data, base.Data)
	return m
}

func (m move) path(p string) string {
	for i, from := range m.from {
		if within(p, from) {
			return strings.TrimPrefix(m.to[i]+p[len(from):], "/")
		}
	}
	return p
}
