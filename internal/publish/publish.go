// Package publish sends images, index and attachments to a registry or an OCI
// folder.
package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrUsage: the destination cannot be written to as it is named. Errors of
// registries are those of package registry.
var ErrUsage = errors.New("not usable as a destination")

// Options say how things are sent; the zero value is the default.
type Options struct {
	Keychain authn.Keychain
	// Transport is how a registry is reached; nil: time-outs and proxies as the
	// environment says. That certificates of some hosts are not checked is
	// up to it.
	Transport http.RoundTripper
	Insecure  bool // plain HTTP also to a host that is not loopback
	// ArchTags adds a tag for each variant (TAG-amd64, TAG-arm64v8); nil: for
	// registries, not for folders and archives.
	ArchTags   *bool
	TagAliases bool // 1.4.2 also as 1.4, 1 and latest
	// MountFrom returns the name of a repository from which a layer can be
	// mounted, "" for none; may be nil.
	MountFrom func(layer v1.Hash) string
	// Progress is told of the bytes of blobs that are done, uploaded or reused,
	// for one platform ("linux/amd64"). It is called by one goroutine at a time
	// and may be nil. Done can become smaller when a blob has to be sent again.
	Progress func(platform string, done, total int64)
}

// Variant is one platform's image.
type Variant struct {
	Platform v1.Platform
	Image    v1.Image
}

// Published is what stands at the destination now.
type Published struct {
	Ref      string // "localhost:5000/app@sha256:..." or "oci:dir@sha256:..."
	Index    v1.Hash
	Variants map[string]v1.Hash // by platform
	Tags     []string           // of the index, the one asked for first, then of the variants
	// Uploaded and Reused are the bytes of configuration and layers by platform.
	// What two platforms share counts for the first and is reused by the other.
	Uploaded, Reused map[string]int64
}

// Push sends the variants of idx, then idx, then the tags: blobs, manifests and
// index by digest, and only then the tags, the one asked for last. What is
// there already is not sent. After a failure no tag has moved.
//
// Dest is a registry reference, oci:DIR[:TAG] or oci-archive:FILE[:TAG]; without
// a tag it is "latest". Folders and archives change in one moment; a folder
// that is neither empty nor an OCI layout is refused with ErrUsage.
func Push(ctx context.Context, dest string, idx v1.ImageIndex, variants []Variant, opts Options) (*Published, error) {
	d, err := parseDestination(dest)
	if err != nil {
		return nil, err
	}
	c, err := collect(idx, variants)
	if err != nil {
		return nil, err
	}
	switch d.kind {
	case toLayout:
		return pushLayout(ctx, d, c, opts)
	case toArchive:
		return pushArchive(ctx, d, c, opts)
	}
	return pushRegistry(ctx, d, c, opts)
}

// Current returns the digest that stands under the tag of a destination now,
// and false if there is none. It is also the way to learn early that Push
// would not get far: an impossible destination is ErrUsage, an unreachable or
// locked registry an error of package registry.
func Current(ctx context.Context, dest string, opts Options) (v1.Hash, bool, error) {
	d, err := parseDestination(dest)
	if err != nil {
		return v1.Hash{}, false, err
	}
	switch d.kind {
	case toLayout:
		return currentLayout(d)
	case toArchive:
		return v1.Hash{}, false, checkArchive(d)
	}
	return currentRegistry(ctx, d, opts)
}

// Names returns the names under which Push would publish, as far as they can be
// known before; for messages.
func Names(dest string, platforms []v1.Platform, opts Options) ([]string, error) {
	d, err := parseDestination(dest)
	if err != nil {
		return nil, err
	}
	names, err := newTagging(d, platforms, opts).names(nil)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, n := range names {
		all = append(all, n.tag)
	}
	return all, nil
}

func usage(dest, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", dest, fmt.Sprintf(format, args...), ErrUsage)
}
