package distill

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Explanation is why one version of a project is in a lock.
type Explanation struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Why says what made it this version.
	Why string `json:"why,omitempty"`
	// Wanted holds "who: with which bounds", requirement lines first.
	Wanted []string `json:"wanted"`
	// Chain is the shortest way from a requirement line to the project.
	Chain []string `json:"chain"`
	// Files are the ways it gets onto each platform, in the order of the lock.
	Files []ExplainedFile `json:"files"`
	// Passed holds the preferred versions that were not taken, with the reason.
	Passed []string `json:"passed,omitempty"`
	Extras []string `json:"extras,omitempty"`
	Note   string   `json:"note,omitempty"`
	// Tool says that it is a build requirement: packages are built with it, and it is
	// not installed.
	Tool   bool             `json:"buildRequirement,omitempty"`
	Builds []ExplainedBuild `json:"builds,omitempty"`
	// Uses are the packages that are built with it.
	Uses []ExplainedUse `json:"uses,omitempty"`
}

// ExplainedFile is the way a project gets onto one platform.
type ExplainedFile struct {
	Platform string `json:"platform"`
	From     string `json:"from"` // "image", "wheel", "build"
	File     string `json:"file,omitempty"`
	Size     int64  `json:"size,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
	Why      string `json:"why,omitempty"` // of a build
}

// Explain tells why a project is in the lock called file: one explanation for
// each of its versions, those that are only built with behind those that are
// installed.
func Explain(file, what string) ([]Explanation, error) {
	l, err := readLock(file)
	if err != nil {
		return nil, err
	}
	name, err := python.ParseName(what)
	if err != nil {
		return nil, usagef("name a project of the lock", "%q is no project name", what)
	}
	all := slices.Concat(l.Packages, l.Distill.Image, l.Distill.Build)
	from, built := newParents(l), uses(l)
	var out []Explanation
	for i, p := range all {
		if p.Name != name {
			continue
		}
		e := explain(l, p, from)
		if i >= len(all)-len(l.Distill.Build) {
			e.Tool, e.Uses, e.Why = true, built[p], ofItsTime
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, usagef(similarName(all, name), "%s is not in %s", name, file)
	}
	return out, nil
}

// readLock reads a lock that must be there.
func readLock(file string) (*pylock.Lock, error) {
	text, err := readBounded(file, maxLock)
	if err != nil {
		return nil, usagef("", "%s: %v", file, err)
	}
	l, err := pylock.Read(text)
	if err != nil {
		return nil, &Failure{Kind: Damaged, Text: file, Cause: err}
	}
	return l, nil
}

func explain(l *pylock.Lock, p *pylock.Package, from *parents) Explanation {
	e := Explanation{
		Name: string(p.Name), Version: versionText(p), Wanted: p.Distill.WantedBy, Passed: p.Distill.Passed, Note: p.Distill.Note,
		Chain: chain(from, p), Why: whyVersion(l, p), Builds: explainBuilds(p),
	}
	for _, x := range p.Distill.Extras {
		e.Extras = append(e.Extras, string(x))
	}
	for _, platform := range l.Distill.Platforms {
		on, ok := p.Distill.On[platform]
		if !ok {
			continue
		}
		f := ExplainedFile{Platform: platform, From: "wheel", File: on}
		switch {
		case on == pylock.FromImage:
			f.From, f.File = "image", ""
		case !strings.HasSuffix(on, ".whl"):
			f.From, f.Why = "build", whyBuild(l, p)
		}
		for _, w := range lockFiles(p) {
			if w.Name == on {
				f.Size, f.SHA256 = w.Size, w.Hashes["sha256"]
			}
		}
		e.Files = append(e.Files, f)
	}
	return e
}

// whyVersion says which rule chose the version. A lock does not tell whether it was
// kept from an earlier one, which would change its text.
func whyVersion(l *pylock.Lock, p *pylock.Package) string {
	prefer := l.Distill.Options["prefer"]
	switch {
	case len(l.Distill.Platforms) == 0:
		return "" // of another tool
	case p.Archive != nil:
		return "it is the file that the requirement names"
	case prefer == "lowest":
		return "the oldest that fits (--prefer lowest), or what an earlier lock had"
	case prefer != "newest" && slices.Contains(slices.Collect(maps.Values(p.Distill.On)), pylock.FromImage):
		return "it stands in the development image, whose versions come before newer ones (--prefer newest changes that)"
	}
	return "the newest that fitted when it came into the lock; --upgrade-package " + string(p.Name) + " looks for a newer one"
}

// ofItsTime is the rule that chooses build requirements.
const ofItsTime = "of the time of the source archive that is built with it, or what an earlier lock had"

// whyBuild says why a source archive is taken.
func whyBuild(l *pylock.Lock, p *pylock.Package) string {
	switch option := l.WheelsBy(p.Name); {
	case strings.HasPrefix(option, "--source"):
		return option + " puts builds first"
	case option != "":
		return option + " leaves its wheels out"
	}
	if len(p.Wheels) == 0 {
		return "the lock has no wheel of it"
	}
	return "no wheel fits"
}

// lockFiles are all files of an entry.
func lockFiles(p *pylock.Package) []pylock.File {
	out := slices.Clone(p.Wheels)
	for _, f := range []*pylock.File{p.Sdist, p.Archive} {
		if f != nil {
			out = append(out, *f)
		}
	}
	return out
}

func versionText(p *pylock.Package) string {
	if p.Version == nil {
		return "unknown"
	}
	return p.Version.String()
}

// chain finds the shortest way from a requirement to p along wanted-by, whose
// lines begin with "NAME VERSION:" for packages.
func chain(from *parents, p *pylock.Package) []string {
	type step struct {
		p    *pylock.Package
		path []string
	}
	seen := map[*pylock.Package]bool{p: true}
	for queue := []step{{p, []string{string(p.Name) + " " + versionText(p)}}}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		for _, line := range s.p.Distill.WantedBy {
			who, _, _ := pylock.SplitWanter(line)
			parent := from.of(s.p, who)
			if parent == nil {
				return append([]string{line}, s.path...)
			}
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, step{parent, append([]string{who}, s.path...)})
			}
		}
	}
	return nil
}

// similarName is a hint with the names that look like the one asked for.
func similarName(all []*pylock.Package, name python.Name) string {
	var near []string
	for _, p := range all {
		if strings.Contains(string(p.Name), string(name)) || strings.Contains(string(name), string(p.Name)) {
			near = append(near, string(p.Name))
		}
	}
	if len(near) == 0 {
		return fmt.Sprintf("the lock has %d projects; none of them is called like it", len(all))
	}
	slices.Sort(near)
	return "there is " + strings.Join(slices.Compact(near), ", ")
}
