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

// workshop collects the build requirements of all builds.
type workshop struct {
	c     *converter
	tools map[toolKey]*tool
	// main and nested hold how picks of the main resolution and build requirements
	// are built, by target.
	main   map[*resolve.Pick]map[int]*Build
	nested map[toolKey]map[int]*Build
}

// newWorkshop takes all builds up. It fails if they contradict each other, since an
// entry stands for all of them.
func newWorkshop(c *converter, builds []BuildOf) (*workshop, error) {
	w := &workshop{
		c: c, tools: make(map[toolKey]*tool),
		main: make(map[*resolve.Pick]map[int]*Build), nested: make(map[toolKey]map[int]*Build),
	}
	for i := range builds {
		if err := w.checkTargets(&builds[i]); err != nil {
			return nil, fmt.Errorf("build of %s %s: %w", builds[i].Pick.Name, builds[i].Pick.Version, err)
		}
		if err := w.takeTools(&builds[i]); err != nil {
			return nil, fmt.Errorf("build of %s %s: %w", builds[i].Pick.Name, builds[i].Pick.Version, err)
		}
	}
	main := make(map[*resolve.Pick]bool)
	for _, p := range c.r.Picks {
		main[p] = true
	}
	for i := range builds {
		b := &builds[i]
		var on map[int]*Build
		key := keyOf(b.Pick.Name, &b.Pick.Version)
		switch {
		case main[b.Pick]:
			on = w.main[b.Pick]
			if on == nil {
				on = make(map[int]*Build)
				w.main[b.Pick] = on
			}
		case w.tools[key] != nil:
			on = w.nested[key]
			if on == nil {
				on = make(map[int]*Build)
				w.nested[key] = on
			}
		default:
			return nil, fmt.Errorf("build of %s %s: it is neither locked nor a build requirement", b.Pick.Name, b.Pick.Version)
		}
		if err := w.takeBuild(b, on); err != nil {
			return nil, fmt.Errorf("build of %s %s: %w", b.Pick.Name, b.Pick.Version, err)
		}
	}
	return w, nil
}

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

// takeTools adds the build requirements of a build to the entries.
func (w *workshop) takeTools(b *BuildOf) error {
	if b.Tools == nil {
		return nil
	}
	for _, pick := range b.Tools.Picks {
		key := keyOf(pick.Name, &pick.Version)
		known := w.tools[key]
		if known == nil {
			known = &tool{
				url:   pick.URL,
				entry: &Package{Name: pick.Name, Version: &pick.Version, Distill: Origin{On: make(map[string]string)}},
			}
			if pick.URL == "" {
				known.entry.Index = python.ShowURL(pick.Index)
			}
			w.tools[key] = known
		}
		if err := w.add(known, pick, b); err != nil {
			return fmt.Errorf("%s %s: %w", pick.Name, pick.Version, err)
		}
	}
	return nil
}

// add joins one more use of a build requirement with its entry.
func (w *workshop) add(t *tool, pick *resolve.Pick, b *BuildOf) error {
	if t.url != pick.URL {
		return fmt.Errorf("one build has it from %s, another from %s", sourceOf(t.url), sourceOf(pick.URL))
	}
	p := t.entry
	files := slices.Clone(pick.Files)
	for _, on := range pick.On {
		target := b.Targets[on.Target]
		platform := w.c.r.Targets[target].Name
		if on.Artifact.Kind == resolve.ImageFiles {
			return fmt.Errorf("on %s it has no file that others could build with", platform)
		}
		if was := p.Distill.On[platform]; was != "" && was != on.Artifact.File {
			return fmt.Errorf("on %s one build takes %s, another %s", platform, was, on.Artifact.File)
		}
		p.Distill.On[platform] = on.Artifact.File
		p.Distill.Extras = append(p.Distill.Extras, on.Extras...)
		t.targets = append(t.targets, target)
		files = append(files, on.Artifact)
	}
	for i := range pick.Wanted {
		p.Distill.WantedBy = append(p.Distill.WantedBy, toolWanter(&pick.Wanted[i], b.Pick))
	}
	if p.Distill.Note == "" {
		p.Distill.Note = pick.Note()
	}
	if len(pick.Files) > 0 && p.RequiresPython.IsEmpty() {
		p.RequiresPython = pick.Files[0].RequiresPython
	}
	for _, a := range files {
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

// takeBuild notes how something is built on each target.
func (w *workshop) takeBuild(b *BuildOf, on map[int]*Build) error {
	asked := make([]string, 0, len(b.Asked))
	for _, text := range b.Asked {
		r, err := readAsked(text)
		if err != nil {
			return fmt.Errorf("its back end asks for %q: %w", text, err)
		}
		asked = append(asked, python.ShowText(r.String()))
	}
	slices.Sort(asked)
	asked = slices.Compact(asked)
	for k, target := range b.Targets {
		one := &Build{Asked: asked}
		if b.Tools != nil {
			for _, pick := range b.Tools.On(k) {
				one.Requires = append(one.Requires, Dependency{Name: pick.Name, Version: &pick.Version})
			}
		}
		if was := on[target]; was != nil && !sameBuild(was, one) {
			return fmt.Errorf("there are two ways on %s", w.c.r.Targets[target].Name)
		}
		on[target] = one
	}
	return nil
}

func sameBuild(a, b *Build) bool {
	return slices.Equal(a.Asked, b.Asked) && slices.EqualFunc(a.Requires, b.Requires, func(x, y Dependency) bool {
		return x.Name == y.Name && compareVersions(x.Version, y.Version) == 0
	})
}

// builds joins the platforms that build in the same way, in the order of targets.
func (w *workshop) builds(on map[int]*Build) []Build {
	var out []Build
	for _, target := range slices.Sorted(maps.Keys(on)) {
		platform := w.c.r.Targets[target].Name
		i := slices.IndexFunc(out, func(b Build) bool { return sameBuild(&b, on[target]) })
		if i < 0 {
			i = len(out)
			out = append(out, Build{Asked: on[target].Asked, Requires: on[target].Requires})
		}
		out[i].Platforms = append(out[i].Platforms, platform)
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
		p.Distill.Builds = w.builds(w.nested[key])
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
