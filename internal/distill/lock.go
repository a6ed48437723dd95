package distill

import (
	"context"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// Lock resolves for all platforms and writes pylock.toml (PEP 751).
func Lock(ctx context.Context, h *Host, o LockOptions) (*LockResult, error) {
	a, err := ask(ctx, h, o.Requirements)
	if err != nil {
		return nil, err
	}
	if err := a.askBuilds(ctx, h, o.Building); err != nil {
		return nil, err
	}
	o.Choice.WholeLock = true
	if err := checkReferences([]string{o.From, o.Onto}); err != nil {
		return nil, err
	}
	if err := o.Building.check(ctx); err != nil {
		return nil, err
	}
	if err := h.checkAsked(a, o.Index, o.Choice); err != nil {
		return nil, err
	}
	p, err := readPins(o.Pins)
	if err != nil {
		return nil, err
	}
	var images lockImages
	defer images.close()
	var r *resolved
	if o.From != "" {
		r, err = h.lockImage(ctx, a, p, o, &images)
	} else {
		r, err = h.lockTargets(ctx, a, p, o)
	}
	if err != nil {
		return nil, err
	}
	defer r.close()
	lock, err := newLock(ctx, r, images.from, images.onto)
	if err != nil {
		return nil, err
	}
	h.warnSecrets(r.Resolution)
	p.carry(lock, a.constraints)
	if err := p.checkFiles(lock); err != nil {
		return nil, err
	}
	if err := p.check(o.Pins, lock); err != nil {
		return nil, err
	}
	res := lockResult(r, lock.Text())
	if o.Output != "-" {
		res.Path = o.Output
		if o.Pins.Locked && o.Output == o.Pins.Lock {
			return res, nil // what is no drift is not written either
		}
		if err := WriteFile(o.Output, res.Text); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// lockImages are the images that a lock was made for; both may be nil.
type lockImages struct{ from, onto *image.Source }

func (i *lockImages) close() {
	for _, s := range []*image.Source{i.from, i.onto} {
		if s != nil {
			s.Close()
		}
	}
}

// lockImage resolves for the interpreters of the base image, or of the
// development image if no base is named.
func (h *Host) lockImage(ctx context.Context, a *asked, p *pins, o LockOptions, images *lockImages) (*resolved, error) {
	if o.Onto != "" {
		in, err := h.readInputs(ctx, BuildOptions{From: o.From, Onto: o.Onto, Index: o.Index, Choice: o.Choice})
		if err != nil {
			return nil, err
		}
		images.from, images.onto = in.from, in.onto
		return h.resolveFor(ctx, question{asked: a, index: o.Index, choice: o.Choice, building: o.Building, pins: p, dev: in.dev, base: in.base})
	}
	var err error
	if images.from, err = image.Open(ctx, o.From, h.imageOptions(stepDev, o.Index.Offline)); err != nil {
		return nil, err
	}
	platforms, err := choosePlatforms(h, o.Choice.Platforms, images.from)
	if err != nil {
		return nil, err
	}
	all, err := h.readAll(ctx, images.from, platforms, stepDev)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		if one.env.Python == nil {
			return nil, unsupportedf("", "%s for %s has no Python", o.From, one.env.Platform)
		}
	}
	return h.resolveFor(ctx, question{asked: a, index: o.Index, choice: o.Choice, building: o.Building, pins: p, dev: all})
}

// lockTargets resolves for interpreters that are only described.
func (h *Host) lockTargets(ctx context.Context, a *asked, p *pins, o LockOptions) (*resolved, error) {
	if o.Choice.PythonVersion == "" || o.Choice.Libc == "" {
		return nil, usagef("name an image with --from, or describe one with --python-version 3.11 --libc glibc-2.36",
			"it is not known what the packages shall run on")
	}
	full, err := fullVersion(o.Choice.PythonVersion)
	if err != nil {
		return nil, err
	}
	libc, err := parseLibc(o.Choice.Libc)
	if err != nil {
		return nil, err
	}
	names := o.Choice.Platforms
	if len(names) == 0 {
		names = []string{"linux/amd64", "linux/arm64"}
	}
	platforms, err := parsePlatforms(names)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(platforms, func(a, b v1.Platform) int { return strings.Compare(platformName(a), platformName(b)) })
	q := &question{asked: a, index: o.Index, choice: o.Choice, building: o.Building, pins: p}
	for _, one := range platforms {
		q.targets = append(q.targets, describedTarget(one, full, libc))
	}
	return h.resolve(ctx, q)
}

// fullVersion reads --python-version; X.Y means X.Y.0, as with uv, so that what
// is locked runs on every patch release.
func fullVersion(text string) (python.Version, error) {
	v, err := python.ParseVersion(text)
	n := 0
	if err == nil {
		n = len(v.Release())
	}
	if n == 2 && v.String() == strings.TrimSpace(text) {
		v, err = python.ParseVersion(text + ".0")
		n = 3
	}
	if err != nil || n != 3 || v.Release()[0] != 3 {
		return v, usagef("write 3.11 or 3.11.4", "--python-version %q is no version of Python 3", text)
	}
	return v, nil
}

func describedTarget(p v1.Platform, full python.Version, libc python.Libc) resolve.Target {
	machine := machines[p.Architecture]
	r := full.Release()
	return resolve.Target{
		Name:    platformName(p),
		Python:  full,
		Libc:    libc,
		Markers: python.MarkerEnvFor(full, machine),
		Tags:    python.TagsFor(python.TagTarget{Implementation: "cp", Major: int(r[0]), Minor: int(r[1]), Arch: machine, Libc: libc}),
	}
}
