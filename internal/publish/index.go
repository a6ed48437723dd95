package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Index makes the OCI image index of variants, in their order. Each platform
// has its variant written out: arm64 is v8. Two variants for one platform, and
// an image whose configuration names another platform, are errors.
func Index(variants []Variant, annotations map[string]string) (v1.ImageIndex, error) {
	if len(variants) == 0 {
		return nil, errors.New("an index needs at least one image")
	}
	idx := &imageIndex{
		manifest: v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Annotations: maps.Clone(annotations)},
		images:   make(map[v1.Hash]v1.Image),
	}
	seen := make(map[string]bool)
	for _, v := range variants {
		p := v.Platform
		p.Variant = variant(p)
		if seen[p.String()] {
			return nil, fmt.Errorf("two images for %s", p)
		}
		seen[p.String()] = true
		d, err := describe(v.Image, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		idx.manifest.Manifests = append(idx.manifest.Manifests, d)
		idx.images[d.Digest] = v.Image
	}
	var err error
	if idx.raw, err = json.Marshal(&idx.manifest); err != nil {
		return nil, err
	}
	return idx, nil
}

// describe makes the entry of an image.
func describe(img v1.Image, p v1.Platform) (v1.Descriptor, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return v1.Descriptor{}, err
	}
	if config.OS != p.OS || config.Architecture != p.Architecture {
		return v1.Descriptor{}, fmt.Errorf("the image's configuration says %s/%s", config.OS, config.Architecture)
	}
	d := v1.Descriptor{Platform: &p}
	if d.MediaType, err = img.MediaType(); err != nil {
		return v1.Descriptor{}, err
	}
	if d.Size, err = img.Size(); err != nil {
		return v1.Descriptor{}, err
	}
	d.Digest, err = img.Digest()
	return d, err
}

// imageIndex is an index of images. The library's own way to make one gives
// each image an artifactType, which makes it look like something else.
type imageIndex struct {
	manifest v1.IndexManifest
	raw      []byte
	images   map[v1.Hash]v1.Image
}

func (x *imageIndex) MediaType() (types.MediaType, error) { return x.manifest.MediaType, nil }
func (x *imageIndex) RawManifest() ([]byte, error)        { return bytes.Clone(x.raw), nil }
func (x *imageIndex) Size() (int64, error)                { return int64(len(x.raw)), nil }

func (x *imageIndex) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(x.raw))
	return h, err
}

func (x *imageIndex) IndexManifest() (*v1.IndexManifest, error) { return x.manifest.DeepCopy(), nil }

func (x *imageIndex) Image(h v1.Hash) (v1.Image, error) {
	if img, ok := x.images[h]; ok {
		return img, nil
	}
	return nil, fmt.Errorf("index has no image %s", h)
}

func (x *imageIndex) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	return nil, fmt.Errorf("index has no index %s", h)
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
