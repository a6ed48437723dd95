package distill

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/layers"
)

// ImageGap is a platform that differs between two images. Sizes are in bytes.
type ImageGap struct {
	Platform string `json:"platform"`
	// DigestA and DigestB are those of the manifests, "" if a side does not have
	// the platform.
	DigestA string `json:"digestA"`
	DigestB string `json:"digestB"`
	// Shared counts the layers that both have, wherever they stand.
	Shared  int         `json:"shared"`
	LayersA []DiffLayer `json:"layersA"` // the others
	LayersB []DiffLayer `json:"layersB"`
	// Pull is what a machine that has A fetches to have B: layers and configuration,
	// by digest, so that a layer which is compressed in another way counts.
	Pull  int64      `json:"pull"`
	SizeA int64      `json:"sizeA"` // of all compressed layers
	SizeB int64      `json:"sizeB"`
	Files FileCounts `json:"files"`
}

// DiffLayer is a layer that only one of two images has.
type DiffLayer struct {
	DiffID string `json:"diffID"`
	Size   int64  `json:"size"` // compressed
}

// FileCounts count paths of the merged trees.
type FileCounts struct {
	Added   int `json:"added"`
	Removed int `json:"removed"`
	Changed int `json:"changed"` // kind, mode, owner, size or link differ; content is not compared
}

// images compares two images: digests first, then the layers of each platform, and
// what is inside only where these differ.
func (d *DiffResult) images(ctx context.Context, h *Host, o DiffOptions) error {
	const step = "reading image"
	var sides [2]*image.Source
	for i, ref := range []string{o.A, o.B} {
		s, err := image.Open(ctx, ref, h.imageOptions(step, o.Offline))
		if err != nil {
			return err
		}
		defer s.Close()
		sides[i] = s
	}
	if sides[0].Digest == sides[1].Digest {
		return nil
	}
	platforms, err := d.platforms(h, o.Platforms, sides)
	if err != nil {
		return err
	}
	for _, p := range platforms {
		if err := d.platform(ctx, h, p, sides); err != nil {
			return err
		}
	}
	d.sort()
	return nil
}

