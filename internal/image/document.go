package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// maxManifest and maxConfig are the limits of the registries in use, with
	// room to spare for the configuration.
	maxManifest = 4 << 20
	maxConfig   = 16 << 20
	// maxJSONDepth is far above what an image document needs.
	maxJSONDepth = 32
	// maxLayers is well above the 127 that container runtimes take.
	maxLayers = 1000
)

// document is a manifest or an index; exactly one of the two is set.
type document struct {
	index    *v1.IndexManifest
	manifest *v1.Manifest
}

// These are the names in the documents that this package goes by. encoding/json
// would take "LAYERS" for "layers", other programs not.
var (
	manifestFields = []string{
		"schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size", "platform", "architecture",
		"os", "variant", "annotations", "fsLayers",
	}
	configFields = []string{"architecture", "os", "variant", "config", "rootfs", "diff_ids"}
)

// parseDocument reads a manifest or index. It refuses what two programs could read
// in two ways.
func parseDocument(data []byte) (document, error) {
	if len(data) > maxManifest {
		return document{}, damaged("manifest has %d bytes, more than the %d allowed", len(data), maxManifest)
	}
	if err := checkJSON(data, manifestFields); err != nil {
		return document{}, damaged("manifest: %w", err)
	}
	var shape struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     types.MediaType `json:"mediaType"`
		Config        json.RawMessage `json:"config"`
		Layers        json.RawMessage `json:"layers"`
		Manifests     json.RawMessage `json:"manifests"`
		FSLayers      json.RawMessage `json:"fsLayers"`
	}
	if err := json.Unmarshal(data, &shape); err != nil {
		return document{}, damaged("manifest: %w", err)
	}
	isIndex, isManifest := shape.Manifests != nil, shape.Layers != nil || shape.Config != nil
	switch {
	case shape.SchemaVersion == 1 || shape.FSLayers != nil || isSchema1(shape.MediaType):
		return document{}, unsupported("manifest of schema 1, which has no digests of its files: push the image again with a current tool")
	case isIndex && isManifest:
		return document{}, damaged("document has both \"manifests\" and \"layers\"")
	case !isIndex && !isManifest:
		return document{}, damaged("document is neither a manifest nor an index")
	case shape.MediaType.IsIndex() && !isIndex, shape.MediaType.IsImage() && !isManifest:
		return document{}, damaged("document is not the %q it says it is", shape.MediaType)
	case shape.MediaType != "" && !shape.MediaType.IsIndex() && !shape.MediaType.IsImage():
		return document{}, unsupported("manifest of type %q", shape.MediaType)
	case isIndex:
		return parseIndex(data)
	}
	return parseManifest(data)
}

func isSchema1(t types.MediaType) bool {
	return t == types.DockerManifestSchema1 || t == types.DockerManifestSchema1Signed
}

func parseIndex(data []byte) (document, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil {
		return document{}, damaged("index: %w", err)
	}
	for _, d := range index.Manifests {
		if err := checkDescriptor(d, maxManifest); err != nil {
			return document{}, err
		}
	}
	return document{index: index}, nil
}

func parseManifest(data []byte) (document, error) {
	m, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return document{}, damaged("manifest: %w", err)
	}
	if err := checkDescriptor(m.Config, maxConfig); err != nil {
		return document{}, err
	}
	if len(m.Layers) > maxLayers {
		return document{}, damaged("manifest has %d layers, more than the %d allowed", len(m.Layers), maxLayers)
	}
	for _, d := range m.Layers {
		if err := checkDescriptor(d, maxBytes); err != nil {
			return document{}, err
		}
	}
	return document{manifest: m}, nil
}

// checkDescriptor refuses a size before anything of that size is read.
func checkDescriptor(d v1.Descriptor, limit int64) error {
	switch {
	case d.Digest.Hex == "":
		return damaged("descriptor of type %q has no digest", d.MediaType)
	case d.Size < 0:
		return damaged("blob %s has the negative size %d in its descriptor", d.Digest, d.Size)
	case d.Size > limit:
		return damaged("blob %s has %d bytes in its descriptor, more than the %d allowed", d.Digest, d.Size, limit)
	}
	return nil
}

