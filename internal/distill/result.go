package distill

import (
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/plan"
	"github.com/r-seed-1713b764/distill/internal/publish"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// BuildResult is what a build made, as --json and --metadata-file show it.
type BuildResult struct {
	// Refs are the digest references, one for each destination.
	Refs      []string         `json:"refs"`
	Digest    string           `json:"digest"`
	From      string           `json:"from"`
	Onto      string           `json:"onto"`
	Tags      []string         `json:"tags,omitempty"`
	Platforms []PlatformResult `json:"platforms"`
	Warnings  []string         `json:"warnings,omitempty"`
}

// JSON is the result as --json and --metadata-file show it.
func (r *BuildResult) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	return append(text, '\n'), err
}

// PlatformResult is one variant. Sizes are in bytes; those of layers are
// compressed.
type PlatformResult struct {
	Platform string          `json:"platform"`
	Digest   string          `json:"digest"`
	DevSize  int64           `json:"devSize"`
	BaseSize int64           `json:"baseSize"`
	Added    int64           `json:"added"`
	Uploaded int64           `json:"uploaded"`
	Reused   int64           `json:"reused"`
	Packages []PackageResult `json:"packages"`
	Layers   []LayerResult   `json:"layers"`
	Trimmed  []TrimResult    `json:"trimmed"` // in order of owner, then rule
}

// TrimResult is what one rule of --trim left out of one package.
type TrimResult struct {
	Owner string `json:"owner"` // "numpy 1.26.4"
	Rule  string `json:"rule"`
	Files int    `json:"files"`
	Size  int64  `json:"size"` // uncompressed
}

// PackageResult is one package of a variant.
type PackageResult struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	From    string `json:"from"`             // "image", "wheel", "base", "build"
	Detail  string `json:"detail,omitempty"` // wheel file or path in the development image
	Files   int    `json:"files"`
	Size    int64  `json:"size"` // uncompressed
	Why     string `json:"why"`
}

// LayerResult is one new layer of a variant.
type LayerResult struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	DiffID string `json:"diffID"`
	Size   int64  `json:"size"`
}

// LockResult is a written lock.
type LockResult struct {
	Path     string            `json:"path,omitempty"`
	Packages int               `json:"packages"`
	Targets  []string          `json:"platforms"`
	Rows     []LockRow         `json:"rows"`
	Split    map[string]string `json:"split,omitempty"` // project -> why its versions differ
	Warnings []string          `json:"warnings,omitempty"`
	Text     []byte            `json:"-"`
}

// LockRow is one pick of a lock: by platform, "image", "wheel" or "build"; nothing
// where the platform does not get it.
type LockRow struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	On      map[string]string `json:"on"`
}

// lockResult tells what was picked.
func lockResult(r *resolved, text []byte) *LockResult {
	res := &LockResult{Packages: len(r.Picks), Text: text, Rows: []LockRow{}}
	for _, t := range r.Targets {
		res.Targets = append(res.Targets, t.Name)
	}
	for _, p := range r.Picks {
		row := LockRow{Name: string(p.Name), Version: p.Version.String(), On: map[string]string{}}
		for _, on := range p.On {
			row.On[r.Targets[on.Target].Name] = on.Artifact.Kind.String()
		}
		res.Rows = append(res.Rows, row)
	}
	for _, s := range r.Splits {
		if res.Split == nil {
			res.Split = map[string]string{}
		}
		res.Split[string(s.Name)] = s.Reason
	}
	return res
}

// buildResult tells what was made.
func buildResult(in *inputs, r *resolved, l *laid, pubs []*publish.Published, o BuildOptions) (*BuildResult, error) {
	res := &BuildResult{From: o.From, Onto: in.onto.Ref, Digest: pubs[0].Index.String()}
	for _, p := range pubs {
		res.Refs = append(res.Refs, p.Ref)
		res.Tags = append(res.Tags, p.Tags...)
	}
	res.Tags = distinct(res.Tags)
	for i, p := range in.platforms {
		name := platformName(p)
		one := PlatformResult{
			Platform: name,
			Digest:   of(pubs[0].Variants, name).String(),
			DevSize:  compressedSize(in.dev[i].image),
			BaseSize: compressedSize(in.base[i].image),
		}
		for _, pub := range pubs {
			one.Uploaded += of(pub.Uploaded, name)
			one.Reused += of(pub.Reused, name)
		}
		reasons := map[python.Name]string{}
		for _, pick := range r.On(i) {
			reasons[pick.Name] = why(pick)
		}
		for _, k := range l.plans[i].Packages {
			one.Packages = append(one.Packages, PackageResult{
				Name: string(k.Name), Version: k.Version.String(), From: k.From, Detail: k.Detail, Files: k.Files, Size: k.Size, Why: reasons[k.Name],
			})
		}
		var err error
		if one.Layers, err = layerResults(l, i, len(in.base[i].image.Manifest.Layers)); err != nil {
			return nil, err
		}
		for _, layer := range one.Layers {
			one.Added += layer.Size
		}
		one.Trimmed = trimResults(l.plans[i])
		for _, w := range l.plans[i].Warnings {
			res.Warnings = append(res.Warnings, name+": "+w)
		}
		res.Platforms = append(res.Platforms, one)
	}
	return res, nil
}

func trimResults(p *plan.Plan) []TrimResult {
	out := make([]TrimResult, 0, len(p.Trimmed))
	for _, t := range p.Trimmed {
		out = append(out, TrimResult{Owner: t.Owner, Rule: t.Rule, Files: t.Files, Size: t.Bytes})
	}
	return out
}

// layerResults lists the layers of a variant that are not the base's.
func layerResults(l *laid, i, below int) ([]LayerResult, error) {
	return layersFrom(l.images[i], below, func(k int) string { return l.plans[i].Layers[k].Name })
}

// layersFrom lists the layers of an image above the lowest ones, called as name says.
func layersFrom(img v1.Image, below int, name func(k int) string) ([]LayerResult, error) {
	list, err := img.Layers()
	if err != nil {
		return nil, err
	}
	var out []LayerResult
	for k, layer := range list[below:] {
		digest, err := layer.Digest()
		if err != nil {
			return nil, err
		}
		diffID, err := layer.DiffID()
		if err != nil {
			return nil, err
		}
		size, err := layer.Size()
		if err != nil {
			return nil, err
		}
		out = append(out, LayerResult{Name: name(k), Digest: digest.String(), DiffID: diffID.String(), Size: size})
	}
	return out, nil
}

// of looks a platform up in a map whose keys may name the variant that the
// architecture implies.
func of[T any](m map[string]T, name string) T {
	for k, v := range m {
		if p, err := v1.ParsePlatform(k); err == nil && platformName(*p) == name {
			return v
		}
	}
	var none T
	return none
}
