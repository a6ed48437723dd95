package distill

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/files"
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
		Native: b.native, Pinned: b.pinned, Unchecked: q.building.NoCheck,
	}
	for i, t := range q.targets {
		p := wheelhouse.Platform{Name: t.Name}
		if q.dev != nil {
			p.Image, p.Env = q.dev[i].image, q.dev[i].env
			t = target(t.Name, p.Env.Python)
		}
		o.Platforms, b.targets = append(o.Platforms, p), append(b.targets, t)
	}
	if q.building.WheelCache != "" && q.index.Offline {
		if h.Log != nil {
			h.Log("the wheel cache is not asked: --offline")
		}
	} else if q.building.WheelCache != "" {
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
	req := resolve.Request{Requirements: q.Requirements, Constraints: b.q.asked.buildConstraints, Options: resolve.Options{
		Sources: []resolve.ArtifactKind{resolve.Wheel, resolve.Sdist}, Align: resolve.AlignWheels, Locked: q.Prefer,
	}}
	var err error
	if req.Options.ExcludeNewer, err = cutoff(b.q.index.ExcludeNewer); err != nil {
		return nil, err
	}
	if n := req.Options.ExcludeNewer; n.IsZero() || !q.Before.IsZero() && q.Before.Before(n) {
		req.Options.ExcludeNewer = q.Before
	}
	for _, r := range q.Requirements {
		if r.URL != "" && !b.trusts(r.URL) {
			return nil, fmt.Errorf("%s @ %s is on none of the hosts that the indexes are on", r.Name, python.ShowURL(r.URL))
		}
	}
	for _, t := range q.Targets {
		req.Targets = append(req.Targets, b.targets[t])
	}
	src := newSource(b.client, nil, nil)
	src.building, src.platforms = b, q.Targets
	return resolve.Solve(ctx, src, req)
}

// trusts tells whether a URL that an archive names is on a host that the user has named: an
// archive must not make this machine ask others, which may be ones that only it reaches.
func (b *building) trusts(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	for _, index := range append(slices.Clone(b.client.Indexes), b.client.FindLinks...) {
		if known, err := url.Parse(index); err == nil && known.Host != "" && strings.EqualFold(known.Host, u.Host) {
			return true
		}
	}
	return false
}

// metadata is what a build tells of a version's needs, on the platforms given.
func (b *building) metadata(ctx context.Context, c *resolve.Candidate, f pypi.File, targets []int) ([]byte, error) {
	return b.Metadata(ctx, wheelhouse.Order{Name: c.Name, Version: c.Version, File: f, Targets: targets})
}

