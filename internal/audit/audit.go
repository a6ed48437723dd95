// Package audit judges a lock file or an image: facts in, findings out, one file
// a rule.
//
// It is pure. What the index lists and which advisories there are is collected
// by its caller; what is not known is not complained about.
package audit

import (
	"cmp"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// Finding is one thing that an audit complains about.
type Finding struct {
	Code      string      `json:"code"`              // of the rule
	ID        string      `json:"id"`                // what an ignore names: the advisory, else "code/package"
	Aliases   []string    `json:"aliases,omitempty"` // other names of the advisory
	Severity  Severity    `json:"severity"`
	Score     float64     `json:"score,omitempty"` // CVSS base score; 0 if unknown
	Package   python.Name `json:"package,omitempty"`
	Version   string      `json:"version,omitempty"`
	Platforms []string    `json:"platforms,omitempty"` // where it holds
	Place     Place       `json:"place"`
	Message   string      `json:"message"`
	Fix       string      `json:"fix"` // what to do
	URL       string      `json:"url,omitempty"`
}

// Place is where to look: a line of a file, or a path in an image.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // 0: the file as a whole
}

// Facts are what the rules judge.
type Facts struct {
	// Targets are the platforms that count; those of an image need a Name only.
	Targets []resolve.Target
	Items   []*Item
	// Tools are the build requirements of a lock. They are not installed, and only
	// the rules for them look at them.
	Tools []*Item
	// Lock is nil if an image is audited.
	Lock *pylock.Lock
	// Index holds what the index lists of each project; a project that was not
	// asked for is not in it.
	Index map[python.Name]*Listing
	// Advisories are those that affect a package version, withdrawn ones among
	// them or not.
	Advisories map[Key][]*Advisory
	// Fixes are proposed versions that no known advisory affects.
	Fixes map[Key]Proposal
	// Wanted is what the lock should hold, nil if that is not known.
	Wanted *Wanted
}

// Key is a version of a project.
type Key struct {
	Name    python.Name
	Version string // in normal form
}

// Item is one thing that is judged: an entry of a lock, or what is installed in
// some platforms of an image.
type Item struct {
	Name    python.Name
	Version *python.Version // nil if unknown
	On      []int           // targets, ascending
	Place   Place
	Entry   *pylock.Package // nil in an image
	// ImageOnly is set for entries whose files exist in the development image
	// only.
	ImageOnly bool
	// Note is added to what is said of its advisories: "part of the Debian
	// package python3-x ...".
	Note string
}

// Key returns the item's version as a key.
func (i *Item) Key() Key {
	if i.Version == nil {
		return Key{Name: i.Name}
	}
	return Key{i.Name, i.Version.String()}
}

// Listing is what the index says of a project.
type Listing struct {
	// Missing is set if no index has the project.
	Missing bool
	Where   string // the index, for a message
	// Status is that of PEP 792, "" if active.
	Status, StatusReason string
	Project              *resolve.Project
}

// files returns what is listed of a version, nil if there is none.
func (l *Listing) files(v python.Version) []*resolve.Artifact {
	i, ok := slices.BinarySearchFunc(l.Project.Versions, v, python.Version.Compare)
	if !ok {
		return nil
	}
	return l.Project.Artifacts(i)
}

// Proposal is a version to upgrade to.
type Proposal struct {
	Version string // "" if there is none
	How     string // "it fits the requirements", or why there is none
}

// Wanted is what requirements files ask for.
type Wanted struct {
	Requirements, Constraints, Overrides []python.Requirement
}

// Run returns what the rules complain about, the worst first.
func Run(f *Facts) []Finding {
	var out []Finding
	for _, r := range rules() {
		if r.lockOnly && f.Lock == nil {
			continue
		}
		for _, x := range r.check(f) {
			x.Code = r.Code
			if x.Severity == Unset {
				x.Severity = r.Severity
			}
			if x.ID == "" {
				x.ID = r.Code + "/" + string(x.Package)
			}
			out = append(out, x)
		}
	}
	Sort(out)
	return out
}

// Sort puts findings in the order in which they are shown: the worst first, then
// by package, version, rule and name.
func Sort(list []Finding) {
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(b.Severity.weight()-a.Severity.weight(), strings.Compare(string(a.Package), string(b.Package)),
			strings.Compare(a.Version, b.Version), strings.Compare(a.Code, b.Code), strings.Compare(a.ID, b.ID),
			cmp.Compare(a.Place.Line, b.Place.Line), strings.Compare(a.Message, b.Message))
	})
}

// finding starts a finding about an item on some targets.
func (f *Facts) finding(i *Item, on []int, message, fix string) Finding {
	x := Finding{Package: i.Name, Version: i.Key().Version, Place: i.Place, Message: message, Fix: fix}
	for _, t := range on {
		x.Platforms = append(x.Platforms, f.Targets[t].Name)
	}
	return x
}

// names joins the names of targets for a message.
func (f *Facts) names(on []int) string {
	var out []string
	for _, t := range on {
		out = append(out, f.Targets[t].Name)
	}
	return strings.Join(out, " and ")
}

// lockFiles returns the files of an entry, those with a fixed place first.
func lockFiles(p *pylock.Package) []*pylock.File {
	var out []*pylock.File
	if p.Archive != nil {
		out = append(out, p.Archive)
	}
	if p.Sdist != nil {
		out = append(out, p.Sdist)
	}
	for i := range p.Wheels {
		out = append(out, &p.Wheels[i])
	}
	return out
}
