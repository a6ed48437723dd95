package wheelhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/needs"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Wheel is a finished wheel; its content is in the cache.
type Wheel struct {
	FileName string
	Digest   string // "sha256:..."
	Size     int64
	// Fresh is set if it was built in this run, for whatever platform.
	Fresh bool
}

// Make returns the wheels of an order by platform. A wheel without native code, made on
// the platform that is the fastest to build on, stands for all of them.
func (h *House) Make(ctx context.Context, r *Ready) (map[int]*Wheel, error) {
	targets := nearest(r.Targets, h.slow(ctx))
	out := make(map[int]*Wheel, len(targets))
	if len(r.outline.Hints.Languages) == 0 {
		w, err := h.make(ctx, r, targets[0])
		if err != nil {
			return nil, err
		}
		out[targets[0]] = w
		targets = targets[1:]
		if isPure(w.FileName) {
			for _, t := range targets {
				out[t] = w
			}
			return out, nil
		}
	}
	wheels := make([]*Wheel, len(targets))
	g, ctx := errgroup.WithContext(ctx)
	for i, t := range targets {
		g.Go(func() (err error) {
			wheels[i], err = h.make(ctx, r, t)
			return err
		})
	}
	err := g.Wait()
	for i, t := range targets {
		out[t] = wheels[i]
	}
	return out, err
}

// isPure tells whether a wheel's name says that it fits all platforms.
func isPure(fileName string) bool {
	w, err := python.ParseWheelName(fileName)
	return err == nil && !slices.ContainsFunc(w.Tags(), func(t python.Tag) bool { return t.Platform != "any" })
}

// make returns the wheel for one platform.
func (h *House) make(ctx context.Context, r *Ready, target int) (*Wheel, error) {
	rec, err := h.record(ctx, r, target)
	if err != nil {
		return nil, err
	}
	text, key, err := rec.text()
	if err != nil {
		return nil, err
	}
	if e := h.recallLocal(key, text); e != nil && e.isWheel() {
		return &Wheel{FileName: e.File, Digest: e.Digest, Size: e.Size}, nil
	}
	name := h.o.Platforms[target].Name
	release, err := h.o.Cache.Hold(ctx, bucket+" "+key, func() { h.log(fmt.Sprintf("%s: %s is being built already; waiting for it", name, r.title())) })
	if err != nil {
		return nil, err
	}
	defer release()
	e, err := h.recall(ctx, r, target, key, text)
	if err != nil {
		return nil, err
	}
	if e != nil && e.isWheel() {
		h.log(fmt.Sprintf("%s: %s is in a cache", name, e.File))
		return &Wheel{FileName: e.File, Digest: e.Digest, Size: e.Size}, nil
	}
	return h.buildNow(ctx, r, target, key, text)
}

// buildNow builds the wheel, checks it and stores it under its key.
func (h *House) buildNow(ctx context.Context, r *Ready, target int, key string, text []byte) (*Wheel, error) {
	report, err := h.check(r, target)
	if err != nil {
		return nil, h.advised(ctx, r, target, err)
	}
	var b *build.Built
	job := h.job(r, target, "building "+r.title())
	err = job.run(ctx, func(sb build.Sandbox, q build.Request) (err error) {
		b, err = build.Wheel(ctx, sb, h.o.Cache, q)
		return err
	})
	var more *build.MoreError
	if errors.As(err, &more) {
		err = fmt.Errorf("its back end asks for more than is known: %s", strings.Join(more.Requires, ", "))
	}
	if err != nil {
		return nil, h.advised(ctx, r, target, job.failed(err, report))
	}
	warnings, err := h.o.Examine(target, b)
	for _, w := range warnings {
		h.warnOnce(b.FileName + ": " + w)
	}
	if err != nil {
		return nil, h.failure(&r.Order, target, fmt.Errorf("its wheel, %s, can't be used: %w", b.FileName, err))
	}
	e := &entry{Record: text, File: b.FileName, Digest: b.Digest, Size: b.Size}
	if err := h.remember(ctx, key, e, job.emulated); err != nil {
		return nil, err
	}
	return &Wheel{FileName: b.FileName, Digest: b.Digest, Size: b.Size, Fresh: true}, nil
}

// look tells what of the things that the build needs stands in the development image.
func (h *House) look(r *Ready, target int) needs.Report {
	p := &h.o.Platforms[target]
	py := p.Env.Python
	return needs.Check(h.o.Needs().For(r.Name, r.Version, r.outline.Hints), needs.Image{
		Files: p.Image.Files, Env: p.Image.Config.Config.Env, Prefix: py.Prefix, Stdlib: py.Stdlib, Arch: py.Arch, Markers: &py.Markers,
	})
}

// check looks before the build starts whether it can succeed.
func (h *House) check(r *Ready, target int) (needs.Report, error) {
	report := h.look(r, target)
	if missing := report.Missing(); len(missing) > 0 {
		var lines []string
		for _, m := range missing {
			lines = append(lines, m.Text(report.Manager))
		}
		return report, h.failure(&r.Order, target, fmt.Errorf("there is no wheel of it that fits; %s", strings.Join(lines, "; ")))
	}
	for _, i := range report.Found() {
		h.log(fmt.Sprintf("%s: %s: %s", h.o.Platforms[target].Name, r.title(), i.Text(report.Manager)))
	}
	return report, nil
}

// advised adds the version that needs no build.
func (h *House) advised(ctx context.Context, r *Ready, target int, err error) error {
	var b *BuildError
	if errors.As(err, &b) && h.o.Alternative != nil {
		if v := h.o.Alternative(ctx, r.Name, target); v != "" {
			b.Advice = append(b.Advice, fmt.Sprintf("or allow %s %s, which has a wheel for %s", r.Name, v, h.o.Platforms[target].Name))
		}
	}
	return err
}

// ask returns what the back end wants beside its pyproject.toml, sorted: as a cache
// knows it for one of the platforms, or as it says on the fastest of them.
func (h *House) ask(ctx context.Context, r *Ready, a *archive) ([]string, error) {
	targets := nearest(r.Targets, h.slow(ctx))
	var first entry
	var firstKey string
	for i, t := range targets {
		rec, err := h.record(ctx, r, t)
		if err != nil {
			return nil, err
		}
		text, key, err := rec.text()
		if err != nil {
			return nil, err
		}
		e, err := h.recall(ctx, r, t, key, text)
		if err != nil {
			return nil, err
		}
		if e != nil {
			return e.Asked, nil
		}
		if asked, ok := h.askedBefore(key); ok {
			return asked, nil
		}
		if i == 0 {
			first.Record, firstKey = text, key
		}
	}
	job := h.job(r, targets[0], "preparing "+r.title())
	err := job.run(ctx, func(sb build.Sandbox, q build.Request) (err error) {
		first.Asked, err = build.Requires(ctx, sb, q)
		return err
	})
	if err != nil {
		return nil, h.advised(ctx, r, targets[0], job.failed(err, h.look(r, targets[0])))
	}
	if len(first.Asked) == 0 {
		return nil, h.noteNothingAsked(firstKey)
	}
	return first.Asked, h.remember(ctx, firstKey, &first, job.emulated)
}
