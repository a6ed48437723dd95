package distill

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// newLock turns a resolution into a lock. Files whose index gives no sound
// hash are fetched, so that the lock has one.
func newLock(ctx context.Context, r *resolved, from, onto *image.Source) (*pylock.Lock, error) {
	nameIndexes(r.Resolution)
	unhashed := pylock.Unhashed(r.Resolution)
	builds := r.builds.locked()
	for _, b := range builds {
		nameIndexes(b.Tools)
		unhashed = append(unhashed, pylock.Unhashed(b.Tools)...)
	}
	digests, err := r.digests(ctx, unhashed)
	if err != nil {
		return nil, err
	}
	for _, p := range r.Picks {
		for _, a := range p.Files {
			if f, ok := a.Ref.(pypi.File); ok && digests[a] != "" {
				if err := r.checkHashes(ctx, p.Name, f, digests[a]); err != nil {
					return nil, err
				}
			}
		}
	}
	m := pylock.Meta{CreatedBy: "distill", Options: lockOptions(r.choice), SHA256: digests, Builds: builds}
	for _, i := range []struct {
		role string
		s    *image.Source
	}{{"from", from}, {"onto", onto}} {
		if i.s != nil {
			m.Images = append(m.Images, pylock.Image{Role: i.role, Reference: lockReference(i.s), Digest: i.s.Digest.String()})
		}
	}
	return pylock.From(r.Resolution, m)
}

// nameIndexes gives each pick the index that its files come from: of several that
// know the project, that need not be the first.
func nameIndexes(r *resolve.Resolution) {
	for _, p := range r.Picks {
		files := p.Files
		for _, on := range p.On {
			files = append([]*resolve.Artifact{on.Artifact}, files...)
		}
		for _, a := range files {
			if f, ok := a.Ref.(pypi.File); ok && f.Index != "" && a.Kind != resolve.ImageFiles {
				p.Index = f.Index
				break
			}
		}
	}
}

// warnSecrets tells of the files whose URL in the lock lacks a part of its query.
func (h *Host) warnSecrets(r *resolve.Resolution) {
	var names []string
	for _, p := range r.Picks {
		for _, a := range p.Files {
			_, query, _ := strings.Cut(a.URL, "?")
			_, shown, _ := strings.Cut(python.ShowURL(a.URL), "?")
			if query != shown {
				names = append(names, a.File)
			}
		}
	}
	if len(names) == 0 {
		return
	}
	text := names[0]
	if len(names) > 1 {
		text = fmt.Sprintf("%s (and %d more)", text, len(names)-1)
	}
	h.Teller.Warn(text + ": what looks like a secret in the query of its URL is left out of the lock; others who install from it have to log in another way")
}

// lockReference is the name of an image as others can use it: of a folder only
// its last part, which does not tell where it lies.
func lockReference(s *image.Source) string {
	if s.Name != "" {
		return s.Ref
	}
	scheme, rest, ok := strings.Cut(s.Ref, ":")
	if !ok {
		return s.Ref
	}
	return scheme + ":" + rest[strings.LastIndex(rest, "/")+1:]
}

// digests fetches files and returns their sha256.
func (r *resolved) digests(ctx context.Context, list []*resolve.Artifact) (map[*resolve.Artifact]string, error) {
	sums := make([]string, len(list))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxDownloads)
	for i, a := range list {
		f, ok := a.Ref.(pypi.File)
		if !ok {
			continue
		}
		g.Go(func() error {
			file, _, digest, err := r.client.Download(ctx, f)
			if err != nil {
				return err
			}
			sums[i] = digest
			return file.Close()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := map[*resolve.Artifact]string{}
	for i, a := range list {
		if sums[i] != "" {
			out[a] = sums[i]
		}
	}
	return out, nil
}

// lockOptions are the options that changed what was chosen.
func lockOptions(c ChoiceOptions) map[string]string {
	all := map[string]string{
		"prefer":      c.Prefer,
		"align":       c.Align,
		"only-binary": strings.Join(c.OnlyBinary, ","),
		"no-binary":   strings.Join(c.NoBinary, ","),
		"source":      strings.Join(c.Sources, ","),
	}
	for name, set := range map[string]bool{"pre": c.Pre, "no-build": c.NoBuild} {
		if set {
			all[name] = "true"
		}
	}
	maps.DeleteFunc(all, func(k, v string) bool {
		return v == "" || slices.Contains([]string{"prefer=image", "align=versions"}, k+"="+v)
	})
	return all
}
