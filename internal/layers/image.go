package layers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/r-seed-1713b764/distill/internal/plan"
)

// newImage puts the layers of base and the new ones under one manifest. It is
// an OCI image whatever the base is: layers keep their bytes and digests, only the
// names of their types change.
func newImage(base v1.Image, p *plan.Plan, blobs []*Blob, opts Options) (v1.Image, error) {
	baseManifest, err := base.Manifest()
	if err != nil {
		return nil, fmt.Errorf("base image: %w", err)
	}
	baseConfig, err := base.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("base image: %w", err)
	}
	config, err := configure(baseConfig, len(baseManifest.Layers), p, blobs, opts)
	if err != nil {
		return nil, err
	}
	img := &assembled{layers: map[v1.Hash]partial.CompressedLayer{}}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: annotations(base, baseManifest, opts)}
	for i, d := range baseManifest.Layers {
		if d.MediaType, err = ociLayerType(d.MediaType); err != nil {
			return nil, fmt.Errorf("base image: %w", err)
		}
		m.Layers = append(m.Layers, d)
		img.layers[d.Digest] = baseLayer{base, d, config.RootFS.DiffIDs[i]}
	}
	kind := encoderOf(opts.Compression).mediaType
	for _, b := range blobs {
		kind := cmp.Or(b.kind, kind)
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: kind, Size: b.Size, Digest: b.Digest})
		img.layers[b.Digest] = newLayer{b, kind}
	}
	if m.Layers == nil {
		m.Layers = []v1.Descriptor{}
	}
	if img.config, err = json.Marshal(config); err != nil {
		return nil, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(img.config))
	if err != nil {
		return nil, err
	}
	m.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Size: size, Digest: digest}
	if img.manifest, err = json.Marshal(m); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(img)
}

// The annotation of the OCI specification that names what an image stands on.
const baseDigest = "org.opencontainers.image.base.digest"

// annotations adds the digest of the base, unless that is scratch, to what the
// options say. Annotations of the base speak about the base and are not taken.
func annotations(base v1.Image, m *v1.Manifest, opts Options) map[string]string {
	all := maps.Clone(opts.Annotations)
	if _, ok := all[baseDigest]; ok || len(m.Layers) == 0 {
		return all
	}
	digest, err := base.Digest()
	if err != nil {
		return all
	}
	if all == nil {
		all = map[string]string{}
	}
	all[baseDigest] = digest.String()
	return all
}

// ociLayerType returns the OCI name of a layer type.
func ociLayerType(t types.MediaType) (types.MediaType, error) {
	switch t {
	case types.OCILayer, types.OCILayerZStd, types.OCIUncompressedLayer,
		types.OCIRestrictedLayer, types.OCIUncompressedRestrictedLayer:
		return t, nil
	case types.DockerLayer:
		return types.OCILayer, nil
	case types.DockerUncompressedLayer:
		return types.OCIUncompressedLayer, nil
	case types.DockerForeignLayer:
		return types.OCIRestrictedLayer, nil
	}
	return "", fmt.Errorf("layer of unknown type %q", t)
}

// assembled is the core of a v1.Image: everything small in memory, layers behind
// openers.
type assembled struct {
	manifest, config []byte
	layers           map[v1.Hash]partial.CompressedLayer
}

func (i *assembled) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (i *assembled) RawManifest() ([]byte, error)        { return i.manifest, nil }
func (i *assembled) RawConfigFile() ([]byte, error)      { return i.config, nil }

func (i *assembled) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if l, ok := i.layers[h]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("the image has no layer %s", h)
}

// baseLayer is a layer of the base, opened only when somebody reads it.
type baseLayer struct {
	base   v1.Image
	d      v1.Descriptor
	diffID v1.Hash
}

func (l baseLayer) Digest() (v1.Hash, error)            { return l.d.Digest, nil }
func (l baseLayer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l baseLayer) Size() (int64, error)                { return l.d.Size, nil }
func (l baseLayer) MediaType() (types.MediaType, error) { return l.d.MediaType, nil }
func (l baseLayer) Descriptor() (*v1.Descriptor, error) { d := l.d; return &d, nil }
func (l baseLayer) Compressed() (io.ReadCloser, error) {
	layer, err := l.base.LayerByDigest(l.d.Digest)
	if err != nil {
		return nil, err
	}
	return layer.Compressed()
}

// newLayer is a layer of the store.
type newLayer struct {
	blob *Blob
	kind types.MediaType
}

func (l newLayer) Digest() (v1.Hash, error)            { return l.blob.Digest, nil }
func (l newLayer) DiffID() (v1.Hash, error)            { return l.blob.DiffID, nil }
func (l newLayer) Size() (int64, error)                { return l.blob.Size, nil }
func (l newLayer) MediaType() (types.MediaType, error) { return l.kind, nil }
func (l newLayer) Compressed() (io.ReadCloser, error)  { return l.blob.Open() }
