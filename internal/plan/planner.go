package plan

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// planner holds what the steps of Make work out.
type planner struct {
	in              Input
	dev             files.Set // of the development image, empty if there is none
	base            files.Set // of the base, without what vanishes
	bare            files.Set // base without the interpreter that comes along, once all is laid
	picks           []*pick   // in order of name
	wanted, exclude []glob

	vanish  map[string]bool   // paths of the base that are to vanish
	sites   []string          // directories of sys.path that lose something
	emptied []string          // directories of the base that become files
	dirs    map[string]string // directory as named -> as the base has it
	laid    map[string]*laid  // by path of the new image
	set     files.Set         // of laid, see laidSet
	stale   bool              // set is not up to date
	infos   map[*files.File]*elfdeps.Info
	noteErr error

	appDirs   []*files.File // directories that the application wants
	whiteouts []string
	trimmed   []Trimmed // in order
	warnings  []string
	notes     []string
	warned    map[string]bool

	staleCode  map[string]int // modules whose byte code is not of them, by package
	uncompiled []Uncompiled
	settled    bool // whiteouts are what they will be
}

// pick is a Pick on its way into the image.
type pick struct {
	Pick
	label string        // "numpy 1.26.4"
	rank  int           // a higher one wins a path
	files []*files.File // at their paths in the new image, in path order
	short bool          // its files are fewer or others than its record says
	// modules are its module files by path in the base's scheme, with their path in the
	// development image, which is "" for those of a wheel.
	modules map[string]string
}

// laid is what will stand at one path.
type laid struct {
	file    *files.File
	by      *pick // nil for libraries and what was included
	native  bool  // a library, or a link on the way to one
	runtime bool  // of the interpreter that comes along
	app     bool  // of the application
	merged  bool  // the base's file with something added
	present bool  // the base has the same already
	reason  Reason
	from    string // its path in the development image, if that is not the same
}

func newPlanner(in Input) (*planner, error) {
	p := &planner{
		in:     in,
		vanish: map[string]bool{}, dirs: map[string]string{}, laid: map[string]*laid{},
		infos: map[*files.File]*elfdeps.Info{}, warned: map[string]bool{}, staleCode: map[string]int{},
	}
	if in.Base == nil {
		return nil, fmt.Errorf("plan for %s without a base", in.Platform)
	}
	p.base = in.Base.Files
	if in.Dev != nil {
		p.dev = in.Dev.Files
	}
	if _, ok := trimLevels[in.Options.Trim]; !ok {
		return nil, failf("", "trim %q: there is none, safe and max", in.Options.Trim)
	}
	var err error
	if p.wanted, err = parseGlobs(in.Options.Include); err != nil {
		return nil, err
	}
	if p.exclude, err = parseGlobs(in.Options.Exclude); err != nil {
		return nil, err
	}
	for _, k := range in.Picks {
		pk := &pick{Pick: k, label: string(k.Name) + " " + k.Version.String()}
		if k.Installed != nil {
			pk.rank = 1 // what was tested together wins over a wheel
		}
		if n := count(k); n != 1 {
			return nil, fmt.Errorf("%s comes from %d places", pk.label, n)
		}
		p.picks = append(p.picks, pk)
	}
	slices.SortFunc(p.picks, func(a, b *pick) int { return cmp.Compare(a.Name, b.Name) })
	for i, pk := range p.picks {
		if i > 0 && p.picks[i-1].Name == pk.Name {
			return nil, fmt.Errorf("%s is picked twice", pk.Name)
		}
	}
	return p, p.checkPython()
}

func count(k Pick) int {
	n := 0
	for _, set := range []bool{k.Installed != nil, k.Wheel != nil, k.InBase != nil} {
		if set {
			n++
		}
	}
	return n
}

// checkPython refuses a base whose Python can't run what is to be laid.
func (p *planner) checkPython() error {
	if !slices.ContainsFunc(p.picks, func(k *pick) bool { return k.InBase == nil }) {
		return nil
	}
	base := p.in.Base.Python
	if base == nil {
		return failf("take a base image with the development image's Python, such as its slim variant",
			"the base image has no Python for %s", p.in.Platform)
	}
	if !slices.ContainsFunc(p.picks, func(k *pick) bool { return k.Installed != nil }) {
		return nil
	}
	if p.in.Dev == nil || p.in.Dev.Python == nil {
		return failf("", "the development image has no Python for %s", p.in.Platform)
	}
	dev := p.in.Dev.Python
	if need, have := pythonOf(dev), pythonOf(base); need != have {
		return failf("take a base image with "+need, "the development image has %s, the base image has %s", need, have)
	}
	return nil
}

// pythonOf is what two interpreters must have in common to share files.
func pythonOf(i *inspect.Interpreter) string {
	r := i.Version.Release()
	for len(r) < 2 {
		r = append(r, 0)
	}
	return fmt.Sprintf("%s %d.%d", i.Implementation, r[0], r[1])
}

func (p *planner) warnf(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	if !p.warned[w] {
		p.warned[w] = true
		p.warnings = append(p.warnings, w)
	}
}

// notef tells something that only -v shows.
func (p *planner) notef(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if !slices.Contains(p.notes, n) {
		p.notes = append(p.notes, n)
	}
}

// excluded tells whether the user does not want path.
func (p *planner) excluded(path string) bool {
	return slices.ContainsFunc(p.exclude, func(g glob) bool { return g.match(path) })
}

// admit refuses what can't be in a layer.
func admit(f *files.File, label string) error {
	if !f.IsRegular() && !f.IsSymlink() {
		return failf("leave it out with --exclude", "%s: %q is neither a file nor a link (%s)", label, f.Path, f.Mode.Type())
	}
	for part := range strings.SplitSeq(f.Path, "/") {
		if strings.HasPrefix(part, ".wh.") { // image-spec: a whiteout
			return failf("leave it out with --exclude", "%s: %q would delete files of the base: names that begin with .wh. can't be in a layer", label, f.Path)
		}
	}
	return nil
}

func (p *planner) warnSetuid(f *files.File, label string) {
	if f.IsRegular() && f.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		p.warnf("%s: %q is setuid or setgid", label, f.Path)
	}
}

func dirOf(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return ""
	}
	return p[:i]
}

func baseOf(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// within tells whether p lies below dir, or is it.
func within(p, dir string) bool {
	return dir == "" || p == dir || strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}

// moved returns f at another path; f itself if that is where it is.
func moved(f *files.File, path string) *files.File {
	if f.Path == path {
		return f
	}
	c := *f
	c.Path = path
	return &c
}
