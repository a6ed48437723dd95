package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/r-seed-1713b764/distill/internal/registry"
)

// refName is the annotation that holds a tag in a layout (image-spec,
// annotations.md).
const refName = "org.opencontainers.image.ref.name"

// layoutFile is the content of oci-layout.
var layoutFile = []byte(`{"imageLayoutVersion":"1.0.0"}`)

// layoutIndex is the index.json of a layout. Fields and entries that are not
// ours are kept as they are.
type layoutIndex struct {
	fields  map[string]json.RawMessage
	entries []layoutEntry
}

// layoutEntry is one of its manifests.
type layoutEntry struct {
	raw json.RawMessage
	known
}

type known struct {
	Digest      v1.Hash           `json:"digest"`
	Annotations map[string]string `json:"annotations"`
}

// readLayoutIndex reads the index.json of a layout.
func readLayoutIndex(dir string) (*layoutIndex, error) {
	data, err := readSmall(filepath.Join(dir, "index.json"))
	if err != nil {
		return nil, err
	}
	idx, err := parseLayoutIndex(data)
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	return idx, nil
}

func parseLayoutIndex(data []byte) (*layoutIndex, error) {
	idx := &layoutIndex{}
	if err := json.Unmarshal(data, &idx.fields); err != nil {
		return nil, err
	}
	if idx.fields == nil {
		return nil, errors.New("is not an object")
	}
	var raw []json.RawMessage
	if m, ok := idx.fields["manifests"]; ok {
		if err := json.Unmarshal(m, &raw); err != nil {
			return nil, fmt.Errorf("manifests: %w", err)
		}
	}
	for i, r := range raw {
		e := layoutEntry{raw: r}
		if err := json.Unmarshal(r, &e.known); err != nil {
			return nil, fmt.Errorf("manifests[%d]: %w", i, err)
		}
		idx.entries = append(idx.entries, e)
	}
	return idx, nil
}

// tags lists the tags of the layout.
func (idx *layoutIndex) tags() []string {
	var all []string
	for _, e := range idx.entries {
		if t := e.Annotations[refName]; t != "" {
			all = append(all, t)
		}
	}
	return all
}

// with returns the index.json in which names point to what is pushed. A tag
// that was there keeps its place.
func (idx *layoutIndex) with(c *content, names []named) ([]byte, error) {
	entries := make([]json.RawMessage, 0, len(idx.entries)+len(names))
	ours := make(map[string]json.RawMessage)
	for _, n := range names {
		raw, err := json.Marshal(c.entry(n))
		if err != nil {
			return nil, err
		}
		ours[n.tag] = raw
	}
	placed := make(map[string]bool)
	for _, e := range idx.entries {
		tag := e.Annotations[refName]
		if _, replaced := ours[tag]; !replaced || tag == "" {
			entries = append(entries, e.raw)
		} else if !placed[tag] {
			entries = append(entries, ours[tag])
			placed[tag] = true
		}
	}
	for _, n := range names {
		if !placed[n.tag] {
			entries = append(entries, ours[n.tag])
		}
	}
	return idx.encode(entries)
}

func (idx *layoutIndex) encode(entries []json.RawMessage) ([]byte, error) {
	fields := map[string]any{"schemaVersion": 2, "mediaType": types.OCIImageIndex}
	for k, v := range idx.fields {
		fields[k] = v
	}
	fields["manifests"] = entries
	data, err := json.Marshal(fields) // keys sorted
	if err == nil && len(data) > registry.MaxManifest {
		err = fmt.Errorf("index.json would have %d bytes, the limit is %d", len(data), registry.MaxManifest)
	}
	return data, err
}

// entry describes the index or a variant under a tag.
func (c *content) entry(n named) v1.Descriptor {
	d := c.document(n.what)
	desc := d.asBlob().Descriptor
	desc.Annotations = map[string]string{refName: n.tag}
	if n.what != index {
		p := d.platform
		p.Variant = variant(p)
		desc.Platform = &p
	}
	return desc
}

func (d document) asBlob() blob {
	return blob{
		v1.Descriptor{MediaType: d.mediaType, Digest: d.digest, Size: int64(len(d.bytes))},
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(d.bytes)), nil },
	}
}

// What stands where a layout is to be written.
type state int

const (
	absent state = iota // nothing, or an empty folder
	exists              // a layout
)

// inspect looks at the place of a layout, and returns its real path.
func inspect(d destination) (state, string, error) {
	dir, err := filepath.Abs(d.path)
	if err != nil {
		return absent, "", usage(quote(d.bare), "%v", err)
	}
	// The rename at the end must not replace a link.
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0:
		return absent, dir, nil
	case err != nil:
		return absent, "", usage(quote(d.bare), "%v", errors.Unwrap(err))
	}
	data, err := readSmall(filepath.Join(dir, "oci-layout"))
	if errors.Is(err, fs.ErrNotExist) {
		return absent, "", usage(quote(d.bare), "is a folder that is neither empty nor an OCI layout")
	}
	if err != nil {
		return absent, "", usage(quote(d.bare), "%v", err)
	}
	var version struct {
		Version string `json:"imageLayoutVersion"`
	}
	if json.Unmarshal(data, &version) != nil || version.Version != "1.0.0" {
		return absent, "", usage(quote(d.bare), "is not an OCI layout of version 1.0.0")
	}
	return exists, dir, nil
}

func currentLayout(d destination) (v1.Hash, bool, error) {
	state, dir, err := inspect(d)
	if err != nil || state == absent {
		return v1.Hash{}, false, err
	}
	idx, err := readLayoutIndex(dir)
	if err != nil {
		return v1.Hash{}, false, usage(quote(d.bare), "%v", err)
	}
	for _, e := range idx.entries {
		if e.Annotations[refName] == d.tag {
			return e.Digest, true, nil
		}
	}
	return v1.Hash{}, false, nil
}
