package layers

import (
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/plan"
)

// Restack puts layers of an image that distill made on another base: those between
// the base's and the merged ones keep their bytes and digests and are not read,
// merged (empty, or one layer) takes the place of the merged ones, and the
// configuration is the new base's with opts.Config. The record is that of the
// image, for platform.
func Restack(base, made v1.Image, r *Record, platform string, merged []plan.Layer, store Store, opts Options) (v1.Image, error) {
	if err := check(opts); err != nil {
		return nil, err
	}
	config, err := made.ConfigFile()
	if err != nil {
		return nil, err
	}
	kept, err := keptLayers(made, r)
	if err != nil {
		return nil, err
	}
	p := &plan.Plan{Platform: platform}
	history := ownHistory(config.History, r)
	for i, b := range kept {
		p.Layers = append(p.Layers, plan.Layer{})
		if i < len(history) {
			b.history = &history[i]
		}
	}
	for i := range merged {
		b, err := finish(&merged[i], store, opts)
		if err != nil {
			return nil, fmt.Errorf("layer %q: %w", merged[i].Name, err)
		}
		p.Layers = append(p.Layers, merged[i])
		kept = append(kept, b)
	}
	opts.Record = r
	return newImage(base, p, kept, opts)
}

// keptLayers are the layers of an image that go along as they are.
func keptLayers(made v1.Image, r *Record) ([]*Blob, error) {
	list, err := made.Layers()
	if err != nil {
		return nil, err
	}
	if len(list) != r.BaseLayers+r.OwnLayers {
		return nil, fmt.Errorf("image has %d layers, its record says %d", len(list), r.BaseLayers+r.OwnLayers)
	}
	var out []*Blob
	for _, l := range list[r.BaseLayers : len(list)-r.MergedLayers] {
		b := &Blob{Open: l.Compressed}
		if b.Digest, err = l.Digest(); err != nil {
			return nil, err
		}
		if b.DiffID, err = l.DiffID(); err != nil {
			return nil, err
		}
		if b.Size, err = l.Size(); err != nil {
			return nil, err
		}
		kind, err := l.MediaType()
		if err != nil {
			return nil, err
		}
		if b.kind, err = ociLayerType(kind); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// ownHistory are the entries of the layers that are not the base's.
func ownHistory(history []v1.History, r *Record) []v1.History {
	own := slices.DeleteFunc(slices.Clone(history), func(h v1.History) bool { return h.EmptyLayer })
	if len(own) != r.BaseLayers+r.OwnLayers {
		return nil
	}
	return own[r.BaseLayers:]
}
