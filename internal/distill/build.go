package distill

import (
	"context"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/hints"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/publish"
	"github.com/r-seed-1713b764/distill/internal/pylock"
)

// Build makes the slim image: it reads both images, resolves, chooses, plans,
// lays and publishes. Nothing is written outside the cache before the last step,
// and a failure there leaves no tag.
func Build(ctx context.Context, h *Host, o BuildOptions) (*BuildResult, error) {
	if o.From == "" {
		return nil, usagef("name the development image: --from REF", "there is no image to read")
	}
	a, err := ask(ctx, h, o.Requirements)
	if err != nil {
		return nil, err
	}
	if err := a.askBuilds(ctx, h, o.Building); err != nil {
		return nil, err
	}
	if err := h.checkBuild(a, &o); err != nil {
		return nil, err
	}
	if err := o.Building.check(ctx); err != nil {
		return nil, err
	}
	p, err := readPins(o.Pins)
	if err != nil {
		return nil, err
	}
	dests := distinct(o.Publish.To)
	if len(dests) == 0 {
		dests = []string{defaultDestination(o.From)}
	}
	if err := h.checkDestinations(ctx, dests, o); err != nil {
		return nil, err
	}
	lockFile := o.Pins.Lock
	if o.Pins.Locked {
		lockFile = ""
	}
	side, err := stage(lockFile, o.ImageRefs, o.MetadataFile)
	if err != nil {
		return nil, err
	}
	defer side.close()
	in, err := h.readInputs(ctx, o)
	if err != nil {
		return nil, err
	}
	defer in.close()
	o.Choice.WholeLock = o.Pins.Lock != ""
	r, err := h.resolveFor(ctx, question{asked: a, index: o.Index, choice: o.Choice, building: o.Building, pins: p, dev: in.dev, base: in.base})
	if err != nil {
		return nil, err
	}
	defer r.close()
	var lock *pylock.Lock
	if o.Pins.Lock != "" {
		if lock, err = lockOf(ctx, r, in, a, p, o.Pins); err != nil {
			return nil, err
		}
		h.warnSecrets(r.Resolution)
	}
	if err := r.makeBuilds(ctx); err != nil {
		return nil, err
	}
	if lock != nil && r.builds.changed {
		if lock, err = lockOf(ctx, r, in, a, p, o.Pins); err != nil {
			return nil, err
		}
	}
	laid, err := h.lay(ctx, in, r, o.Image)
	if err != nil {
		return nil, err
	}
	res, err := h.publishAll(ctx, dests, in, r, laid, o)
	if err != nil {
		return nil, err
	}
	return res, writeSides(side, res, lock, lockFile, o)
}

// lockOf is the lock of a resolution for images, compared with an earlier one.
func lockOf(ctx context.Context, r *resolved, in *inputs, a *asked, p *pins, o PinOptions) (*pylock.Lock, error) {
	lock, err := newLock(ctx, r, in.from, in.onto)
	if err != nil {
		return nil, err
	}
	p.carry(lock, a.constraints)
	if err := p.checkFiles(lock); err != nil {
		return nil, err
	}
	return lock, p.check(o, lock)
}

// writeSides writes what is asked for beside the image.
func writeSides(side *sideFiles, res *BuildResult, lock *pylock.Lock, lockFile string, o BuildOptions) error {
	if lockFile != "" {
		if err := side.write(lockFile, lock.Text()); err != nil {
			return err
		}
	}
	if o.ImageRefs != "" {
		if err := side.write(o.ImageRefs, []byte(strings.Join(res.Refs, "\n")+"\n")); err != nil {
			return err
		}
	}
	if o.MetadataFile == "" {
		return nil
	}
	text, err := res.JSON()
	if err != nil {
		return err
	}
	return side.write(o.MetadataFile, text)
}

// distinct is a list without repetitions, in its order.
func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// defaultDestination is the folder that a build without --to writes.
func defaultDestination(from string) string {
	name := from
	if s, rest, ok := strings.Cut(from, ":"); ok && isFolderScheme(s) {
		name = rest
	}
	name, _, _ = strings.Cut(name, "@")
	name = strings.TrimRight(name, "/")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name = name[:i]
	}
	return "oci:./" + path.Base(name) + "-distilled"
}

// checkDestinations notices before the long work that the result has nowhere to
// go.
func (h *Host) checkDestinations(ctx context.Context, dests []string, o BuildOptions) error {
	for _, d := range dests {
		if _, _, err := publish.Current(ctx, d, h.publishOptions(o)); err != nil {
			return err
		}
		if err := checkFolderOf(d); err != nil {
			return err
		}
	}
	return nil
}

