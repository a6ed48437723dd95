package wheelhouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/needs"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// Wheel is a finished wheel; its content is in the cache.
type Wheel struct {
	FileName string
	Digest   string // "sha256:..."
	Size     int64
	// Fresh is set if it was built in this run, for whatever platform.
	Fresh bool
}

// Made is an order, or a part of one, with the wheels that were made of it.
type Made struct {
	*Ready
	Wheels map[int]*Wheel // by platform; all of its targets
}

// Make makes the wheels of an order. A wheel without native code, made on the platform
// that is the fastest to build on, stands for all platforms. If the back end asks for
// more on some platforms than on the one where it was asked, the order falls apart:
// each of those is prepared again, alone. Else there is one part: r itself, unless the back
// end has wanted more when it built than when it was asked.
func (h *House) Make(ctx context.Context, r *Ready) ([]*Made, error) {
	wheels, differ, err := h.makeAll(ctx, r, false)
	if err == nil && r.plain != nil && slices.Contains(differ, r.askedOn) {
		// It wants more than it said when it was asked, which is known now.
		if r, err = h.Prepare(ctx, r.Order); err == nil {
			wheels, differ, err = h.makeAll(ctx, r, true)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(differ) == 0 {
		return []*Made{{r, wheels}}, nil
	}
	rest := r.Order
	rest.Targets, rest.Prefer = nil, nil
	var parts []*Made
	for at, t := range r.Targets {
		alone := r.Order
		alone.Targets, alone.Prefer = []int{t}, r.preferencesOn(at, 0)
		if !slices.Contains(differ, t) {
			rest.Prefer = append(rest.Prefer, r.preferencesOn(at, len(rest.Targets))...)
			rest.Targets = append(rest.Targets, t)
			continue
		}
		h.log(fmt.Sprintf("%s: %s is prepared alone there, since its back end, or one of its build requirements', asks for more", h.o.Platforms[t].Name, r.title()))
		part, err := h.makePart(ctx, alone)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if len(rest.Targets) == 0 {
		return parts, nil
	}
	part, err := h.makePart(ctx, rest)
	if err != nil {
		return nil, err
	}
	return append([]*Made{part}, parts...), nil
}

// preferencesOn are the versions that an order prefers on a target, those of its tools
// first, as preferences for another position.
func (r *Ready) preferencesOn(at, to int) []resolve.Preference {
	var out []resolve.Preference
	for _, p := range r.Tools.On(at) {
		out = append(out, resolve.Preference{Name: p.Name, Version: p.Version, Target: to})
	}
	for _, p := range r.Prefer {
		if p.Target == at || p.Target < 0 {
			p.Target = to
			out = append(out, p)
		}
	}
	return out
}

// makePart makes what no platform falls out of any more.
func (h *House) makePart(ctx context.Context, o Order) (*Made, error) {
	r, err := h.Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	wheels, differ, err := h.makeAll(ctx, r, true)
	if err == nil && len(differ) > 0 {
		err = h.failure(&o, differ[0], errors.New("back ends of its build do not ask for the same twice"))
	}
	return &Made{r, wheels}, err
}

// makeAll makes the wheels of an order by platform, but those of platforms that have to be
// prepared again. Unless all of them must be tried, it ends when the order has to be
// prepared again as a whole.
func (h *House) makeAll(ctx context.Context, r *Ready, all bool) (wheels map[int]*Wheel, differ []int, err error) {
	targets := r.Targets
	wheels = make(map[int]*Wheel, len(targets))
	if len(targets) > 1 && len(r.outline.Hints.Languages) == 0 {
		first, err := h.first(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		w, err := h.make(ctx, r, first, true)
		var d *differsError
		switch {
		case errors.As(err, &d):
			differ = append(differ, first)
			if !all && r.plain != nil && first == r.askedOn {
				return wheels, differ, nil
			}
		case err != nil:
			return nil, nil, err
		case h.runsAnywhere(w):
			for _, t := range targets {
				wheels[t] = w
			}
			return wheels, nil, nil
		default:
			wheels[first] = w
		}
		targets = slices.DeleteFunc(slices.Clone(targets), func(t int) bool { return t == first })
	}
	made := make([]*Wheel, len(targets))
	g, ctx := errgroup.WithContext(ctx)
	for i, t := range targets {
		g.Go(func() error {
			w, err := h.make(ctx, r, t, true)
			var d *differsError
			if errors.As(err, &d) {
				return nil
			}
			made[i] = w
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for i, t := range targets {
		if made[i] == nil {
			differ = append(differ, t)
		} else {
			wheels[t] = made[i]
		}
	}
	return wheels, differ, nil
}

// first is the platform that a wheel is made for which may do for all: one that has been
// made for already, else the one that is the fastest to build on. No engine is opened for
// what is in the cache.
func (h *House) first(ctx context.Context, r *Ready) (int, error) {
	for _, t := range r.Targets {
		text, key, err := h.keyOf(ctx, r, t)
		if err != nil {
			return 0, err
		}
		if e := h.recallLocal(key, text); e != nil && e.isWheel() {
			return t, nil
		}
	}
	return nearest(r.Targets, h.slow(ctx))[0], nil
}

// isPure tells whether a wheel's name says that it fits all platforms.
func isPure(fileName string) bool {
	w, err := python.ParseWheelName(fileName)
	return err == nil && !slices.ContainsFunc(w.Tags(), func(t python.Tag) bool { return t.Platform != "any" })
}

// runsAnywhere tells whether a wheel does for all platforms: some that say so hold a
// library that a program of theirs has compiled.
func (h *House) runsAnywhere(w *Wheel) bool {
	if !isPure(w.FileName) {
		return false
	}
	if h.o.Native == nil {
		return true
	}
	native, err := h.o.Native(&build.Built{FileName: w.FileName, Digest: w.Digest, Size: w.Size})
	return err == nil && !native
}

// make returns the wheel for one platform.
func (h *House) make(ctx context.Context, r *Ready, target int, shipped bool) (*Wheel, error) {
	text, key, err := h.keyOf(ctx, r, target)
	if err != nil {
		return nil, err
	}
	if e := h.recallLocal(key, text); e != nil {
		if w, err := h.taken(r, target, e, shipped); w != nil || err != nil {
			return w, err
		}
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
	if e != nil {
		if w, err := h.taken(r, target, e, shipped); w != nil || err != nil {
			return w, err
		}
	}
	return h.buildNow(ctx, r, target, &entry{Record: text}, key, shipped)
}

// taken is what an entry of a cache gives: the wheel, if it can be used, or that more has
// to be known; nil if the wheel is lost.
func (h *House) taken(r *Ready, target int, e *entry, shipped bool) (*Wheel, error) {
	if !e.isWheel() {
		return nil, h.more(r, target, e.Asked)
	}
	err := h.judge(r, target, e, shipped)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h.log(fmt.Sprintf("%s: %s is in a cache", h.o.Platforms[target].Name, e.File))
	return e.wheel(), nil
}

// judge tells whether a wheel can be used, however it came here: that depends on the base
// image, of which its key knows nothing.
func (h *House) judge(r *Ready, target int, e *entry, shipped bool) error {
	warnings, err := h.o.Examine(target, &build.Built{FileName: e.File, Digest: e.Digest, Size: e.Size}, shipped)
	for _, w := range warnings {
		h.warnOnce(e.File + ": " + w)
	}
	if err != nil {
		return h.failure(&r.Order, target, fmt.Errorf("its wheel, %s, can't be used: %w", e.File, err))
	}
	return nil
}

// more is the error for a back end that asks for more than was known when its order was
// prepared.
func (h *House) more(r *Ready, target int, asked []string) error {
	if r.Known {
		return &BuildError{
			Project: r.title(), Platform: h.o.Platforms[target].Name,
			Cause:  fmt.Errorf("its back end asks for more than the lock knows: %s", strings.Join(asked, ", ")),
			Advice: []string{"lock it anew with --upgrade-package " + string(r.Name)},
		}
	}
	return &differsError{r, target, asked}
}

// buildNow builds the wheel, checks it and stores it under its key; e is what the entry
// begins with.
func (h *House) buildNow(ctx context.Context, r *Ready, target int, e *entry, key string, shipped bool) (*Wheel, error) {
	report, err := h.check(r, target)
	if err != nil {
		return nil, h.advised(ctx, r, target, err)
	}
	if err := h.askAgain(ctx, r, target); err != nil {
		return nil, err
	}
	var b *build.Built
	job := h.job(r, target, "building "+r.title())
	err = job.run(ctx, func(sb build.Sandbox, q build.Request) (err error) {
		b, err = build.Wheel(ctx, sb, h.o.Cache, q)
		return err
	})
	var more *build.MoreError
	if errors.As(err, &more) {
		return nil, h.wantsMore(ctx, r, target, more.Requires, job.emulated)
	}
	if err != nil {
		return nil, h.advised(ctx, r, target, job.failed(err, report))
	}
	e.File, e.Digest, e.Size = b.FileName, b.Digest, b.Size
	// What can't be used on this base image may do for another one, but is not shared.
	if err := h.putLocal(key, e); err != nil {
		return nil, err
	}
	if err := h.judge(r, target, e, shipped); err != nil {
		return nil, h.advised(ctx, r, target, err)
	}
	if !job.native {
		if err := h.share(ctx, key, e, job.emulated); err != nil {
			return nil, err
		}
	}
	w := e.wheel()
	w.Fresh = true
	return w, nil
}

// askAgain makes sure that a back end which asks for something asks for no more on a
// platform where it was not asked. One that asks for nothing is asked by the build itself.
func (h *House) askAgain(ctx context.Context, r *Ready, target int) error {
	if r.plain == nil || target == r.askedOn || len(r.Asked) == 0 {
		return nil
	}
	asked, err := h.askOn(ctx, r.plain, target)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(asked, func(a string) bool { return !slices.Contains(r.Asked, a) }) {
		return h.more(r, target, asked)
	}
	return nil
}

// look tells what of the things that the build needs stands in the development image.
func (h *House) look(r *Ready, target int) needs.Report {
	key := lookKey{r.Digest, target}
	h.mu.Lock()
	report, ok := h.looked[key]
	h.mu.Unlock()
	if ok {
		return report
	}
	p := &h.o.Platforms[target]
	py := p.Env.Python
	report = needs.Check(h.o.Needs().For(r.Name, r.Version, r.outline.Hints), needs.Image{
		Files: h.usable(target), Env: p.Image.Config.Config.Env, Prefix: py.Prefix, Stdlib: py.Stdlib, Arch: py.Arch, Markers: &py.Markers,
	})
	h.mu.Lock()
	h.looked[key] = report
	h.mu.Unlock()
	return report
}

// check looks before the build starts whether it can succeed.
func (h *House) check(r *Ready, target int) (needs.Report, error) {
	report := h.look(r, target)
	if missing := report.Missing(); len(missing) > 0 && !h.o.Unchecked {
		var lines []string
		for _, m := range missing {
			lines = append(lines, m.Text(report.Manager))
		}
		return report, &BuildError{
			Project: r.title(), Platform: h.o.Platforms[target].Name, Cause: errors.New("it has to be built from source; " + strings.Join(lines, "; ")),
			Advice: []string{"if the image has it in a way that distill does not see: --no-build-check"},
		}
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
		switch v := h.o.Alternative(ctx, r.Name, target); v {
		case "":
		case r.Version.String():
			b.Advice = append(b.Advice, fmt.Sprintf("or let its wheel for %s be taken, which --no-binary or --source leaves out", h.o.Platforms[target].Name))
		default:
			b.Advice = append(b.Advice, fmt.Sprintf("or allow %s %s, which has a wheel for %s", r.Name, v, h.o.Platforms[target].Name))
		}
	}
	return err
}
