package wheelhouse

import (
	"context"
	"errors"

	"github.com/r-seed-1713b764/distill/internal/build"
)

// metadataBucket is the part of the local cache for the core metadata that builds give.
const metadataBucket = "built-metadata"

// Metadata returns the core metadata of an order's wheel, as a build on the one of its
// platforms (of all if it names none) that is the fastest to build on tells it.
func (h *House) Metadata(ctx context.Context, o Order) ([]byte, error) {
	if o.Targets == nil {
		for t := range h.o.Platforms {
			o.Targets = append(o.Targets, t)
		}
	}
	o.Targets, o.metadataOnly = nearest(o.Targets, h.slow(ctx))[:1], true
	core, err := h.metadata(ctx, o)
	var differs *differsError
	if errors.As(err, &differs) { // which is known now
		core, err = h.metadata(ctx, o)
	}
	if errors.As(err, &differs) {
		err = h.failure(&o, o.Targets[0], errors.New("back ends of its build do not ask for the same twice: "+differs.Error()))
	}
	return core, err
}

// metadata is Metadata for an order of one target.
func (h *House) metadata(ctx context.Context, o Order) ([]byte, error) {
	target := o.Targets[0]
	r, err := h.Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	text, key, err := h.keyOf(ctx, r, target)
	if err != nil {
		return nil, err
	}
	wheelKey := key
	key = bucket + " " + key // as for the wheel: it may be a by-product
	if known, ok := h.o.Cache.Get(metadataBucket, key); ok {
		return known, nil
	}
	release, err := h.o.Cache.Hold(ctx, key, nil)
	if err != nil {
		return nil, err
	}
	defer release()
	if known, ok := h.o.Cache.Get(metadataBucket, key); ok {
		return known, nil
	}
	var core []byte
	var b *build.Built
	job := h.job(r, target, "asking "+r.title()+" for its metadata")
	err = job.run(ctx, func(sb build.Sandbox, q build.Request) (err error) {
		core, b, err = build.Metadata(ctx, sb, h.o.Cache, q)
		return err
	})
	var more *build.MoreError
	if errors.As(err, &more) {
		return nil, h.wantsMore(ctx, r, target, more.Requires, job.emulated)
	}
	if err != nil {
		return nil, job.failed(err, h.look(r, target))
	}
	if b != nil { // the back end had to make the whole wheel
		e := &entry{Record: text, File: b.FileName, Digest: b.Digest, Size: b.Size}
		if err := h.putLocal(wheelKey, e); err != nil {
			return nil, err
		}
		if h.judge(r, target, e, true) == nil && !job.native {
			if err := h.share(ctx, wheelKey, e, job.emulated); err != nil {
				return nil, err
			}
		}
	}
	return core, h.o.Cache.Put(metadataBucket, key, core)
}
