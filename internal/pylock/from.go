package pylock

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// Meta is what a lock says beside the resolution.
type Meta struct {
	CreatedBy string // "distill"; no version of it, as each would change the file
	Images    []Image
	Options   map[string]string
	// SHA256 holds the digests, in hex, of the files that Unhashed returned for the
	// resolution and for the Tools of each of Builds.
	SHA256 map[*resolve.Artifact]string
	// Builds say how picks are built, in any order. A pick that nobody knows how to
	// build has none. A build requirement that is built in several ways on a platform,
	// for several packages, is locked in one of them.
	Builds []BuildOf
}

// secure are the hash algorithms a lock may rely on, best known first.
var secure = []string{"sha256", "sha384", "sha512"}

// Unhashed returns the files of a resolution whose index gave no hash that a
// lock may rely on: they have to be fetched to be locked. Callers ask for each
// resolution that goes into the lock, those of build requirements too.
func Unhashed(r *resolve.Resolution) []*resolve.Artifact {
	var out []*resolve.Artifact
	for _, p := range r.Picks {
		for _, a := range p.Files {
			if !slices.ContainsFunc(secure, func(s string) bool { return a.Hashes[s] != "" }) {
				out = append(out, a)
			}
		}
	}
	return out
}

// From makes the lock of a resolution. It fails if two platforms can't be told
// apart by markers although they differ, or if a file has no hash.
func From(r *resolve.Resolution, m Meta) (*Lock, error) {
	places, err := newPlaces(r.Targets)
	if err != nil {
		return nil, err
	}
	l := &Lock{CreatedBy: m.CreatedBy, Environments: places.environments}
	if l.RequiresPython, err = sharedPython(r.Targets); err != nil {
		return nil, err
	}
	l.Distill = Distill{Python: r.Targets[0].Python.String(), Images: m.Images, Options: m.Options}
	for _, t := range r.Targets {
		l.Distill.Platforms = append(l.Distill.Platforms, t.Name)
		if t.Libc.Family == "" {
			continue
		}
		if l.Distill.Libc == nil {
			l.Distill.Libc = make(map[string]string)
		}
		l.Distill.Libc[t.Name] = t.Libc.String()
	}
	imageOnly := make(map[python.Name]bool)
	for _, p := range r.Picks {
		imageOnly[p.Name] = len(p.Files) == 0
	}
	c := &converter{r: r, meta: &m, places: places, imageOnly: imageOnly}
	if c.workshop, err = newWorkshop(c, m.Builds); err != nil {
		return nil, err
	}
	for _, pick := range r.Picks {
		list, err := c.packages(pick)
		if err != nil {
			return nil, err
		}
		if len(pick.Files) == 0 {
			for _, p := range list {
				p.Index = ""
			}
			l.Distill.Image = append(l.Distill.Image, list...)
		} else {
			l.Packages = append(l.Packages, list...)
		}
	}
	l.Distill.Build = c.workshop.entries()
	if err := l.checkBuilds(); err != nil {
		return nil, err
	}
	return l, nil
}

// sharedPython returns the minor version that all targets have.
func sharedPython(targets []resolve.Target) (python.Specifiers, error) {
	minor := func(v python.Version) string {
		r := append(v.Release(), 0, 0)
		return fmt.Sprintf("%d.%d", r[0], r[1])
	}
	first := minor(targets[0].Python)
	for _, t := range targets {
		if m := minor(t.Python); m != first {
			return python.Specifiers{}, fmt.Errorf("%s has Python %s and %s has %s: one lock file is for one of them",
				targets[0].Name, first, t.Name, m)
		}
	}
	return python.ParseSpecifiers("==" + first + ".*")
}

type converter struct {
	r         *resolve.Resolution
	meta      *Meta
	places    *places
	imageOnly map[python.Name]bool
	workshop  *workshop
}

