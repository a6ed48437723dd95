package distill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// resolved is the answer of the resolver with the client that its artifacts are
// fetched by.
type resolved struct {
	*resolve.Resolution
	client *pypi.Client
	asked  *asked
	choice ChoiceOptions
}

// resolveFor picks versions and artifacts for the environments.
func (h *Host) resolveFor(ctx context.Context, a *asked, index IndexOptions, choice ChoiceOptions, p *pins, s sides) (*resolved, error) {
	var targets []resolve.Target
	for i, p := range s.platforms {
		run := s.dev[i].Python // the interpreter that will run the packages
		if s.base != nil {
			run = s.base[i].Python
		}
		targets = append(targets, target(platformName(p), run))
	}
	return h.resolveTargets(ctx, a, index, choice, p, targets, s.dev, s.base)
}

func target(name string, py *inspect.Interpreter) resolve.Target {
	return resolve.Target{Name: name, Python: py.Version, Markers: py.Markers, Tags: py.Tags, Libc: py.Libc}
}

// resolveTargets picks versions and artifacts; dev and base may be nil where
// no image counts.
func (h *Host) resolveTargets(ctx context.Context, a *asked, index IndexOptions, choice ChoiceOptions, p *pins,
	targets []resolve.Target, dev, base []*inspect.Environment,
) (*resolved, error) {
	opts, err := resolveOptions(a, index, choice)
	if err != nil {
		return nil, err
	}
	opts.Locked = p.preferences(targets)
	opts.Complete = choice.WholeLock
	opts.Log = h.Log
	if len(opts.Sources) > 0 && !slices.Contains(opts.Sources, resolve.ImageFiles) {
		dev, base = nil, nil // what stands in the images has no say then
	}
	h.Teller.Step("", "resolving")
	req := resolve.Request{
		Targets: targets, Requirements: a.requirements, Constraints: a.constraints, Overrides: a.overrides, Options: opts,
	}
	client, r, err := h.solve(ctx, a, index, req, dev, base)
	if err != nil {
		return nil, a.placed(err)
	}
	for _, s := range r.Splits {
		if !choice.WholeLock { // the table of a lock has a line about it
			h.Teller.Warn(string(s.Name) + " has different versions on the platforms: " + s.Reason)
		}
	}
	for _, w := range r.Warnings {
		h.Teller.Warn(w)
	}
	for _, n := range p.strangers(r.Picks) {
		h.Teller.Warn(fmt.Sprintf("--upgrade-package %s: %s has no such package", n, p.file))
	}
	for _, p := range r.Picks {
		if p.Guess != "" {
			h.Teller.Warn(fmt.Sprintf("%s %s: %s", p.Name, p.Version, p.Guess))
		}
		if hashedAway(p) {
			h.Teller.Warn(fmt.Sprintf("%s %s: its --hash says nothing about the files of the development image, which are taken", p.Name, p.Version))
		}
	}
	return &resolved{Resolution: r, client: client, asked: a, choice: choice}, nil
}

// solve asks the resolver, once more if the cache turned out to be damaged.
func (h *Host) solve(ctx context.Context, a *asked, index IndexOptions, req resolve.Request, dev, base []*inspect.Environment,
) (client *pypi.Client, r *resolve.Resolution, err error) {
	for again := true; ; again = false {
		if client, err = h.client(index, a.options); err != nil {
			return nil, nil, err
		}
		r, err = resolve.Solve(ctx, newSource(client, dev, base), req)
		client.Flush()
		if !client.Spoiled() || !again {
			return client, r, err
		}
		h.Teller.Warn("the cache was damaged; resolving once more without what was")
	}
}

// placed adds the line of a direct reference that leads nowhere.
func (a *asked) placed(err error) error {
	var u *unreachable
	if !errors.As(err, &u) {
		return err
	}
	f := &Failure{Kind: Network, Text: string(u.name), Cause: u.cause}
	if errors.Is(u.cause, fs.ErrNotExist) {
		f.Kind = Usage
	}
	for _, r := range slices.Concat(a.requirements, a.constraints, a.overrides) {
		if r.Name == u.name && r.URL == u.reference && r.Pos.File != "" {
			f.Text = fmt.Sprintf("%s:%d: %s", r.Pos.File, r.Pos.Line, u.name)
			break
		}
	}
	return f
}

// hashedAway tells whether a requirement has hashes that nothing is compared
// with, since files of an image are taken (--source wheel compares).
func hashedAway(p *resolve.Pick) bool {
	fromImage := slices.ContainsFunc(p.On, func(on resolve.Placed) bool { return on.Artifact.Kind == resolve.ImageFiles })
	return fromImage && slices.ContainsFunc(p.Wanted, func(w resolve.Want) bool { return len(w.Requirement.Hashes) > 0 })
}

// resolveOptions joins flags and what stands in requirements files.
func resolveOptions(a *asked, index IndexOptions, c ChoiceOptions) (resolve.Options, error) {
	o := resolve.Options{Pre: c.Pre || a.options.Pre, NoBuild: c.NoBuild, RequireHashes: a.options.RequireHashes}
	var err error
	if o.ExcludeNewer, err = cutoff(index.ExcludeNewer); err != nil {
		return o, err
	}
	if o.NoBinary, o.OnlyBinary, err = formats(c.NoBinary, c.OnlyBinary); err != nil {
		return o, err
	}
	o.NoBinary = joinFormats(o.NoBinary, a.options.NoBinary)
	o.OnlyBinary = joinFormats(o.OnlyBinary, a.options.OnlyBinary)
	excludeFormats(&o.NoBinary, &o.OnlyBinary)
	switch c.Prefer {
	case "", "image":
	case "newest":
		o.Prefer = resolve.PreferNewest
	case "lowest":
		o.Prefer = resolve.PreferLowest
	default:
		return o, usagef("use image, newest or lowest", "--prefer %q is unknown", c.Prefer)
	}
	switch c.Align {
	case "", "versions":
	case "wheels":
		o.Align = resolve.AlignWheels
	default:
		return o, usagef("use versions or wheels", "--align %q is unknown", c.Align)
	}
	for _, s := range c.Sources {
		switch s = strings.TrimSpace(s); s {
		case "image":
			o.Sources = append(o.Sources, resolve.ImageFiles)
		case "wheel":
			o.Sources = append(o.Sources, resolve.Wheel)
		case "build":
			o.Sources = append(o.Sources, resolve.Sdist)
		default:
			return o, usagef("use image, wheel and build", "--source %q is unknown", s)
		}
	}
	return o, nil
}
