package distill

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// PinOptions say what an earlier lock counts for.
type PinOptions struct {
	Lock            string // file of the lock, "" for none
	Locked          bool   // fail where the lock would change
	Upgrade         bool   // nothing of it is kept
	UpgradePackages []string
	// Missing says that the lock need not be there yet.
	Missing bool
}

// maxLock bounds a lock file; one of 2,000 packages has some 10 MB.
const maxLock = 64 << 20

// pins are the picks of an earlier lock. The nil pointer pins nothing.
type pins struct {
	file string
	lock *pylock.Lock
	drop []python.Name
	// all says that nothing of it is kept: it is there to be compared with.
	all bool
}

// drops tells whether the pin of a project does not count.
func (p *pins) drops(name python.Name) bool { return p.all || slices.Contains(p.drop, name) }

// readPins reads an earlier lock. A file that is not there pins nothing, unless
// it must not change.
func readPins(o PinOptions) (*pins, error) {
	if o.Lock == "" {
		if o.Locked {
			return nil, usagef("name the lock: --lock pylock.toml", "--locked needs a lock")
		}
		return nil, nil
	}
	text, err := readBounded(o.Lock, maxLock)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !o.Locked && o.Missing:
		return nil, nil
	case errors.Is(err, fs.ErrNotExist) && o.Locked:
		return nil, &Failure{Kind: Locked, Text: o.Lock + " does not exist, and --locked is set", Hint: hintLines("make it first: distill lock")}
	case err != nil:
		return nil, usagef("", "%s: %v", o.Lock, err)
	case o.Upgrade && !o.Locked:
		return nil, nil
	}
	l, err := pylock.Read(text)
	if err != nil {
		return nil, &Failure{Kind: Damaged, Text: o.Lock, Cause: err}
	}
	p := &pins{file: o.Lock, lock: l, all: o.Upgrade}
	for _, n := range o.UpgradePackages {
		name, err := python.ParseName(n)
		if err != nil {
			return nil, usagef("", "--upgrade-package: %v", err)
		}
		p.drop = append(p.drop, name)
	}
	return p, nil
}

// preferences are the pins as the resolver wants them.
func (p *pins) preferences(targets []resolve.Target) []resolve.Preference {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(p.lock.Preferences(targets), func(x resolve.Preference) bool { return p.drops(x.Name) })
}

// buildPreferences are the pins for the build requirements of a project's version, and
// what its back end asked for; known is as [pylock.Lock.BuildPreferences] says. A back
// end that is upgraded, or whose package is, has to be asked again.
func (p *pins) buildPreferences(name python.Name, v python.Version, targets []resolve.Target) (prefs []resolve.Preference, asked []string, known bool) {
	if p == nil || p.all {
		return nil, nil, false
	}
	prefs, asked, known = p.lock.BuildPreferences(name, v, targets)
	n := len(prefs)
	prefs = slices.DeleteFunc(prefs, func(x resolve.Preference) bool { return p.drops(x.Name) })
	if len(prefs) < n || p.drops(name) {
		return prefs, nil, false
	}
	return prefs, asked, known
}

// strangers are the names to be upgraded that neither the lock nor the picks have.
func (p *pins) strangers(picks []*resolve.Pick) []python.Name {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.drop), func(n python.Name) bool {
		return slices.ContainsFunc(picks, func(k *resolve.Pick) bool { return k.Name == n }) ||
			slices.ContainsFunc(slices.Concat(p.lock.Packages, p.lock.Distill.Image, p.lock.Distill.Build), func(k *pylock.Package) bool { return k.Name == n })
	})
}

// carry gives the entries of a new lock that are as they were the account of what
// was passed over back: a resolution that starts from pins never looked at it.
func (p *pins) carry(now *pylock.Lock, constraints []python.Requirement) {
	if p == nil {
		return
	}
	old := map[string]*pylock.Package{}
	for _, k := range slices.Concat(p.lock.Packages, p.lock.Distill.Image) {
		old[entryKey(k)] = k
	}
	for _, k := range slices.Concat(now.Packages, now.Distill.Image) {
		if was := old[entryKey(k)]; was != nil {
			k.Distill.Passed = slices.DeleteFunc(slices.Clone(was.Distill.Passed), func(line string) bool {
				return strings.Contains(line, allowsOnly) && !slices.ContainsFunc(constraints, func(c python.Requirement) bool {
					return c.Name == k.Name && strings.HasSuffix(line, ": "+path.Base(c.Pos.File)+allowsOnly+c.Specifiers.String())
				})
			})
		}
	}
}

