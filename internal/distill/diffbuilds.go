package distill

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// BuildGap is a package of two locks that is built in two ways on some platforms.
type BuildGap struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`   // on the second side
	Platforms []string `json:"platforms"` // in order
	// Tool says that it is a build requirement itself, which is not installed.
	Tool bool `json:"buildRequirement,omitempty"`
	// OneSided says that only one of the locks knows how it is built.
	OneSided bool `json:"oneSided,omitempty"`
	// Changes are the versions of its build requirements, or their files if the
	// version is the same, and "asked": what its back end asks for.
	Changes []Change `json:"changes"`
}

// askedFor is the Change.What of what a back end asks for.
const askedFor = "asked"

// compareBuilds notes what differs in how packages are built that both locks have.
func (d *DiffResult) compareBuilds(a, b *lockSide) {
	for _, platform := range namesOf(a.entries, b.entries) {
		for _, name := range namesOf(a.entries[platform], nil) {
			x, y := a.entries[platform][name], b.entries[platform][name]
			if x != nil && y != nil {
				d.addBuild(buildGap(platform, sideOf(a, x, platform), sideOf(b, y, platform)), platform)
			}
		}
		if a.entries[platform] == nil || b.entries[platform] == nil {
			continue
		}
		for _, y := range b.lock.Distill.Build {
			x := a.tool(pylock.Dependency{Name: y.Name, Version: y.Version})
			if x == nil {
				continue
			}
			g := buildGap(platform, sideOf(a, x, platform), sideOf(b, y, platform))
			g.Tool = true
			d.addBuild(g, platform)
		}
	}
	slices.SortStableFunc(d.Builds, func(x, y BuildGap) int { return strings.Compare(x.Name, y.Name) })
}

// buildSide is how one side builds an entry on a platform.
type buildSide struct {
	entry *pylock.Package
	build *pylock.Build // nil if the lock does not say
	tools map[python.Name]*pylock.Package
}

func sideOf(s *lockSide, p *pylock.Package, platform string) buildSide {
	out := buildSide{entry: p, build: p.BuildOn(platform), tools: map[python.Name]*pylock.Package{}}
	if out.build != nil {
		for _, d := range out.build.Requires {
			out.tools[d.Name] = s.tool(d)
		}
	}
	return out
}

// buildGap compares how two sides build an entry on a platform. There are no changes
// if they build it in the same way, or not at all.
func buildGap(platform string, a, b buildSide) BuildGap {
	g := BuildGap{Name: string(b.entry.Name), Version: versionText(b.entry), OneSided: a.build == nil || b.build == nil}
	for _, name := range namesOf(a.tools, b.tools) {
		x, y := a.tools[name], b.tools[name]
		c := Change{What: string(name), A: toolVersion(x), B: toolVersion(y)}
		if c.A == c.B {
			c = Change{What: string(name) + " " + c.A, A: usedFile(x, platform), B: usedFile(y, platform)}
			if c.A == "" || c.B == "" {
				continue // locks need not say it
			}
		}
		if c.A != c.B {
			g.Changes = append(g.Changes, c)
		}
	}
	var asked [2]string
	for i, build := range []*pylock.Build{a.build, b.build} {
		if build != nil {
			asked[i] = strings.Join(build.Asked, ", ")
		}
	}
	if asked[0] != asked[1] {
		g.Changes = append(g.Changes, Change{What: askedFor, A: asked[0], B: asked[1]})
	}
	return g
}

func toolVersion(p *pylock.Package) string {
	if p == nil {
		return ""
	}
	return versionText(p)
}

// usedFile is the file that a build requirement comes from on a platform, with its
// digest; "" if the lock does not say.
func usedFile(p *pylock.Package, platform string) string {
	file := p.Distill.On[platform]
	return strings.TrimSpace(file + " " + digestsOf(p)[file])
}

// addBuild notes a gap of one platform, and joins it with that of another if they are
// the same.
func (d *DiffResult) addBuild(g BuildGap, platform string) {
	if len(g.Changes) == 0 {
		return
	}
	for i := range d.Builds {
		p := &d.Builds[i]
		if p.Name == g.Name && p.Version == g.Version && p.Tool == g.Tool && p.OneSided == g.OneSided && slices.Equal(p.Changes, g.Changes) {
			p.Platforms = append(p.Platforms, platform)
			return
		}
	}
	g.Platforms = []string{platform}
	d.Builds = append(d.Builds, g)
}

// lines say what differs about a build, one build requirement each.
func (g *BuildGap) lines() []string {
	title := g.Name + " " + g.Version
	if g.Tool {
		title = "build requirement " + title
	}
	var out []string
	for _, c := range g.Changes {
		switch {
		case c.What == askedFor:
			out = append(out, fmt.Sprintf("%s: its back end asks for %s -> %s", title, orNone(c.A), orNone(c.B)))
		case c.A == "":
			out = append(out, fmt.Sprintf("%s: built with %s %s, new", title, c.What, c.B))
		case c.B == "":
			out = append(out, fmt.Sprintf("%s: no longer built with %s %s", title, c.What, c.A))
		case strings.Contains(c.What, " "): // the version is the same
			out = append(out, fmt.Sprintf("%s: built with another file of %s", title, c.What))
		default:
			out = append(out, fmt.Sprintf("%s: built with %s %s -> %s", title, c.What, c.A, c.B))
		}
	}
	return out
}
