package distill

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
)

// ExplainedBuild is how a project is built on some platforms.
type ExplainedBuild struct {
	Platforms []string `json:"platforms"`
	// Asked is what its back end asks for beside its pyproject.toml.
	Asked []string `json:"asked,omitempty"`
	// Requires is all that is installed for the build: "setuptools 70.0".
	Requires []string `json:"requires"`
}

// ExplainedUse is something that is built with a project.
type ExplainedUse struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Platforms []string `json:"platforms"`
	Tool      bool     `json:"buildRequirement,omitempty"` // it is not installed either
}

// explainBuilds says how an entry is built.
func explainBuilds(p *pylock.Package) []ExplainedBuild {
	var out []ExplainedBuild
	for _, b := range p.Distill.Builds {
		one := ExplainedBuild{Platforms: b.Platforms, Asked: b.Asked, Requires: []string{}}
		for _, d := range b.Requires {
			one.Requires = append(one.Requires, string(d.Name)+" "+d.Version.String())
		}
		out = append(out, one)
	}
	return out
}

// uses are the entries that are built with each build requirement, those that are
// installed first.
func uses(l *pylock.Lock) map[*pylock.Package][]ExplainedUse {
	find := l.BuildPackages()
	out := map[*pylock.Package][]ExplainedUse{}
	n := len(l.Packages) + len(l.Distill.Image)
	for i, p := range slices.Concat(l.Packages, l.Distill.Image, l.Distill.Build) {
		platforms := map[*pylock.Package][]string{}
		for _, b := range p.Distill.Builds {
			for _, d := range b.Requires {
				platforms[find(d)] = append(platforms[find(d)], b.Platforms...)
			}
		}
		for tool, on := range platforms {
			slices.Sort(on)
			out[tool] = append(out[tool], ExplainedUse{string(p.Name), versionText(p), on, i >= n})
		}
	}
	return out
}

// parents find the entries that lines of wanted-by begin with.
type parents struct{ shipped, tools map[string]*pylock.Package }

func newParents(l *pylock.Lock) *parents {
	out := &parents{map[string]*pylock.Package{}, map[string]*pylock.Package{}}
	for _, p := range slices.Concat(l.Packages, l.Distill.Image) {
		out.shipped[string(p.Name)+" "+versionText(p)] = p
	}
	for _, p := range l.Distill.Build {
		out.tools[string(p.Name)+" "+versionText(p)] = p
	}
	return out
}

// of returns the entry that who in a line of p stands for, nil if it is a
// requirements file. Build requirements want each other; what is built may be one of
// them, or be installed.
func (f *parents) of(p *pylock.Package, who string) *pylock.Package {
	title, building := strings.CutPrefix(who, pylock.Building)
	isTool := f.tools[string(p.Name)+" "+versionText(p)] == p
	switch {
	case isTool && !building:
		return f.tools[title]
	case isTool && f.shipped[title] == nil:
		return f.tools[title]
	}
	return f.shipped[title]
}