// allowsOnly stands in what was passed over because of a constraint, which is no
// part of what an entry is wanted by.
const allowsOnly = " allows only "

// entryKey is equal for entries that say the same project, version and place, and
// are wanted by the same packages with the same bounds.
func entryKey(k *pylock.Package) string {
	marker := ""
	if k.Marker != nil {
		marker = k.Marker.String()
	}
	return strings.Join(append([]string{string(k.Name), versionText(k), marker}, k.Distill.WantedBy...), "\x00")
}

// checkFiles refuses a file that is called as in the earlier lock and has another
// hash: an index never changes a file, but those who attack one do.
func (p *pins) checkFiles(now *pylock.Lock) error {
	if p == nil {
		return nil
	}
	old := map[string]string{}
	for _, k := range slices.Concat(p.lock.Packages, p.lock.Distill.Build) {
		if p.drops(k.Name) {
			continue
		}
		for _, f := range lockFiles(k) {
			old[string(k.Name)+"\x00"+f.Name] = f.Hashes["sha256"]
		}
	}
	for _, k := range slices.Concat(now.Packages, now.Distill.Build) {
		for _, f := range lockFiles(k) {
			was, is := old[string(k.Name)+"\x00"+f.Name], f.Hashes["sha256"]
			if was != "" && is != "" && was != is {
				return &Failure{
					Kind: Damaged,
					Text: fmt.Sprintf("%s: %s has sha256 %s now, and %s pins %s", k.Name, f.Name, is, p.file, was),
					Hint: hintLines("find out why the file changed; --upgrade-package " + string(k.Name) + " takes it as it is now"),
				}
			}
		}
	}
	return nil
}

// check is the error for a new lock that differs from the one which must not
// change.
func (p *pins) check(o PinOptions, now *pylock.Lock) error {
	if p == nil || !o.Locked {
		return nil
	}
	a, b := comparable(p.lock, now), comparable(now, p.lock)
	same := bytes.Equal(withoutBuilds(a).Text(), withoutBuilds(b).Text())
	if same && len(a.Distill.Build)+len(b.Distill.Build) == 0 {
		return nil
	}
	changes, err := lockChanges(o.Lock, a, b)
	switch {
	case err != nil:
		return err
	case same && len(changes) == 0:
		return nil
	case len(changes) == 0:
		changes = []string{"the same versions and files, but where they come from or other details"}
	}
	if len(changes) > maxShownChanges {
		changes = append(changes[:maxShownChanges], fmt.Sprintf("... and %d more", len(changes)-maxShownChanges))
	}
	return &Failure{
		Kind: Locked,
		Text: fmt.Sprintf("%s is out of date:\n  %s", o.Lock, strings.Join(changes, "\n  ")),
		Hint: hintLines("run it without --locked to bring the lock up to date"),
	}
}

// maxShownChanges keeps the error within a screen.
const maxShownChanges = 15

// comparable is l without what is no drift: images that other does not name, and
// what they are called; the C library, if other is from before it was noted; the
// names of the requirements files.
func comparable(l, other *pylock.Lock) *pylock.Lock {
	c := *l
	c.Distill.Images = slices.DeleteFunc(slices.Clone(l.Distill.Images), func(i pylock.Image) bool {
		return !slices.ContainsFunc(other.Distill.Images, func(j pylock.Image) bool { return j.Role == i.Role })
	})
	for i := range c.Distill.Images {
		c.Distill.Images[i].Reference = "" // the digest counts
	}
	if len(other.Distill.Libc) == 0 {
		c.Distill.Libc = nil
	}
	titles := map[string]bool{}
	for _, k := range slices.Concat(l.Packages, l.Distill.Image) {
		titles[string(k.Name)+" "+versionText(k)] = true
	}
	c.Packages, c.Distill.Image = withoutFiles(l.Packages, titles), withoutFiles(l.Distill.Image, titles)
	return &c
}

// withoutBuilds is l without how its packages are built. That is compared on its own:
// a lock that was made without an image does not know it.
func withoutBuilds(l *pylock.Lock) *pylock.Lock {
	c := *l
	c.Distill.Build = nil
	for _, list := range []*[]*pylock.Package{&c.Packages, &c.Distill.Image} {
		*list = slices.Clone(*list)
		for i, k := range *list {
			one := *k
			one.Distill.Builds = nil
			(*list)[i] = &one
		}
	}
	return &c
}

