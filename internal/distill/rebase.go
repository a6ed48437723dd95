package distill

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/layers"
	"github.com/r-seed-1713b764/distill/internal/plan"
	"github.com/r-seed-1713b764/distill/internal/publish"
)

// RebaseOptions are the options of Rebase.
type RebaseOptions struct {
	Image     string // made by Build or Rebase
	Onto      string // the new base
	Platforms []string
	Offline   bool
	Epoch     time.Time
	Publish   PublishOptions
	ImageRefs string // file for the digest references, "" for none
	NoVerify  bool   // leave the static proof out
}

// RebaseResult is what a rebase made, as --json shows it.
type RebaseResult struct {
	Refs      []string         `json:"refs"`
	Digest    string           `json:"digest"`
	Image     string           `json:"image"`
	Onto      string           `json:"onto"`
	Tags      []string         `json:"tags,omitempty"`
	Platforms []RebasePlatform `json:"platforms"`
	Warnings  []string         `json:"warnings,omitempty"`
}

// JSON is the result as --json shows it.
func (r *RebaseResult) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}

// RebasePlatform is one variant. Sizes are in bytes, compressed.
type RebasePlatform struct {
	Platform string        `json:"platform"`
	Digest   string        `json:"digest"`
	OldBase  int64         `json:"oldBaseSize"`
	NewBase  int64         `json:"newBaseSize"`
	Kept     []LayerResult `json:"kept"`
	Made     []LayerResult `json:"made,omitempty"` // what is joined with files of the base
	Uploaded int64         `json:"uploaded"`
	Reused   int64         `json:"reused"`
}

