package pylock

import (
	"fmt"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Limits of what a lock says about builds, far above what is there: a package with
// 20 build requirements is rare, and a lock of 2,000 packages that are all built has
// some hundred of them.
const (
	maxBuildPackages = 4096
	maxRequires      = 512    // of one build
	maxAllRequires   = 100000 // of all builds
	maxAsked         = 256    // of one build
	maxAskedText     = 4096
	maxBuildPlaces   = 64 // platforms of a lock in which something is built
)

// readAsked reads a requirement that a back end asks for.
func readAsked(text string) (python.Requirement, error) {
	if len(text) > maxAskedText {
		return python.Requirement{}, fmt.Errorf("it has %d bytes, more than %d", len(text), maxAskedText)
	}
	return python.ParseRequirement(text)
}

// placeError is what is wrong at a place of the file.
type placeError struct {
	place string
	err   error
}

func (e *placeError) Error() string { return e.place + ": " + e.err.Error() }
func (e *placeError) Unwrap() error { return e.err }

func wrong(place, format string, args ...any) error {
	return &placeError{place, fmt.Errorf(format, args...)}
}

// site is one entry with its place in the file.
type site struct {
	p     *Package
	list  string
	index int
}

func (s site) place() string { return fmt.Sprintf("%s[%d]", s.list, s.index) }

func sites(list string, all []*Package) []site {
	out := make([]site, len(all))
	for i, p := range all {
		out[i] = site{p, list, i}
	}
	return out
}

// buildCheck sees to it that what a lock says about builds holds together.
type buildCheck struct {
	platforms map[string]bool
	tools     map[toolKey]int // index into nested
	shipped   []site
	nested    []site
	requires  int // counted so far
}

// checkBuilds returns what is wrong with the builds of a lock: references to nothing,
// the same thing twice, something that is built with itself.
func (l *Lock) checkBuilds() error {
	c := buildCheck{platforms: make(map[string]bool), tools: make(map[toolKey]int)}
	for _, name := range l.Distill.Platforms {
		c.platforms[name] = true
	}
	c.shipped = append(sites("packages", l.Packages), sites("tool.distill.image-packages", l.Distill.Image)...)
	c.nested = sites("tool.distill.build-packages", l.Distill.Build)
	if len(c.nested) > maxBuildPackages {
		return wrong("tool.distill.build-packages", "there are %d, more than %d", len(c.nested), maxBuildPackages)
	}
	for i, s := range c.nested {
		if s.p.Version == nil {
			return wrong(s.place()+".version", "it is missing")
		}
		if s.p.Elsewhere != "" {
			return wrong(s.place(), "a build requirement is a file, not a %s", s.p.Elsewhere)
		}
		key := keyOf(s.p.Name, s.p.Version)
		if first, ok := c.tools[key]; ok {
			return wrong(s.place(), "%s is %s already", describe(s.p), c.nested[first].place())
		}
		c.tools[key] = i
	}
	for _, s := range slices.Concat(c.shipped, c.nested) {
		if err := c.entry(s); err != nil {
			return err
		}
	}
	return c.cycle()
}

// entry checks the builds of one entry.
func (c *buildCheck) entry(s site) error {
	if len(s.p.Distill.Builds) == 0 {
		return nil
	}
	if len(c.platforms) > maxBuildPlaces {
		return wrong("tool.distill.platforms", "there are %d, more than the %d for which something may be built", len(c.platforms), maxBuildPlaces)
	}
	seen := make(map[string]bool)
	for i := range s.p.Distill.Builds {
		b, place := &s.p.Distill.Builds[i], fmt.Sprintf("%s.tool.distill.builds[%d]", s.place(), i)
		if len(b.Platforms) == 0 {
			return wrong(place+".platforms", "there are none")
		}
		for k, platform := range b.Platforms {
			switch {
			case !c.platforms[platform]:
				return wrong(fmt.Sprintf("%s.platforms[%d]", place, k), "%q is no platform of the lock", platform)
			case seen[platform]:
				return wrong(fmt.Sprintf("%s.platforms[%d]", place, k), "%q stands there already", platform)
			}
			seen[platform] = true
		}
		if len(b.Asked) > maxAsked {
			return wrong(place+".asked", "there are %d, more than %d", len(b.Asked), maxAsked)
		}
		for k, text := range b.Asked {
			if _, err := readAsked(text); err != nil {
				return wrong(fmt.Sprintf("%s.asked[%d]", place, k), "%w", err)
			}
		}
		if err := c.required(b, place); err != nil {
			return err
		}
	}
	return nil
}

// required checks the requirements of one build: each is an entry, each project
// comes once.
func (c *buildCheck) required(b *Build, place string) error {
	c.requires += len(b.Requires)
	switch {
	case len(b.Requires) > maxRequires:
		return wrong(place+".requires", "there are %d, more than %d", len(b.Requires), maxRequires)
	case c.requires > maxAllRequires:
		return wrong(place+".requires", "all builds together have more than %d", maxAllRequires)
	}
	seen := make(map[python.Name]bool, len(b.Requires))
	for k, d := range b.Requires {
		at := fmt.Sprintf("%s.requires[%d]", place, k)
		if d.Version == nil {
			return wrong(at+".version", "it is missing")
		}
		if _, ok := c.tools[keyOf(d.Name, d.Version)]; !ok {
			return wrong(at, "%s %s is not in tool.distill.build-packages", d.Name, d.Version)
		}
		if seen[d.Name] {
			return wrong(at, "%s stands there already", d.Name)
		}
		seen[d.Name] = true
	}
	return nil
}

// step is a build requirement on one platform, on the way through what it is built
// with.
type step struct {
	tool     int
	platform string
}

// circle is the error for s, which is built with to, which is built with s.
func (c *buildCheck) circle(s, to step) error {
	at := c.nested[s.tool]
	return wrong(at.place(), "on %s %s is built with %s, which can't be built without it", s.platform, describe(at.p), describe(c.nested[to.tool].p))
}

// cycle returns an error if something has to be built before itself on a platform.
func (c *buildCheck) cycle() error {
	state := make(map[step]progress)
	for i := range c.nested {
		for _, b := range c.nested[i].p.Distill.Builds {
			for _, platform := range b.Platforms {
				if err := c.walk(step{i, platform}, state); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// progress is how far the search for circles is with a step.
type progress uint8

const (
	unseen progress = iota
	open            // what it is built with is being looked at
	done
)

// walk follows all that s is built with, depth first; not by recursion, as a lock may
// have a chain of thousands.
func (c *buildCheck) walk(s step, state map[step]progress) error {
	if state[s] != unseen {
		return nil
	}
	type frame struct {
		step
		left []Dependency
	}
	stack := []frame{{s, c.next(s)}}
	state[s] = open
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.left) == 0 {
			state[top.step] = done
			stack = stack[:len(stack)-1]
			continue
		}
		d := top.left[0]
		top.left = top.left[1:]
		to := step{c.tools[keyOf(d.Name, d.Version)], s.platform}
		switch state[to] {
		case open:
			return c.circle(top.step, to)
		case unseen:
			state[to] = open
			stack = append(stack, frame{to, c.next(to)})
		}
	}
	return nil
}

// next returns what a build requirement is built with.
func (c *buildCheck) next(s step) []Dependency {
	if b := c.nested[s.tool].p.BuildOn(s.platform); b != nil {
		return b.Requires
	}
	return nil
}
