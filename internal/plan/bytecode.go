package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/bytecode"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// Byte code of the development image comes along beside its source, made valid for
// the one time that all files of a layer have, see docs/decisions/0053-bytecode.md. What
// is laid of it follows from the modules that are laid, not from lists of files: these
// may leave it out.

// Uncompiled is a module for which there is no byte code.
type Uncompiled struct {
	Owner  string // of the module: "numpy 1.26.4"
	Source *files.File
	Path   string // where its byte code would be, see [Input.Code]
}

// noteModule remembers a file of a pick, with its path in the base's scheme and in the
// development image, if Python may import it: scripts and data are not compiled.
func (p *planner) noteModule(pk *pick, path, dev string) {
	if !strings.HasSuffix(path, ".py") || !p.isImported(path, pk) {
		return
	}
	if pk.modules == nil {
		pk.modules = map[string]string{}
	}
	pk.modules[path] = dev
}

// isImported tells whether path lies where Python looks for modules.
func (p *planner) isImported(path string, pk *pick) bool {
	base := p.in.Base.Python
	for _, list := range [][]string{base.SiteDirs, base.SysPath, {base.Purelib, base.Platlib}} {
		for _, dir := range list {
			if dir != "" && within(path, dir) {
				return true
			}
		}
	}
	return pk.Installed != nil && pk.Installed.PathEntry != "" && within(path, p.newMove(pk.Installed).path(pk.Installed.PathEntry))
}

// byteCode adds the byte code of each pick's modules to its files.
func (p *planner) byteCode() error {
	tag := p.cacheTag()
	if p.in.Options.NoByteCode || tag == "" {
		return nil
	}
	for _, pk := range p.picks {
		if pk.InBase != nil {
			continue
		}
		if err := p.codeOfPick(pk, tag); err != nil {
			return err
		}
	}
	p.warnStale()
	return p.codeOfApp(tag)
}

// codeOfApp lays what was compiled for the application's modules, wherever they are.
func (p *planner) codeOfApp(tag string) error {
	for src := range p.laidSet().All() { // as it is before code is laid
		if !p.laid[src.Path].app || !src.IsRegular() {
			continue
		}
		name := bytecode.Name(baseOf(src.Path), tag)
		if name == "" {
			continue
		}
		at, err := p.settle(join(dirOf(src.Path), name), appName)
		if err != nil {
			return err
		}
		if p.laid[at] != nil {
			continue
		}
		if code := p.codeFrom("", src, at, appName); code != nil {
			p.lay(at, &laid{file: code, app: true, reason: Reason{Owner: appName, Why: "--compile"}})
		}
	}
	return nil
}

func (p *planner) codeOfPick(pk *pick, tag string) error {
	from := make(map[string]string, len(pk.modules))
	for path, dev := range pk.modules {
		at, err := p.settle(path, pk.label)
		if err != nil {
			return err
		}
		from[at] = dev
	}
	before := len(pk.files)
	for _, src := range pk.files[:before] {
		dev, ok := from[src.Path]
		if !ok {
			continue
		}
		at, err := p.settle(join(dirOf(src.Path), bytecode.Name(baseOf(src.Path), tag)), pk.label)
		if err != nil {
			return err
		}
		code := p.codeFrom(dev, src, at, pk.label)
		if code == nil {
			continue
		}
		switch l := p.laid[at]; {
		case l == nil:
			p.lay(at, &laid{file: code, by: pk, reason: Reason{Owner: pk.label, Why: pk.Why}})
		case l.by == nil: // the application's
			continue
		default: // of another pick with the same source, or that would not be here
			code = l.file
		}
		pk.files = append(pk.files, code)
	}
	if len(pk.files) > before {
		pk.short = true // RECORD of a wheel does not list it
		slices.SortFunc(pk.files, func(a, b *files.File) int { return cmp.Compare(a.Path, b.Path) })
	}
	return nil
}

// codeFrom returns the byte code of the module file src for the path at: that of the module
// at dev of the development image, if it is valid, else what was compiled for it; nil if
// there is none, or the user does not want it.
func (p *planner) codeFrom(dev string, src *files.File, at, owner string) *files.File {
	if p.excluded(at) {
		return nil
	}
	if code, stale := p.codeInDev(dev); stale {
		p.staleCode[owner]++
	} else if code != nil {
		return beside(src, code, at)
	}
	if code, ok := p.in.Code.Get(at); ok {
		return beside(src, code, at)
	}
	p.uncompiled = append(p.uncompiled, Uncompiled{Owner: owner, Source: src, Path: at})
	return nil
}

