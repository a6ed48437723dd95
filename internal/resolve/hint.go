package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// hints tells what could be done about a proof, the most promising first.
func (p *proof) hints() []advice {
	var out []advice
	add := func(format string, args ...any) {
		h := fmt.Sprintf(format, args...)
		if !slices.ContainsFunc(out, func(a advice) bool { return a.text == h }) {
			out = append(out, advice{text: h})
		}
	}
	for _, k := range p.wantedPackages() {
		if project := k.listings[0].project; len(project.Others) > 0 && p.contested(k) {
			add("%s is taken from %s, the first index that has it, so %s was not asked: if you trust both, --index-strategy unsafe-best-match takes the versions of all",
				k.name, project.Index, strings.Join(project.Others, ", "))
		}
	}
	for _, t := range p.facts {
		if t.kind == factGuarded {
			out = append(out, p.hintGuarded(t))
		}
	}
	for _, t := range p.facts {
		switch {
		case t.kind == factUnusable:
			p.hintUnusable(t, &out, add)
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

func (p *proof) hintGuarded(t *told) advice {
	i := t.versions[len(t.versions)-1].hi - 1
	v := t.pkg.versions[i]
	pin := exactly(v)
	if v.IsPrerelease() {
		return advice{
			text: "allow pre-releases with --pre", pre: true,
			name: t.pkg.name, pin: pin, pinText: fmt.Sprintf("ask for one: %s%s", t.pkg.name, pin),
		}
	}
	text := fmt.Sprintf("a yanked version is taken only if it is pinned: %s%s", t.pkg.name, pin)
	if reason := yankedReason(t.pkg.release(p.s.policy, i)); reason != "" {
		text += fmt.Sprintf(" (yanked: %s)", strings.TrimSuffix(reason, "."))
	}
	return advice{name: t.pkg.name, pin: pin, pinText: text}
}

func (p *proof) hintUnusable(t *told, out *[]advice, add func(string, ...any)) {
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
	left := p.left(t.pkg)
	*out = append(*out, advice{name: t.pkg.name, near: &nearby{
		to: t.pkg.versions[i], where: p.s.req.Targets[target].Name,
		other: func(v python.Version) bool {
			j := t.pkg.find(v)
			return j >= 0 && !t.versions.has(j) && !left.has(j)
		},
	}})
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
