package distill

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/needs"
	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/registry"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/wheel"
	"github.com/r-seed-1713b764/distill/internal/wheelcache"
	"github.com/r-seed-1713b764/distill/internal/wheelhouse"
)

// environments are those of images, nil for nil.
func environments(list []*opened) []*inspect.Environment {
	if list == nil {
		return nil
	}
	out := make([]*inspect.Environment, len(list))
	for i, o := range list {
		out[i] = o.env
	}
	return out
}

// building is a wheelhouse with what the line has to know of its work.
type building struct {
	*wheelhouse.House
	h      *Host
	q      *question
	client *pypi.Client
	// targets are those that build requirements are resolved for: the interpreters that
	// builds run in.
	targets []resolve.Target
}

// newBuilding prepares what a resolution may want built; nothing is opened yet.
func (h *Host) newBuilding(ctx context.Context, q *question, client *pypi.Client) (*building, error) {
	b := &building{h: h, q: q, client: client}
	o := wheelhouse.Options{
		Cache: h.Cache, Needs: needs.BuiltIn, Engine: q.building.Engine, Fetch: client.Download, Resolve: b.resolve, Examine: b.examine,
		Alternative: b.alternative, Teller: h.Teller, Log: h.Log, Time: q.building.Timeout, Memory: q.building.Memory,
	}
	for i, t := range q.targets {
		p := wheelhouse.Platform{Name: t.Name}
		if q.dev != nil {
			p.Image, p.Env = q.dev[i].image, q.dev[i].env
			t = target(t.Name, p.Env.Python)
		}
		o.Platforms, b.targets = append(o.Platforms, p), append(b.targets, t)
	}
	if q.building.WheelCache != "" {
		var err error
		if o.Remote, err = wheelcache.Open(ctx, q.building.WheelCache, wheelcache.Options{
			Options: registry.Options{Keychain: h.Keychain, Transport: h.Transport, Insecure: h.Insecure}, Log: h.Log,
		}); err != nil {
			return nil, err
		}
	}
	b.House = wheelhouse.New(o)
	return b, nil
}

// resolve finds build requirements in the index alone: what stands in an image is not
// seen by a build.
func (b *building) resolve(ctx context.Context, q wheelhouse.Question) (*resolve.Resolution, error) {
	req := resolve.Request{Requirements: q.Requirements, Options: resolve.Options{
		Sources: []resolve.ArtifactKind{resolve.Wheel, resolve.Sdist}, Align: resolve.AlignWheels, Locked: q.Prefer,
	}}
	var err error
	if req.Options.ExcludeNewer, err = cutoff(b.q.index.ExcludeNewer); err != nil {
		return nil, err
	}
	if n := req.Options.ExcludeNewer; n.IsZero() || !q.Before.IsZero() && q.Before.Before(n) {
		req.Options.ExcludeNewer = q.Before
	}
	for _, t := range q.Targets {
		req.Targets = append(req.Targets, b.targets[t])
	}
	src := newSource(b.client, nil, nil)
	src.building, src.platforms = b, q.Targets
	return resolve.Solve(ctx, src, req)
}

// metadata is what a build tells of a version's needs, on the platforms given.
func (b *building) metadata(ctx context.Context, c *resolve.Candidate, f pypi.File, targets []int) ([]byte, error) {
	return b.Metadata(ctx, wheelhouse.Order{Name: c.Name, Version: c.Version, File: f, Targets: targets})
}

// examine opens a built wheel as one of the index, and judges it for a platform.
func (b *building) examine(t int, made *build.Built) (warnings []string, err error) {
	blob, err := b.h.Cache.OpenBlob(made.Digest)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	w, err := wheel.Open(made.FileName, blob, blob.Size)
	if err != nil {
		return nil, err
	}
	one := audit.BuiltWheel{Name: w.Name, Purelib: w.RootIsPurelib, Dev: b.q.dev[t].env, Python: b.q.dev[t].env.Python}
	if b.q.base != nil && b.q.base[t].env.Python != nil {
		one.Base, one.Python = b.q.base[t].env, b.q.base[t].env.Python
	}
	s := wheelScheme(one.Python)
	if one.Files, err = w.Files(s); err == nil {
		one.Files, err = b.h.annotateWheel(one.Files, made.Digest, s)
	}
	if err != nil {
		return nil, err
	}
	var bad []string
	for _, f := range audit.CheckBuiltWheel(one) {
		switch {
		case f.Severity.AtLeast(audit.High):
			bad = append(bad, f.Sentence())
		case f.Severity.AtLeast(audit.Medium):
			warnings = append(warnings, f.Sentence())
		}
	}
	if len(bad) > 0 {
		return warnings, fmt.Errorf("%s", strings.Join(bad, "; "))
	}
	return warnings, nil
}

