package distill

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
}

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
	p := &pins{file: o.Lock, lock: l}
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
	return slices.DeleteFunc(p.lock.Preferences(targets), func(x resolve.Preference) bool { return slices.Contains(p.drop, x.Name) })
}

// carry gives the entries of a new lock that are as they were the account of what
// was passed over back: a resolution that starts from pins never looked at it.
func (p *pins) carry(now *pylock.Lock) {
	if p == nil {
		return
	}
	old := map[string]*pylock.Package{}
	for _, k := range slices.Concat(p.lock.Packages, p.lock.Distill.Image) {
		old[entryKey(k)] = k
	}
	for _, k := range slices.Concat(now.Packages, now.Distill.Image) {
		if was := old[entryKey(k)]; was != nil {
			k.Distill.Passed = was.Distill.Passed
		}
	}
}

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
	for _, k := range p.lock.Packages {
		if slices.Contains(p.drop, k.Name) {
			continue
		}
		for _, f := range lockFiles(k) {
			old[string(k.Name)+"\x00"+f.Name] = f.Hashes["sha256"]
		}
	}
	for _, k := range now.Packages {
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
// change. Images count only if both locks name one in that role.
func (p *pins) check(o PinOptions, now *pylock.Lock) error {
	if p == nil || !o.Locked {
		return nil
	}
	a, b := comparable(p.lock, now), comparable(now, p.lock)
	if bytes.Equal(a.Text(), b.Text()) {
		return nil
	}
	changes := lockChanges(a, b)
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

// comparable is l without the images that other does not name.
func comparable(l, other *pylock.Lock) *pylock.Lock {
	c := *l
	c.Distill.Images = slices.DeleteFunc(slices.Clone(l.Distill.Images), func(i pylock.Image) bool {
		return !slices.ContainsFunc(other.Distill.Images, func(j pylock.Image) bool { return j.Role == i.Role })
	})
	for i := range c.Distill.Images {
		c.Distill.Images[i].Reference = "" // the digest counts
	}
	return &c
}

// lockChanges says in one line each what differs between two locks.
func lockChanges(a, b *pylock.Lock) []string {
	var out []string
	for _, i := range a.Distill.Images {
		for _, j := range b.Distill.Images {
			if i.Role == j.Role && i.Digest != j.Digest {
				out = append(out, fmt.Sprintf("image (--%s): %s -> %s", i.Role, i.Digest, j.Digest))
			}
		}
	}
	old, now := versionsOf(a), versionsOf(b)
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, ok := now[name]; !ok {
			out = append(out, fmt.Sprintf("%s %s: no longer needed", name, old[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		switch was, ok := old[name]; {
		case !ok:
			out = append(out, fmt.Sprintf("%s %s: new", name, now[name]))
		case was != now[name]:
			out = append(out, fmt.Sprintf("%s: %s -> %s", name, was, now[name]))
		}
	}
	out = append(out, detailChanges(a, b)...)
	if len(out) == 0 {
		out = append(out, "the same versions and files, but options or other details")
	}
	return out
}

// detailChanges says what differs where the versions are the same.
func detailChanges(a, b *pylock.Lock) []string {
	var out []string
	if a.Distill.Python != b.Distill.Python {
		out = append(out, fmt.Sprintf("Python: %s -> %s", a.Distill.Python, b.Distill.Python))
	}
	if x, y := strings.Join(a.Distill.Platforms, ", "), strings.Join(b.Distill.Platforms, ", "); x != y {
		out = append(out, fmt.Sprintf("platforms: %s -> %s", x, y))
	}
	old := map[string]*pylock.Package{}
	for _, k := range slices.Concat(a.Packages, a.Distill.Image) {
		old[string(k.Name)+" "+versionText(k)] = k
	}
	for _, k := range slices.Concat(b.Packages, b.Distill.Image) {
		title := string(k.Name) + " " + versionText(k)
		was := old[title]
		switch {
		case was == nil:
		case fileList(was) != fileList(k):
			out = append(out, title+": other files or hashes")
		case !slices.Equal(was.Distill.WantedBy, k.Distill.WantedBy):
			out = append(out, fmt.Sprintf("%s: wanted by %s -> %s", title, strings.Join(was.Distill.WantedBy, ", "), strings.Join(k.Distill.WantedBy, ", ")))
		}
	}
	return out
}

// fileList is the same text for the same files.
func fileList(k *pylock.Package) string {
	var out []string
	for _, f := range lockFiles(k) {
		out = append(out, f.Name+" "+f.Hashes["sha256"])
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// versionsOf are the versions of each project, as text.
func versionsOf(l *pylock.Lock) map[string]string {
	out := map[string]string{}
	for _, list := range [][]*pylock.Package{l.Packages, l.Distill.Image} {
		for _, p := range list {
			v := "unknown"
			if p.Version != nil {
				v = p.Version.String()
			}
			if was, ok := out[string(p.Name)]; ok && was != v {
				v = was + " and " + v
			}
			out[string(p.Name)] = v
		}
	}
	return out
}
