package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// rawImage is an image for go-containerregistry, with the bytes as they were found.
type rawImage struct {
	desc        v1.Descriptor
	digest      v1.Hash
	manifest    *v1.Manifest
	config      *v1.ConfigFile
	rawManifest []byte
	rawConfig   []byte
	layers      []v1.Layer
}

// newV1 makes the image for go-containerregistry.
func (s *Source) newV1(ctx context.Context, d v1.Descriptor, img *Image) (*rawImage, error) {
	r := &rawImage{desc: d, digest: d.Digest, manifest: img.Manifest, config: img.Config}
	var err error
	if r.rawManifest, err = readDocument(ctx, s.store, d); err != nil {
		return nil, err
	}
	if r.rawConfig, err = readDocument(ctx, s.store, img.Manifest.Config); err != nil {
		return nil, err
	}
	for _, l := range img.layers {
		r.layers = append(r.layers, rawLayer{l})
	}
	return r, nil
}

// newScratch makes an image without layers.
func newScratch(config *v1.ConfigFile) *rawImage {
	rawConfig, err := json.Marshal(config)
	if err != nil {
		panic(err) // only strings are in it
	}
	m := &v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: []v1.Descriptor{}}
	m.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(rawConfig)), Digest: sha256Of(rawConfig)}
	rawManifest, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	d := v1.Descriptor{MediaType: m.MediaType, Size: int64(len(rawManifest)), Digest: sha256Of(rawManifest)}
	return &rawImage{desc: d, digest: d.Digest, manifest: m, config: config, rawManifest: rawManifest, rawConfig: rawConfig}
}

func (r *rawImage) Layers() ([]v1.Layer, error)  { return r.layers, nil }
func (r *rawImage) Size() (int64, error)         { return int64(len(r.rawManifest)), nil }
func (r *rawImage) ConfigName() (v1.Hash, error) { return r.manifest.Config.Digest, nil }
func (r *rawImage) Digest() (v1.Hash, error)     { return r.digest, nil }

func (r *rawImage) MediaType() (types.MediaType, error) {
	switch {
	case r.manifest.MediaType != "":
		return r.manifest.MediaType, nil
	case r.desc.MediaType != "":
		return r.desc.MediaType, nil
	}
	return types.OCIManifestSchema1, nil
}

// ConfigFile and Manifest return copies, as callers of go-containerregistry change them.
func (r *rawImage) ConfigFile() (*v1.ConfigFile, error) { return r.config.DeepCopy(), nil }
func (r *rawImage) Manifest() (*v1.Manifest, error)     { return r.manifest.DeepCopy(), nil }

func (r *rawImage) RawConfigFile() ([]byte, error) { return bytes.Clone(r.rawConfig), nil }
func (r *rawImage) RawManifest() ([]byte, error)   { return bytes.Clone(r.rawManifest), nil }

func (r *rawImage) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	for _, l := range r.layers {
		if l.(rawLayer).l.desc.Digest == h {
			return l, nil
		}
	}
	return nil, fmt.Errorf("image %s has no layer %s", r.digest, h)
}

func (r *rawImage) LayerByDiffID(h v1.Hash) (v1.Layer, error) {
	for _, l := range r.layers {
		if l.(rawLayer).l.diffID == h {
			return l, nil
		}
	}
	return nil, fmt.Errorf("image %s has no layer with diffID %s", r.digest, h)
}

// rawLayer is a layer for go-containerregistry.
type rawLayer struct{ l *layer }

func (r rawLayer) Digest() (v1.Hash, error)            { return r.l.desc.Digest, nil }
func (r rawLayer) DiffID() (v1.Hash, error)            { return r.l.diffID, nil }
func (r rawLayer) Size() (int64, error)                { return r.l.desc.Size, nil }
func (r rawLayer) MediaType() (types.MediaType, error) { return r.l.desc.MediaType, nil }
func (r rawLayer) Descriptor() (*v1.Descriptor, error) { return r.l.desc.DeepCopy(), nil }

// Compressed streams the blob as it is stored; its io.EOF means that it was what its
// digest says.
func (r rawLayer) Compressed() (io.ReadCloser, error) {
	return r.l.source.store.open(background(), r.l.desc)
}

// Uncompressed streams the tar archive; its io.EOF means that digest and diffID were
// right.
func (r rawLayer) Uncompressed() (io.ReadCloser, error) {
	st, err := r.l.openStream(background(), nil, nil)
	if err != nil {
		return nil, err
	}
	st.budget = new(budget) // each reading has its own
	return &uncompressed{st: st}, nil
}

type uncompressed struct {
	st  *stream
	err error
}

func (u *uncompressed) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.st.Read(p)
	if err == io.EOF {
		if bad := u.st.finish(); bad != nil {
			err = bad
		}
	}
	if err != nil && err != io.EOF {
		err = blame(err)
	}
	u.err = err
	return n, err
}

func (u *uncompressed) Close() error {
	u.st.close()
	return nil
}

// background is the context of reads through interfaces that have none. They end by
// closing the reader, and by the time-outs of the transport.
func background() context.Context { return context.Background() }
