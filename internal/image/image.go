// Package image opens a registry reference, OCI folder or archive, and gives one
// [Image] (configuration and files) for each platform.
package image

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// Options say how images are opened.
type Options struct {
	Cache     *cache.Dir  // needed
	Probe     files.Probe // may be nil
	Keychain  authn.Keychain
	Transport http.RoundTripper // nil: a sane default
	Insecure  bool              // plain HTTP also for hosts that are not loopback
	Offline   bool              // registries are not asked: only what the cache has, by digest
	// Progress is called with the compressed bytes of layers read so far and
	// in all, for one platform; may be nil. It is called from several goroutines.
	Progress func(platform string, done, total int64)
}

// Source is an opened reference: from here on there are only digests. It may be
// used by several goroutines.
type Source struct {
	Ref       string        // as given
	Name      string        // registry name without tag and digest, "" for folders and archives
	Digest    v1.Hash       // of the index, or of the manifest if there is no index
	Platforms []v1.Platform // in the order of the index, known ones only, see NormalPlatform

	opts     Options
	store    store // nil for scratch
	variants []variant

	slots  chan struct{} // holds one for each layer that is being read
	hold   sync.Pool     // of *[]byte, for the file that is being looked at
	mu     sync.Mutex
	loaded map[string]*facts // by factsKey
}

// Open looks the reference up, once. Loopback registries are spoken to in plain
// HTTP. The errors are those of this package.
func Open(ctx context.Context, ref string, opts Options) (*Source, error) {
	if opts.Cache == nil {
		return nil, errors.New("image.Options without a cache")
	}
	r, err := parseReference(ref)
	if err != nil {
		return nil, err
	}
	s := newSource(ref, opts)
	if r.scheme == "" {
		s.Digest, err = empty.Image.Digest()
		return s, err
	}
	if err := s.open(ctx, r); err != nil {
		s.Close()
		return nil, explain(ref, err)
	}
	return s, nil
}

func newSource(ref string, opts Options) *Source {
	s := &Source{Ref: ref, opts: opts, loaded: map[string]*facts{}}
	// More readers than processors gain nothing: a layer keeps one busy.
	n := min(max(runtime.GOMAXPROCS(0), 2), 4)
	s.slots = make(chan struct{}, n)
	s.hold.New = func() any { return new([]byte) }
	return s
}

// open fills in what the reference stands for.
func (s *Source) open(ctx context.Context, r reference) error {
	root, err := s.lookUp(ctx, r)
	if err != nil {
		return err
	}
	if s.variants, err = findVariants(ctx, s.store, root); err != nil {
		return err
	}
	if len(s.variants) == 0 {
		return damaged("there is no image for any platform in it")
	}
	for _, v := range s.variants {
		s.Platforms = append(s.Platforms, v.platform)
	}
	return nil
}

// Image reads all layers of one platform and returns the merged tree. Linux
// variants are matched as containerd does (arm64 is arm64/v8). If there is
// none for the platform, the error wraps [ErrNoPlatform] and names those there are.
func (s *Source) Image(ctx context.Context, platform v1.Platform) (*Image, error) {
	if s.store == nil {
		return Scratch(platform), nil
	}
	v, ok := choose(s.variants, platform)
	if !ok {
		return nil, s.noPlatform(platform)
	}
	img, err := s.load(ctx, v)
	if err != nil {
		return nil, explain(s.Ref, err)
	}
	return img, nil
}

// Close releases what is open. Files of its images can't be opened any more, but for
// those that Gather returned.
func (s *Source) Close() error {
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}

// Image is one platform of an image.
type Image struct {
	Platform v1.Platform
	Digest   v1.Hash // of the manifest
	Config   *v1.ConfigFile
	Manifest *v1.Manifest
	// Files is the merged tree: whiteouts applied, no layer unpacked. Opening
	// a file reads its layer from the front: use Gather for more than a few.
	Files files.Set
	// V1 is the image as go-containerregistry sees it; what its layers yield is
	// checked against digest, size and diffID.
	V1 v1.Image

	source *Source // nil for scratch
	layers []*layer
}

// Scratch is the empty base image for a platform.
func Scratch(p v1.Platform) *Image {
	p = NormalPlatform(p)
	config := &v1.ConfigFile{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}}}
	img := newScratch(config)
	return &Image{Platform: p, Digest: img.digest, Config: config, Manifest: img.manifest, V1: img}
}
