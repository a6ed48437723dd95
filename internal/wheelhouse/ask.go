package wheelhouse

import (
	"context"
	"errors"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/build"
)

// askedBucket is the part of the local cache for back ends that ask for nothing: that is
// worth no entry that others share, as they find the wheel under the same key.
const askedBucket = "asked"

// ask returns what the back end wants beside its pyproject.toml, sorted, and the platform
// where it says so: one for which a cache knows it, else the fastest.
func (h *House) ask(ctx context.Context, r *Ready) (asked []string, on int, err error) {
	for _, t := range r.Targets {
		text, key, err := h.keyOf(ctx, r, t)
		if err != nil {
			return nil, 0, err
		}
		if asked, ok, err := h.askedBefore(ctx, r, t, text, key); ok || err != nil {
			return asked, t, err
		}
	}
	on = nearest(r.Targets, h.slow(ctx))[0]
	asked, err = h.askOn(ctx, r, on)
	var differs *differsError
	if errors.As(err, &differs) && len(r.Targets) > 1 {
		// What its back end is asked with has to be built, and differs by platform.
		alone := r.Order
		alone.Targets, alone.Prefer = []int{on}, r.preferencesOn(r.position(on), 0)
		one, err := h.Prepare(ctx, alone)
		if err != nil {
			return nil, 0, err
		}
		return one.Asked, on, nil
	}
	return asked, on, err
}

// askedBefore returns what a cache knows of the answer on a platform.
func (h *House) askedBefore(ctx context.Context, r *Ready, target int, text []byte, key string) (asked []string, ok bool, err error) {
	if e := h.recallLocal(key, text); e != nil {
		return e.Asked, true, nil
	}
	if _, ok := h.o.Cache.Get(askedBucket, key); ok {
		return nil, true, nil
	}
	e, err := h.recall(ctx, r, target, key, text)
	if e == nil || err != nil {
		return nil, false, err
	}
	return e.Asked, true, nil // a wheel was made without more
}

// askOn asks the back end on one platform; r is plain. Several that want to know the same
// ask once.
func (h *House) askOn(ctx context.Context, r *Ready, target int) ([]string, error) {
	text, key, err := h.keyOf(ctx, r, target)
	if err != nil {
		return nil, err
	}
	release, err := h.o.Cache.Hold(ctx, askedBucket+" "+key, nil)
	if err != nil {
		return nil, err
	}
	defer release()
	if asked, ok, err := h.askedBefore(ctx, r, target, text, key); ok || err != nil {
		return asked, err
	}
	e := &entry{Record: text}
	job := h.job(r, target, "preparing "+r.title())
	err = job.run(ctx, func(sb build.Sandbox, q build.Request) (err error) {
		e.Asked, err = build.Requires(ctx, sb, q)
		return err
	})
	if err != nil {
		return nil, h.advised(ctx, r, target, job.failed(err, h.look(r, target)))
	}
	if len(e.Asked) == 0 {
		return nil, h.o.Cache.Put(askedBucket, key, []byte("[]"))
	}
	return e.Asked, h.remember(ctx, key, e, job.emulated)
}

// wantsMore remembers what a back end wanted only once it was building, and returns the
// error by which its order is prepared again.
func (h *House) wantsMore(ctx context.Context, r *Ready, target int, asked []string, emulated bool) error {
	asked = append(slices.Clone(r.Asked), asked...)
	slices.Sort(asked)
	asked = slices.Compact(asked)
	if !slices.Equal(asked, r.Asked) {
		plain := r.plain
		if plain == nil { // a lock knew, and knew too little: who locks anew must not hear the same
			o := r.Order
			o.Asked, o.Known = nil, true
			var err error
			if plain, err = h.Prepare(ctx, o); err != nil {
				return err
			}
		}
		text, key, err := h.keyOf(ctx, plain, target)
		if err != nil {
			return err
		}
		if err := h.remember(ctx, key, &entry{Record: text, Asked: asked}, emulated); err != nil {
			return err
		}
	}
	return h.more(r, target, asked)
}
