package distill

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// lock collects the facts of a lock file.
func (a *auditing) lock(ctx context.Context) error {
	o := &a.options
	a.result.Kind = "lock"
	l, text, err := auditedLock(o.Subject)
	if err != nil {
		return err
	}
	if len(o.Requirements.Files) > 0 {
		if a.asked, err = ask(ctx, a.Host, o.Requirements); err != nil {
			return err
		}
		a.facts.Wanted = &audit.Wanted{
			Requirements: a.asked.requirements, Constraints: a.asked.constraints, Overrides: a.asked.overrides,
		}
	}
	if a.facts.Targets, err = a.lockTargets(ctx, l); err != nil {
		return err
	}
	a.facts.Lock = l
	a.facts.Items = audit.Items(o.Subject, text, l, a.facts.Targets)
	a.facts.Tools = audit.Tools(o.Subject, text, l, a.facts.Targets)
	if err := a.askIndex(ctx); err != nil {
		return err
	}
	return a.findAdvisories(ctx)
}

// auditedLock reads a lock file, of whichever tool; files may have no hash.
func auditedLock(name string) (*pylock.Lock, []byte, error) {
	text, err := readBounded(name, maxLock)
	if err != nil {
		return nil, nil, usagef("", "%s: %v", name, err)
	}
	l, err := pylock.ReadUnhashed(text)
	if err != nil {
		return nil, nil, &Failure{Kind: Damaged, Text: name, Cause: err}
	}
	return l, text, nil
}

// lockTargets are the interpreters that the lock is judged for: those of an
// image, or as described by flags and lock.
func (a *auditing) lockTargets(ctx context.Context, l *pylock.Lock) ([]resolve.Target, error) {
	if a.options.Image != "" {
		return a.imageTargets(ctx)
	}
	d, err := a.described(l)
	if err != nil {
		return nil, err
	}
	targets, err := audit.Targets(l, d)
	if err != nil {
		return nil, unsupportedf("", "%s: %v", a.options.Subject, err)
	}
	return targets, nil
}

// described is what flags and lock say of the interpreters.
func (a *auditing) described(l *pylock.Lock) (audit.Described, error) {
	c := &a.options.Choice
	d := audit.Described{Given: true, Python: l.Distill.Python}
	if c.PythonVersion != "" {
		full, err := fullVersion(c.PythonVersion)
		if err != nil {
			return d, err
		}
		d.Python = full.String()
	}
	if c.Libc != "" {
		var err error
		if d.Libc, err = parseLibc(c.Libc); err != nil {
			return d, err
		}
	}
	platforms, err := parsePlatforms(c.Platforms)
	if err != nil {
		return d, err
	}
	if len(platforms) == 0 {
		for _, name := range l.Distill.Platforms {
			p, err := v1.ParsePlatform(name)
			if err != nil || machines[p.Architecture] == "" {
				return d, unsupportedf("", "%s: tool.distill.platforms: %q is no platform", a.options.Subject, name)
			}
			platforms = append(platforms, *p)
		}
	}
	if len(platforms) == 0 {
		d.Given = false
		platforms, _ = parsePlatforms([]string{"linux/amd64", "linux/arm64"})
	}
	for _, p := range platforms {
		one := audit.Platform{Name: platformName(p), Machine: machines[p.Architecture]}
		if text := l.Distill.Libc[one.Name]; text != "" && c.Libc == "" {
			var err error
			if one.Libc, err = parseLibc(text); err != nil {
				return d, unsupportedf("", "%s: tool.distill.libc: %q is no C library", a.options.Subject, text)
			}
		}
		d.Platforms = append(d.Platforms, one)
	}
	return d, nil
}

