package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// buildRules judge what packages are built with, by the rules for what is installed.
// A build requirement runs without a network, on sources that were checked, and is
// not shipped: a flaw of it weighs little. Whoever controls it controls what is
// shipped, though: what points to an attack weighs as much as anywhere.
func buildRules() []Rule {
	return []Rule{
		ofBuilds(vulnerable, Low, "A build requirement has a known vulnerability",
			"It is not installed. A newer version of what is built with it, or a wheel of that, takes a newer one or none. Reports of malware keep their severity."),
		ofBuilds(changed, Critical, "The file of a build requirement on the index is not the one that was locked",
			"Whoever changed it can change the packages that are built with it. Find out what happened before anything is built."),
		ofBuilds(vanished, Medium, "The index does not have a build requirement any more",
			"The next build fails unless a cache has the wheel. Lock again with --upgrade-package NAME."),
		ofBuilds(yanked, Low, "A build requirement was yanked from the index",
			"Its authors ask not to use it any more. Lock again with --upgrade-package NAME."),
		ofBuilds(status, Low, "The index marks a build requirement as archived, deprecated or quarantined",
			"Nobody will fix it. A quarantined project may be malware, and runs in the builds of what is shipped."),
		ofBuilds(noHash, High, "The lock has no hash of a build requirement",
			"Whatever the index sends runs in a build of what is shipped: lock again."),
		ofBuilds(weakHash, Medium, "The lock has only weak hashes of a build requirement",
			"Files with a given md5 or sha1 can be made. Lock again with an index that gives sha256."),
	}
}

// ofBuilds is a rule that judges the build requirements as r judges what is
// installed. Only what r calls worse than usual keeps the severity of r.
func ofBuilds(r Rule, s Severity, title, help string) Rule {
	return Rule{
		Code: "build-" + r.Code, Severity: s, Title: title, Help: help, lockOnly: true,
		check: func(f *Facts) []Finding { return f.judgeTools(r) },
	}
}

func (f *Facts) judgeTools(r Rule) []Finding {
	notes := make(map[Key]string, len(f.Tools))
	g := *f
	g.Items = make([]*Item, len(f.Tools))
	for k, i := range f.Tools {
		notes[i.Key()] = i.Note
		one := *i
		one.Note = "" // added to all findings below
		g.Items[k] = &one
	}
	out := r.check(&g)
	for k := range out {
		x := &out[k]
		if r.Code == vulnerable.Code && !malicious(x) {
			x.Severity = Unset
		}
		x.Message += " (" + notes[Key{x.Package, x.Version}] + ")"
		switch r.Code {
		case vulnerable.Code:
			x.Fix += "; builds take what is of the time of their source archive, so lock a newer version of what is built with it, or one that has a wheel"
		case vanished.Code, yanked.Code:
			x.Fix += "; distill lock --upgrade-package " + string(x.Package) + " looks for one"
		}
	}
	return out
}

// malicious tells whether a finding is about malware, as the OSV project names such
// reports.
func malicious(x *Finding) bool {
	return slices.ContainsFunc(append([]string{x.ID}, x.Aliases...), func(id string) bool { return strings.HasPrefix(id, "MAL-") })
}

// Tools returns the build requirements of a lock as they are judged: those with which
// something is built on one of the targets.
func Tools(file string, text []byte, l *pylock.Lock, targets []resolve.Target) []*Item {
	lines := FindLines(text, l)
	on := make(map[*pylock.Package][]int)
	for t := range targets {
		for p, built := range builtWith(l, targets[t].Name) {
			if len(built) > 0 {
				on[p] = append(on[p], t)
			}
		}
	}
	names := builtWith(l, "")
	var out []*Item
	for k, p := range l.Distill.Build {
		if len(on[p]) > 0 {
			out = append(out, &Item{
				Name: p.Name, Version: p.Version, Place: Place{file, lines.build[k]}, Entry: p, On: on[p],
				Note: "not installed: " + someNames(names[p]) + " built with it",
			})
		}
	}
	return out
}

// builtWith returns for each build requirement what is built with it on a platform,
// or on any: titles in the order of the lock.
func builtWith(l *pylock.Lock, platform string) map[*pylock.Package][]string {
	byTitle := make(map[string]*pylock.Package, len(l.Distill.Build))
	for _, p := range l.Distill.Build {
		byTitle[title(p.Name, p.Version)] = p
	}
	out := make(map[*pylock.Package][]string)
	for _, p := range slices.Concat(l.Packages, l.Distill.Image, l.Distill.Build) {
		built := title(p.Name, p.Version)
		for i := range p.Distill.Builds {
			b := &p.Distill.Builds[i]
			if platform != "" && !slices.Contains(b.Platforms, platform) {
				continue
			}
			for _, d := range b.Requires {
				tool := byTitle[title(d.Name, d.Version)]
				if n := len(out[tool]); n == 0 || out[tool][n-1] != built {
					out[tool] = append(out[tool], built)
				}
			}
		}
	}
	return out
}

// title is a version of a project in a message.
func title(name python.Name, v *python.Version) string {
	if v == nil {
		return string(name)
	}
	return string(name) + " " + v.String()
}

// maxNames is how many packages a message names.
const maxNames = 3

// someNames lists what is built, with its verb.
func someNames(list []string) string {
	switch n := len(list); {
	case n == 1:
		return list[0] + " is"
	case n > maxNames:
		return fmt.Sprintf("%s and %d more are", strings.Join(list[:maxNames], ", "), n-maxNames)
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " and " + list[last] + " are"
}