// inputs are both images, read; results in the order of the platforms.
type inputs struct {
	from, onto *image.Source
	platforms  []v1.Platform
	dev, base  []*opened
	hints      *hints.Book
	// runtimes are the interpreters that come along, nil where the base has one. Base is
	// then what it is with them.
	runtimes []*runtime
	app      *application
	building BuildingOptions
}

func (in *inputs) close() {
	in.app.close()
	in.from.Close()
	in.onto.Close()
}

const (
	stepDev  = "reading development image"
	stepBase = "reading base image"
)

// readInputs opens and reads both images.
func (h *Host) readInputs(ctx context.Context, o BuildOptions) (*inputs, error) {
	in := &inputs{building: o.Building}
	var err error
	if in.hints, err = readHints(o.Image.Hints); err != nil {
		return nil, err
	}
	if in.app, err = h.readApplication(o.Image.App, h.outputs(o)); err != nil {
		return nil, err
	}
	if in.from, err = image.Open(ctx, o.From, h.imageOptions(stepDev, o.Index.Offline)); err != nil {
		in.app.close()
		return nil, err
	}
	if in.onto, err = h.openBase(ctx, o.From, o.Onto, h.imageOptions(stepBase, o.Index.Offline)); err != nil {
		in.app.close()
		in.from.Close()
		return nil, err
	}
	if err = h.readPlatforms(ctx, in, o); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func (h *Host) readPlatforms(ctx context.Context, in *inputs, o BuildOptions) (err error) {
	if in.platforms, err = choosePlatforms(h, o.Choice.Platforms, in.from, in.onto); err != nil {
		return err
	}
	// The base is read first: it is small, and its layers are often the lower
	// ones of the development image, which then need no second reading.
	if in.base, err = h.readAll(ctx, in.onto, in.platforms, stepBase); err != nil {
		return err
	}
	if in.dev, err = h.readAll(ctx, in.from, in.platforms, stepDev); err != nil {
		return err
	}
	if err := h.bringPython(in, o.Image); err != nil {
		return err
	}
	for i, p := range in.platforms {
		if err := checkBase(platformName(p), in.dev[i].env, in.base[i].env, o.From, in.onto.Ref); err != nil {
			return err
		}
	}
	return nil
}

func (h *Host) publishOptions(o BuildOptions) publish.Options {
	p := publish.Options{
		Keychain:   h.Keychain,
		Transport:  h.Transport,
		Insecure:   h.Insecure,
		TagAliases: o.Publish.TagAliases,
		Progress:   h.bytesOf(stepPublish),
	}
	if o.Publish.ArchTagsGiven {
		p.ArchTags = &o.Publish.ArchTags
	}
	return p
}

const stepPublish = "publishing"

// publishAll sends the variants and their index to every destination.
func (h *Host) publishAll(ctx context.Context, dests []string, in *inputs, r *resolved, l *laid, o BuildOptions) (*BuildResult, error) {
	var variants []publish.Variant
	for i, p := range in.platforms {
		variants = append(variants, publish.Variant{Platform: p, Image: l.images[i]})
	}
	idx, err := publish.Index(variants, annotations(in, o.Image))
	if err != nil {
		return nil, err
	}
	var all []*publish.Published
	for _, dest := range dests {
		h.Teller.Step("", stepPublish+" "+dest)
		for _, p := range in.platforms {
			h.Teller.Step(platformName(p), stepPublish)
		}
		opts := h.publishOptions(o)
		opts.MountFrom = func(v1.Hash) string { return in.onto.Name }
		pub, err := publish.Push(ctx, dest, idx, variants, opts)
		if err != nil {
			return nil, partlyPublished(err, all)
		}
		all = append(all, pub)
	}
	return buildResult(in, r, l, all, o)
}

// partlyPublished says what stands already when a later destination fails: each
// is published as a whole or not at all, but not all of them together.
func partlyPublished(err error, done []*publish.Published) error {
	if len(done) == 0 {
		return err
	}
	f := &Failure{Kind: KindOf(err), Text: err.Error()}
	for _, p := range done {
		f.Hint = append(f.Hint, "published already: "+p.Ref)
	}
	return f
}

// annotations are those of index and manifests: what the user gives, and the
// base. A folder has no name that means anything elsewhere.
func annotations(in *inputs, o ImageOptions) map[string]string {
	out := publish.BaseAnnotations("", in.onto.Digest)
	if in.onto.Name != "" {
		out = publish.BaseAnnotations(in.onto.Ref, in.onto.Digest)
	}
	for k, v := range o.Annotations {
		out[k] = v
	}
	return out
}