// packages returns the entries of a pick: one, or for direct references one for
// each URL.
func (c *converter) packages(pick *resolve.Pick) ([]*Package, error) {
	p := &Package{Name: pick.Name, Version: &pick.Version, Index: python.ShowURL(pick.Index), Dependencies: c.dependencies(pick)}
	var on []int
	for _, placed := range pick.On {
		on = append(on, placed.Target)
	}
	var err error
	if p.Marker, err = c.places.marker(on); err != nil {
		return nil, fmt.Errorf("%s %s: %w", pick.Name, pick.Version, err)
	}
	p.Distill = c.origin(pick)
	if pick.URL != "" {
		return c.archives(pick, p)
	}
	for _, a := range pick.Files {
		f, err := c.file(a)
		if err != nil {
			return nil, err
		}
		if a.Kind == resolve.Sdist {
			if p.Sdist == nil {
				p.Sdist = &f
			}
			continue
		}
		p.Wheels = append(p.Wheels, f)
	}
	slices.SortFunc(p.Wheels, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	if len(pick.Files) > 0 {
		p.RequiresPython = pick.Files[0].RequiresPython
	}
	return []*Package{p}, nil
}

// archives returns one entry for each file that direct references name.
func (c *converter) archives(pick *resolve.Pick, p *Package) ([]*Package, error) {
	targets := make(map[*resolve.Artifact][]int)
	var order []*resolve.Artifact
	for _, on := range pick.On {
		a := on.Artifact
		if a.Kind == resolve.ImageFiles && len(pick.Files) > 0 {
			a = pick.Files[0]
		}
		if targets[a] == nil {
			order = append(order, a)
		}
		targets[a] = append(targets[a], on.Target)
	}
	var out []*Package
	for _, a := range order {
		one := *p
		one.Index = ""
		var err error
		if one.Marker, err = c.places.marker(targets[a]); err != nil {
			return nil, fmt.Errorf("%s %s: %w", pick.Name, pick.Version, err)
		}
		if a.Kind != resolve.ImageFiles {
			f, err := c.file(a)
			if err != nil {
				return nil, err
			}
			one.Archive = &f
		}
		out = append(out, &one)
	}
	return out, nil
}

func (c *converter) file(a *resolve.Artifact) (File, error) {
	f := File{Name: a.File, URL: python.ShowURL(a.URL), Size: a.Size, Uploaded: a.Uploaded, Hashes: make(map[string]string)}
	for _, s := range secure {
		if h := a.Hashes[s]; h != "" {
			f.Hashes[s] = strings.ToLower(h)
		}
	}
	if h := c.meta.SHA256[a]; h != "" {
		f.Hashes["sha256"] = strings.ToLower(h)
	}
	if len(f.Hashes) == 0 {
		return f, fmt.Errorf("%s: no hash is known of it", a.File)
	}
	if !strings.Contains(f.URL, "://") {
		f.URL, f.Path = "", a.URL
	}
	return f, nil
}

// dependencies names the entries that a pick wants. What exists in the image
// only has none.
func (c *converter) dependencies(pick *resolve.Pick) []Dependency {
	split := make(map[python.Name]bool)
	for _, s := range c.r.Splits {
		split[s.Name] = true
	}
	var out []Dependency
	for _, e := range pick.Edges {
		d := Dependency{Name: e.To.Name}
		if split[d.Name] {
			d.Version = &e.To.Version
		}
		same := func(o Dependency) bool {
			return o.Name == d.Name && (d.Version == nil || o.Version.Compare(*d.Version) == 0)
		}
		if e.To != pick && !c.imageOnly[d.Name] && !slices.ContainsFunc(out, same) {
			out = append(out, d)
		}
	}
	return out
}

func (c *converter) origin(pick *resolve.Pick) Origin {
	o := Origin{On: make(map[string]string), Note: pick.Note(), Builds: c.workshop.builds(c.workshop.main[pick])}
	for _, on := range pick.On {
		from := FromImage
		if on.Artifact.Kind != resolve.ImageFiles {
			from = on.Artifact.File
		}
		o.On[c.r.Targets[on.Target].Name] = from
		o.Extras = append(o.Extras, on.Extras...)
	}
	slices.Sort(o.Extras)
	o.Extras = slices.Compact(o.Extras)
	for _, w := range pick.Wanted {
		o.WantedBy = append(o.WantedBy, wanter(&w))
	}
	slices.Sort(o.WantedBy)
	o.WantedBy = slices.Compact(o.WantedBy)
	for _, p := range pick.Passed {
		o.Passed = append(o.Passed, p.String())
	}
	return o
}

// wanter names where a requirement comes from. Lines are left out: adding one
// would change all those below.
func wanter(w *resolve.Want) string {
	who := path.Base(w.Requirement.Pos.File)
	if w.Requirement.Pos.File == "" {
		who = "requirement"
	}
	switch {
	case w.Overridden():
		who += fmt.Sprintf("%s%s %s", overriding, w.Parent.Name, w.Parent.Version)
	case w.Parent != nil:
		who = fmt.Sprintf("%s %s", w.Parent.Name, w.Parent.Version)
	}
	return who + ": " + w.Requirement.String()
}

// overriding stands between the file of an override and the package in whose place
// it speaks.
const overriding = ", overriding "

// SplitWanter takes a line of [Origin.WantedBy] apart: who, "pandas 2.2.3" or a
// requirements file, wants what. With file not "", an override in it says what in
// place of who.
func SplitWanter(line string) (who, what, file string) {
	who, what, _ = strings.Cut(line, ": ")
	if f, title, ok := strings.Cut(who, overriding); ok {
		who, file = title, f
	}
	return who, what, file
}

// places tells targets apart by markers.
type places struct {
	environments []*python.Marker
	of           []string // for each target the marker that only it fulfils
}

// variables are those that differ between platforms, the most telling first.
var variables = []struct {
	name  string
	value func(*python.MarkerEnv) string
}{
	{"platform_machine", func(e *python.MarkerEnv) string { return e.PlatformMachine }},
	{"sys_platform", func(e *python.MarkerEnv) string { return e.SysPlatform }},
	{"implementation_name", func(e *python.MarkerEnv) string { return e.ImplementationName }},
	{"python_full_version", func(e *python.MarkerEnv) string { return e.PythonFullVersion }},
}

func newPlaces(targets []resolve.Target) (*places, error) {
	p := &places{}
	for i := range targets {
		env := &targets[i].Markers
		var parts []string
		for _, v := range variables {
			value := v.value(env)
			if slices.ContainsFunc(targets, func(t resolve.Target) bool { return v.value(&t.Markers) != value }) {
				parts = append(parts, fmt.Sprintf("%s == %q", v.name, value))
			}
		}
		p.of = append(p.of, strings.Join(parts, " and "))
		m, err := python.ParseMarker(fmt.Sprintf("sys_platform == %q and platform_machine == %q and implementation_name == %q",
			env.SysPlatform, env.PlatformMachine, env.ImplementationName))
		if err != nil {
			return nil, err
		}
		p.environments = append(p.environments, m)
	}
	return p, nil
}

// marker returns the marker that holds on exactly the given targets, nil for all.
func (p *places) marker(on []int) (*python.Marker, error) {
	if len(on) == len(p.of) {
		return nil, nil
	}
	var parts []string
	for _, t := range on {
		for u, other := range p.of {
			if other == p.of[t] && !slices.Contains(on, u) {
				return nil, fmt.Errorf("it differs between platforms that no marker tells apart")
			}
		}
		parts = append(parts, p.of[t])
	}
	slices.Sort(parts)
	parts = slices.Compact(parts)
	if len(parts) > 1 {
		for i := range parts {
			if strings.Contains(parts[i], " and ") {
				parts[i] = "(" + parts[i] + ")"
			}
		}
	}
	return python.ParseMarker(strings.Join(parts, " or "))
}

// sortedKeys returns the keys of m in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func comparePackages(a, b *Package) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), compareVersions(a.Version, b.Version), cmp.Compare(a.Marker.String(), b.Marker.String()))
}

func compareVersions(a, b *python.Version) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Compare(*b)
}

// lastPart returns the file name that a URL or path ends with.
func lastPart(f File) string {
	if f.URL != "" {
		if u, err := url.Parse(f.URL); err == nil {
			return path.Base(u.Path)
		}
	}
	return path.Base(strings.ReplaceAll(f.Path, `\`, "/"))
}
