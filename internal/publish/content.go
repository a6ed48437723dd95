package publish

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/r-seed-1713b764/distill/internal/registry"
)

// content is all that is sent, in the order of the index.
type content struct {
	index    document
	variants []document
}

// document is a manifest or index, and the blobs that it needs.
type document struct {
	mediaType types.MediaType
	digest    v1.Hash
	bytes     []byte
	platform  v1.Platform
	blobs     []blob
}

// blob is a configuration or a layer.
type blob struct {
	v1.Descriptor
	open func() (io.ReadCloser, error)
}

// collect reads the documents of an index.
func collect(idx v1.ImageIndex, variants []Variant) (*content, error) {
	images := make(map[v1.Hash]Variant)
	for _, v := range variants {
		digest, err := v.Image.Digest()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Platform, err)
		}
		images[digest] = v
	}
	var c content
	var err error
	if c.index, err = newDocument(idx); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	manifest, err := idx.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	for _, m := range manifest.Manifests {
		v, ok := images[m.Digest]
		if !ok {
			return nil, fmt.Errorf("index names %s, which is none of the variants", m.Digest)
		}
		doc, err := newImage(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Platform, err)
		}
		c.variants = append(c.variants, doc)
	}
	return &c, nil
}

// newDocument reads a document and checks it against its digest.
func newDocument(of interface {
	RawManifest() ([]byte, error)
	MediaType() (types.MediaType, error)
	Digest() (v1.Hash, error)
}) (document, error) {
	var d document
	var err error
	if d.bytes, err = of.RawManifest(); err != nil {
		return document{}, err
	}
	if d.mediaType, err = of.MediaType(); err != nil {
		return document{}, err
	}
	if d.digest, err = of.Digest(); err != nil {
		return document{}, err
	}
	if len(d.bytes) > registry.MaxManifest {
		return document{}, fmt.Errorf("document %s has %d bytes, more than registries accept (%d)", d.digest, len(d.bytes), registry.MaxManifest)
	}
	desc := v1.Descriptor{Digest: d.digest, Size: int64(len(d.bytes))}
	return d, copyChecked(io.Discard, bytes.NewReader(d.bytes), desc)
}

func newImage(v Variant) (document, error) {
	d, err := newDocument(v.Image)
	if err != nil {
		return document{}, err
	}
	d.platform = v.Platform
	m, err := v.Image.Manifest()
	if err != nil {
		return document{}, err
	}
	config, err := v.Image.RawConfigFile()
	if err != nil {
		return document{}, err
	}
	d.blobs = append(d.blobs, blob{m.Config, func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(config)), nil
	}})
	for _, desc := range m.Layers {
		layer, err := v.Image.LayerByDigest(desc.Digest)
		if err != nil {
			return document{}, fmt.Errorf("layer %s: %w", desc.Digest, err)
		}
		d.blobs = append(d.blobs, blob{desc, layer.Compressed})
	}
	return d, nil
}

// platforms lists those of the variants.
func (c *content) platforms() []v1.Platform {
	var all []v1.Platform
	for _, v := range c.variants {
		all = append(all, v.platform)
	}
	return all
}

// document returns the index or a variant.
func (c *content) document(what int) document {
	if what == index {
		return c.index
	}
	return c.variants[what]
}

// documents lists the variants and then the index.
func (c *content) documents() []document {
	return append(slices.Clone(c.variants), c.index)
}

// published starts the report of a push.
func (c *content) published(d destination, names []named, n *counter) *Published {
	p := &Published{
		Ref:      d.bare + "@" + c.index.digest.String(),
		Index:    c.index.digest,
		Variants: make(map[string]v1.Hash),
		Uploaded: n.uploaded,
		Reused:   n.reused,
	}
	for _, v := range c.variants {
		p.Variants[v.platform.String()] = v.digest
	}
	for _, name := range names {
		p.Tags = append(p.Tags, name.tag)
	}
	return p
}

// copyChecked copies exactly what d says; content with another size or digest
// is an error that wraps registry.ErrDigest.
func copyChecked(w io.Writer, r io.Reader, d v1.Descriptor) error {
	hasher, err := v1.Hasher(d.Digest.Algorithm)
	if err != nil {
		return err
	}
	// One byte more than there should be, to notice it.
	buffer := make([]byte, 256<<10)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(w, hasher)}, io.LimitReader(r, d.Size+1), buffer)
	if err != nil {
		return err
	}
	return checkSum(n, hasher, d)
}

func checkSum(n int64, hasher hash.Hash, d v1.Descriptor) error {
	if n != d.Size {
		return fmt.Errorf("%s has not the %d bytes announced: %w", d.Digest, d.Size, registry.ErrDigest)
	}
	if got := hex.EncodeToString(hasher.Sum(nil)); !strings.EqualFold(got, d.Digest.Hex) {
		return fmt.Errorf("%s has digest %s: %w", d.Digest, got, registry.ErrDigest)
	}
	return nil
}
