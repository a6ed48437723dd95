package distill

import (
	"context"
	"slices"

	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// InspectResult is what is inside an image, as inspect --json shows it.
type InspectResult struct {
	Ref         string            `json:"ref"`
	Digest      string            `json:"digest"`
	Platforms   []InspectPlatform `json:"platforms"`
	Differences []Difference      `json:"differences,omitempty"`
}

// InspectPlatform is one platform of an image.
type InspectPlatform struct {
	Platform      string                `json:"platform"`
	Digest        string                `json:"digest"`
	OS            string                `json:"os,omitempty"`
	Size          int64                 `json:"size"` // compressed layers, bytes
	Files         int                   `json:"files"`
	OSPackages    []InspectPackage      `json:"osPackages"`
	CondaPackages []InspectPackage      `json:"condaPackages,omitempty"`
	Interpreters  []InspectInterpreter  `json:"interpreters"`
	Distributions []InspectDistribution `json:"distributions"`
	Warnings      []string              `json:"warnings,omitempty"`
}

// InspectPackage is a package of dpkg, apk or conda.
type InspectPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Files   int    `json:"files"` // of those it owns, the ones that are there
}

// InspectInterpreter is one Python of an image; the first runs as python3.
type InspectInterpreter struct {
	Path           string   `json:"path"`
	Names          []string `json:"names,omitempty"`
	Version        string   `json:"version"`
	Implementation string   `json:"implementation"`
	Scheme         string   `json:"scheme"`
	Prefix         string   `json:"prefix"`
	Packages       string   `json:"packages"` // where an installer puts new ones
	SysPath        []string `json:"sysPath"`
	Libc           string   `json:"libc"`
	Loader         string   `json:"loader"`
	ExtSuffix      string   `json:"extSuffix,omitempty"`
	Tags           []string `json:"tags"` // the best ones first
}

// InspectDistribution is one installed project.
type InspectDistribution struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Kind      string   `json:"kind"`
	Location  string   `json:"location"`
	Files     int      `json:"files"`
	FilesFrom string   `json:"filesFrom,omitempty"`
	Size      int64    `json:"size"` // uncompressed, bytes
	Owner     string   `json:"owner,omitempty"`
	Installer string   `json:"installer,omitempty"`
	Editable  string   `json:"editable,omitempty"`
	Shadowed  bool     `json:"shadowed,omitempty"`
	Modified  []string `json:"modified,omitempty"`
	Missing   []string `json:"missing,omitempty"`
	Refused   string   `json:"refused,omitempty"`
	Libraries []string `json:"libraries,omitempty"` // needed from outside it
}

// Difference is one thing that the platforms of an image do not share: value by
// platform, "" where it is not there.
type Difference struct {
	What   string            `json:"what"`
	Values map[string]string `json:"values"`
}

// Inspect tells what is inside an image.
func Inspect(ctx context.Context, h *Host, ref string, platforms []string) (*InspectResult, error) {
	const step = "reading image"
	s, err := image.Open(ctx, ref, h.imageOptions(step, false))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	ps, err := choosePlatforms(h, platforms, s)
	if err != nil {
		return nil, err
	}
	all, err := h.readAll(ctx, s, ps, step)
	if err != nil {
		return nil, err
	}
	res := &InspectResult{Ref: ref, Digest: s.Digest.String()}
	for _, o := range all {
		res.Platforms = append(res.Platforms, inspectPlatform(o))
	}
	res.Differences = differences(all)
	return res, nil
}

func inspectPlatform(o *opened) InspectPlatform {
	env := o.env
	p := InspectPlatform{
		Platform:      env.Platform,
		Digest:        o.image.Digest.String(),
		OS:            env.OSRelease,
		Size:          compressedSize(o.image),
		Files:         env.Files.Len(),
		OSPackages:    []InspectPackage{},
		Interpreters:  []InspectInterpreter{},
		Distributions: []InspectDistribution{},
		Warnings:      env.Warnings,
	}
	for _, k := range env.OS.Packages {
		p.OSPackages = append(p.OSPackages, InspectPackage{k.Name, k.Version, len(k.Files)})
	}
	for _, k := range env.Conda {
		p.CondaPackages = append(p.CondaPackages, InspectPackage{k.Name, k.Version, len(k.Files)})
	}
	for _, i := range env.Interpreters {
		p.Interpreters = append(p.Interpreters, inspectInterpreter(i))
	}
	for _, d := range env.Distributions {
		p.Distributions = append(p.Distributions, inspectDistribution(env, d))
	}
	return p
}

// shownTags is enough to see which wheels fit; a list has hundreds.
const shownTags = 8

func inspectInterpreter(i *inspect.Interpreter) InspectInterpreter {
	return InspectInterpreter{
		Path: i.Path, Names: i.Names, Version: i.Version.String(), Implementation: i.Implementation, Scheme: i.Scheme,
		Prefix: i.Prefix, Packages: i.Purelib, SysPath: i.SysPath, Libc: i.Libc.String(), Loader: i.Loader,
		ExtSuffix: i.ExtSuffix, Tags: bestTags(i.Tags),
	}
}

func inspectDistribution(env *inspect.Environment, d *inspect.Distribution) InspectDistribution {
	out := InspectDistribution{
		Name: string(d.Name), Version: d.Version.String(), Kind: string(d.Kind), Location: d.Location, Files: len(d.Files),
		FilesFrom: d.FilesFrom, Owner: d.Owner, Installer: d.Installer, Editable: d.Editable, Shadowed: d.Shadowed,
		Modified: d.Modified, Missing: d.Missing, Refused: d.Refused,
	}
	for _, path := range d.Files {
		if f, ok := env.Files.Get(path); ok {
			out.Size += f.Size
		}
	}
	for _, l := range env.Native(d).Libraries {
		if l.Owner == "" || l.Owner != libcOwner(env) {
			out.Libraries = append(out.Libraries, l.Name)
		}
	}
	return out
}

// libcOwner is the OS package of the interpreter's loader: its libraries are in
// every image that has the interpreter.
func libcOwner(env *inspect.Environment) string {
	if env.Python == nil {
		return ""
	}
	_, real, ok := env.Files.Lookup(env.Python.Loader)
	if p := env.OS.Owner(real); ok && p != nil {
		return p.Name
	}
	return ""
}

// compressedSize is the size of an image's layers as they travel.
func compressedSize(img *image.Image) int64 {
	var n int64
	for _, l := range img.Manifest.Layers {
		n += l.Size
	}
	return n
}

// differences compares every platform with the first.
func differences(all []*opened) []Difference {
	var out []Difference
	for _, o := range all[1:] {
		a, b := all[0].env, o.env
		for _, d := range inspect.Diff(a, b) {
			i := slices.IndexFunc(out, func(x Difference) bool { return x.What == d.What })
			if i < 0 {
				out = append(out, Difference{What: d.What, Values: map[string]string{}})
				i = len(out) - 1
			}
			out[i].Values[a.Platform], out[i].Values[b.Platform] = d.A, d.B
		}
	}
	return out
}

func bestTags(t *python.Tags) []string {
	out := []string{}
	if t == nil {
		return out
	}
	all := t.All()
	for _, tag := range all[:min(len(all), shownTags)] {
		out = append(out, tag.Python+"-"+tag.ABI+"-"+tag.Platform)
	}
	return out
}
