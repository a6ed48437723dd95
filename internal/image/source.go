package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// tagKey is the annotation that names an image in the index.json of a layout.
const tagKey = "org.opencontainers.image.ref.name"

// explain puts the reference before an error that does not name it.
func explain(ref string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, cache.ErrFolder) || strings.HasPrefix(err.Error(), ref) {
		return err
	}
	return fmt.Errorf("%s: %w", ref, err)
}

// lookUp opens the store of a reference and returns the descriptors it stands for.
func (s *Source) lookUp(ctx context.Context, r reference) ([]v1.Descriptor, error) {
	switch r.scheme {
	case schemeLayout:
		store, index, err := openLayout(r.path)
		if err != nil {
			return nil, err
		}
		s.store = store
		return s.inLayout(ctx, r, index)
	case schemeArchive:
		a, err := openArchive(r.path, s.opts.Cache)
		if err != nil {
			return nil, err
		}
		store, index, err := openOCIArchive(a)
		if err != nil {
			a.f.Close()
			return nil, err
		}
		s.store = store
		return s.inLayout(ctx, r, index)
	case schemeDockerArchive:
		a, err := openArchive(r.path, s.opts.Cache)
		if err != nil {
			return nil, err
		}
		return s.inDockerArchive(a, r.tag)
	case schemeDaemon, schemeStorage:
		a, err := export(ctx, r, s.opts.Cache)
		if err != nil {
			return nil, err
		}
		return s.inDockerArchive(a, "")
	}
	return s.inRegistry(ctx, r)
}

func (s *Source) inRegistry(ctx context.Context, r reference) ([]v1.Descriptor, error) {
	s.Name = r.registry.Context().Name()
	store, d, err := openRemote(ctx, r.registry, s.opts)
	if err != nil {
		return nil, err
	}
	s.store, s.Digest = store, d.Digest
	return []v1.Descriptor{d}, nil
}

func (s *Source) inDockerArchive(a *archive, tag string) ([]v1.Descriptor, error) {
	store, d, err := openDockerArchive(a, tag)
	if err != nil {
		a.f.Close()
		return nil, err
	}
	s.store, s.Digest = store, d.Digest
	return []v1.Descriptor{d}, nil
}

// inLayout chooses from the index.json of a folder or archive.
func (s *Source) inLayout(ctx context.Context, r reference, data []byte) ([]v1.Descriptor, error) {
	doc, err := parseDocument(data)
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	if doc.index == nil {
		return nil, damaged("index.json is not an index")
	}
	list := doc.index.Manifests
	if r.digest != nil {
		d, err := s.byDigest(ctx, list, *r.digest)
		if err != nil {
			return nil, err
		}
		s.Digest = d.Digest
		return []v1.Descriptor{d}, nil
	}
	if list, err = byTag(list, r.tag); err != nil {
		return nil, err
	}
	if len(list) == 1 {
		s.Digest = list[0].Digest
	} else {
		s.Digest = sha256Of(data) // the layout itself is the index
	}
	return list, nil
}

// byTag returns what a tag stands for, or without one, what "latest" stands for, or all
// there is if it has but one name. Several descriptors with one name are the
// platforms of one image.
func byTag(list []v1.Descriptor, tag string) ([]v1.Descriptor, error) {
	tagged := func(tag string) (found []v1.Descriptor) {
		for _, d := range list {
			// Some programs write the whole name, as docker.io/library/app:tag.
			if n := d.Annotations[tagKey]; n == tag || strings.HasSuffix(n, ":"+tag) {
				found = append(found, d)
			}
		}
		return found
	}
	var names []string
	for _, d := range list {
		if n := d.Annotations[tagKey]; !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(list) == 0 {
		return nil, damaged("index.json lists no image")
	}
	if tag == "" {
		if found := tagged("latest"); len(found) > 0 {
			return found, nil
		}
		if len(names) == 1 {
			return list, nil
		}
		return nil, missing("there are several images in it, name one behind a colon: %s", quoteAll(names))
	}
	found := tagged(tag)
	if len(found) == 0 {
		return nil, missing("no image has the tag %q (there are: %s)", tag, quoteAll(names))
	}
	return found, nil
}

func quoteAll(names []string) string {
	var q []string
	for _, n := range names[:min(len(names), 20)] {
		q = append(q, quote(n))
	}
	return strings.Join(q, ", ")
}

// byDigest finds a digest among descriptors and in the indexes that they lead to.
func (s *Source) byDigest(ctx context.Context, list []v1.Descriptor, want v1.Hash) (v1.Descriptor, error) {
	seen := map[v1.Hash]bool{}
	for depth := 0; depth <= maxIndexDepth; depth++ {
		var next []v1.Descriptor
		for _, d := range list {
			if d.Digest == want {
				return d, nil
			}
			if !d.MediaType.IsIndex() || seen[d.Digest] || len(seen) > maxDocuments {
				continue
			}
			seen[d.Digest] = true
			doc, err := loadDocument(ctx, s.store, d)
			if err != nil {
				return v1.Descriptor{}, err
			}
			next = append(next, doc.index.Manifests...)
		}
		list = next
	}
	return v1.Descriptor{}, missing("no image has the digest %s", want)
}

func (s *Source) noPlatform(p v1.Platform) error {
	var have []string
	for _, p := range s.Platforms {
		have = append(have, platformName(p))
	}
	return marked{fmt.Errorf("%s: no image for %s (there is: %s)", s.Ref, platformName(p), strings.Join(have, ", ")), ErrNoPlatform}
}