// parseConfig reads the configuration of an image with the given number of layers.
func parseConfig(data []byte, layers int) (*v1.ConfigFile, error) {
	if err := checkJSON(data, configFields); err != nil {
		return nil, damaged("image configuration: %w", err)
	}
	c, err := v1.ParseConfigFile(bytes.NewReader(data))
	if err != nil {
		return nil, damaged("image configuration: %w", err)
	}
	if len(c.RootFS.DiffIDs) != layers {
		return nil, damaged("image configuration lists %d layers (rootfs.diff_ids), the manifest %d", len(c.RootFS.DiffIDs), layers)
	}
	if c.RootFS.Type != "" && c.RootFS.Type != "layers" {
		return nil, unsupported("image configuration has a rootfs of type %q", c.RootFS.Type)
	}
	return c, nil
}

// checkLayerType tells whether a layer can be read.
func checkLayerType(d v1.Descriptor) error {
	switch d.MediaType {
	case types.OCILayer, types.OCILayerZStd, types.OCIUncompressedLayer, types.DockerLayer, types.DockerUncompressedLayer,
		"application/vnd.docker.image.rootfs.diff.tar.zstd":
		return nil
	case types.DockerForeignLayer, types.OCIRestrictedLayer, types.OCIUncompressedRestrictedLayer,
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd":
		return unsupported("layer %s may not be distributed (type %q) and is not in the image", d.Digest, d.MediaType)
	}
	return unsupported("layer %s has the unknown type %q", d.Digest, d.MediaType)
}

// checkConfigType tells an image from other things that registries keep.
func checkConfigType(d v1.Descriptor) error {
	switch d.MediaType {
	case types.OCIConfigJSON, types.DockerConfigJSON, "":
		return nil
	}
	return unsupported("this is no container image: its configuration has the type %q", d.MediaType)
}

// checkJSON refuses a text that is not one JSON object, or in which programs could
// disagree on what a name stands for: twice the same name in one object,
// or a name that differs from one of fields by case only.
func checkJSON(data []byte, fields []string) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var stack []level
	for {
		tok, err := dec.Token()
		switch {
		case err == io.EOF:
			if len(stack) > 0 || len(data) == 0 {
				return errors.New("JSON breaks off")
			}
			return nil
		case err != nil:
			return err
		}
		if len(stack) == 0 && tok != json.Delim('{') {
			return errors.New("not a JSON object")
		}
		if d, ok := tok.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				return onlySpace(data[dec.InputOffset():])
			}
			continue
		}
		free := false
		if n := len(stack); n > 0 {
			named, err := stack[n-1].take(tok, fields)
			if err != nil {
				return err
			}
			if named {
				continue
			}
			free = stack[n-1].free || stack[n-1].name == "annotations" || stack[n-1].name == "Labels"
		}
		if d, ok := tok.(json.Delim); ok {
			if len(stack) == maxJSONDepth {
				return errors.New("JSON is nested too deeply")
			}
			stack = append(stack, level{object: d == '{', free: free})
		}
	}
}

func onlySpace(rest []byte) error {
	if len(bytes.TrimSpace(rest)) > 0 {
		return errors.New("more after the end of the JSON")
	}
	return nil
}

// level is an object or array that is being read.
type level struct {
	object bool
	free   bool // names are the author's: they may look like fields
	value  bool // the next token is a value
	name   string
	seen   map[string]bool
}

// take notes the next token and tells whether it was a name.
func (l *level) take(tok json.Token, fields []string) (named bool, err error) {
	if !l.object {
		return false, nil
	}
	if l.value {
		l.value = false
		return false, nil
	}
	name, _ := tok.(string)
	if l.seen[name] {
		return true, errors.New("JSON has the name " + quote(name) + " twice in one object")
	}
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	l.seen[name], l.name, l.value = true, name, true
	if !l.free && !slices.Contains(fields, name) && slices.ContainsFunc(fields, func(f string) bool { return strings.EqualFold(f, name) }) {
		return true, errors.New("JSON has the name " + quote(name) + " in an unusual case")
	}
	return true, nil
}

// quote shows a foreign name.
func quote(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	b, _ := json.Marshal(strings.ToValidUTF8(s, "?"))
	return string(b)
}
