package image

import (
	"context"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// maxIndexDepth and maxDocuments bound the search for platforms.
	maxIndexDepth = 4
	maxDocuments  = 1000
)

// attestationKey marks what BuildKit puts beside the images in an index.
const attestationKey = "vnd.docker.reference.type"

// variant is one platform's manifest.
type variant struct {
	platform v1.Platform
	desc     v1.Descriptor
}

// NormalPlatform returns p in the one spelling that platforms of this package have, so
// that == compares them: arm64 has the variant v8, amd64 none for v1, arm v7 if
// it has none. OS version and features are dropped.
func NormalPlatform(p v1.Platform) v1.Platform {
	n := v1.Platform{OS: strings.ToLower(p.OS), Architecture: strings.ToLower(p.Architecture), Variant: strings.ToLower(p.Variant)}
	switch n.Architecture {
	case "x86_64", "x86-64":
		n.Architecture = "amd64"
	case "aarch64":
		n.Architecture = "arm64"
	}
	switch {
	case n.Architecture == "amd64" && n.Variant == "v1":
		n.Variant = ""
	case n.Architecture == "arm64" && (n.Variant == "" || n.Variant == "8"):
		n.Variant = "v8"
	case n.Architecture == "arm" && n.Variant == "":
		n.Variant = "v7"
	}
	return n
}

// finder collects the platforms of an index and the indexes in it.
type finder struct {
	store    store
	found    []variant
	seen     map[v1.Hash]bool
	examined int
}

func findVariants(ctx context.Context, s store, root []v1.Descriptor) ([]variant, error) {
	f := &finder{store: s, seen: map[v1.Hash]bool{}}
	if err := f.walk(ctx, root, 1); err != nil {
		return nil, err
	}
	return f.found, nil
}

func (f *finder) walk(ctx context.Context, list []v1.Descriptor, depth int) error {
	if depth > maxIndexDepth+1 {
		return damaged("index is nested more than %d levels deep", maxIndexDepth)
	}
	for _, d := range list {
		if !isCandidate(d) || f.seen[d.Digest] {
			continue
		}
		f.seen[d.Digest] = true
		if d.Platform != nil && !d.MediaType.IsIndex() {
			f.add(*d.Platform, d)
			continue
		}
		if err := f.examine(ctx, d, depth); err != nil {
			return err
		}
	}
	return nil
}

// isCandidate tells whether a descriptor may lead to an image.
func isCandidate(d v1.Descriptor) bool {
	if d.Annotations[attestationKey] != "" {
		return false
	}
	if p := d.Platform; p != nil && (p.OS == "unknown" || p.Architecture == "unknown") {
		return false
	}
	return d.MediaType.IsIndex() || d.MediaType.IsImage() || d.MediaType == "" || isSchema1(d.MediaType)
}

// examine reads a document to learn its platforms.
func (f *finder) examine(ctx context.Context, d v1.Descriptor, depth int) error {
	if f.examined++; f.examined > maxDocuments {
		return damaged("index leads to more than %d documents", maxDocuments)
	}
	doc, err := loadDocument(ctx, f.store, d)
	if err != nil {
		return err
	}
	if doc.index != nil {
		return f.walk(ctx, doc.index.Manifests, depth+1)
	}
	if checkConfigType(doc.manifest.Config) != nil && depth > 1 {
		return nil // something else beside the images
	}
	config, err := loadConfig(ctx, f.store, doc.manifest)
	if err != nil {
		return err
	}
	if config.OS == "" || config.Architecture == "" {
		return damaged("image configuration %s names no platform", doc.manifest.Config.Digest)
	}
	f.add(*config.Platform(), d)
	return nil
}

// add notes a platform; the first of equal ones wins, as in every runtime.
func (f *finder) add(p v1.Platform, d v1.Descriptor) {
	p = NormalPlatform(p)
	for _, v := range f.found {
		if samePlatform(v.platform, p) {
			return
		}
	}
	f.found = append(f.found, variant{p, d})
}

// loadDocument reads and parses a manifest or index.
func loadDocument(ctx context.Context, s store, d v1.Descriptor) (document, error) {
	if err := checkDescriptor(d, maxManifest); err != nil {
		return document{}, err
	}
	data, err := readDocument(ctx, s, d)
	if err != nil {
		return document{}, err
	}
	doc, err := parseDocument(data)
	if err != nil {
		return document{}, err
	}
	if d.MediaType.IsIndex() && doc.index == nil || d.MediaType.IsImage() && doc.manifest == nil {
		return document{}, damaged("document %s is not the %q its descriptor says", d.Digest, d.MediaType)
	}
	return doc, nil
}

func loadConfig(ctx context.Context, s store, m *v1.Manifest) (*v1.ConfigFile, error) {
	if err := checkConfigType(m.Config); err != nil {
		return nil, err
	}
	data, err := readDocument(ctx, s, m.Config)
	if err != nil {
		return nil, err
	}
	return parseConfig(data, len(m.Layers))
}

// choose returns the variant for a platform.
func choose(list []variant, want v1.Platform) (variant, bool) {
	p := NormalPlatform(want)
	var near []variant
	for _, v := range list {
		if samePlatform(v.platform, p) {
			return v, true
		}
		if v.platform.OS == p.OS && v.platform.Architecture == p.Architecture {
			near = append(near, v)
		}
	}
	// "linux/amd64" is what people write if there is only amd64/v2.
	if want.Variant == "" && len(near) == 1 {
		return near[0], true
	}
	return variant{}, false
}

func samePlatform(a, b v1.Platform) bool {
	return a.OS == b.OS && a.Architecture == b.Architecture && a.Variant == b.Variant
}

// platformName is how messages and Progress call a platform: linux/arm64/v8.
func platformName(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

func isImageType(t types.MediaType) bool { return t.IsImage() || t.IsIndex() }
