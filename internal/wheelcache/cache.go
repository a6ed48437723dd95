// Package wheelcache keeps wheels that were built in one repository of a registry,
// so that one machine builds and all others take: an OCI artifact for each wheel,
// under a tag that is the key of what it was made of.
//
// Whoever can write to the repository can put code into the images of those who
// read it, as with any cache of builds (docs/decisions/0071-wheel-cache.md).
package wheelcache

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/r-seed-1713b764/distill/internal/registry"
)

// Options say how the registry is reached; the zero value is the default.
type Options struct {
	registry.Options
	// Log is told what a user may want to know but need not act upon; may be nil.
	Log func(text string)
}

// Cache is a repository of wheels. It may be used by several goroutines.
//
// Once the registry could not be reached, or refused access, the same error is
// returned for everything that follows, without asking again: a build should not
// wait for each of its wheels in turn.
type Cache struct {
	repo   name.Repository
	prefix string // of tags
	log    func(string)
	// They are apart since a registry may give nothing at all to who asks for more
	// than the right to read.
	read, write side
	plain       atomic.Bool // the registry takes only what looks like an image
}

// side is the registry as it is spoken to for reading or for writing.
type side struct {
	open func(ctx context.Context) (*registry.Repository, error)

	mu   sync.Mutex
	repo *registry.Repository // nil until the first use
	err  error                // why it is not used any more
}

// Open returns the cache in the repository that ref names. A tag in ref stands in
// front of all tags, TAG-KEY. Nothing is contacted: errors of the registry come
// from Fetch and Store. An error about ref itself wraps [ErrReference].
func Open(_ context.Context, ref string, o Options) (*Cache, error) {
	repo, prefix, err := parse(ref)
	if err != nil {
		return nil, err
	}
	c := &Cache{repo: repo, prefix: prefix, log: o.Log}
	if c.log == nil {
		c.log = func(string) {}
	}
	c.read.open = func(ctx context.Context) (*registry.Repository, error) {
		return registry.Open(ctx, repo, "pull", o.Options)
	}
	c.write.open = func(ctx context.Context) (*registry.Repository, error) {
		return registry.Open(ctx, repo, "pull,push", o.Options)
	}
	return c, nil
}

// parse splits a reference into the repository and what stands in front of tags.
func parse(ref string) (repo name.Repository, prefix string, err error) {
	bad := func(why string) error { return fmt.Errorf("%q: %s: %w", ref, why, ErrReference) }
	scheme, _, _ := strings.Cut(ref, ":")
	_, behind, at := strings.Cut(ref, "@")
	switch {
	case at && !strings.HasPrefix(behind, "sha"): // it may hold a password
		return repo, "", fmt.Errorf("a reference has no user and password in it: %w", ErrReference)
	case scheme == "oci" || scheme == "oci-archive" || strings.HasPrefix(scheme, "docker-") || scheme == "containers-storage":
		return repo, "", bad("wheels can be kept only in a registry")
	case strings.Contains(ref, "://"):
		return repo, "", bad("a registry reference has no scheme")
	case at:
		return repo, "", bad("it has a digest, which stands for one thing")
	}
	t, err := name.NewTag(ref)
	if err != nil {
		return repo, "", bad("no registry reference (host/name or host/name:prefix)")
	}
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		prefix = t.TagStr() + "-"
	}
	if len(prefix)+keyLength > maxTag {
		return repo, "", bad(fmt.Sprintf("the tag has more than %d characters", maxTag-keyLength-1))
	}
	return t.Repository, prefix, nil
}

// The length of a tag is limited by the distribution specification.
const (
	maxTag    = 128
	keyLength = 64
)

// tag returns the tag of a key, a sha256 in hex.
func (c *Cache) tag(key string) (string, error) {
	if len(key) != keyLength || strings.Trim(key, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is not the key of a wheel", key)
	}
	return c.prefix + key, nil
}

// use opens the registry at the first call.
func (s *side) use(ctx context.Context) (*registry.Repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repo != nil || s.err != nil {
		return s.repo, s.err
	}
	repo, err := s.open(ctx)
	switch {
	case err == nil:
		s.repo = repo
	case ctx.Err() == nil && lasting(err):
		s.err = err
	}
	return repo, err
}

// note remembers an error that would come again.
func (s *side) note(err error) {
	if !lasting(err) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.repo = err, nil
}
