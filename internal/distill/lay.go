package distill

import (
	"context"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/layers"
	"github.com/r-seed-1713b764/distill/internal/plan"
)

// laid are the plans and finished images, in the order of the platforms.
type laid struct {
	plans  []*plan.Plan
	images []v1.Image
}

// lay chooses, plans and writes the layers of all platforms side by side.
func (h *Host) lay(ctx context.Context, in *inputs, r *resolved, o ImageOptions) (*laid, error) {
	l := &laid{plans: make([]*plan.Plan, len(in.platforms)), images: make([]v1.Image, len(in.platforms))}
	code := h.newCompilers(in)
	defer code.close()
	g, ctx := errgroup.WithContext(ctx)
	for t := range in.platforms {
		g.Go(func() (err error) {
			l.plans[t], l.images[t], err = h.layPlatform(ctx, in, r, t, o, code)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, p := range l.plans {
		for _, w := range p.Warnings {
			h.Teller.Warn(p.Platform + ": " + w)
		}
		for _, n := range p.Notes {
			if h.Log != nil { // -v
				h.Log(p.Platform + ": " + n)
			}
		}
	}
	return l, nil
}

func (h *Host) layPlatform(ctx context.Context, in *inputs, r *resolved, t int, o ImageOptions, code *compilers) (*plan.Plan, v1.Image, error) {
	name := platformName(in.platforms[t])
	dev, base := in.dev[t], in.base[t]
	if n := len(base.image.Manifest.Layers); o.MaxLayers > 0 && o.MaxLayers <= n {
		return nil, nil, usagef("", "--max-layers %d leaves no room: the base has %d layers already", o.MaxLayers, n)
	}
	o.Env = slices.Concat(in.runtimes[t].environment(), o.Env)
	h.Teller.Step(name, "choosing files")
	picks, closers, err := h.choose(ctx, r, t, base.env)
	if err != nil {
		return nil, nil, err
	}
	defer closeAll(closers)
	c, err := newConfigured(o.change(), base.env.Files.Merge(in.app.files))
	if err != nil {
		return nil, nil, err
	}
	pin := planInput(name, dev, base, in.hints, o)
	pin.Picks, pin.Runtime, pin.App, pin.Merged = picks, in.runtimes[t].files(), in.app.files.Merge(c.dirs), c.merged
	p, err := plan.Make(pin)
	if err == nil && len(p.Uncompiled) > 0 && o.ByteCode == CompileAll {
		if pin.Code, err = code.code(ctx, t, p.Uncompiled); err == nil {
			p, err = plan.Make(pin)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	made := planned{
		dev:      dev.env,
		platform: name, base: base.image.Files, plan: p, env: slices.Concat(base.image.Config.Config.Env, o.Env),
		dirs: append(slices.Clone(in.app.places), workdir(base, o)), settled: r.asked.overridden(),
	}
	told, err := checkCommand(name, newCommand(&base.image.Config.Config, c.change), made.tree(), dev, o.NoVerify)
	p.Warnings = append(p.Warnings, told...)
	if err == nil && !o.NoVerify {
		h.Teller.Step(name, "verifying")
		err = h.verifyPlan(made)
	}
	if err != nil {
		return nil, nil, err
	}
	opts := layers.Options{
		Epoch:       o.Epoch,
		Compression: o.Compression,
		Config:      c.change,
		Annotations: annotations(in, o),
		Record:      c.record(p, in.app.places),
	}
	store := layerStore{h.Cache}
	h.Teller.Step(name, "writing layers")
	p, gathered, err := gather(ctx, dev, p, store, opts)
	if err != nil {
		return nil, nil, err
	}
	defer gathered.Close()
	img, err := layers.Assemble(base.image.V1, p, store, opts)
	return p, img, err
}

// gather reads, in one pass over the development image, the files of those
// layers that are not in the store, and returns the plan with content at hand.
func gather(ctx context.Context, dev *opened, p *plan.Plan, store layers.Store, opts layers.Options) (*plan.Plan, io.Closer, error) {
	missing, err := layers.Missing(p, store, opts)
	if err != nil || len(missing) == 0 {
		return p, io.NopCloser(nil), err
	}
	var all []*files.File
	// A path may stand in several layers (etc/passwd with one more account): only
	// one can be gathered, the others are opened where they are.
	first := map[string]*files.File{}
	for _, i := range missing {
		for f := range p.Layers[i].Files.All() {
			if first[f.Path] == nil {
				first[f.Path] = f
				all = append(all, f)
			}
		}
	}
	set, closer, err := dev.image.Gather(ctx, files.NewSet(all))
	if err != nil {
		return nil, nil, err
	}
	q := *p
	q.Layers = append([]plan.Layer(nil), p.Layers...)
	for _, i := range missing {
		var list []*files.File
		for f := range q.Layers[i].Files.All() {
			if g, ok := set.Get(f.Path); ok && first[f.Path] == f {
				f = g
			}
			list = append(list, f)
		}
		q.Layers[i].Files = files.NewSet(list)
	}
	return &q, closer, nil
}

// envValue is the value of a variable in an image's configuration.
func envValue(env []string, name string) string {
	for _, e := range env {
		if len(e) > len(name) && e[:len(name)] == name && e[len(name)] == '=' {
			return e[len(name)+1:]
		}
	}
	return ""
}