// platforms returns those that both images have, and notes the others.
func (d *DiffResult) platforms(h *Host, want []string, sides [2]*image.Source) ([]v1.Platform, error) {
	if len(want) > 0 {
		return choosePlatforms(h, want, sides[0], sides[1])
	}
	d.setting("platforms", "", platformNames(sides[0].Platforms), platformNames(sides[1].Platforms))
	var out []v1.Platform
	for _, p := range sides[0].Platforms {
		if hasPlatform(sides[1], p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// platform compares one platform of two images.
func (d *DiffResult) platform(ctx context.Context, h *Host, p v1.Platform, sides [2]*image.Source) error {
	name := platformName(p)
	var imgs [2]*image.Image
	g, inner := errgroup.WithContext(ctx)
	for i, s := range sides {
		g.Go(func() (err error) {
			imgs[i], err = s.Image(inner, p)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	a, b := imgs[0], imgs[1]
	if a.Digest == b.Digest {
		return nil
	}
	gap := ImageGap{
		Platform: name, DigestA: a.Digest.String(), DigestB: b.Digest.String(), SizeA: compressedSize(a), SizeB: compressedSize(b),
		LayersA: []DiffLayer{}, LayersB: []DiffLayer{},
	}
	gap.LayersA, gap.LayersB = append(gap.LayersA, layersWithout(a, b)...), append(gap.LayersB, layersWithout(b, a)...)
	gap.Shared = len(b.Manifest.Layers) - len(gap.LayersB)
	gap.Pull = pull(a.Manifest, b.Manifest)
	for _, c := range configChanges(&a.Config.Config, &b.Config.Config) {
		d.setting(c.What, name, c.A, c.B)
	}
	if len(gap.LayersA)+len(gap.LayersB) > 0 {
		gap.Files = countFiles(a.Files, b.Files)
		if err := d.contents(name, a, b); err != nil {
			return err
		}
	}
	d.Images = append(d.Images, gap)
	return nil
}

// layersWithout lists the layers of an image that another one does not have.
func layersWithout(img, other *image.Image) []DiffLayer {
	var out []DiffLayer
	for i, id := range img.Config.RootFS.DiffIDs {
		if !slices.Contains(other.Config.RootFS.DiffIDs, id) {
			out = append(out, DiffLayer{DiffID: id.String(), Size: img.Manifest.Layers[i].Size})
		}
	}
	return out
}

// pull sums up the blobs of one manifest that another does not name.
func pull(have, want *v1.Manifest) int64 {
	at := map[v1.Hash]bool{have.Config.Digest: true}
	for _, d := range have.Layers {
		at[d.Digest] = true
	}
	var n int64
	for _, d := range append([]v1.Descriptor{want.Config}, want.Layers...) {
		if !at[d.Digest] {
			at[d.Digest] = true
			n += d.Size
		}
	}
	return n
}

// contents compares what is installed.
func (d *DiffResult) contents(platform string, a, b *image.Image) error {
	var envs [2]*inspect.Environment
	for i, img := range []*image.Image{a, b} {
		env, err := inspect.Read(img.Files, inspect.Options{Platform: platform, Env: img.Config.Config.Env})
		if err != nil {
			return &Failure{Kind: Damaged, Text: []string{d.A, d.B}[i] + " for " + platform, Cause: err}
		}
		envs[i] = env
	}
	d.setting("operating system", platform, envs[0].OSRelease, envs[1].OSRelease)
	for _, x := range inspect.Diff(envs[0], envs[1]) {
		if x.What == "Python" || x.What == "libc" {
			d.setting(x.What, platform, x.A, x.B)
			continue
		}
		if g, ok := versionGap(x.What, x.A, x.B); ok {
			d.add(g, platform)
		}
	}
	system := [2]map[string]string{{}, {}}
	for i, env := range envs {
		for _, p := range env.OS.Packages {
			system[i][p.Name] = p.Version
		}
	}
	for _, name := range namesOf(system[0], system[1]) {
		if g, ok := versionGap(name, system[0][name], system[1][name]); ok {
			g.System = true
			d.add(g, platform)
		}
	}
	return nil
}

// configChanges compares what decides how a container runs.
func configChanges(a, b *v1.Config) []Change {
	var out []Change
	add := func(what, x, y string) {
		if x != y {
			out = append(out, Change{What: what, A: x, B: y})
		}
	}
	add("entrypoint", quotedWords(a.Entrypoint), quotedWords(b.Entrypoint))
	add("cmd", quotedWords(a.Cmd), quotedWords(b.Cmd))
	add("user", a.User, b.User)
	add("workdir", a.WorkingDir, b.WorkingDir)
	add("stop signal", a.StopSignal, b.StopSignal)
	add("ports", strings.Join(namesOf(a.ExposedPorts, nil), " "), strings.Join(namesOf(b.ExposedPorts, nil), " "))
	add("volumes", strings.Join(namesOf(a.Volumes, nil), " "), strings.Join(namesOf(b.Volumes, nil), " "))
	env := [2]map[string]string{pairsOf(a.Env), pairsOf(b.Env)}
	for _, k := range namesOf(env[0], env[1]) {
		add("env "+k, env[0][k], env[1][k])
	}
	for _, k := range namesOf(a.Labels, b.Labels) {
		if k == layers.RecordLabel { // says of the layers what they say themselves
			continue
		}
		add("label "+k, a.Labels[k], b.Labels[k])
	}
	return out
}

func quotedWords(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf("%q", list)
}

func pairsOf(env []string) map[string]string {
	out := map[string]string{}
	for _, e := range env {
		k, v, _ := strings.Cut(e, "=")
		out[k] = v
	}
	return out
}

// countFiles compares two trees by what their entries say of each path.
func countFiles(a, b files.Set) FileCounts {
	var c FileCounts
	for f := range a.All() {
		g, ok := b.Get(f.Path)
		switch {
		case !ok:
			c.Removed++
		case f.Mode != g.Mode || f.Size != g.Size || f.Link != g.Link || f.UID != g.UID || f.GID != g.GID:
			c.Changed++
		}
	}
	for f := range b.All() {
		if _, ok := a.Get(f.Path); !ok {
			c.Added++
		}
	}
	return c
}
