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
// fetched by, and what has to be built of them.
type resolved struct {
	*resolve.Resolution
	client *pypi.Client
	asked  *asked
	choice ChoiceOptions
	builds *builds
}

// close ends what builds were run with.
func (r *resolved) close() { r.builds.Close() }

// question is what is resolved.
type question struct {
	asked    *asked
	index    IndexOptions
	choice   ChoiceOptions
	building BuildingOptions
	pins     *pins
	// targets are the interpreters that will run the packages.
	targets []resolve.Target
	// dev and base are the images by target; nil where none counts.
	dev, base []*opened
}

// resolveFor picks versions and artifacts for images: for the interpreters of base, or of
// dev if base is nil.
func (h *Host) resolveFor(ctx context.Context, q question) (*resolved, error) {
	run := q.base
	if run == nil {
		run = q.dev
	}
	for _, o := range run {
		q.targets = append(q.targets, target(o.env.Platform, o.env.Python))
	}
	return h.resolve(ctx, &q)
}

func target(name string, py *inspect.Interpreter) resolve.Target {
	return resolve.Target{Name: name, Python: py.Version, Markers: py.Markers, Tags: py.Tags, Libc: py.Libc}
}

// resolve picks versions and artifacts, and finds out what builds of them require.
func (h *Host) resolve(ctx context.Context, q *question) (*resolved, error) {
	opts, err := resolveOptions(q.asked, q.index, q.choice)
	if err != nil {
		return nil, err
	}
	opts.Locked = q.pins.preferences(q.targets)
	opts.Complete = q.choice.WholeLock
	opts.Log = h.Log
	h.Teller.Step("", "resolving")
	req := resolve.Request{
		Targets: q.targets, Requirements: q.asked.requirements, Constraints: q.asked.constraints, Overrides: q.asked.overrides, Options: opts,
	}
	r, err := h.solve(ctx, q, req)
	if err != nil {
		return nil, q.asked.placed(err)
	}
	h.warnResolved(q, r.Resolution)
	if err := r.prepareBuilds(ctx, q.pins); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// warnResolved tells what is odd about the picks.
func (h *Host) warnResolved(q *question, r *resolve.Resolution) {
	for _, s := range r.Splits {
		if !q.choice.WholeLock { // the table of a lock has a line about it
			h.Teller.Warn(string(s.Name) + " has different versions on the platforms: " + s.Reason)
		}
	}
	for _, w := range r.Warnings {
		h.Teller.Warn(w)
	}
	for _, n := range q.pins.strangers(r.Picks) {
		h.Teller.Warn(fmt.Sprintf("--upgrade-package %s: %s has no such package", n, q.pins.file))
	}
	for _, p := range r.Picks {
		if p.Guess != "" {
			h.Teller.Warn(fmt.Sprintf("%s %s: %s", p.Name, p.Version, p.Guess))
		}
		if hashedAway(p) {
			h.Teller.Warn(fmt.Sprintf("%s %s: its --hash says nothing about the files of the development image, which are taken", p.Name, p.Version))
		}
	}
}

// solve asks the resolver, once more if the cache turned out to be damaged.
func (h *Host) solve(ctx context.Context, q *question, req resolve.Request) (*resolved, error) {
	dev, base := q.dev, q.base
	if o := req.Options; len(o.Sources) > 0 && !slices.Contains(o.Sources, resolve.ImageFiles) {
		dev, base = nil, nil // what stands in the images has no say then
	}
	for again := true; ; again = false {
		client, err := h.client(q.index, q.asked.options)
		if err != nil {
			return nil, err
		}
		b, err := h.newBuilding(ctx, q, client)
		if err != nil {
			return nil, err
		}
		src := newSource(client, environments(dev), environments(base))
		src.building = b
		r, err := resolve.Solve(ctx, src, req)
		client.Flush()
		if client.Spoiled() && again {
			b.Close()
			h.Teller.Warn("the cache was damaged; resolving once more without what was")
			continue
		}
		if err != nil {
			b.Close()
			return nil, src.explained(err)
		}
		return &resolved{Resolution: r, client: client, asked: q.asked, choice: q.choice, builds: &builds{building: b}}, nil
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
