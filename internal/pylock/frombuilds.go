package pylock

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// tool is a build requirement on the way to its entry.
type tool struct {
	entry *Package
	// targets of the main resolution on which something is built with it.
	targets []int
	url     string
}

// toolKey is what a build requirement is known by.
type toolKey struct {
	name    python.Name
	version string // as it is written, "" if unknown
}

func keyOf(name python.Name, v *python.Version) toolKey {
	if v == nil {
		return toolKey{name: name}
	}
	return toolKey{name, v.String()}
}

// way is how one thing is built on one target.
type way struct {
	*BuildOf
	at int // position among its targets
}

// workshop collects the build requirements of all builds.
type workshop struct {
	c     *converter
	tools map[toolKey]*tool
	// main and nested hold how picks of the main resolution and build requirements
	// are built, by target.
	main   map[*resolve.Pick]map[int]way
	nested map[toolKey]map[int]way
}

// newWorkshop takes all builds up. It fails if they contradict each other.
func newWorkshop(c *converter, builds []BuildOf) (*workshop, error) {
	w := &workshop{c: c}
	if len(builds) == 0 {
		return w, nil
	}
	w.tools = make(map[toolKey]*tool)
	w.main, w.nested = make(map[*resolve.Pick]map[int]way), make(map[toolKey]map[int]way)
	for _, p := range c.r.Picks {
		w.main[p] = make(map[int]way)
	}
	for i := range builds {
		if b := &builds[i]; b.Tools != nil {
			for _, p := range b.Tools.Picks {
				w.nested[keyOf(p.Name, &p.Version)] = make(map[int]way)
			}
		}
	}
	for i := range builds {
		b := &builds[i]
		err := cmp.Or(w.checkTargets(b), w.checkAsked(b))
		if err == nil {
			err = w.choose(b)
		}
		if err != nil {
			return nil, fmt.Errorf("build of %s: %w", pickTitle(b.Pick), err)
		}
	}
	return w, w.collect()
}

func pickTitle(p *resolve.Pick) string { return string(p.Name) + " " + p.Version.String() }

// checkTargets sees to it that the targets of a build and of its tools are the same.
func (w *workshop) checkTargets(b *BuildOf) error {
	if len(b.Targets) == 0 {
		return fmt.Errorf("it is for no platform")
	}
	if b.Tools != nil && len(b.Tools.Targets) != len(b.Targets) {
		return fmt.Errorf("its requirements are for %d platforms, not %d", len(b.Tools.Targets), len(b.Targets))
	}
	for k, t := range b.Targets {
		if t < 0 || t >= len(w.c.r.Targets) {
			return fmt.Errorf("%d is no platform of the lock", t)
		}
		if b.Tools != nil && b.Tools.Targets[k].Name != w.c.r.Targets[t].Name {
			return fmt.Errorf("its requirements are for %s, not %s", b.Tools.Targets[k].Name, w.c.r.Targets[t].Name)
		}
	}
	return nil
}

// checkAsked sees to it that a back end asks for requirements.
func (w *workshop) checkAsked(b *BuildOf) error {
	for _, text := range b.Asked {
		if _, err := readAsked(text); err != nil {
			return fmt.Errorf("its back end asks for %q: %w", text, err)
		}
	}
	return nil
}

// choose notes how something is built on each target. Build requirements that are
// built for several packages may have been resolved for different sets of platforms,
// and so differ. The lock holds one way for all of them, which the next run then
// takes: that for most platforms.
func (w *workshop) choose(b *BuildOf) error {
	on, shipped := w.main[b.Pick]
	if !shipped {
		if on = w.nested[keyOf(b.Pick.Name, &b.Pick.Version)]; on == nil {
			return fmt.Errorf("it is neither locked nor a build requirement")
		}
	}
	for k, target := range b.Targets {
		one := way{b, k}
		was, ok := on[target]
		switch {
		case !ok:
			on[target] = one
		case shipped && was.text() != one.text():
			return fmt.Errorf("there are two ways on %s", w.c.r.Targets[target].Name)
		case !shipped && cmp.Or(cmp.Compare(len(was.Targets), len(b.Targets)), cmp.Compare(one.text(), was.text())) < 0:
			on[target] = one
		}
	}
	return nil
}

