// Package publish sends images, index and attachments to a registry or an OCI
// folder.
package publish

import (
	"context"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Options say how things are sent.
type Options struct {
	Keychain   authn.Keychain
	Transport  http.RoundTripper
	Insecure   bool
	ArchTags   bool // TAG-amd64, TAG-arm64v8
	TagAliases bool // 1.4.2 also as 1.4, 1 and latest
	// MountFrom is a repository name whose layers can be mounted, "" for none.
	MountFrom string
	Progress  func(what string, done, total int64)
}

// Variant is one platform's image.
type Variant struct {
	Platform v1.Platform
	Image    v1.Image
}

// Published is what stands at the destination now.
type Published struct {
	Ref              string // "localhost:5000/app@sha256:..." or "oci:dir@sha256:..."
	Index            v1.Hash
	Variants         map[string]v1.Hash // by platform
	Tags             []string
	Uploaded, Reused map[string]int64 // bytes by platform
}

// Push sends blobs, then manifests and index by digest, then the tags. A failure
// leaves no tag.
func Push(ctx context.Context, dest string, idx v1.ImageIndex, variants []Variant, opts Options) (*Published, error) {
	panic("contract")
}