// imageTargets are the interpreters of an image.
func (a *auditing) imageTargets(ctx context.Context) ([]resolve.Target, error) {
	const step = "reading image"
	s, err := image.Open(ctx, a.options.Image, a.imageOptions(step, a.options.Index.Offline))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	platforms, err := choosePlatforms(a.Host, a.options.Choice.Platforms, s)
	if err != nil {
		return nil, err
	}
	all, err := a.readAll(ctx, s, platforms, step)
	if err != nil {
		return nil, err
	}
	var out []resolve.Target
	for _, one := range all {
		if one.env.Python == nil {
			return nil, unsupportedf("", "%s for %s has no Python", a.options.Image, one.env.Platform)
		}
		out = append(out, target(one.env.Platform, one.env.Python))
	}
	return out, nil
}

// askIndex looks up what the index lists today of each project of the lock.
func (a *auditing) askIndex(ctx context.Context) error {
	o := &a.options.Index
	if o.NoIndex && len(o.FindLinks) == 0 {
		return nil
	}
	a.Teller.Step("", "asking the index")
	clients := newIndexClients(a)
	a.facts.Index = map[python.Name]*audit.Listing{}
	var mu sync.Mutex
	var offline, elsewhere []string
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxPages)
	asked := map[python.Name]bool{}
	for _, i := range slices.Concat(a.facts.Items, a.facts.Tools) {
		if i.ImageOnly || asked[i.Name] || i.Entry.Archive != nil || i.Entry.Elsewhere != "" {
			continue
		}
		asked[i.Name] = true
		client, err := clients.of(i.Entry)
		if err != nil {
			return err
		}
		if client == nil {
			elsewhere = append(elsewhere, string(i.Name))
			continue
		}
		g.Go(func() error {
			l, err := listing(ctx, client, i.Name)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, pypi.ErrOffline) {
				offline = append(offline, string(i.Name))
				return nil
			}
			if err == nil {
				a.facts.Index[i.Name] = l
			}
			return err
		})
	}
	err := g.Wait()
	clients.flush()
	a.warnUnasked(offline, "is not in the cache, and --offline is set")
	a.warnUnasked(elsewhere, "comes from an index that the lock names without http")
	return err
}

// warnUnasked tells about what could not be compared with the index.
func (a *auditing) warnUnasked(names []string, why string) {
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	text := names[0]
	if len(names) > 1 {
		text = fmt.Sprintf("%s (and %d more)", text, len(names)-1)
	}
	a.warn(text + " was not compared with the index: it " + why)
}

// listing asks for one project.
func listing(ctx context.Context, c *pypi.Client, name python.Name) (*audit.Listing, error) {
	l := &audit.Listing{}
	s := newSource(c, nil, nil)
	l.Where = s.places()
	page, err := c.Project(ctx, name)
	if errors.Is(err, pypi.ErrNotFound) {
		l.Missing = true
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	l.Status, l.StatusReason = page.Status, page.StatusReason
	l.Project, err = s.Project(ctx, name, "")
	return l, err
}

// indexClients are the clients by index. What the user names is asked about
// everything; else each entry's own index is.
type indexClients struct {
	a       *auditing
	all     map[string]*pypi.Client // by the URL in the lock
	setting python.RequirementsOptions
}

func newIndexClients(a *auditing) *indexClients {
	c := &indexClients{a: a, all: map[string]*pypi.Client{}}
	if a.asked != nil {
		c.setting = a.asked.options
	}
	return c
}

// of returns the client for an entry, nil if its index is none that a stranger's
// lock may send us to.
func (c *indexClients) of(p *pylock.Package) (*pypi.Client, error) {
	o := c.a.options.Index
	own := p.Index
	if o.IndexURL != "" || c.setting.IndexURL != "" || o.NoIndex || c.setting.NoIndex || len(o.ExtraIndexURLs)+len(c.setting.ExtraIndexURLs) > 0 {
		own = ""
	}
	if own != "" {
		u, err := url.Parse(own)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, nil
		}
		o.IndexURL = strings.TrimRight(own, "/") + "/"
	}
	if known := c.all[own]; known != nil {
		return known, nil
	}
	client, err := c.a.client(o, c.setting)
	c.all[own] = client
	return client, err
}

func (c *indexClients) flush() {
	for _, client := range c.all {
		client.Flush()
	}
}