// text is the same for builds that are done in the same way.
func (v way) text() string {
	b := v.build()
	lines := slices.Clone(b.Asked)
	for _, d := range b.Requires {
		lines = append(lines, string(d.Name)+" "+d.Version.String())
	}
	return strings.Join(lines, "\n")
}

// build is what the lock says of it.
func (v way) build() *Build {
	b := &Build{Asked: make([]string, 0, len(v.Asked))}
	for _, text := range v.Asked {
		if r, err := readAsked(text); err == nil {
			text = r.String()
		}
		b.Asked = append(b.Asked, python.ShowText(text))
	}
	slices.Sort(b.Asked)
	b.Asked = slices.Compact(b.Asked)
	for _, p := range v.picks() {
		b.Requires = append(b.Requires, Dependency{Name: p.Name, Version: &p.Version})
	}
	return b
}

func (v way) picks() []*resolve.Pick {
	if v.Tools == nil {
		return nil
	}
	return v.Tools.On(v.at)
}

// collect makes the entries of all that the packages are built with, directly or for
// a build requirement.
func (w *workshop) collect() error {
	var queue []way
	for _, p := range w.c.r.Picks {
		for _, target := range slices.Sorted(maps.Keys(w.main[p])) {
			queue = append(queue, w.main[p][target])
		}
	}
	seen := make(map[way]bool)
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		if seen[v] {
			continue
		}
		seen[v] = true
		for _, pick := range v.picks() {
			if err := w.add(pick, v); err != nil {
				return fmt.Errorf("build of %s: %s: %w", pickTitle(v.Pick), pickTitle(pick), err)
			}
			if next, ok := w.nested[keyOf(pick.Name, &pick.Version)][v.Targets[v.at]]; ok {
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// add joins one more use of a build requirement with its entry.
func (w *workshop) add(pick *resolve.Pick, v way) error {
	key := keyOf(pick.Name, &pick.Version)
	t := w.tools[key]
	if t == nil {
		t = &tool{
			url:   pick.URL,
			entry: &Package{Name: pick.Name, Version: &pick.Version, Distill: Origin{On: make(map[string]string), Note: pick.Note()}},
		}
		if pick.URL == "" {
			t.entry.Index = python.ShowURL(pick.Index)
		}
		if len(pick.Files) > 0 {
			t.entry.RequiresPython = pick.Files[0].RequiresPython
		}
		w.tools[key] = t
	}
	if t.url != pick.URL {
		return fmt.Errorf("one build has it from %s, another from %s", sourceOf(t.url), sourceOf(pick.URL))
	}
	p, target := t.entry, v.Targets[v.at]
	platform := w.c.r.Targets[target].Name
	placed, _ := pick.Placed(v.at)
	switch was, file := p.Distill.On[platform], placed.Artifact.File; {
	case placed.Artifact.Kind == resolve.ImageFiles:
		return fmt.Errorf("on %s it has no file that others could build with", platform)
	case was != "" && was != file:
		return fmt.Errorf("on %s one build takes %s, another %s", platform, was, file)
	default:
		p.Distill.On[platform] = file
	}
	t.targets = append(t.targets, target)
	p.Distill.Extras = append(p.Distill.Extras, placed.Extras...)
	for i := range pick.Wanted {
		if want := &pick.Wanted[i]; len(want.Targets) == 0 || slices.Contains(want.Targets, v.at) {
			p.Distill.WantedBy = append(p.Distill.WantedBy, toolWanter(want, v.Pick))
		}
	}
	for _, a := range append(slices.Clone(pick.Files), placed.Artifact) {
		if err := w.addFile(t, a); err != nil {
			return err
		}
	}
	return nil
}

func sourceOf(url string) string {
	if url == "" {
		return "the index"
	}
	return python.ShowURL(url)
}

// addFile adds a file to an entry, unless it has it.
func (w *workshop) addFile(t *tool, a *resolve.Artifact) error {
	f, err := w.c.file(a)
	if err != nil {
		return err
	}
	p := t.entry
	same := func(have *File) error {
		for _, algorithm := range secure {
			if x, y := have.Hashes[algorithm], f.Hashes[algorithm]; x != "" && y != "" && x != y {
				return fmt.Errorf("%s has %s %s in one build and %s in another", f.Name, algorithm, x, y)
			}
		}
		return nil
	}
	switch {
	case t.url != "":
		if p.Archive != nil {
			if p.Archive.Name != f.Name || p.Archive.URL != f.URL {
				return fmt.Errorf("it comes from several URLs: %s and %s", p.Archive.URL, f.URL)
			}
			return same(p.Archive)
		}
		p.Archive = &f
	case a.Kind == resolve.Sdist:
		if p.Sdist != nil {
			if p.Sdist.Name != f.Name {
				return nil // as of other packages: the first one counts
			}
			return same(p.Sdist)
		}
		p.Sdist = &f
	default:
		if i := slices.IndexFunc(p.Wheels, func(o File) bool { return o.Name == f.Name }); i >= 0 {
			return same(&p.Wheels[i])
		}
		p.Wheels = append(p.Wheels, f)
	}
	return nil
}

// Building stands before the project in a line of [Origin.WantedBy] that says what
// is asked for to build it: "building h5py 3.11.0: numpy>=1.21".
const Building = "building "

// toolWanter names where a build requirement comes from.
func toolWanter(w *resolve.Want, built *resolve.Pick) string {
	who := fmt.Sprintf("%s%s %s", Building, built.Name, built.Version)
	if w.Parent != nil {
		who = fmt.Sprintf("%s %s", w.Parent.Name, w.Parent.Version)
	}
	return who + ": " + python.ShowText(w.Requirement.String())
}

func sameBuild(a, b *Build) bool {
	return slices.Equal(a.Asked, b.Asked) && slices.EqualFunc(a.Requires, b.Requires, func(x, y Dependency) bool {
		return x.Name == y.Name && compareVersions(x.Version, y.Version) == 0
	})
}

// builds joins the platforms that build in the same way, in the order of targets.
func (w *workshop) builds(on map[int]way) []Build {
	var out []Build
	for _, target := range slices.Sorted(maps.Keys(on)) {
		one := on[target].build()
		i := slices.IndexFunc(out, func(b Build) bool { return sameBuild(&b, one) })
		if i < 0 {
			i = len(out)
			out = append(out, *one)
		}
		out[i].Platforms = append(out[i].Platforms, w.c.r.Targets[target].Name)
	}
	return out
}

// entries returns the build requirements, each version once. They have a marker only
// where the platforms build with different versions of a project: what is built
// where, the builds tell.
func (w *workshop) entries() []*Package {
	byName := make(map[python.Name][]*tool)
	var out []*Package
	for key, t := range w.tools {
		slices.Sort(t.targets)
		t.targets = slices.Compact(t.targets)
		p := t.entry
		slices.SortFunc(p.Wheels, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
		slices.Sort(p.Distill.Extras)
		p.Distill.Extras = slices.Compact(p.Distill.Extras)
		slices.Sort(p.Distill.WantedBy)
		p.Distill.WantedBy = slices.Compact(p.Distill.WantedBy)
		on := w.nested[key]
		maps.DeleteFunc(on, func(target int, _ way) bool { return !slices.Contains(t.targets, target) })
		p.Distill.Builds = w.builds(on)
		byName[key.name] = append(byName[key.name], t)
		out = append(out, p)
	}
	for _, list := range byName {
		for _, t := range list {
			if !slices.ContainsFunc(list, func(o *tool) bool { return !slices.Equal(o.targets, t.targets) }) {
				continue
			}
			// Platforms that no marker tells apart are no error here: the entry says
			// on which it is used.
			if m, err := w.c.places.marker(t.targets); err == nil {
				t.entry.Marker = m
			}
		}
	}
	slices.SortFunc(out, func(a, b *Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), compareVersions(a.Version, b.Version))
	})
	return out
}
