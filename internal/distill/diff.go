package distill

import (
	"context"
	"slices"
	"strings"
)

// DiffOptions are the options of Diff.
type DiffOptions struct {
	A, B      string   // two lock files or two images
	Platforms []string // to look at; empty means all
	Offline   bool
}

// DiffResult is what differs, as diff --json shows it.
type DiffResult struct {
	A    string `json:"a"`
	B    string `json:"b"`
	Kind string `json:"kind"` // "locks" or "images"
	// Settings are about the lock or the image as a whole.
	Settings []Change     `json:"settings"`
	Packages []PackageGap `json:"packages"`
	Builds   []BuildGap   `json:"builds,omitempty"` // of locks: what they are built with
	Images   []ImageGap   `json:"images,omitempty"` // platforms that differ
}

// Change is a value on both sides, "" where there is none.
type Change struct {
	What     string `json:"what"`
	Platform string `json:"platform,omitempty"` // "" for all
	A        string `json:"a"`
	B        string `json:"b"`
}

// PackageGap is a package that differs on some platforms.
type PackageGap struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`      // "added", "removed", "version", "files", "source"
	Platforms []string `json:"platforms"` // in order
	A         string   `json:"a"`         // version, or where it comes from
	B         string   `json:"b"`
	Files     []Change `json:"files,omitempty"` // of locks: digests by file name
	System    bool     `json:"system,omitempty"`
}

// Same tells whether nothing differs.
func (d *DiffResult) Same() bool {
	return len(d.Settings)+len(d.Packages)+len(d.Builds)+len(d.Images) == 0
}

// Diff compares two lock files or two images.
func Diff(ctx context.Context, h *Host, o DiffOptions) (*DiffResult, error) {
	var locks []bool
	for _, name := range []string{o.A, o.B} {
		isLock, err := isLockFile(name)
		if err != nil {
			return nil, err
		}
		locks = append(locks, isLock)
	}
	if locks[0] != locks[1] {
		return nil, usagef("compare two lock files, or two images", "%s and %s are not of one kind", o.A, o.B)
	}
	d := &DiffResult{A: o.A, B: o.B, Kind: "images", Settings: []Change{}, Packages: []PackageGap{}}
	if locks[0] {
		d.Kind = "locks"
		return d, d.locks(o)
	}
	return d, d.images(ctx, h, o)
}

// setting notes a value that differs.
func (d *DiffResult) setting(what, platform, a, b string) {
	if a != b {
		d.Settings = append(d.Settings, Change{What: what, Platform: platform, A: a, B: b})
	}
}

// add notes a gap of one platform, and joins it with that of another if they are
// the same.
func (d *DiffResult) add(g PackageGap, platform string) {
	for i := range d.Packages {
		p := &d.Packages[i]
		if p.Name == g.Name && p.Kind == g.Kind && p.A == g.A && p.B == g.B && p.System == g.System && slices.Equal(p.Files, g.Files) {
			p.Platforms = append(p.Platforms, platform)
			return
		}
	}
	g.Platforms = []string{platform}
	d.Packages = append(d.Packages, g)
}

// sort puts the packages in order of name.
func (d *DiffResult) sort() {
	slices.SortStableFunc(d.Packages, func(a, b PackageGap) int {
		if a.System != b.System {
			if b.System {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// versionGap compares what two sides have of a package, "" being nothing.
func versionGap(name, a, b string) (PackageGap, bool) {
	g := PackageGap{Name: name, Kind: "version", A: a, B: b}
	switch {
	case a == b:
		return g, false
	case a == "":
		g.Kind = "added"
	case b == "":
		g.Kind = "removed"
	}
	return g, true
}

// namesOf returns the keys of both maps, sorted, each once.
func namesOf[K ~string, V any](a, b map[K]V) []K {
	var out []K
	for _, m := range []map[K]V{a, b} {
		for k := range m {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