// withoutFiles takes the names of requirements files out of what entries are
// wanted by, and the account of what was passed over or is to be noted (that a
// version was yanked since), which is no part of the choice.
func withoutFiles(list []*pylock.Package, titles map[string]bool) []*pylock.Package {
	out := make([]*pylock.Package, len(list))
	for i, k := range list {
		one := *k
		one.Distill.WantedBy, one.Distill.Passed, one.Distill.Note = nil, nil, ""
		for _, line := range k.Distill.WantedBy {
			switch who, what, file := pylock.SplitWanter(line); {
			case file != "":
				line = "override of " + who + ": " + what
			case what != "" && !titles[who]:
				line = "requirement: " + what
			}
			one.Distill.WantedBy = append(one.Distill.WantedBy, line)
		}
		slices.Sort(one.Distill.WantedBy)
		out[i] = &one
	}
	return out
}

// lockChanges says in one line each what differs between two locks. How a package is
// built is no difference if only one of them tells.
func lockChanges(file string, a, b *pylock.Lock) ([]string, error) {
	var sides [2]*lockSide
	for i, l := range []*pylock.Lock{a, b} {
		var err error
		if sides[i], err = newLockSide(file, l, nil); err != nil {
			return nil, err
		}
	}
	var d DiffResult
	d.compareLocks(sides[0], sides[1])
	var out []string
	for _, c := range d.Settings {
		out = append(out, fmt.Sprintf("%s: %s -> %s", c.What, orNone(c.A), orNone(c.B)))
	}
	for i := range d.Packages {
		g := &d.Packages[i]
		where := ""
		if len(g.Platforms) < len(sides[1].entries) {
			where = " on " + strings.Join(g.Platforms, ", ")
		}
		out = append(out, g.line()+where)
	}
	for i := range d.Builds {
		g := &d.Builds[i]
		where := ""
		if len(g.Platforms) < len(sides[1].entries) {
			where = " on " + strings.Join(g.Platforms, ", ")
		}
		if g.OneSided {
			continue // one of them was made without an image
		}
		for _, line := range g.lines() {
			out = append(out, line+where)
		}
	}
	return append(out, wishChanges(a, b)...), nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// line says what differs about a package.
func (g *PackageGap) line() string {
	switch g.Kind {
	case "added":
		return fmt.Sprintf("%s %s: new", g.Name, g.B)
	case "removed":
		return fmt.Sprintf("%s %s: no longer needed", g.Name, g.A)
	case "files":
		return fmt.Sprintf("%s %s: other files or hashes, %s first", g.Name, g.A, g.Files[0].What)
	case "source":
		return fmt.Sprintf("%s: from %s -> %s", g.Name, g.A, g.B)
	}
	return fmt.Sprintf("%s: %s -> %s", g.Name, g.A, g.B)
}

// wishChanges says of which packages, with the same version, the bounds differ
// that are put on them, or where their files come from.
func wishChanges(a, b *pylock.Lock) []string {
	old := map[string]*pylock.Package{}
	for _, k := range slices.Concat(a.Packages, a.Distill.Image) {
		old[string(k.Name)+" "+versionText(k)] = k
	}
	var out []string
	for _, k := range slices.Concat(b.Packages, b.Distill.Image) {
		title := string(k.Name) + " " + versionText(k)
		was := old[title]
		if was == nil {
			continue
		}
		if was.Index != k.Index {
			out = append(out, fmt.Sprintf("%s: index %s -> %s", title, orNone(was.Index), orNone(k.Index)))
		} else if a, b := firstPlaces(was, k); a != b {
			out = append(out, fmt.Sprintf("%s: file %s -> %s", title, a, b))
		}
		if !slices.Equal(was.Distill.WantedBy, k.Distill.WantedBy) {
			out = append(out, fmt.Sprintf("%s: wanted by %s -> %s", title, strings.Join(was.Distill.WantedBy, ", "), strings.Join(k.Distill.WantedBy, ", ")))
		}
	}
	return out
}

// firstPlaces are the first URLs or paths in which the files of two entries differ.
func firstPlaces(was, is *pylock.Package) (a, b string) {
	old := map[string]string{}
	for _, f := range lockFiles(was) {
		old[f.Name] = f.URL + f.Path
	}
	for _, f := range lockFiles(is) {
		if place, ok := old[f.Name]; ok && place != f.URL+f.Path {
			return python.ShowURL(place), python.ShowURL(f.URL + f.Path)
		}
	}
	return "", ""
}