// Rebase puts the layers that distill made on another base: the same blobs, and the
// new base's configuration with what the build had changed in it. Whatever would
// not be as it was is an error before anything is written. Nothing is resolved.
func Rebase(ctx context.Context, h *Host, o RebaseOptions) (*RebaseResult, error) {
	dests := distinct(o.Publish.To)
	if len(dests) == 0 {
		dests = []string{rebasedDestination(o.Image)}
	}
	if err := checkReferences(append([]string{o.Image, o.Onto}, dests...)); err != nil {
		return nil, err
	}
	if err := h.checkDestinations(ctx, dests, BuildOptions{Publish: o.Publish}); err != nil {
		return nil, err
	}
	side, err := stage(o.ImageRefs)
	if err != nil {
		return nil, err
	}
	defer side.close()
	r, err := h.openRebase(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	res, err := r.publish(ctx, dests)
	if err != nil || o.ImageRefs == "" {
		return res, err
	}
	return res, side.write(o.ImageRefs, []byte(strings.Join(res.Refs, "\n")+"\n"))
}

// rebasedDestination is the folder that a rebase without --to writes.
func rebasedDestination(ref string) string {
	return strings.TrimSuffix(defaultDestination(ref), "-distilled") + "-rebased"
}

const (
	stepImage   = "reading image"
	stepNewBase = "reading new base image"
)

// rebase is one run.
type rebase struct {
	*Host
	o         RebaseOptions
	made      *image.Source
	onto      *image.Source
	platforms []v1.Platform
	variants  []*rebased
}

// rebased is one platform.
type rebased struct {
	platform string
	made     *opened
	base     *image.Image
	record   *layers.Record
	merged   []plan.Layer // what takes the place of the old ones
	image    v1.Image
	warnings []string

	unverified bool
}

func (r *rebase) close() {
	r.made.Close()
	r.onto.Close()
}

// openRebase opens both images.
func (h *Host) openRebase(ctx context.Context, o RebaseOptions) (*rebase, error) {
	r := &rebase{Host: h, o: o}
	var err error
	if r.made, err = image.Open(ctx, o.Image, h.imageOptions(stepImage, o.Offline)); err != nil {
		return nil, err
	}
	if r.onto, err = image.Open(ctx, o.Onto, h.imageOptions(stepNewBase, o.Offline)); err != nil {
		r.made.Close()
		return nil, err
	}
	want := o.Platforms
	if len(want) == 0 { // none is lost in silence
		for _, p := range r.made.Platforms {
			want = append(want, platformName(p))
		}
	}
	if r.platforms, err = choosePlatforms(h, want, r.made, r.onto); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// run does all platforms side by side.
func (r *rebase) run(ctx context.Context) error {
	r.variants = make([]*rebased, len(r.platforms))
	errs := make([]error, len(r.platforms))
	var g errgroup.Group
	for i, p := range r.platforms {
		g.Go(func() error {
			r.variants[i], errs[i] = r.platform(ctx, p)
			return nil
		})
	}
	_ = g.Wait()
	for _, err := range errs { // the first platform's, whichever was the first to fail
		if err != nil {
			return err
		}
	}
	for _, v := range r.variants {
		for _, w := range v.warnings {
			r.Teller.Warn(v.platform + ": " + w)
		}
	}
	return nil
}

// platform reads, checks and puts together one variant.
func (r *rebase) platform(ctx context.Context, p v1.Platform) (*rebased, error) {
	v := &rebased{platform: platformName(p), unverified: r.o.NoVerify}
	r.Teller.Step(v.platform, stepImage)
	var err error
	if v.made, err = r.read(ctx, r.made, p); err != nil {
		return nil, err
	}
	if v.record, err = layers.ReadRecord(v.made.image.Config); err != nil {
		return nil, &Failure{Kind: Damaged, Text: r.o.Image + " for " + v.platform + " can't be put on another base", Cause: err,
			Hint: []string{"build it with this version of distill: distill --from IMAGE --onto BASE"}}
	}
	r.Teller.Step(v.platform, stepNewBase)
	if v.base, err = r.onto.Image(ctx, p); err != nil {
		return nil, err
	}
	r.Teller.Step(v.platform, "checking")
	c, err := v.check()
	if err != nil {
		return nil, err
	}
	opts := layers.Options{
		Epoch: r.o.Epoch, Compression: compressionOf(v.made.image.Manifest.Layers), Config: c.change, Annotations: r.annotations(v.made.image),
	}
	v.image, err = layers.Restack(v.base.V1, v.made.image.V1, v.record, v.platform, v.merged, layerStore{r.Cache}, opts)
	return v, err
}

// check tells whether the layers can stand on the new base, and makes anew what is
// joined with files of the base.
func (v *rebased) check() (*configured, error) {
	made, n := v.made.image, v.record.BaseLayers
	kept := len(made.Manifest.Layers) - v.record.MergedLayers
	below, own := image.Part{Image: made, To: n}, image.Part{Image: made, From: n, To: kept}
	newBase := image.Part{Image: v.base, To: len(v.base.Manifest.Layers)}
	var trees [5]files.Set
	for i, parts := range [][]image.Part{
		{below}, {own}, {below, own}, {newBase, own}, {{Image: made, From: kept, To: len(made.Manifest.Layers)}},
	} {
		var err error
		if trees[i], err = image.Stack(parts...); err != nil {
			return nil, err
		}
	}
	oldBase, added, before, after, joined := trees[0], trees[1], trees[2], trees[3], trees[4]
	c, err := newConfigured(v.record.Config, after)
	if err != nil {
		return nil, err
	}
	if err := v.join(c, joined, before, after); err != nil {
		return nil, err
	}
	now, err := inspect.Read(after.Merge(c.merged), inspect.Options{
		Platform: v.platform, Env: slices.Concat(c.change.Env, v.base.Config.Config.Env),
	})
	if err != nil {
		return nil, &Failure{Kind: Damaged, Text: "the new image for " + v.platform, Cause: err}
	}
	t := plan.Transplant{
		Platform: v.platform, Old: v.made.env, New: now, OldBase: oldBase, NewBase: v.base.Files, Added: added, InBase: v.record.InBase,
	}
	if v.warnings, err = t.Check(); err != nil || v.unverified {
		return c, err
	}
	return c, v.verify(&t)
}

// verify compares what a static proof says of the image on both bases: what the new one
// breaks is an error.
func (v *rebased) verify(t *plan.Transplant) error {
	type key struct{ id, file string }
	found := v.findings(t.New, t.NewBase)
	if failing(found) == 0 {
		return nil
	}
	before := map[key]bool{}
	for _, f := range v.findings(t.Old, t.OldBase) {
		before[key{f.ID, f.Place.File}] = true
	}
	var broken []string
	for _, f := range found {
		said := slices.Contains(broken, f.Message) // of another file
		if f.Severity.AtLeast(audit.High) && !before[key{f.ID, f.Place.File}] && !said {
			broken = append(broken, f.Message)
		}
	}
	if len(broken) == 0 {
		return nil
	}
	n := len(broken)
	if n > maxBroken {
		broken = append(broken[:maxBroken:maxBroken], fmt.Sprintf("and %d more", n-maxBroken))
	}
	return unsupportedf("--no-verify publishes it all the same", "%s: on the new base the application is broken: %s", v.platform, strings.Join(broken, "\n  "))
}

// maxBroken bounds what one error tells.
const maxBroken = 8

// findings verifies an image that stands on base.
func (v *rebased) findings(env *inspect.Environment, base files.Set) []audit.Finding {
	return audit.Verify(env, audit.VerifyOptions{
		Roots: appRoots(env, appDirs(v.made.image.Config)...), Inherited: inherited(base, env.Files),
	})
}

// join makes the layer of files that are the base's with something added. Joined is
// what it holds for the old base, before and after what stands below it in the old and the
// new image.
func (v *rebased) join(c *configured, joined, before, after files.Set) error {
	var list []*files.File
	for f := range joined.All() {
		if f.Mode.IsDir() || f.Path == passwdFile || f.Path == groupFile {
			continue // accounts are made anew from what was asked for
		}
		g, ok, err := plan.Rejoin(f, before, after)
		if err != nil {
			return err
		}
		if !ok {
			return unsupportedf("build the image for the new base: distill --from IMAGE --onto BASE",
				"%s: %q is joined with a file of the old base, which can't be done anew", v.platform, f.Path)
		}
		list = append(list, g)
	}
	c.merged = c.merged.Merge(files.NewSet(list))
	if l, ok := plan.MergedLayer(v.base.Files, c.merged); ok {
		v.merged = append(v.merged, l)
	}
	return nil
}

// compressionOf is what new layers among those of an image are compressed with.
func compressionOf(list []v1.Descriptor) string {
	if len(list) > 0 && strings.HasSuffix(string(list[len(list)-1].MediaType), "+zstd") {
		return "zstd"
	}
	return "gzip"
}

const baseAnnotation = "org.opencontainers.image.base."

// annotations are those of the old image, but for what they say of its base.
func (r *rebase) annotations(made *image.Image) map[string]string {
	out := maps.Clone(made.Manifest.Annotations)
	if out == nil {
		out = map[string]string{}
	}
	maps.DeleteFunc(out, func(k, _ string) bool { return strings.HasPrefix(k, baseAnnotation) })
	name := ""
	if r.onto.Name != "" {
		name = r.onto.Ref
	}
	maps.Copy(out, publish.BaseAnnotations(name, r.onto.Digest))
	return out
}

// publish sends the variants and their index to every destination.
func (r *rebase) publish(ctx context.Context, dests []string) (*RebaseResult, error) {
	var variants []publish.Variant
	for i, v := range r.variants {
		variants = append(variants, publish.Variant{Platform: r.platforms[i], Image: v.image})
	}
	idx, err := publish.Index(variants, r.annotations(r.variants[0].made.image))
	if err != nil {
		return nil, err
	}
	var all []*publish.Published
	for _, dest := range dests {
		r.Teller.Step("", stepPublish+" "+dest)
		opts := r.publishOptions(BuildOptions{Publish: r.o.Publish})
		opts.MountFrom = r.mountFrom
		pub, err := publish.Push(ctx, dest, idx, variants, opts)
		if err != nil {
			return nil, partlyPublished(err, all)
		}
		all = append(all, pub)
	}
	return r.result(all)
}

// mountFrom names the repository that has a layer.
func (r *rebase) mountFrom(layer v1.Hash) string {
	for _, v := range r.variants {
		for _, d := range v.base.Manifest.Layers {
			if d.Digest == layer {
				return r.onto.Name
			}
		}
	}
	return r.made.Name
}

// result tells what was made.
func (r *rebase) result(pubs []*publish.Published) (*RebaseResult, error) {
	res := &RebaseResult{Image: r.o.Image, Onto: r.o.Onto, Digest: pubs[0].Index.String()}
	for _, p := range pubs {
		res.Refs = append(res.Refs, p.Ref)
		res.Tags = append(res.Tags, p.Tags...)
	}
	res.Tags = distinct(res.Tags)
	for _, v := range r.variants {
		one := RebasePlatform{
			Platform: v.platform, Digest: of(pubs[0].Variants, v.platform).String(), NewBase: compressedSize(v.base),
		}
		for _, d := range v.made.image.Manifest.Layers[:v.record.BaseLayers] {
			one.OldBase += d.Size
		}
		for _, pub := range pubs {
			one.Uploaded += of(pub.Uploaded, v.platform)
			one.Reused += of(pub.Reused, v.platform)
		}
		list, err := v.layers()
		if err != nil {
			return nil, err
		}
		kept := len(list) - len(v.merged)
		one.Kept, one.Made = list[:kept], list[kept:]
		for _, w := range v.warnings {
			res.Warnings = append(res.Warnings, v.platform+": "+w)
		}
		res.Platforms = append(res.Platforms, one)
	}
	return res, nil
}

// layers lists those above the base.
func (v *rebased) layers() ([]LayerResult, error) {
	config, err := v.image.ConfigFile()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, h := range config.History {
		if _, name, _ := strings.Cut(h.CreatedBy, ": "); !h.EmptyLayer {
			names = append(names, name)
		}
	}
	below := len(v.base.Manifest.Layers)
	return layersFrom(v.image, below, func(k int) string {
		if below+k < len(names) {
			return names[below+k]
		}
		return ""
	})
}
