package resolve

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Why tells why a version can't be had on a target, artifact by artifact in one
// sentence: "has no wheel for cp311 linux/arm64 (there are: cp310 ...)".
func (p *policy) why(c *Candidate, target int) string {
	if len(c.Artifacts) == 0 {
		return "has no files"
	}
	by := make(map[refusal][]*Artifact)
	for _, a := range c.Artifacts {
		r := p.refuse(c.Name, a, target)
		by[r] = append(by[r], a)
	}
	delete(by, otherTarget)
	if a := p.allForOther(c.Artifacts, target); a != nil {
		return p.refusalText(wrongPython, []*Artifact{a}, target)
	}
	for _, r := range []refusal{tooNew, noTime, wrongHash, noHashGiven} {
		if slices.ContainsFunc(by[r], isWheel) { // one whose tags fit
			delete(by, wrongTags)
		}
	}
	var parts []string
	for r := fits + 1; r <= buildOff; r++ {
		if list := by[r]; len(list) > 0 {
			parts = append(parts, p.refusalText(r, list, target))
		}
	}
	if len(by[buildOff]) == 0 && len(by[wrongTags]) > 0 && !slices.ContainsFunc(c.Artifacts, isSdist) {
		parts = append(parts, "there is no source archive")
	}
	switch {
	case len(parts) > 0:
	case slices.ContainsFunc(c.Artifacts, isSdist):
		return "has no wheel, and --source leaves out builds"
	case slices.ContainsFunc(c.Artifacts, isWheel):
		return "has wheels only, and --source leaves them out"
	default:
		return "stands in the image of another platform only"
	}
	return strings.Join(parts, ", and ")
}

