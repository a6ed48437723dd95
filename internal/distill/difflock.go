package distill

import (
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// lockSide is one of two locks with the entries of each platform.
type lockSide struct {
	lock    *pylock.Lock
	targets []resolve.Target
	entries map[string]map[python.Name]*pylock.Package // by platform
	tool    func(pylock.Dependency) *pylock.Package    // finds build requirements
}

// locks compares two lock files, platform by platform.
func (d *DiffResult) locks(o DiffOptions) error {
	var sides [2]*lockSide
	for i, name := range []string{o.A, o.B} {
		l, err := readLock(name)
		if err != nil {
			return err
		}
		if sides[i], err = newLockSide(name, l, o.Platforms); err != nil {
			return err
		}
	}
	d.compareLocks(sides[0], sides[1])
	return nil
}

// compareLocks notes what differs between two locks: about all of it, and about
// each package on each platform.
func (d *DiffResult) compareLocks(a, b *lockSide) {
	d.setting("requires-python", "", a.lock.RequiresPython.String(), b.lock.RequiresPython.String())
	d.setting("python", "", a.lock.Distill.Python, b.lock.Distill.Python)
	d.setting("platforms", "", strings.Join(namesOf(a.entries, nil), ", "), strings.Join(namesOf(b.entries, nil), ", "))
	d.setting("libc", "", pairsText(a.lock.Distill.Libc), pairsText(b.lock.Distill.Libc))
	options := [2]map[string]string{a.lock.Distill.Options, b.lock.Distill.Options}
	for _, k := range namesOf(options[0], options[1]) {
		d.setting("option "+k, "", options[0][k], options[1][k])
	}
	images := [2]map[string]string{imagesOf(a.lock), imagesOf(b.lock)}
	for _, role := range namesOf(images[0], images[1]) {
		d.setting("image "+role, "", images[0][role], images[1][role])
	}
	for _, platform := range namesOf(a.entries, b.entries) {
		// A platform that only one side has is a setting, not a hundred packages.
		if a.entries[platform] == nil || b.entries[platform] == nil {
			continue
		}
		for _, name := range namesOf(a.entries[platform], b.entries[platform]) {
			if g, ok := lockGap(name, platform, a.entries[platform][name], b.entries[platform][name]); ok {
				d.add(g, platform)
			}
		}
	}
	d.compareBuilds(a, b)
	d.sort()
}

// pairsText writes a map on one line, in order.
func pairsText(m map[string]string) string {
	var out []string
	for _, k := range namesOf(m, nil) {
		out = append(out, k+" "+m[k])
	}
	return strings.Join(out, ", ")
}

func newLockSide(file string, l *pylock.Lock, platforms []string) (*lockSide, error) {
	a := &auditing{options: AuditOptions{Subject: file, Choice: ChoiceOptions{Platforms: platforms}}}
	d, err := a.described(l)
	if err != nil {
		return nil, err
	}
	s := &lockSide{lock: l, tool: l.BuildPackages(), entries: map[string]map[python.Name]*pylock.Package{}}
	if s.targets, err = audit.Targets(l, d); err != nil {
		return nil, unsupportedf("", "%s: %v", file, err)
	}
	for t := range s.targets {
		on := map[python.Name]*pylock.Package{}
		for _, p := range slices.Concat(l.Packages, l.Distill.Image) {
			if ok, err := p.Marker.EvalLock(&s.targets[t].Markers, nil, nil); (err != nil || ok) && on[p.Name] == nil {
				on[p.Name] = p
			}
		}
		s.entries[s.targets[t].Name] = on
	}
	return s, nil
}

// imagesOf returns the images of a lock by their role.
func imagesOf(l *pylock.Lock) map[string]string {
	out := map[string]string{}
	for _, i := range l.Distill.Images {
		out[i.Role] = strings.TrimPrefix(i.Reference+"@"+i.Digest, "@")
	}
	return out
}

// lockGap compares the entries of a package on one platform: versions, else files,
// else where they come from.
func lockGap(name python.Name, platform string, a, b *pylock.Package) (PackageGap, bool) {
	text := func(p *pylock.Package) string {
		if p == nil {
			return ""
		}
		return versionText(p)
	}
	if g, ok := versionGap(string(name), text(a), text(b)); ok {
		return g, true
	}
	g := PackageGap{Name: string(name), Kind: "files", A: text(a), B: text(b)}
	files := [2]map[string]string{digestsOf(a), digestsOf(b)}
	for _, file := range namesOf(files[0], files[1]) {
		if x, y := files[0][file], files[1][file]; x != y {
			g.Files = append(g.Files, Change{What: file, A: x, B: y})
		}
	}
	if len(g.Files) > 0 {
		return g, true
	}
	from := [2]string{a.Distill.On[platform], b.Distill.On[platform]}
	if from[0] != from[1] && from[0] != "" && from[1] != "" {
		return PackageGap{Name: string(name), Kind: "source", A: from[0], B: from[1]}, true
	}
	return g, false
}

// digestsOf returns the digests of an entry's files, the best one of each.
func digestsOf(p *pylock.Package) map[string]string {
	out := map[string]string{}
	for _, f := range lockFiles(p) {
		for _, algorithm := range []string{"sha256", "sha384", "sha512"} {
			if h := f.Hashes[algorithm]; h != "" {
				out[f.Name] = algorithm + ":" + h
				break
			}
		}
		for _, algorithm := range namesOf(f.Hashes, nil) {
			if out[f.Name] == "" {
				out[f.Name] = algorithm + ":" + f.Hashes[algorithm]
			}
		}
	}
	return out
}
