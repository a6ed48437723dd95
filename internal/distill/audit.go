package distill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/osv"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// AuditOptions are the options of Audit.
type AuditOptions struct {
	Subject      string // a lock file or an image
	Image        string // what the lock is to run on, "" if only described
	Requirements RequirementOptions
	Index        IndexOptions
	Choice       ChoiceOptions
	OSVURL       string // of the service; "" is the public one
	OSVDB        string // a database on disk instead of the service
	Ignore       []string
	Severity     string    // threshold: findings below it are shown and stop nothing
	Today        time.Time // decides which ignores have expired
}

// AuditResult is what an audit found, as audit --json shows it.
type AuditResult struct {
	Subject   string   `json:"subject"`
	Kind      string   `json:"kind"` // "lock" or "image"
	Digest    string   `json:"digest,omitempty"`
	Platforms []string `json:"platforms"`
	Packages  int      `json:"packages"`
	// Tools counts the build requirements of a lock, which are no packages of it.
	Tools    int             `json:"buildRequirements,omitempty"`
	Findings []audit.Finding `json:"findings"`
	Ignored  []audit.Ignored `json:"ignored"`
	// Failing counts the findings that reach the threshold.
	Failing  int      `json:"failing"`
	Warnings []string `json:"warnings,omitempty"`
}

// advisories is a database of vulnerabilities.
type advisories interface {
	// Find returns the advisories that affect each package.
	Find(ctx context.Context, list []osv.Package) ([][]*audit.Advisory, error)
	// Warnings says what of it could not be read.
	Warnings() []string
}

// auditing is one audit under way.
type auditing struct {
	*Host
	options  AuditOptions
	database advisories
	asked    *asked // nil without requirements
	facts    audit.Facts
	result   *AuditResult
}

// Audit judges a lock file or an image.
func Audit(ctx context.Context, h *Host, o AuditOptions) (*AuditResult, error) {
	ignores, threshold, err := policy(o)
	if err != nil {
		return nil, err
	}
	a := &auditing{Host: h, options: o, result: &AuditResult{Subject: o.Subject, Platforms: []string{}}}
	if a.database, err = h.advisories(o); err != nil {
		return nil, err
	}
	isLock, err := isLockFile(o.Subject)
	if err != nil {
		return nil, err
	}
	if isLock {
		err = a.lock(ctx)
	} else {
		err = a.image(ctx)
	}
	if err != nil {
		return nil, err
	}
	a.result.Packages, a.result.Tools = len(a.facts.Items), len(a.facts.Tools)
	for _, t := range a.facts.Targets {
		a.result.Platforms = append(a.result.Platforms, t.Name)
	}
	open, ignored, unused := audit.Sift(audit.Run(&a.facts), ignores, o.Today, audit.Place{File: o.Subject})
	a.result.Findings, a.result.Ignored = append([]audit.Finding{}, open...), append([]audit.Ignored{}, ignored...)
	for _, x := range open {
		if x.Severity.AtLeast(threshold) {
			a.result.Failing++
		}
	}
	for _, w := range a.database.Warnings() {
		a.warn(w)
	}
	for _, i := range unused {
		a.warn("nothing is found that --ignore " + i.ID + " is about")
	}
	return a.result, nil
}

func (a *auditing) warn(text string) {
	a.result.Warnings = append(a.result.Warnings, text)
	a.Teller.Warn(text)
}

// policy reads --ignore and --severity.
func policy(o AuditOptions) (ignores []audit.Ignore, threshold audit.Severity, err error) {
	for _, text := range o.Ignore {
		i, err := audit.ParseIgnore(text)
		if err != nil {
			return nil, 0, usagef("write ID, ID:REASON or ID:REASON:2026-12-31", "--ignore %v", err)
		}
		ignores = append(ignores, i)
	}
	threshold = audit.Low
	if o.Severity != "" {
		if threshold, err = audit.ParseSeverity(o.Severity); err != nil {
			return nil, 0, usagef("", "--severity %v", err)
		}
	}
	return ignores, threshold, nil
}

// advisories opens the database of vulnerabilities.
func (h *Host) advisories(o AuditOptions) (advisories, error) {
	if o.OSVDB == "" {
		return &osv.Service{URL: o.OSVURL, Transport: h.Transport}, nil
	}
	if _, err := os.Stat(o.OSVDB); err != nil {
		return nil, usagef("name the export of an OSV service for PyPI (all.zip), or a folder with its records", "--osv-db %s: %v", o.OSVDB, pathCause(err))
	}
	return &osv.Disk{Path: o.OSVDB}, nil
}

// isLockFile tells a lock file from the reference of an image.
func isLockFile(name string) (bool, error) {
	info, err := os.Stat(name)
	switch {
	case err == nil:
		return info.Mode().IsRegular(), nil
	case strings.HasSuffix(name, ".toml") && errors.Is(err, fs.ErrNotExist):
		return true, usagef("make it with distill lock, or name an image", "%s: there is no such file", name)
	}
	return false, nil
}

