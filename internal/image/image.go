// Package image opens a registry reference, OCI folder or archive, and gives one
// [Image] (configuration and files) for each platform.
package image

import (
	"context"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// Options say how images are opened.
type Options struct {
	Cache     *cache.Dir
	Probe     files.Probe // may be nil
	Keychain  authn.Keychain
	Transport http.RoundTripper // nil: a sane default
	Insecure  bool              // plain HTTP also for hosts that are not loopback
	Offline   bool
	// Progress is called with the compressed bytes of layers read so far and
	// in all, for one platform; may be nil. It is called from several goroutines.
	Progress func(platform string, done, total int64)
}

// Source is an opened reference: from here on there are only digests.
type Source struct {
	Ref       string        // as given
	Name      string        // registry name without tag and digest, "" for folders and archives
	Digest    v1.Hash       // of the index, or of the manifest if there is no index
	Platforms []v1.Platform // in the order of the index, known ones only
}

// Open looks the reference up, once.
func Open(ctx context.Context, ref string, opts Options) (*Source, error) { panic("contract") }

// Image reads all layers of one platform and returns the merged tree. Linux
// variants are matched as containerd does (arm64 is arm64/v8).
func (s *Source) Image(ctx context.Context, platform v1.Platform) (*Image, error) { panic("contract") }

// Close releases what is open.
func (s *Source) Close() error { panic("contract") }

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
}

// Gather returns the files of set with content that opens at once and in any
// order; it reads each layer that holds some of them once, front to back, and
// keeps them in a file without a name. Close the closer when done. Files that are
// not from this image are passed through.
func (i *Image) Gather(ctx context.Context, set files.Set) (files.Set, io.Closer, error) {
	panic("contract")
}

// Scratch is the empty base image for a platform.
func Scratch(p v1.Platform) *Image { panic("contract") }
