package wheelcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Entry is what is known under a key: a wheel, or that the back end asks for more
// before it can make one.
type Entry struct {
	// Record is the canonical JSON of all that the wheel was made of.
	Record []byte
	// Asked lists the build requirements that the back end asked for beside
	// pyproject.toml; then there is no wheel.
	Asked []string
	// FileName is that of the wheel, Digest ("sha256:...") and Size are of its
	// bytes. Empty if there is none.
	FileName string
	Digest   string
	Size     int64
	// Emulated: it was built on another architecture.
	Emulated bool
}

// same tells whether two entries hold the same; how they were built does not
// matter.
func (e *Entry) same(o *Entry) bool {
	return e.FileName == o.FileName && e.Digest == o.Digest && e.Size == o.Size &&
		bytes.Equal(e.Record, o.Record) && strings.Join(e.Asked, "\n") == strings.Join(o.Asked, "\n")
}

// The bounds of an entry.
const (
	maxRecord = 1 << 20 // bytes; a record of 200 build requirements has 30 KiB
	maxWheel  = 4 << 30 // bytes; as for builds
	maxName   = 255     // bytes of a file name, as file systems have it
	maxAsked  = 200
)

// The types and names of what is stored. The type of the configuration is that of
// the artifact (image-spec, manifest.md, artifactType), and says so to registries
// that are older than the property.
const (
	recordType types.MediaType = "application/vnd.distill.wheel.record.v1+json"
	wheelType  types.MediaType = "application/vnd.distill.wheel.v1+zip"
	emptyType  types.MediaType = "application/vnd.oci.empty.v1+json"

	titleKey    = "org.opencontainers.image.title"
	askedKey    = "vnd.distill.wheel.asked" // a JSON list
	emulatedKey = "vnd.distill.wheel.emulated"
	recordKey   = "vnd.distill.wheel.record" // only if it looks like an image
)

// emptyLayer stands for the wheel if there is none: some registries refuse a
// manifest without layers.
const emptyLayer = "{}"