// image collects the facts of an image: what is installed, on which platforms.
func (a *auditing) image(ctx context.Context) error {
	const step = "reading image"
	o := &a.options
	s, err := image.Open(ctx, o.Subject, a.imageOptions(step, o.Index.Offline))
	if err != nil {
		return err
	}
	defer s.Close()
	platforms, err := choosePlatforms(a.Host, o.Choice.Platforms, s)
	if err != nil {
		return err
	}
	all, err := a.readAll(ctx, s, platforms, step)
	if err != nil {
		return err
	}
	a.result.Kind, a.result.Digest = "image", s.Digest.String()
	for t, one := range all {
		a.facts.Targets = append(a.facts.Targets, resolve.Target{Name: platformName(platforms[t])})
		a.facts.Items = installedItems(a.facts.Items, t, one)
	}
	slices.SortStableFunc(a.facts.Items, func(x, y *audit.Item) int {
		if c := strings.Compare(string(x.Name), string(y.Name)); c != 0 {
			return c
		}
		return x.Version.Compare(*y.Version)
	})
	return a.findAdvisories(ctx)
}

// installedItems adds what is installed on a platform. Shadowed distributions
// count: their files are there.
func installedItems(items []*audit.Item, target int, one *opened) []*audit.Item {
	for _, d := range one.env.Distributions {
		k := slices.IndexFunc(items, func(i *audit.Item) bool { return i.Name == d.Name && i.Version.Equal(d.Version) })
		if k >= 0 {
			if !slices.Contains(items[k].On, target) {
				items[k].On = append(items[k].On, target)
			}
			continue
		}
		v := d.Version
		i := &audit.Item{Name: d.Name, Version: &v, On: []int{target}, Place: audit.Place{File: d.Info}}
		if d.Info == "" {
			i.Place.File = d.Location
		}
		for _, p := range one.env.OS.Packages {
			if p.Name == d.Owner {
				i.Note = fmt.Sprintf("of the package %s, whose distribution may have fixed it without another version", d.Owner)
			}
		}
		items = append(items, i)
	}
	return items
}

// findAdvisories looks all items up, and then for versions to upgrade to.
func (a *auditing) findAdvisories(ctx context.Context) error {
	a.Teller.Step("", "asking for advisories")
	items, tools := packagesOf(a.facts.Items), packagesOf(a.facts.Tools)
	list := slices.Concat(items, tools)
	found, err := a.find(ctx, list)
	if err != nil {
		return err
	}
	a.facts.Advisories = map[audit.Key][]*audit.Advisory{}
	for k, p := range list {
		if len(found[k]) > 0 {
			a.facts.Advisories[keyOf(p)] = found[k]
		}
	}
	sound := func(p osv.Package) bool { return a.facts.Advisories[keyOf(p)] == nil }
	a.facts.Fixes, err = a.propose(ctx, slices.DeleteFunc(items, sound), slices.DeleteFunc(tools, sound))
	return err
}

// packagesOf are the items as a database knows them, each version once.
func packagesOf(items []*audit.Item) []osv.Package {
	var list []osv.Package
	known := map[audit.Key]bool{}
	for _, i := range items {
		if i.Version != nil && !known[i.Key()] {
			known[i.Key()] = true
			list = append(list, osv.Package{Name: i.Name, Version: *i.Version})
		}
	}
	return list
}

// find asks the database; for nothing if there is nothing to ask.
func (a *auditing) find(ctx context.Context, list []osv.Package) ([][]*audit.Advisory, error) {
	if len(list) == 0 {
		return nil, nil
	}
	found, err := a.database.Find(ctx, list)
	if err != nil && a.options.OSVDB == "" && KindOf(err) == Network {
		return nil, &Failure{
			Kind: Network, Text: "the vulnerabilities can't be asked for", Cause: err,
			Hint: []string{"name another service with --osv-url, or its export on disk with --osv-db all.zip"},
		}
	}
	return found, err
}

func keyOf(p osv.Package) audit.Key { return audit.Key{Name: p.Name, Version: p.Version.String()} }

// project names are looked up with this many questions under way.
const maxPages = 16

// newerThan returns the listed versions above v that are not yanked, ascending;
// pre-releases only if nothing else is there.
func newerThan(l *audit.Listing, v python.Version) []python.Version {
	if l == nil || l.Missing {
		return nil
	}
	var final, pre []python.Version
	for i, w := range l.Project.Versions {
		if w.Compare(v) <= 0 || !slices.ContainsFunc(l.Project.Artifacts(i), func(a *resolve.Artifact) bool { return !a.Yanked }) {
			continue
		}
		if w.IsPrerelease() {
			pre = append(pre, w)
		} else {
			final = append(final, w)
		}
	}
	if len(final) == 0 {
		return pre
	}
	return final
}
