package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// hints tells what could be done about a proof, the most promising first.
func (p *proof) hints() []string {
	var out []string
	add := func(format string, args ...any) {
		if h := fmt.Sprintf(format, args...); !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	for _, t := range p.facts {
		if t.kind == factGuarded {
			p.hintGuarded(t, add)
		}
	}
	for _, t := range p.facts {
		switch {
		case t.kind == factUnusable:
			p.hintUnusable(t, add)
		case t.missing != "":
			add("name it in a requirements file: %s", bare(t.req))
		case t.dep != nil && len(t.dep.versions) == 0:
			p.hintAbsent(t.dep, add)
		}
	}
	return out
}

// hintAbsent tells what could be done about a package of which there is nothing.
func (p *proof) hintAbsent(k *pkg, add func(string, ...any)) {
	for _, l := range k.listings {
		if l.project.Advice != "" {
			add("%s", l.project.Advice)
			return
		}
	}
	add("check the spelling of %s, or name the index that has it with --index-url", k.name)
}

func (p *proof) hintGuarded(t *told, add func(string, ...any)) {
	i := t.versions[len(t.versions)-1].hi - 1
	v := t.pkg.versions[i]
	if v.IsPrerelease() {
		add("allow pre-releases with --pre, or ask for one: %s==%s", t.pkg.name, v)
		return
	}
	text := fmt.Sprintf("a yanked version is taken only if it is pinned: %s==%s", t.pkg.name, v)
	if reason := yankedReason(t.pkg.release(p.s.policy, i)); reason != "" {
		text += fmt.Sprintf(" (yanked: %s)", strings.TrimSuffix(reason, "."))
	}
	add("%s", text)
}

func (p *proof) hintUnusable(t *told, add func(string, ...any)) {
	i := t.versions[len(t.versions)-1].hi - 1
	rel := t.pkg.release(p.s.policy, i)
	bad := t.targets &^ p.s.usable(t.pkg, rel)
	if bad == 0 {
		return
	}
	target := bad.first()
	forOther := p.s.policy.allForOther(rel.candidate.Artifacts, target)
	reasons := p.reasons(t.pkg.name, rel, target)
	if forOther != nil && !reasons[fits] {
		if r := p.forThisPython(t, target); r != nil {
			reasons = p.reasons(t.pkg.name, r, target)
		}
	}
	if j := p.nearest(t, i); j >= 0 && !p.left(t.pkg).has(j) {
		add("%s %s can be had for %s: allow that version", t.pkg.name, t.pkg.versions[j], p.s.req.Targets[target].Name)
	}
	switch {
	case forOther != nil && reasons[fits]:
		add("take a Python that fits %q", forOther.RequiresPython)
	case reasons[buildOff]:
		add("allow building %s: it is excluded by --only-binary or --no-build", t.pkg.name)
	case reasons[binaryOff]:
		add("allow wheels of %s: they are excluded by --no-binary", t.pkg.name)
	case reasons[tooNew]:
		add("set a later --exclude-newer")
	case reasons[wrongHash], reasons[noHashGiven]:
		add("add the hash of the file that is wanted: %s --hash=sha256:...", t.pkg.name)
	}
}

// reasons returns why the files of a release can't be used, whatever Python they
// are for; fits is among them if another Python is all it takes.
func (p *proof) reasons(name python.Name, rel *release, target int) map[refusal]bool {
	out := make(map[refusal]bool)
	for _, a := range rel.candidate.Artifacts {
		out[p.s.policy.refuseUnderAnyPython(name, a, target)] = true
	}
	return out
}

// forThisPython returns the newest version of t with a file for the Python of
// the target, nil if there is none.
func (p *proof) forThisPython(t *told, target int) *release {
	for k := len(t.versions) - 1; k >= 0; k-- {
		for i := t.versions[k].hi - 1; i >= t.versions[k].lo; i-- {
			rel := t.pkg.release(p.s.policy, i)
			if p.s.policy.allForOther(rel.candidate.Artifacts, target) == nil {
				return rel
			}
		}
	}
	return nil
}

// nearest returns the version closest to i, newer ones first, that is final and
// can be used where t can't, -1 if there is none.
func (p *proof) nearest(t *told, i int32) int32 {
	ok := func(j int32) bool {
		if t.pkg.versions[j].IsPrerelease() || t.versions.has(j) {
			return false
		}
		rel := t.pkg.release(p.s.policy, j)
		return rel.usable&t.targets == t.targets && rel.yanked&t.targets == 0
	}
	n := int32(len(t.pkg.versions))
	for j := i + 1; j < n; j++ {
		if ok(j) {
			return j
		}
	}
	for j := i - 1; j >= 0; j-- {
		if ok(j) {
			return j
		}
	}
	return -1
}

// onlyTooNew is the kind of versions of which all files are too new.
var onlyTooNew = fmt.Sprintf("artifacts %d", tooNew)

// kind names the reasons why a version can't be had on a target, without
// details.
func (p *policy) kind(c *Candidate, target int) string {
	var out []string
	for _, a := range c.Artifacts {
		if r := p.refuse(c.Name, a, target); r != otherTarget {
			out = append(out, fmt.Sprint(r))
		}
	}
	slices.Sort(out)
	return "artifacts " + strings.Join(slices.Compact(out), " ")
}
