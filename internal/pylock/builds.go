package pylock

import (
	"slices"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// Build says how an entry is built from its source archive on some platforms.
type Build struct {
	Platforms []string // never empty, in the order of [Distill.Platforms]
	// Asked are the requirements that the back end has beside those of
	// pyproject.toml (PEP 517, get_requires_for_build_wheel), sorted.
	Asked []string
	// Requires is all that is installed for the build, in order of name: entries of
	// [Distill.Build], each with its version.
	Requires []Dependency
}

// BuildOf says how one pick is built on some targets of its resolution.
type BuildOf struct {
	// Pick is one of the main resolution, or of the Tools of another BuildOf: a
	// build requirement that is built itself.
	Pick    *resolve.Pick
	Targets []int    // of the main resolution
	Asked   []string // what the back end asks for beside its pyproject.toml
	// Tools is the resolution of the build requirements. Its targets are those of
	// Targets, in that order and with the same names. Nil if nothing is required.
	Tools *resolve.Resolution
}

// BuildOn returns how p is built on a platform, nil if the lock does not say.
func (p *Package) BuildOn(platform string) *Build {
	for i := range p.Distill.Builds {
		if slices.Contains(p.Distill.Builds[i].Platforms, platform) {
			return &p.Distill.Builds[i]
		}
	}
	return nil
}

// BuildPackages returns what finds the entry of a build requirement, or nil if there
// is none.
func (l *Lock) BuildPackages() func(Dependency) *Package {
	all := make(map[toolKey]*Package, len(l.Distill.Build))
	for _, p := range l.Distill.Build {
		all[keyOf(p.Name, p.Version)] = p
	}
	return func(d Dependency) *Package { return all[keyOf(d.Name, d.Version)] }
}

// BuildPreferences returns the pins for the build requirements of a project's
// version, and what its back end asked for; targets are those of the resolution of
// the build requirements, known by their names. It is known if the lock says so for
// each of them: then the back end need not be asked again. Another version of the
// project gives pins, too, but nothing that is known.
func (l *Lock) BuildPreferences(name python.Name, v python.Version, targets []resolve.Target) (prefs []resolve.Preference, asked []string, known bool) {
	known = len(targets) > 0
	for t := range targets {
		b, same := l.buildOf(name, v, targets[t].Name)
		if !same {
			known = false
		}
		if b == nil {
			continue
		}
		for _, d := range b.Requires {
			prefs = append(prefs, resolve.Preference{Name: d.Name, Version: *d.Version, Target: t})
		}
		if same {
			asked = append(asked, b.Asked...)
		}
	}
	if !known {
		return prefs, nil, false
	}
	slices.Sort(asked)
	return prefs, slices.Compact(asked), true
}

// buildOf returns how a project is built on a platform: the version asked for if
// there is one, else any. Entries that are shipped come before build requirements.
func (l *Lock) buildOf(name python.Name, v python.Version, platform string) (b *Build, same bool) {
	for _, list := range [][]*Package{l.Packages, l.Distill.Build} {
		for _, p := range list {
			if p.Name != name || p.Version == nil {
				continue
			}
			found := p.BuildOn(platform)
			if found == nil {
				continue
			}
			if p.Version.Compare(v) == 0 {
				return found, true
			}
			if b == nil {
				b = found
			}
		}
	}
	return b, false
}