// alternative is the newest version of a project that has a wheel for a target.
func (b *building) alternative(ctx context.Context, name python.Name, t int) string {
	page, err := b.client.Project(ctx, name)
	if err != nil {
		return ""
	}
	target := &b.q.targets[t]
	for _, r := range page.Releases {
		if r.Version.IsPrerelease() {
			continue
		}
		for _, f := range r.Files() {
			w, err := python.ParseWheelName(f.Name)
			if err != nil || f.Yanked {
				continue
			}
			wants, _ := python.ParseSpecifiersLenient(f.RequiresPython)
			if _, ok := target.Tags.Rank(w); ok && wants.Contains(target.Python, true) {
				return r.Version.String()
			}
		}
	}
	return ""
}

// builds are the picks of a resolution that have to be built, in its order.
type builds struct {
	*building
	list []*pickBuild
}

type pickBuild struct {
	pick  *resolve.Pick
	ready *wheelhouse.Ready
	// wheels are the finished ones, by target.
	wheels map[int]*wheelhouse.Wheel
}

// maxPrepared is how many source archives are looked at once.
const maxPrepared = 8

// prepareBuilds finds out what the builds of a resolution require. Without an image to
// build in, that stays open: it is the image's Python that decides.
func (r *resolved) prepareBuilds(ctx context.Context, p *pins) error {
	if !r.builds.CanBuild() {
		return nil
	}
	for _, pick := range r.Picks {
		if on := builtOn(pick); len(on) > 0 {
			r.builds.list = append(r.builds.list, &pickBuild{pick: pick})
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxPrepared)
	for _, b := range r.builds.list {
		g.Go(func() (err error) {
			b.ready, err = r.builds.Prepare(ctx, r.order(b.pick, p))
			return err
		})
	}
	err := g.Wait()
	r.client.Flush()
	return err
}

// builtOn are the targets for which a pick has to be built.
func builtOn(p *resolve.Pick) []int {
	var on []int
	for _, placed := range p.On {
		if placed.Artifact.Kind == resolve.Sdist {
			on = append(on, placed.Target)
		}
	}
	return on
}

// order asks for the wheels of a pick, built with what an earlier lock says, else with
// the versions that the application runs with.
func (r *resolved) order(pick *resolve.Pick, p *pins) wheelhouse.Order {
	o := wheelhouse.Order{Name: pick.Name, Version: pick.Version, Targets: builtOn(pick)}
	var targets []resolve.Target
	for _, t := range o.Targets {
		targets = append(targets, r.Targets[t])
	}
	placed, _ := pick.Placed(o.Targets[0])
	o.File = placed.Artifact.Ref.(pypi.File)
	o.Prefer, o.Asked, o.Known = p.buildPreferences(pick.Name, pick.Version, targets)
	for _, other := range r.Picks {
		for at, t := range o.Targets {
			if _, ok := other.Placed(t); ok {
				o.Prefer = append(o.Prefer, resolve.Preference{Name: other.Name, Version: other.Version, Target: at})
			}
		}
	}
	return o
}

// make builds all that is to be built, or takes it from a cache.
func (b *builds) make(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, one := range b.list {
		g.Go(func() (err error) {
			one.wheels, err = b.Make(ctx, one.ready)
			return err
		})
	}
	return g.Wait()
}

// wheel returns the finished wheel of a pick for a target.
func (b *builds) wheel(p *resolve.Pick, t int) *wheelhouse.Wheel {
	for _, one := range b.list {
		if one.pick == p {
			return one.wheels[t]
		}
	}
	return nil
}

// locked says how each build is done, for the lock: those of picks, and of build
// requirements that are built themselves.
func (b *builds) locked() []pylock.BuildOf {
	var out []pylock.BuildOf
	var add func(p *resolve.Pick, r *wheelhouse.Ready)
	add = func(p *resolve.Pick, r *wheelhouse.Ready) {
		out = append(out, pylock.BuildOf{Pick: p, Targets: r.Targets, Asked: r.Asked, Tools: r.Tools})
		for _, t := range r.Builds {
			add(t.Pick, t.Ready)
		}
	}
	for _, one := range b.list {
		add(one.pick, one.ready)
	}
	return out
}
