package audit

import (
	"fmt"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// Described is what is known of the interpreters that a lock is for.
type Described struct {
	Platforms []Platform
	// Given is set if the platforms were asked for, or stand in the lock;
	// otherwise those that the lock does not serve at all are left out.
	Given  bool
	Python string      // full version, "" if unknown
	Libc   python.Libc // of the platforms that do not have their own; the zero value if unknown
}

// Platform is a platform with its machine in Python's words.
type Platform struct {
	Name    string      // "linux/arm64"
	Machine string      // "aarch64"
	Libc    python.Libc // its own, the zero value if unknown
}

// Bounds of what is tried where the lock does not tell: from the oldest Python
// whose tags are those of today to one that is not there yet, and C libraries
// that are newer than any. An unknown patch release is a late one: nobody locks
// for the first.
const (
	oldestMinor = 8
	newestMinor = 15
	latePatch   = 99
	lateLibc    = 99
)

// Targets returns the interpreters that a lock is judged for. What nobody has
// said is taken to be what most entries of the lock fit.
func Targets(l *pylock.Lock, d Described) ([]resolve.Target, error) {
	versions := []string{d.Python}
	if d.Python == "" {
		versions = nil
		for minor := oldestMinor; minor <= newestMinor; minor++ {
			text := fmt.Sprintf("3.%d.%d", minor, latePatch)
			if v, err := python.ParseVersion(text); err == nil && l.RequiresPython.Contains(v, true) {
				versions = append(versions, text)
			}
		}
		if len(versions) == 0 {
			versions = []string{fmt.Sprintf("3.%d.%d", newestMinor, latePatch)}
		}
	}
	libcs := []python.Libc{d.Libc}
	if d.Libc.Family == "" {
		libcs = []python.Libc{{Family: "glibc", Major: 2, Minor: lateLibc}, {Family: "musl", Major: 1, Minor: lateLibc}}
	}
	var best []resolve.Target
	most := -1
	for _, text := range versions {
		v, err := python.ParseVersion(text)
		if err != nil || len(v.Release()) < 2 {
			return nil, fmt.Errorf("%q is no version of Python", text)
		}
		for _, libc := range libcs {
			// The platform that fits best decides: one that the lock does not serve
			// says nothing about its Python.
			if targets, fitting := serve(l, d, v, libc); fitting > most {
				best, most = targets, fitting
			}
		}
	}
	return best, nil
}

// serve makes the targets of one interpreter and counts the entries that fit on the
// platform which most of them fit.
func serve(l *pylock.Lock, d Described, v python.Version, libc python.Libc) (targets []resolve.Target, fitting int) {
	r := v.Release()
	native := 0
	type served struct {
		target          resolve.Target
		fitting, native int
	}
	var all []served
	for _, p := range d.Platforms {
		libc := libc
		if p.Libc.Family != "" {
			libc = p.Libc
		}
		s := served{target: resolve.Target{
			Name: p.Name, Python: v, Markers: python.MarkerEnvFor(v, p.Machine), Libc: libc,
			Tags: python.TagsFor(python.TagTarget{Implementation: "cp", Major: int(r[0]), Minor: int(r[1]), Arch: p.Machine, Libc: libc}),
		}}
		s.fitting, s.native = countFitting(l, &s.target)
		native = max(native, s.native)
		all = append(all, s)
	}
	for _, s := range all {
		if d.Given || native == 0 || s.native > 0 {
			targets = append(targets, s.target)
			fitting = max(fitting, s.fitting)
		}
	}
	return targets, fitting
}

// countFitting counts the entries of a lock that a target can use without a build,
// and those among them that come as a wheel for its platform alone.
func countFitting(l *pylock.Lock, t *resolve.Target) (fitting, native int) {
	for _, p := range l.Packages {
		if !p.RequiresPython.Contains(t.Python, true) {
			continue
		}
		best := -1 // place of the best wheel in the list of tags
		var name string
		for _, w := range p.Wheels {
			n, err := python.ParseWheelName(w.Name)
			if err != nil {
				continue
			}
			if rank, ok := t.Tags.Rank(n); ok && (best < 0 || rank < best) {
				best, name = rank, w.Name
			}
		}
		if best >= 0 {
			fitting++
			if !strings.HasSuffix(name, "-any.whl") {
				native++
			}
		}
	}
	return fitting, native
}
