package image

import (
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The schemes of references; everything else is a registry's.
const (
	schemeLayout        = "oci"
	schemeArchive       = "oci-archive"
	schemeDockerArchive = "docker-archive"
	schemeDaemon        = "docker-daemon"
	schemeStorage       = "containers-storage"
	schemeRegistry      = "docker" // as skopeo writes it: docker://host/name
)

// reference is a parsed reference: one of registry, and scheme with path.
type reference struct {
	scheme   string // "" for scratch
	registry name.Reference
	path     string // folder, file, or the name in a daemon or storage
	tag      string // of a folder or archive, "" for none
	digest   *v1.Hash
}

// parseReference reads a reference; it looks at the disk only to tell a colon
// in the name of a folder from a tag.
func parseReference(ref string) (reference, error) {
	if ref == "" {
		return reference{}, badReference(ref, "empty reference")
	}
	if strings.ContainsFunc(ref, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return reference{}, badReference(ref, "control character in the reference")
	}
	if ref == "scratch" {
		return reference{}, nil
	}
	scheme, rest, ok := strings.Cut(ref, ":")
	if ok {
		switch scheme {
		case schemeLayout, schemeArchive, schemeDockerArchive:
			return parsePath(ref, scheme, rest)
		case schemeDaemon, schemeStorage:
			return parseOwned(ref, scheme, rest)
		case schemeRegistry:
			if r, found := strings.CutPrefix(rest, "//"); found {
				return parseRegistry(ref, r)
			}
		case "http", "https":
			return reference{}, badReference(ref, "a registry reference has no %s:// in front", scheme)
		}
	}
	return parseRegistry(ref, ref)
}

func parseRegistry(ref, text string) (reference, error) {
	// Docker ignores the tag of name:tag@digest.
	r, err := name.ParseReference(text, name.WeakValidation)
	if err != nil {
		return reference{}, badReference(ref, "%w", err)
	}
	return reference{scheme: schemeRegistry, registry: r}, nil
}

// parsePath reads PATH, PATH:TAG and PATH@DIGEST.
func parsePath(ref, scheme, rest string) (reference, error) {
	if rest == "" {
		return reference{}, badReference(ref, "nothing after %q", scheme+":")
	}
	r := reference{scheme: scheme, path: rest}
	if _, err := os.Stat(rest); err == nil {
		return r, nil
	}
	if i := strings.LastIndexByte(rest, '@'); i > 0 && strings.HasPrefix(rest[i+1:], "sha") {
		h, err := v1.NewHash(rest[i+1:])
		if err != nil {
			return reference{}, badReference(ref, "%w", err)
		}
		r.path, r.digest = rest[:i], &h
		return r, nil
	}
	// The tag of an archive may itself be a name with a registry, a port and a
	// tag, so the shortest path that exists decides; else the last colon does.
	for i := 1; i < len(rest); i++ {
		if rest[i] != ':' {
			continue
		}
		if _, err := os.Stat(rest[:i]); err == nil {
			r.path, r.tag = rest[:i], rest[i+1:]
			break
		}
	}
	if i := strings.LastIndexByte(rest, ':'); r.path == rest && i > strings.LastIndexByte(rest, '/') && i > 0 {
		r.path, r.tag = rest[:i], rest[i+1:]
	}
	if r.path != rest && r.tag == "" {
		return reference{}, badReference(ref, "empty tag")
	}
	return r, nil
}

// parseOwned reads the name of an image that a program keeps. The program knows
// what names it has; only what it could take for an option is refused.
func parseOwned(ref, scheme, rest string) (reference, error) {
	if rest == "" || strings.HasPrefix(rest, "-") {
		return reference{}, badReference(ref, "no image name after %q", scheme+":")
	}
	return reference{scheme: scheme, path: rest}, nil
}
