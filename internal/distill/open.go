package distill

import (
	"context"
	"errors"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// opened is one platform of one image with what was found in it.
type opened struct {
	image *image.Image
	env   *inspect.Environment
}

// imageOptions are the options for reading images; step names the step whose
// bytes are told.
func (h *Host) imageOptions(step string, offline bool) image.Options {
	return image.Options{
		Cache:     h.Cache,
		Probe:     inspect.Probe(),
		Keychain:  h.Keychain,
		Transport: h.Transport,
		Insecure:  h.Insecure,
		Offline:   offline,
		Progress:  h.bytesOf(step),
	}
}

// openBase opens the base image: the one named, or the one found by the naming
// habit NAME:TAG-slim, then NAME-slim:TAG.
func (h *Host) openBase(ctx context.Context, from, onto string, opts image.Options) (*image.Source, error) {
	if onto != "" {
		return image.Open(ctx, onto, opts)
	}
	names := slimNames(from)
	for _, name := range names {
		s, err := image.Open(ctx, name, opts)
		if err == nil {
			h.Teller.Step("", "base image "+name)
			return s, nil
		}
		if !errors.Is(err, image.ErrNotFound) && !errors.Is(err, image.ErrMissing) {
			return nil, err
		}
	}
	return nil, usagef("name the slim base image: --onto REF", "%s has no slim base: neither %s nor %s exists", from, names[0], names[1])
}

// slimNames are the names that the slim image of a development image usually
// has.
func slimNames(from string) []string {
	scheme, rest := "", from
	if s, r, ok := strings.Cut(from, ":"); ok && isFolderScheme(s) {
		scheme, rest = s+":", r
	}
	rest, _, _ = strings.Cut(rest, "@")
	name, tag := rest, ""
	if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "/") {
		name, tag = rest[:i], rest[i+1:]
	}
	if tag == "" {
		tag = "latest"
		if scheme != "" {
			return []string{scheme + name + ":latest-slim", scheme + name + "-slim"}
		}
	}
	return []string{scheme + name + ":" + tag + "-slim", scheme + name + "-slim:" + tag}
}

func isFolderScheme(s string) bool {
	switch s {
	case "oci", "oci-archive", "docker-archive", "docker-daemon", "containers-storage":
		return true
	}
	return false
}

// read reads one platform of an image and inspects it.
func (h *Host) read(ctx context.Context, s *image.Source, p v1.Platform) (*opened, error) {
	img, err := s.Image(ctx, p)
	if err != nil {
		return nil, err
	}
	env, err := inspect.Read(img.Files, inspect.Options{Platform: platformName(p), Env: img.Config.Config.Env})
	if err != nil {
		return nil, &Failure{Kind: Damaged, Text: s.Ref + " for " + platformName(p), Cause: err}
	}
	return &opened{image: img, env: env}, nil
}

// readAll reads the platforms of an image side by side, results in the order of
// the platforms.
func (h *Host) readAll(ctx context.Context, s *image.Source, platforms []v1.Platform, step string) ([]*opened, error) {
	out := make([]*opened, len(platforms))
	g, ctx := errgroup.WithContext(ctx)
	for i, p := range platforms {
		g.Go(func() (err error) {
			if step != "" {
				h.Teller.Step(platformName(p), step)
			}
			out[i], err = h.read(ctx, s, p)
			return err
		})
	}
	return out, g.Wait()
}

// RegistryHosts are the registries that references name, with their port.
func RegistryHosts(refs []string) []string {
	var out []string
	for _, r := range refs {
		if scheme, _, ok := strings.Cut(r, ":"); r == "" || ok && isFolderScheme(scheme) {
			continue
		}
		if ref, err := name.ParseReference(r); err == nil {
			out = append(out, ref.Context().RegistryStr())
		}
	}
	return out
}
