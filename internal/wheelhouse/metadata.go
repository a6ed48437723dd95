package wheelhouse

import (
	"context"
	"encoding/json"

	"github.com/r-seed-1713b764/distill/internal/build"
)

// The parts of the local cache for what back ends have said.
const (
	askedBucket    = "asked"    // what they ask for beside pyproject.toml
	metadataBucket = "metadata" // the core metadata that a build gives
)

// askedBefore returns what noteNothingAsked has stored: that a back end asked for nothing
// is worth no entry that others share, as they find the wheel under the same key.
func (h *House) askedBefore(key string) ([]string, bool) {
	_, ok := h.o.Cache.Get(askedBucket, key)
	return nil, ok
}

func (h *House) noteNothingAsked(key string) error {
	return h.o.Cache.Put(askedBucket, key, []byte("[]"))
}

// Metadata returns the core metadata of an order's wheel, as a build on the one of its
// platforms (of all if it names none) that is the fastest to build on tells it.
func (h *House) Metadata(ctx context.Context, o Order) ([]byte, error) {
	if o.Targets == nil {
		for t := range h.o.Platforms {
			o.Targets = append(o.Targets, t)
		}
	}
	o.Targets = nearest(o.Targets, h.slow(ctx))[:1]
	target := o.Targets[0]
	r, err := h.Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	rec, err := h.record(ctx, r, target)
	if err != nil {
		return nil, err
	}
	text, key, err := rec.text()
	if err != nil {
		return nil, err
	}
	key = "built " + key
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
	if err != nil {
		return nil, job.failed(err, h.look(r, target))
	}
	if b != nil { // the back end had to make the whole wheel
		if _, err := h.o.Examine(target, b); err == nil {
			e := &entry{Record: json.RawMessage(text), File: b.FileName, Digest: b.Digest, Size: b.Size}
			if err := h.remember(ctx, key[len("built "):], e, job.emulated); err != nil {
				return nil, err
			}
		}
	}
	return core, h.o.Cache.Put(metadataBucket, key, core)
}
