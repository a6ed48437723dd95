package plan

import (
	"io/fs"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// The last layers, and what explain calls the owner of their files.
const (
	appName    = "application"
	mergedName = "files joined with the base's"
)

// application lays what the user adds beside packages. It wins over these: what
// stands in the user's own folder is the newer decision.
func (p *planner) application() error {
	for f := range p.in.App.All() {
		if p.excluded(f.Path) {
			continue
		}
		if f.Mode.IsDir() {
			if err := p.appDir(f); err != nil {
				return err
			}
			continue
		}
		if err := p.appFile(f, &laid{app: true, reason: Reason{Owner: appName, Why: "--app"}}); err != nil {
			return err
		}
	}
	for f := range p.in.Merged.All() {
		if err := p.appFile(f, &laid{merged: true, reason: Reason{Owner: mergedName, Why: "--user"}}); err != nil {
			return err
		}
	}
	return p.checkParents()
}

// appDir notes a directory that is to be there even if nothing is in it.
func (p *planner) appDir(f *files.File) error {
	at, err := p.settleDir(f.Path, appName)
	if err != nil {
		return err
	}
	if l := p.laid[at]; l != nil {
		return failf("leave one out with --exclude", "%s has a file %q, which is a directory of the application", l.reason.Owner, at)
	}
	p.appDirs = append(p.appDirs, moved(f, at))
	return nil
}

// appFile lays one file over whatever is laid there.
func (p *planner) appFile(f *files.File, l *laid) error {
	if err := admit(f, l.reason.Owner); err != nil {
		return err
	}
	at, err := p.settle(f.Path, l.reason.Owner)
	if err != nil {
		return err
	}
	l.file = moved(f, at)
	if old := p.laid[at]; old != nil {
		if isSame(old.file, l.file) {
			return nil
		}
		if !l.merged { // it was joined with that
			p.warnf("%s and the application have different files %q: that of the application is taken", old.reason.Owner, at)
		}
		p.drop(at)
	}
	p.lay(at, l)
	return nil
}

// drop takes a path out of every pick, so that no RECORD lists it.
func (p *planner) drop(path string) {
	for _, pk := range p.picks {
		before := len(pk.files)
		pk.files = slices.DeleteFunc(pk.files, func(f *files.File) bool { return f.Path == path })
		pk.short = pk.short || len(pk.files) < before
	}
}

// lastLayers are the application, and above it the files that a rebase makes
// anew for another base.
func (p *planner) lastLayers() []Layer {
	app, merged := p.newLayer(appName), p.newLayer(mergedName)
	app.plain, merged.plain = true, true
	for f := range p.laidSet().All() {
		switch l := p.laid[f.Path]; {
		case l.present:
		case l.app:
			app.add(l.file, l.reason)
		case l.merged:
			merged.add(l.file, l.reason)
		}
	}
	if len(app.files) == 0 {
		app.name = "working directory"
	}
	for _, d := range p.appDirs {
		app.addDir(d.Path)
	}
	var out []Layer
	for _, b := range []*builder{app, merged} {
		if len(b.files) > 0 {
			l := b.layer()
			l.Merged = b == merged
			out = append(out, l)
		}
	}
	return out
}

// MergedLayer makes the layer of files that are those of a base with something
// added, at their final paths; ok is false if there are none.
func MergedLayer(base, merged files.Set) (l Layer, ok bool) {
	p := &planner{base: base, bare: base}
	b := p.newLayer(mergedName)
	b.plain = true
	for f := range merged.All() {
		b.add(f, Reason{Owner: mergedName, Why: "--user"})
	}
	l = b.layer()
	l.Merged = true
	return l, merged.Len() > 0
}

// addDir adds a directory, and those above it, unless the base has it.
func (b *builder) addDir(dir string) {
	for ; dir != "" && !b.dirs[dir]; dir = dirOf(dir) {
		b.dirs[dir] = true
		// Whatever the base has there is a directory, or a link to one would
		// have been followed.
		if _, _, ok := b.p.bare.Lookup(dir); ok {
			continue
		}
		if b.plain {
			b.files = append(b.files, &files.File{Path: dir, Mode: fs.ModeDir | 0o755})
		} else {
			b.files = append(b.files, b.p.newDir(dir))
		}
	}
}
