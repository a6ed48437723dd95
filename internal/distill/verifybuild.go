package distill

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/plan"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// planned is what is about to be made for one platform.
type planned struct {
	platform string
	base     files.Set
	dev      *inspect.Environment // nil if it is not at hand
	plan     *plan.Plan
	env      []string      // of the configuration
	dirs     []string      // that may hold an application
	settled  []python.Name // by --override
}

// verifyPlan proves for a plan what [Verify] does for an image, before anything is
// written. What can't work is an error; the rest is logged.
func (h *Host) verifyPlan(p planned) error {
	tree := p.tree()
	env, err := inspect.Read(tree, inspect.Options{Platform: p.platform, Env: p.env})
	if err != nil {
		return &Failure{Kind: Damaged, Text: "the new image for " + p.platform, Cause: err}
	}
	found := audit.Verify(env, audit.VerifyOptions{
		Inherited: inherited(p.base, tree), Overridden: p.settled, Roots: appRoots(env, p.dirs...),
	})
	old := p.oldFaults(found)
	var lines []string
	doubts := 0
	for i := range found {
		x := &found[i]
		switch {
		case old[faultOf(x)] && x.Severity.AtLeast(audit.High):
			h.Teller.Warn(fmt.Sprintf("%s: as in the development image: %s", p.platform, x.Sentence()))
		case x.Severity.AtLeast(audit.High):
			lines = append(lines, fmt.Sprintf("  %s: %s: %s", x.Place.File, x.Code, x.Sentence()))
		case x.Severity == audit.Medium && h.Log == nil:
			doubts++
		case x.Severity == audit.Medium: // -v
			h.Log(fmt.Sprintf("%s: %s: %s: %s", p.platform, x.Place.File, x.Code, x.Sentence()))
		}
	}
	if len(lines) == 0 {
		if doubts > 0 {
			h.Teller.Warn(fmt.Sprintf("%s: parts that are rarely used may not work: %d (-v lists them)", p.platform, doubts))
		}
		return nil
	}
	n := len(lines)
	const shown = 10
	if n > shown {
		lines = append(lines[:shown], fmt.Sprintf("  and %d more", n-shown))
	}
	text := "it has a fault"
	if n > 1 {
		text = fmt.Sprintf("it has %d faults", n)
	}
	return &Failure{
		Kind: Damaged, Text: fmt.Sprintf("the image for %s would not work, %s:\n%s", p.platform, text, strings.Join(lines, "\n")),
		Hint: []string{"--no-verify makes it all the same"},
	}
}

// fault is a finding as it would be in another image.
type fault struct{ code, file, message string }

func faultOf(x *audit.Finding) fault { return fault{x.Code, x.Place.File, x.Message} }

// oldFaults are those which the development image has as well: what did not work there
// nobody uses, and it is not for this run to refuse it.
func (p *planned) oldFaults(found []audit.Finding) map[fault]bool {
	if p.dev == nil || !slices.ContainsFunc(found, func(x audit.Finding) bool { return x.Severity.AtLeast(audit.High) }) {
		return nil
	}
	old := map[fault]bool{}
	for _, x := range audit.Verify(p.dev, audit.VerifyOptions{}) {
		old[faultOf(&x)] = true
	}
	return old
}

// tree is the base with the new layers on top.
func (p *planned) tree() files.Set {
	var gone []string
	for _, l := range p.plan.Layers {
		gone = append(gone, l.Whiteouts...)
	}
	tree := p.base
	if len(gone) > 0 {
		slices.Sort(gone)
		tree = tree.Filter(func(f *files.File) bool { return !isGone(gone, f.Path) })
	}
	for _, l := range p.plan.Layers {
		tree = tree.Merge(noted(l.Files))
	}
	return tree
}

// isGone tells whether a path or a directory above it is on a sorted list.
func isGone(gone []string, name string) bool {
	for ; name != "." && name != ""; name = path.Dir(name) {
		if _, ok := slices.BinarySearch(gone, name); ok {
			return true
		}
	}
	return false
}

// noted lets native code that is rewritten keep what is known of it: the parts that
// matter stay as they are.
func noted(set files.Set) files.Set {
	var list []*files.File
	for f := range set.All() {
		if f.Of != nil && f.Note == nil && inspect.ELF(f.Of) != nil {
			g := *f
			g.Note = f.Of.Note
			f = &g
		}
		list = append(list, f)
	}
	return files.NewSet(list)
}

// workdir is the working directory of the new image.
func workdir(base *opened, o ImageOptions) string {
	if o.Workdir != nil {
		return *o.Workdir
	}
	return base.image.Config.Config.WorkingDir
}

// overridden are the projects that --override settles.
func (a *asked) overridden() []python.Name {
	var out []python.Name
	for _, r := range a.overrides {
		out = append(out, r.Name)
	}
	return out
}