// examine opens a built wheel as one of the index, and judges it for a platform: what is
// not shipped has to run in the development image alone.
func (b *building) examine(t int, made *build.Built, shipped bool) (warnings []string, err error) {
	one := audit.BuiltWheel{Dev: b.q.dev[t].env, Python: b.q.dev[t].env.Python}
	if shipped && b.q.base != nil && b.q.base[t].env.Python != nil {
		one.Base, one.Python = b.q.base[t].env, b.q.base[t].env.Python
	}
	w, set, err := b.read(made, one.Python)
	if err != nil {
		return nil, err
	}
	one.Name, one.Purelib, one.Files = w.Name, w.RootIsPurelib, set
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

// read is [Host.readWheel] for a wheel that was built.
func (b *building) read(made *build.Built, py *inspect.Interpreter) (*wheel.Wheel, files.Set, error) {
	blob, err := b.h.Cache.OpenBlob(made.Digest)
	if err != nil {
		return nil, files.Set{}, err
	}
	defer blob.Close()
	return b.h.readWheel(made.FileName, made.Digest, blob, blob.Size, py)
}

// native tells whether a wheel has native code in it.
func (b *building) native(made *build.Built) (bool, error) {
	_, set, err := b.read(made, b.q.dev[0].env.Python)
	for f := range set.All() {
		if inspect.ELF(f) != nil {
			return true, err
		}
	}
	return false, err
}

// pinned is what the lock says about the build of a build requirement.
func (b *building) pinned(name python.Name, v python.Version, targets []int) (prefer []resolve.Preference, asked []string, known bool) {
	var list []resolve.Target
	for _, t := range targets {
		list = append(list, b.q.targets[t])
	}
	return b.q.pins.buildPreferences(name, v, list)
}

// alternative is the newest version of a project that has a wheel for a target.
func (b *building) alternative(ctx context.Context, name python.Name, t int) string {
	page, err := b.client.Project(ctx, name)
	if err != nil {
		return ""
	}
	target := &b.q.targets[t]
	newer, _ := cutoff(b.q.index.ExcludeNewer) // has been read before
	for _, r := range page.Releases {
		if r.Version.IsPrerelease() {
			continue
		}
		for _, f := range r.Files() {
			w, err := python.ParseWheelName(f.Name)
			if err != nil || f.Yanked || !newer.IsZero() && !f.Uploaded.Before(newer) {
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
	// changed is set if making them has shown that some are not built as they were
	// prepared.
	changed bool
}

// pickBuild is how a pick is built on some platforms: on all that need it, unless its
// back end asks for different things there.
type pickBuild struct {
	pick  *resolve.Pick
	order wheelhouse.Order
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
			for _, o := range r.orders(pick, p, on) {
				r.builds.list = append(r.builds.list, &pickBuild{pick: pick, order: o})
			}
		}
	}
	failed := make([]*wheelhouse.BuildError, len(r.builds.list))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxPrepared)
	for i, b := range r.builds.list {
		g.Go(func() (err error) {
			b.ready, err = r.builds.Prepare(ctx, b.order)
			if errors.As(err, &failed[i]) && KindOf(err) == NeedsBuild {
				return nil // the others may lack something, too
			}
			if err != nil {
				return err
			}
			return r.checkHashes(ctx, b.pick.Name, b.order.File, b.ready.Digest)
		})
	}
	err := g.Wait()
	r.client.Flush()
	if err != nil {
		return err
	}
	return allFailed(failed)
}

// allFailed is one error for all builds that can't be.
func allFailed(list []*wheelhouse.BuildError) error {
	list = slices.DeleteFunc(list, func(b *wheelhouse.BuildError) bool { return b == nil })
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	f := &Failure{Kind: NeedsBuild}
	var lines []string
	for _, b := range list {
		lines = append(lines, b.Error())
		f.Hint = append(f.Hint, b.Hints()...)
	}
	f.Text, f.Hint = strings.Join(lines, "\n"), distinct(f.Hint)
	return f
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

// orders ask for the wheels of a pick: one for all of its platforms, unless an earlier
// lock knows that the back end asks for different things there.
func (r *resolved) orders(pick *resolve.Pick, p *pins, on []int) []wheelhouse.Order {
	var groups [][]int
	var answers []string
	for _, t := range on {
		_, asked, known := p.buildPreferences(pick.Name, pick.Version, []resolve.Target{r.Targets[t]})
		if !known {
			return []wheelhouse.Order{r.order(pick, p, on)}
		}
		text := strings.Join(asked, "\n")
		i := slices.Index(answers, text)
		if i < 0 {
			i, answers, groups = len(groups), append(answers, text), append(groups, nil)
		}
		groups[i] = append(groups[i], t)
	}
	out := make([]wheelhouse.Order, len(groups))
	for i, g := range groups {
		out[i] = r.order(pick, p, g)
	}
	return out
}

// order asks for the wheels of a pick, built with what an earlier lock says, else with
// the versions that the application runs with.
func (r *resolved) order(pick *resolve.Pick, p *pins, on []int) wheelhouse.Order {
	o := wheelhouse.Order{Name: pick.Name, Version: pick.Version, Targets: on, Linked: linked(pick)}
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

// linked are the projects with native code that a pick needs at run time: it may be
// compiled against them.
func linked(pick *resolve.Pick) []python.Name {
	var out []python.Name
	for _, e := range pick.Edges {
		if !slices.Contains(out, e.To.Name) && slices.ContainsFunc(e.To.On, func(on resolve.Placed) bool { return isNative(on.Artifact) }) {
			out = append(out, e.To.Name)
		}
	}
	return out
}

func isNative(a *resolve.Artifact) bool {
	switch a.Kind {
	case resolve.ImageFiles:
		return slices.ContainsFunc(a.Ref.(installedRef).dist.Files, func(f string) bool { return strings.HasSuffix(f, ".so") })
	case resolve.Wheel:
		return slices.ContainsFunc(a.WheelName.Platform, func(p string) bool { return p != "any" })
	}
	return true // a build will tell
}

// makeBuilds builds all that is to be built, or takes it from a cache.
func (r *resolved) makeBuilds(ctx context.Context) error {
	b := r.builds
	parts := make([][]*wheelhouse.Made, len(b.list))
	g, ctx := errgroup.WithContext(ctx)
	for i, one := range b.list {
		g.Go(func() (err error) {
			parts[i], err = b.Make(ctx, one.ready)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var list []*pickBuild
	for i, one := range b.list {
		b.changed = b.changed || len(parts[i]) != 1 || parts[i][0].Ready != one.ready
		for _, m := range parts[i] {
			list = append(list, &pickBuild{pick: one.pick, order: m.Order, ready: m.Ready, wheels: m.Wheels})
		}
	}
	b.list = list
	for _, one := range b.list {
		for _, t := range one.ready.Targets {
			if err := r.checkNeeds(one.pick, t, one.wheels[t]); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkNeeds tells whether a wheel that was built needs what was resolved for it: what its
// source archive says may be a guess, or be true of another platform.
func (r *resolved) checkNeeds(pick *resolve.Pick, t int, w *wheelhouse.Wheel) error {
	blob, err := r.builds.h.Cache.OpenBlob(w.Digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	text, err := wheel.Metadata(w.FileName, blob, blob.Size)
	if err != nil {
		return err
	}
	m, err := python.ParseMetadata(text)
	if err != nil {
		return fmt.Errorf("%s: %w", w.FileName, err)
	}
	placed, _ := pick.Placed(t)
	var lacks []string
	for _, q := range m.RequiresDist {
		applies, err := q.Marker.Eval(&r.Targets[t].Markers, placed.Extras...)
		if err == nil && applies && !r.serves(&q, t) {
			lacks = append(lacks, q.String())
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return &Failure{
		Kind: NoSolution,
		Text: fmt.Sprintf("%s %s: its wheel for %s, once it is built, needs %s, which its source archive does not say", pick.Name, pick.Version,
			r.Targets[t].Name, strings.Join(lacks, ", ")),
		Hint: []string{"add that to the requirements"},
	}
}

// serves tells whether the picks of a target, or an override, serve a requirement.
func (r *resolved) serves(q *python.Requirement, t int) bool {
	if slices.ContainsFunc(r.asked.overrides, func(o python.Requirement) bool { return o.Name == q.Name }) {
		return true
	}
	return slices.ContainsFunc(r.Picks, func(p *resolve.Pick) bool {
		_, here := p.Placed(t)
		return here && p.Name == q.Name && q.Specifiers.Contains(p.Version, true)
	})
}

// wheel returns the finished wheel of a pick for a target, nil if there is none.
func (b *builds) wheel(p *resolve.Pick, t int) *wheelhouse.Wheel {
	for _, one := range b.list {
		if w := one.wheels[t]; one.pick == p && w != nil {
			return w
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