// codeInDev returns the byte code that the development image has for the module at path,
// made valid. stale tells that there is some that its Python would not take.
func (p *planner) codeInDev(path string) (code *files.File, stale bool) {
	if path == "" || p.in.Dev == nil || p.in.Dev.Python == nil {
		return nil, false
	}
	name := bytecode.Name(baseOf(path), p.cacheTag())
	code, ok := p.dev.Get(join(dirOf(path), name))
	if name == "" || !ok || !code.IsRegular() {
		return nil, false
	}
	h, ok := inspect.ByteCode(code)
	if magic, known := p.magic(); !ok || known && h.Magic != magic {
		return nil, true
	}
	src, _, ok := p.dev.Lookup(path) // the module may be a link
	if !ok || !h.IsOf(src.ModTime, src.Size) {
		return nil, true
	}
	return files.Rewritten(code, bytecode.Unchecked, code.Size), false
}

// includeCode lays the byte code of a file that --include takes from the development image:
// of a module beside it, or of byte code itself what it is made valid as. isCode tells that f
// is byte code, which does not come along as it is.
func (p *planner) includeCode(f *files.File, why Reason) (isCode bool, err error) {
	src, dir := f.Path, dirOf(f.Path)
	tag := p.cacheTag()
	if isCode = strings.HasSuffix(src, ".pyc") && baseOf(dir) == bytecode.Dir; isCode {
		module, _ := strings.CutSuffix(baseOf(src), "."+tag+".pyc")
		src = join(dirOf(dir), module+".py")
	}
	name := bytecode.Name(baseOf(src), tag)
	if p.in.Options.NoByteCode || tag == "" || name == "" {
		return isCode, nil
	}
	at := join(dirOf(src), name)
	code, stale := p.codeInDev(src)
	if stale {
		p.staleCode["included files"]++
	}
	if code == nil || p.excluded(at) {
		return isCode, nil
	}
	module, _, _ := p.dev.Lookup(src)
	return isCode, p.bring(beside(module, code, at), why, false)
}

// beside returns code as a file at path that whoever can read src can read.
func beside(src, code *files.File, path string) *files.File {
	c := *code
	c.Path, c.Inode, c.Xattrs = path, 0, nil
	c.UID, c.GID, c.Mode = src.UID, src.GID, 0o644
	if src.IsRegular() {
		c.Mode = src.Mode.Perm() &^ 0o111
	}
	return &c
}

// cacheTag is the sys.implementation.cache_tag of the new image's Python, "" if there is none
// or nothing is known of its byte code.
func (p *planner) cacheTag() string {
	major, minor, ok := p.minor()
	if !ok {
		return ""
	}
	return bytecode.Tag(major, minor)
}

func (p *planner) magic() (uint16, bool) {
	major, minor, ok := p.minor()
	if !ok {
		return 0, false
	}
	return bytecode.Magic(major, minor)
}

// minor is the version of the new image's Python if that is a CPython with the byte code of
// PEP 552.
func (p *planner) minor() (major, minor int, ok bool) {
	py := p.in.Base.Python
	if py == nil || py.Implementation != "cpython" {
		return 0, 0, false
	}
	r := py.Version.Release()
	if len(r) < 2 || r[0] != 3 || r[1] < 7 {
		return 0, 0, false
	}
	return int(r[0]), int(r[1]), true
}

// warnStale tells what byte code is left behind because no Python would take it.
func (p *planner) warnStale() {
	if len(p.staleCode) == 0 {
		return
	}
	n, most, count := 0, "", 0
	for owner, c := range p.staleCode {
		n += c
		if c > count || c == count && owner < most {
			most, count = owner, c
		}
	}
	where := most
	if more := len(p.staleCode) - 1; more > 0 {
		where = fmt.Sprintf("%s and %d more packages", most, more)
	}
	modules := "1 module"
	if n > 1 {
		modules = fmt.Sprintf("%d modules", n)
	}
	p.warnf("byte code of %s of %s is left out: in the development image, it is not of the source beside it", modules, where)
}

// vanishCode makes the byte code vanish that the base has for the module at path, which
// another file takes the place of: trusted, it would run instead of that.
func (p *planner) vanishCode(path string) {
	module, ok := strings.CutSuffix(baseOf(path), ".py")
	if !ok {
		return
	}
	for f := range p.in.Base.Files.Under(join(dirOf(path), bytecode.Dir)) {
		rest, ok := strings.CutPrefix(baseOf(f.Path), module+".")
		if !ok || !strings.HasSuffix(rest, ".pyc") || p.laid[f.Path] != nil {
			continue
		}
		if !p.settled {
			p.vanish[f.Path] = true
		} else if i, found := slices.BinarySearch(p.whiteouts, f.Path); !found {
			p.whiteouts = slices.Insert(p.whiteouts, i, f.Path)
		}
	}
}