// manifest is the one document of an entry; the order of its fields is that of
// its bytes.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type descriptor struct {
	MediaType   types.MediaType   `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (d *descriptor) v1() v1.Descriptor {
	algorithm, sum, _ := strings.Cut(d.Digest, ":")
	return v1.Descriptor{MediaType: d.MediaType, Digest: v1.Hash{Algorithm: algorithm, Hex: sum}, Size: d.Size}
}

// document is an entry as it is stored: a manifest, and the configuration that it
// names.
type document struct {
	manifest manifest
	config   []byte
}

// newDocument describes an entry that has been checked. The configuration is the
// record itself. Plain makes it all look like an image, with the record as a label,
// for registries that take nothing else.
func newDocument(e *Entry, plain bool) *document {
	config, configType, layerType := e.Record, recordType, wheelType
	layer := descriptor{Digest: e.Digest, Size: e.Size, Annotations: map[string]string{titleKey: e.FileName}}
	var annotations map[string]string
	if e.Digest == "" {
		layerType = emptyType
		layer = descriptor{Digest: digestOf([]byte(emptyLayer)), Size: int64(len(emptyLayer))}
		text, _ := json.Marshal(e.Asked) // a list of strings can't fail
		annotations = map[string]string{askedKey: string(text)}
	}
	if e.Emulated {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[emulatedKey] = "true"
	}
	if plain {
		config, configType, layerType = imageConfig(e.Record, layer.Digest), types.OCIConfigJSON, types.OCIUncompressedLayer
	}
	layer.MediaType = layerType
	return &document{config: config, manifest: manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        descriptor{MediaType: configType, Digest: digestOf(config), Size: int64(len(config))},
		Layers:        []descriptor{layer},
		Annotations:   annotations,
	}}
}

// imageConfig is a configuration with all that image-spec asks of one.
func imageConfig(record []byte, layer string) []byte {
	type (
		labels struct {
			Labels map[string]string
		}
		rootFS struct {
			Type    string   `json:"type"`
			DiffIDs []string `json:"diff_ids"`
		}
	)
	data, _ := json.Marshal(struct { // it holds nothing that can fail
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		Config       labels `json:"config"`
		RootFS       rootFS `json:"rootfs"`
	}{"unknown", "unknown", labels{map[string]string{recordKey: string(record)}}, rootFS{"layers", []string{layer}}})
	return data
}

func (d *document) bytes() []byte {
	data, _ := json.Marshal(&d.manifest) // it holds nothing that can fail
	return data
}

// readManifest returns the entry of a manifest if it is the one document that this
// package writes for it, and is about record. The configuration need not be
// fetched: what is in it is known. Errors wrap ErrEntry.
func readManifest(data, record []byte) (e *Entry, plain bool, err error) {
	e = &Entry{Record: record}
	wrong := func(format string, args ...any) (*Entry, bool, error) {
		return nil, false, fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrEntry)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return wrong("manifest is not JSON of the right form")
	}
	if len(m.Layers) != 1 {
		return wrong("manifest has %d layers, not one", len(m.Layers))
	}
	e.Emulated = m.Annotations[emulatedKey] == "true"
	if asked, ok := m.Annotations[askedKey]; ok {
		if err := json.Unmarshal([]byte(asked), &e.Asked); err != nil {
			return wrong("its list of build requirements is no JSON")
		}
	} else {
		l := &m.Layers[0]
		e.FileName, e.Digest, e.Size = l.Annotations[titleKey], l.Digest, l.Size
	}
	if err := e.check(); err != nil {
		return wrong("%v", err)
	}
	plain = m.Config.MediaType == types.OCIConfigJSON
	again := newDocument(e, plain)
	if want := again.manifest.Config.Digest; m.Config.Digest != want {
		return wrong("it was made of something else: its configuration is %.80q, not %s", m.Config.Digest, want)
	}
	// Whatever else is in it, twice in it, or of another type shows here.
	if !bytes.Equal(again.bytes(), data) {
		return wrong("manifest is not the one of its content")
	}
	return e, plain, nil
}

// check tells what is wrong with an entry.
func (e *Entry) check() error {
	if len(e.Record) == 0 || len(e.Record) > maxRecord {
		return fmt.Errorf("its record has %d bytes, not 1 to %d", len(e.Record), maxRecord)
	}
	if e.Digest == "" && e.FileName == "" && e.Size == 0 {
		return checkAsked(e.Asked)
	}
	switch hex, ok := strings.CutPrefix(e.Digest, "sha256:"); {
	case len(e.Asked) > 0:
		return fmt.Errorf("it has a wheel and asks for more")
	case !ok || len(hex) != keyLength || strings.Trim(hex, "0123456789abcdef") != "":
		return fmt.Errorf("the digest of its wheel is %.80q", e.Digest)
	case e.Size <= 0 || e.Size > maxWheel:
		return fmt.Errorf("its wheel has %d bytes, not 1 to %d", e.Size, int64(maxWheel))
	case len(e.FileName) > maxName || strings.ContainsAny(e.FileName, `/\`) || !isPlain(e.FileName):
		return fmt.Errorf("its file name is %.80q", e.FileName)
	}
	_, err := python.ParseWheelName(e.FileName)
	return err
}

func checkAsked(list []string) error {
	if len(list) > maxAsked {
		return fmt.Errorf("it asks for %d build requirements, more than %d", len(list), maxAsked)
	}
	for _, s := range list {
		if !isPlain(s) {
			return fmt.Errorf("it asks for %.80q", s)
		}
		if _, err := python.ParseRequirement(s); err != nil {
			return fmt.Errorf("it asks for %.80q: %w", s, err)
		}
	}
	return nil
}

// isPlain tells whether text is printable ASCII: so are escaped names, versions
// and tags, and requirements but for comments.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= utf8.RuneSelf || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
