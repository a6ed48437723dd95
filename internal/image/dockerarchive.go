package image

import (
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// savedImage is an entry of the manifest.json that docker save writes.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// openDockerArchive returns the store of what docker save wrote, and a manifest made for
// one of its images. The archive has no digests of its layers, so uncompressed ones go
// by their diffID, which is checked like any digest.
func openDockerArchive(a *archive, tag string) (store, v1.Descriptor, error) {
	saved, err := chooseSaved(a, tag)
	if err != nil {
		return nil, v1.Descriptor{}, err
	}
	raw, err := a.read(saved.Config, maxConfig)
	if errors.Is(err, errNoMember) {
		return nil, v1.Descriptor{}, damaged("%s: the configuration %q is missing", a.name, saved.Config)
	}
	if err != nil {
		return nil, v1.Descriptor{}, err
	}
	config, err := parseConfig(raw, len(saved.Layers))
	if err != nil {
		return nil, v1.Descriptor{}, err
	}
	s := &archiveStore{archive: a, docs: map[v1.Hash][]byte{}}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: []v1.Descriptor{}}
	m.Config = s.addDocument(raw, types.OCIConfigJSON)
	// docker names the configuration by its digest.
	hex := strings.TrimSuffix(path.Base(saved.Config), ".json")
	if h, err := v1.NewHash("sha256:" + hex); err == nil && h != m.Config.Digest {
		return nil, v1.Descriptor{}, damaged("%s: the configuration %q has the digest %s", a.name, saved.Config, m.Config.Digest)
	}
	if m.Layers, s.where, err = savedLayers(a, saved, config); err != nil {
		return nil, v1.Descriptor{}, err
	}
	doc, err := json.Marshal(m)
	if err != nil {
		return nil, v1.Descriptor{}, damaged("%s: %w", a.name, err)
	}
	return s, s.addDocument(doc, m.MediaType), nil
}

// addDocument keeps a document in memory and returns its descriptor.
func (s *archiveStore) addDocument(data []byte, t types.MediaType) v1.Descriptor {
	d := v1.Descriptor{MediaType: t, Size: int64(len(data)), Digest: sha256Of(data)}
	s.docs[d.Digest] = data
	return d
}

// chooseSaved returns the image with the given name, or the only one.
func chooseSaved(a *archive, tag string) (savedImage, error) {
	data, err := a.read("manifest.json", maxManifest)
	if errors.Is(err, errNoMember) {
		return savedImage{}, missing("%s has no manifest.json: docker save did not write it (oci-archive: is for OCI layouts)", a.name)
	}
	if err != nil {
		return savedImage{}, err
	}
	var list []savedImage
	if err := json.Unmarshal(data, &list); err != nil {
		return savedImage{}, damaged("%s: manifest.json: %w", a.name, err)
	}
	var names []string
	for _, s := range list {
		for _, t := range s.RepoTags {
			if tag != "" && sameName(t, tag) {
				return s, nil
			}
			names = append(names, t)
		}
	}
	switch {
	case len(list) == 0:
		return savedImage{}, damaged("%s has no image in it", a.name)
	case tag != "":
		return savedImage{}, missing("%s has no image %q (there are: %s)", a.name, tag, strings.Join(names, ", "))
	case len(list) > 1:
		return savedImage{}, missing("%s has %d images, name one behind a colon: %s", a.name, len(list), strings.Join(names, ", "))
	}
	return list[0], nil
}

// sameName compares two names as docker does: "app" is "docker.io/library/app:latest".
func sameName(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := name.ParseReference(a, name.WeakValidation)
	y, err2 := name.ParseReference(b, name.WeakValidation)
	return err1 == nil && err2 == nil && x.Name() == y.Name()
}

// savedLayers describes the layers and returns where they are.
func savedLayers(a *archive, saved savedImage, config *v1.ConfigFile) ([]v1.Descriptor, func(v1.Hash) (member, bool), error) {
	where := map[v1.Hash]member{}
	list := make([]v1.Descriptor, len(saved.Layers))
	for i, file := range saved.Layers {
		m, ok := a.find(file)
		if !ok {
			return nil, nil, damaged("%s: the layer %q is missing", a.name, file)
		}
		d := v1.Descriptor{MediaType: types.OCIUncompressedLayer, Digest: config.RootFS.DiffIDs[i], Size: m.size}
		if err := checkDescriptor(d, maxBytes); err != nil {
			return nil, nil, err
		}
		head := make([]byte, 4)
		n, _ := io.ReadFull(a.section(m), head)
		if kind := sniff(head[:n]); kind != plain {
			var err error
			if d.Digest, err = hashSection(a.section(m)); err != nil {
				return nil, nil, damaged("%s: the layer %q: %w", a.name, file, err)
			}
			d.MediaType = types.OCILayer
			if kind == zstandard {
				d.MediaType = types.OCILayerZStd
			}
		}
		where[d.Digest] = m
		list[i] = d
	}
	return list, func(h v1.Hash) (member, bool) { m, ok := where[h]; return m, ok }, nil
}
