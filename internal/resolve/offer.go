package resolve

import (
	"slices"
	"strings"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// policy is what the options allow, in a form that is quick to ask.
type policy struct {
	targets  []Target
	sources  []ArtifactKind
	newer    time.Time
	noBinary python.FormatControl
	noBuild  python.FormatControl
	// hashes holds, for a name, the sets of which each file must match one hash.
	hashes        map[python.Name][]map[string][]string
	requireHashes bool
}

func newPolicy(req *Request) *policy {
	o := &req.Options
	p := &policy{
		targets:       req.Targets,
		sources:       o.Sources,
		newer:         o.ExcludeNewer,
		noBinary:      o.NoBinary,
		noBuild:       o.OnlyBinary,
		hashes:        make(map[python.Name][]map[string][]string),
		requireHashes: o.RequireHashes,
	}
	if o.NoBuild {
		p.noBuild = python.FormatControl{All: true}
	}
	if len(p.sources) == 0 {
		p.sources = []ArtifactKind{ImageFiles, Wheel, Sdist}
	}
	for _, list := range [][]python.Requirement{req.Requirements, req.Constraints} {
		for i := range list {
			if h := list[i].Hashes; len(h) > 0 {
				p.hashes[list[i].Name] = append(p.hashes[list[i].Name], h)
			}
		}
	}
	for i := range req.Requirements {
		// As in pip, one line with a hash demands hashes of all.
		p.requireHashes = p.requireHashes || len(req.Requirements[i].Hashes) > 0
	}
	return p
}

// offer is how a version gets onto one target.
type offer struct {
	artifact *Artifact // nil if it can't
	yanked   bool
}

// offer returns the best way to get a version of name onto target. With past, it
// may be made for an older Python only (see outgrown).
func (p *policy) offer(name python.Name, list []*Artifact, on []mask, target int, past bool) offer {
	var yanked *Artifact
	for _, kind := range p.sources {
		var best *Artifact
		bestRank := 0
		for i, a := range list {
			if a.Kind != kind || on != nil && !on[i].has(target) {
				continue
			}
			if r := p.refuse(name, a, target); r != fits && (r != outgrown || !past) {
				continue
			}
			rank := p.rank(a, target)
			if a.Yanked && a.Kind != ImageFiles {
				if yanked == nil {
					yanked = a
				}
				continue
			}
			if best == nil || rank < bestRank || rank == bestRank && before(a, best) {
				best, bestRank = a, rank
			}
		}
		if best != nil {
			return offer{artifact: best}
		}
	}
	return offer{artifact: yanked, yanked: yanked != nil}
}

func (p *policy) rank(a *Artifact, target int) int {
	switch a.Kind {
	case Wheel:
		rank, _ := p.targets[target].Tags.Rank(a.WheelName)
		return rank
	case Sdist:
		if !strings.HasSuffix(a.File, ".tar.gz") {
			return 1
		}
	}
	return 0
}

// before breaks a tie between two artifacts of one kind and rank: the higher
// build number first (PEP 427), then by file name.
func before(a, b *Artifact) bool {
	if a.Kind == Wheel {
		if c := compareBuild(a.WheelName.Build, b.WheelName.Build); c != 0 {
			return c > 0
		}
	}
	return a.File < b.File
}

// compareBuild compares build tags: digits as a number, then the rest as text.
func compareBuild(a, b string) int {
	an, bn := digits(a), digits(b)
	x, y := strings.TrimLeft(a[:an], "0"), strings.TrimLeft(b[:bn], "0")
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	if c := strings.Compare(x, y); c != 0 {
		return c
	}
	return strings.Compare(a[an:], b[bn:])
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// refusal is why an artifact can't be used on a target.
type refusal uint8

const (
	fits refusal = iota
	otherTarget
	unfitFiles
	wrongTags
	wrongPython
	// outgrown: only the upper bound of Requires-Python is against it. Such bounds
	// are often guesses of the past, so it may be taken if there is no other way.
	outgrown
	tooNew
	noTime
	wrongHash
	noHashGiven
	binaryOff
	buildOff
)

// refuse tells whether and why an artifact can't be used on a target. Yanked
// ones pass here.
func (p *policy) refuse(name python.Name, a *Artifact, target int) refusal {
	if r := p.refuseUnderAnyPython(name, a, target); r != fits || a.Kind == ImageFiles {
		return r
	}
	return refusePython(a.RequiresPython, p.targets[target].Python)
}

// refuseUnderAnyPython is refuse without a look at Requires-Python.
func (p *policy) refuseUnderAnyPython(name python.Name, a *Artifact, target int) refusal {
	switch a.Kind {
	case ImageFiles:
		// What stands in the image is neither binary nor source, and has no
		// upload time and no hash: as in pip, it is taken as it stands.
		if a.Target != target {
			return otherTarget
		}
		if a.Unfit != "" {
			return unfitFiles
		}
		if a.Binary && p.noBinary.Has(name) {
			return binaryOff
		}
		return fits
	case Wheel:
		if p.noBinary.Has(name) {
			return binaryOff
		}
		if _, ok := p.targets[target].Tags.Rank(a.WheelName); !ok {
			return wrongTags
		}
	case Sdist:
		if p.noBuild.Has(name) {
			return buildOff
		}
	}
	if !p.newer.IsZero() {
		if a.Uploaded.IsZero() {
			return noTime
		}
		if !a.Uploaded.Before(p.newer) {
			return tooNew
		}
	}
	return p.refuseHash(name, a)
}

func refusePython(needs python.Specifiers, have python.Version) refusal {
	switch {
	case needs.IsEmpty() || needs.Contains(have, true):
		return fits
	case withoutUpperBound(needs).Contains(have, true):
		return outgrown
	}
	return wrongPython
}

// withoutUpperBound returns s without its < and <= clauses.
func withoutUpperBound(s python.Specifiers) python.Specifiers {
	var rest []string
	for _, c := range s.All() {
		if text := c.String(); !strings.HasPrefix(text, "<") {
			rest = append(rest, text)
		}
	}
	out, err := python.ParseSpecifiers(strings.Join(rest, ","))
	if err != nil {
		return s
	}
	return out
}

func (p *policy) refuseHash(name python.Name, a *Artifact) refusal {
	sets := p.hashes[name]
	if len(sets) == 0 && p.requireHashes {
		return noHashGiven
	}
	for _, want := range sets {
		if !mayMatch(want, a.Hashes) {
			return wrongHash
		}
	}
	return fits
}

// mayMatch tells whether a file with the hashes have can be one with a hash of
// want. Where no algorithm is in both, only the download can tell.
func mayMatch(want map[string][]string, have map[string]string) bool {
	comparable := false
	for algorithm, digest := range have {
		if list, ok := want[algorithm]; ok {
			if slices.Contains(list, strings.ToLower(digest)) {
				return true
			}
			comparable = true
		}
	}
	return !comparable
}
