package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/registry"
)

// push is one push to a registry.
type push struct {
	repo    *registry.Repository
	content *content
	counter *counter
	from    func(v1.Hash) string // repository to mount a blob from, "" for none
}

func open(ctx context.Context, d destination, actions string, opts Options) (*registry.Repository, error) {
	return registry.Open(ctx, d.repo, actions, registry.Options{
		Keychain: opts.Keychain, Transport: opts.Transport, Insecure: opts.Insecure,
	})
}

func currentRegistry(ctx context.Context, d destination, opts Options) (v1.Hash, bool, error) {
	repo, err := open(ctx, d, "pull,push", opts)
	if err != nil {
		return v1.Hash{}, false, err
	}
	desc, err := repo.Head(ctx, d.tag)
	if errors.Is(err, registry.ErrNotFound) {
		return v1.Hash{}, false, nil
	}
	return desc.Digest, err == nil, err
}

func pushRegistry(ctx context.Context, d destination, c *content, opts Options) (*Published, error) {
	repo, err := open(ctx, d, "pull,push", opts)
	if err != nil {
		return nil, err
	}
	p := &push{repo: repo, content: c, counter: newCounter(c, opts), from: mountFrom(repo, opts)}
	names, err := p.names(ctx, newTagging(d, c.platforms(), opts))
	if err != nil {
		return nil, err
	}
	before, err := p.standing(ctx, names)
	if err != nil {
		return nil, err
	}
	if before[d.tag].Digest == c.index.digest {
		// A registry takes an index only when all below it is there.
		for _, v := range c.variants {
			p.reuse(v)
		}
	} else if err := p.send(ctx); err != nil {
		return nil, err
	}
	if err := p.tag(ctx, names, before); err != nil {
		return nil, err
	}
	return c.published(d, names, p.counter), nil
}

// mountFrom tells from where in the same registry blobs can be mounted.
func mountFrom(repo *registry.Repository, opts Options) func(v1.Hash) string {
	return func(blob v1.Hash) string {
		if opts.MountFrom == nil {
			return ""
		}
		from, err := name.NewRepository(opts.MountFrom(blob))
		if err != nil || !repo.SameRegistry(from) {
			return ""
		}
		return from.RepositoryStr()
	}
}

// names decides on the tags; aliases need to know those that are there.
func (p *push) names(ctx context.Context, t tagging) ([]named, error) {
	var there []string
	if t.aliases {
		var err error
		there, err = p.repo.Tags(ctx)
		var answer *registry.AnswerError
		if err != nil && (!errors.As(err, &answer) || answer.Status >= http.StatusInternalServerError) {
			return nil, err
		}
		// A registry that does not list tags to everybody still has aliases.
	}
	return t.names(there)
}

// standing looks up what the tags point to now.
func (p *push) standing(ctx context.Context, names []named) (map[string]v1.Descriptor, error) {
	found := make([]v1.Descriptor, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, n := range names {
		g.Go(func() error {
			var err error
			found[i], err = p.repo.Head(ctx, n.tag)
			if errors.Is(err, registry.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := make(map[string]v1.Descriptor)
	for i, n := range names {
		if found[i].Digest != (v1.Hash{}) {
			all[n.tag] = found[i]
		}
	}
	return all, nil
}

// send uploads what is not there: blobs, manifests, the index, by digest.
func (p *push) send(ctx context.Context) error {
	var missing []document
	for _, v := range p.content.variants {
		_, err := p.repo.Head(ctx, v.digest.String())
		switch {
		case err == nil:
			p.reuse(v)
		case errors.Is(err, registry.ErrNotFound):
			missing = append(missing, v)
		default:
			return err
		}
	}
	if err := each(ctx, p.counter.distinct(missing), p.sendBlob); err != nil {
		return err
	}
	for _, d := range append(missing, p.content.index) {
		if err := p.repo.PutManifest(ctx, d.digest.String(), d.mediaType, d.bytes); err != nil {
			return err
		}
	}
	return nil
}

func (p *push) reuse(d document) {
	for _, b := range d.blobs {
		p.counter.skipped(d.platform.String(), b.Size)
	}
}

func (p *push) sendBlob(ctx context.Context, w work) error {
	has, err := p.repo.HasBlob(ctx, w.Digest)
	if err != nil {
		return err
	}
	if has {
		p.counter.skipped(w.platform, w.Size)
		return nil
	}
	mounted, err := p.repo.PutBlob(ctx, w.Descriptor, registry.Upload{
		Open:     w.open,
		From:     p.from(w.Digest),
		Progress: func(delta int64) { p.counter.moved(w.platform, delta) },
	})
	if err != nil {
		return err
	}
	if mounted {
		p.counter.skipped(w.platform, w.Size)
	} else {
		p.counter.finished(w.platform, w.Size, true)
	}
	return nil
}

// tag writes the tags, the first of names last. If one cannot be written, those
// before it are put back.
func (p *push) tag(ctx context.Context, names []named, before map[string]v1.Descriptor) error {
	for i := len(names) - 1; i >= 0; i-- {
		n := names[i]
		doc := p.content.document(n.what)
		if before[n.tag].Digest == doc.digest {
			continue
		}
		err := p.repo.PutManifest(ctx, n.tag, doc.mediaType, doc.bytes)
		if err == nil {
			continue
		}
		if undo := p.untag(ctx, names[i:], before); undo != nil {
			return fmt.Errorf("%w (and some tags stay as they are now: %w)", err, undo)
		}
		return err
	}
	return nil
}

// untag puts tags back to where they were, also when ctx has ended.
func (p *push) untag(ctx context.Context, names []named, before map[string]v1.Descriptor) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var failed error
	for _, n := range names {
		old, was := before[n.tag]
		ours := p.content.document(n.what).digest
		if old.Digest == ours {
			continue
		}
		// The last write may have arrived although its answer did not; a tag
		// that somebody else has moved since is theirs.
		now, err := p.repo.Head(ctx, n.tag)
		switch {
		case errors.Is(err, registry.ErrNotFound), err == nil && now.Digest != ours:
			continue
		case err != nil:
		case was:
			err = p.restore(ctx, n.tag, old)
		default:
			err = p.repo.DeleteTag(ctx, n.tag)
		}
		if err != nil {
			failed = err
		}
	}
	return failed
}

func (p *push) restore(ctx context.Context, tag string, old v1.Descriptor) error {
	m, err := p.repo.Manifest(ctx, old.Digest.String())
	if err != nil {
		return err
	}
	return p.repo.PutManifest(ctx, tag, m.MediaType, m.Bytes)
}