// allForOther returns the first artifact if all of them are for another Python:
// then nothing else about them matters.
func (p *policy) allForOther(list []*Artifact, target int) *Artifact {
	for _, a := range list {
		if a.Kind == ImageFiles || refusePython(a.RequiresPython, p.targets[target].Python) == fits {
			return nil
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func isSdist(a *Artifact) bool { return a.Kind == Sdist }

func isWheel(a *Artifact) bool { return a.Kind == Wheel }

// refusalText says why artifacts that were refused for one reason were.
func (p *policy) refusalText(r refusal, list []*Artifact, target int) string {
	t := &p.targets[target]
	switch r {
	case unfitFiles:
		return "has files in the image that do not fit: " + list[0].Unfit
	case wrongTags:
		return fmt.Sprintf("has no wheel for %s%s (there are: %s)", t.tagName(), t.libcAgainst(list), tagGroups(list, t.Markers.PlatformMachine))
	case wrongPython, outgrown:
		return fmt.Sprintf("needs Python %s, %s has %s", list[0].RequiresPython, t.Name, t.Python)
	case tooNew:
		return fmt.Sprintf("was uploaded %s, after --exclude-newer", list[0].Uploaded.UTC().Format("2006-01-02 15:04"))
	case noTime:
		return "has no upload time, which --exclude-newer needs"
	case wrongHash:
		return "has no file with a hash that the requirements give"
	case noHashGiven:
		return "has no --hash in the requirements, and hashes are required"
	case binaryOff:
		if list[0].Kind == ImageFiles {
			return "has files in the image that came as a wheel, which --no-binary excludes"
		}
		return "has wheels, which --no-binary excludes"
	default:
		return "may not be built: --only-binary or --no-build excludes it"
	}
}

// tagName names what a wheel must fit: "cp311 linux/arm64".
func (t *Target) tagName() string {
	release := t.Python.Release()
	for len(release) < 2 {
		release = append(release, 0)
	}
	return fmt.Sprintf("cp%d%d %s", release[0], release[1], t.Name)
}

// libcAgainst names the C library of the target if wheels would fit but for that.
func (t *Target) libcAgainst(list []*Artifact) string {
	if t.Libc.Family == "" {
		return ""
	}
	for _, a := range list {
		for _, platform := range a.WheelName.Platform {
			if !strings.Contains(platform, "linux") || !strings.HasSuffix(platform, "_"+t.Markers.PlatformMachine) {
				continue
			}
			anyLibc := *a.WheelName
			anyLibc.Platform = []string{"linux_" + t.Markers.PlatformMachine}
			if _, ok := t.Tags.Rank(&anyLibc); ok {
				return fmt.Sprintf(" with %s %d.%d", t.Libc.Family, t.Libc.Major, t.Libc.Minor)
			}
		}
	}
	return ""
}

// refusedBefore tells, for the ways that come before the one taken, why they
// were not.
func (p *policy) refusedBefore(c *Candidate, taken *Artifact, target int) []string {
	var out []string
	for _, kind := range p.sources {
		if taken != nil && kind == taken.Kind {
			return out
		}
		some := Candidate{Name: c.Name}
		for _, a := range c.Artifacts {
			if a.Kind == kind && (kind != ImageFiles || a.Target == target) {
				some.Artifacts = append(some.Artifacts, a)
			}
		}
		if len(some.Artifacts) > 0 {
			out = append(out, strings.TrimSuffix(p.why(&some, target), ", and there is no source archive"))
		} else if kind == Wheel {
			out = append(out, "has no wheels")
		}
	}
	return out
}

// passed returns the versions that come before the one picked, and why each was
// not taken. It asks the source nothing.
func (s *solver) passed(p *Pick) []Passed {
	var out []Passed
	on := mask(0)
	for _, placed := range p.On {
		on |= maskOf(placed.Target)
	}
	apart := 0
	add := func(i int32, reason string) {
		v := p.pkg.versions[i]
		if n := len(out); n > apart && out[n-1].Reason == reason {
			out[n-1].Last = v
			out[n-1].Count++
			return
		}
		out = append(out, Passed{v, v, 1, reason})
	}
	prefer := s.fetch.preferred(p.pkg.shelf, on)
	if at := slices.Index(prefer, p.index); at >= 0 {
		for _, i := range prefer[:at] {
			add(i, s.passedFor(p, i, on))
		}
		return out
	}
	for _, i := range prefer {
		add(i, s.passedFor(p, i, on))
	}
	apart = len(out) // what was preferred is no end of a range of others
	n := int32(len(p.pkg.versions))
	for k := range n {
		i := n - 1 - k
		if s.req.Options.Prefer == PreferLowest {
			i = k
		}
		if i == p.index {
			break
		}
		if !slices.Contains(prefer, i) {
			add(i, s.passedFor(p, i, on))
		}
	}
	return out
}

// passedFor returns why version i was not taken where p was.
func (s *solver) passedFor(p *Pick, i int32, on mask) string {
	v := p.pkg.versions[i]
	for k := range p.Wanted {
		w := &p.Wanted[k]
		if !w.Requirement.Specifiers.Contains(v, true) {
			if w.Overridden() {
				return fmt.Sprintf("%s wants %s in place of what %s %s asks for", fileOf(&w.Requirement), w.Requirement.Specifiers, w.Parent.Name, w.Parent.Version)
			}
			return fmt.Sprintf("%s wants %s", who(w), w.Requirement.Specifiers)
		}
	}
	for k := range s.req.Constraints {
		c := &s.req.Constraints[k]
		if c.Name == p.Name && !c.Specifiers.Contains(v, true) {
			return fmt.Sprintf("%s allows only %s", fileOf(c), c.Specifiers)
		}
	}
	rel := p.pkg.releases[i].Load()
	if rel == nil || !rel.seen {
		return "was not looked at"
	}
	if rel.err != nil && rel.guessed() == nil {
		return rel.err.Error()
	}
	if bad := on &^ rel.usable; bad != 0 {
		return s.policy.why(&rel.candidate, bad.first())
	}
	if rel.yanked&on != 0 {
		return strings.TrimSuffix("was yanked: "+yankedReason(rel), ": ")
	}
	// Where one pre-release was taken, being one is no reason against another.
	if v.IsPrerelease() && !s.req.Options.Pre && !p.Version.IsPrerelease() {
		return "is a pre-release"
	}
	if reason := s.clash(rel, p); reason != "" {
		return reason
	}
	if s.req.Options.Align == AlignWheels && rel.builds&on != 0 {
		return "would have to be built for " + s.req.Targets[(rel.builds&on).first()].Name
	}
	return "does not fit together with the others"
}

// clash names a requirement of rel that the picks do not meet.
func (s *solver) clash(rel *release, p *Pick) string {
	var extras []python.Name
	for _, on := range p.On {
		extras = append(extras, on.Extras...)
	}
	for _, extra := range append([]python.Name{""}, extras...) {
		for _, d := range rel.deps[extra] {
			dep := s.pkgs[d.req.Name]
			if dep == nil {
				continue
			}
			for _, t := range d.on.targets() {
				i := s.chosenOn(dep, t)
				if i >= 0 && !d.req.Specifiers.Contains(dep.versions[i], true) {
					return fmt.Sprintf("needs %s, but %s %s is taken", bare(d.req), dep.name, dep.versions[i])
				}
			}
			if len(dep.versions) > 0 && len(dep.sets[dep.admitted(d.req)]) == 0 {
				return fmt.Sprintf("needs %s, which does not exist", bare(d.req))
			}
		}
	}
	return ""
}

func yankedReason(rel *release) string {
	for _, a := range rel.candidate.Artifacts {
		if a.Yanked && a.YankedReason != "" {
			return a.YankedReason
		}
	}
	return ""
}

// who names where a requirement comes from.
func who(w *Want) string {
	if w.Parent == nil {
		return fileOf(&w.Requirement)
	}
	return fmt.Sprintf("%s %s", w.Parent.Name, w.Parent.Version)
}

// fileOf names the file of a requirement as a lock does: without its folder, which
// depends on where one stands, and without the line, which moves with those above.
func fileOf(r *python.Requirement) string {
	if r.Pos.File == "" {
		return origin(r)
	}
	return path.Base(r.Pos.File)
}

// bare returns a requirement without its marker.
func bare(r *python.Requirement) string {
	b := *r
	b.Marker = nil
	return b.String()
}
