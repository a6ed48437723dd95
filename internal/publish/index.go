package publish

import (
	"fmt"
	"maps"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Index makes the OCI image index of variants, in their order. Each platform
// has its variant written out: arm64 is v8. Two variants for one platform, and
// an image whose configuration names another platform, are errors.
func Index(variants []Variant, annotations map[string]string) (v1.ImageIndex, error) {
	if len(variants) == 0 {
		return nil, fmt.Errorf("an index needs at least one image")
	}
	seen := make(map[string]bool)
	var add []mutate.IndexAddendum
	for _, v := range variants {
		p := v.Platform
		p.Variant = variant(p)
		if seen[p.String()] {
			return nil, fmt.Errorf("two images for %s", p)
		}
		seen[p.String()] = true
		config, err := v.Image.ConfigFile()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		if config.OS != p.OS || config.Architecture != p.Architecture {
			return nil, fmt.Errorf("%s: the image's configuration says %s/%s", p, config.OS, config.Architecture)
		}
		add = append(add, mutate.IndexAddendum{Add: v.Image, Descriptor: v1.Descriptor{Platform: &p}})
	}
	idx := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), add...)
	if len(annotations) > 0 {
		idx = mutate.Annotations(idx, maps.Clone(annotations)).(v1.ImageIndex)
	}
	return idx, nil
}

// BaseAnnotations are the annotations by which an image tells what it was built
// upon (image-spec, annotations.md): for index and manifests.
func BaseAnnotations(name string, digest v1.Hash) map[string]string {
	a := map[string]string{"org.opencontainers.image.base.digest": digest.String()}
	if name != "" {
		a["org.opencontainers.image.base.name"] = name
	}
	return a
}

func quote(s string) string {
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	if q := strconv.Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}
