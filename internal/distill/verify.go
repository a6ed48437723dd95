package distill

import (
	"context"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/layers"
)

// VerifyOptions are the options of Verify.
type VerifyOptions struct {
	Image     string
	Platforms []string
	Ignore    []string
	Offline   bool
	Today     time.Time // decides which ignores have expired
	// Without are paths that are judged as if they were not in the image.
	Without []string
	// Run says how to run the image too; nil is not to.
	Run *RunOptions
}

// VerifyResult is what was found, as verify --json shows it.
type VerifyResult struct {
	Subject   string          `json:"subject"`
	Digest    string          `json:"digest"`
	Platforms []string        `json:"platforms"`
	Packages  int             `json:"packages"` // of all platforms, each name and version once
	Findings  []audit.Finding `json:"findings"`
	Ignored   []audit.Ignored `json:"ignored"`
	// Failing counts the findings that say that something can't work.
	Failing  int         `json:"failing"`
	Runs     []RunResult `json:"runs,omitempty"` // a platform each, if it was run
	Warnings []string    `json:"warnings,omitempty"`
}

// Verify tells for each platform of an image whether what is installed in it can run,
// by its files alone, and then by running it if that is asked for.
func Verify(ctx context.Context, h *Host, o VerifyOptions) (*VerifyResult, error) {
	const step = "reading image"
	ignores, _, err := policy(AuditOptions{Ignore: o.Ignore})
	if err != nil {
		return nil, err
	}
	s, err := image.Open(ctx, o.Image, h.imageOptions(step, o.Offline))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	platforms, err := choosePlatforms(h, o.Platforms, s)
	if err != nil {
		return nil, err
	}
	all, err := h.readAll(ctx, s, platforms, step)
	if err != nil {
		return nil, err
	}
	res := &VerifyResult{Subject: o.Image, Digest: s.Digest.String()}
	var found [][]audit.Finding
	packages := map[string]bool{}
	for i, one := range all {
		name := platformName(platforms[i])
		h.Teller.Step(name, "verifying")
		res.Platforms = append(res.Platforms, name)
		for _, d := range one.env.Distributions {
			packages[string(d.Name)+" "+d.Version.String()] = true
		}
		list, err := verifyOpened(one, o.Without)
		if err != nil {
			return nil, err
		}
		found = append(found, list)
	}
	res.Packages = len(packages)
	if o.Run != nil {
		runs, more, err := h.runImages(ctx, all, o.Without, *o.Run)
		if err != nil {
			return nil, err
		}
		res.Runs, found = runs, append(found, more...)
	}
	open, ignored, unused := audit.Sift(audit.MergePlatforms(found...), ignores, o.Today, audit.Place{File: o.Image})
	res.Findings, res.Ignored = append([]audit.Finding{}, open...), append([]audit.Ignored{}, ignored...)
	res.Failing = failing(open)
	for _, i := range unused {
		text := "nothing is found that --ignore " + i.ID + " is about"
		res.Warnings = append(res.Warnings, text)
		h.Teller.Warn(text)
	}
	return res, nil
}

// verifyOpened verifies one platform of an image, as if some paths were not in it.
func verifyOpened(one *opened, without []string) ([]audit.Finding, error) {
	vo, err := verifyOptions(one)
	if err != nil {
		return nil, err
	}
	env := one.env
	if len(without) > 0 {
		gone := slices.Clone(without)
		for i := range gone {
			gone[i] = files.Clean(gone[i])
		}
		slices.Sort(gone)
		rest := env.Files.Filter(func(f *files.File) bool { return !isGone(gone, f.Path) })
		env, err = inspect.Read(rest, inspect.Options{Platform: env.Platform, Env: one.image.Config.Config.Env})
		if err != nil {
			return nil, err
		}
	}
	return audit.Verify(env, vo), nil
}

// failing counts the findings that say that something can't work.
func failing(list []audit.Finding) int {
	n := 0
	for _, x := range list {
		if x.Severity.AtLeast(audit.High) {
			n++
		}
	}
	return n
}

// verifyOptions finds out what of an image is its base's, and where an application may be.
func verifyOptions(o *opened) (audit.VerifyOptions, error) {
	out := audit.VerifyOptions{Roots: appRoots(o.env, appDirs(o.image.Config)...)}
	n := baseLayers(o.image.Config)
	if n == 0 || n > len(o.image.Manifest.Layers) {
		return out, nil
	}
	base, err := image.Stack(image.Part{Image: o.image, To: n})
	if err != nil {
		return out, err
	}
	out.Inherited = inherited(base, o.env.Files)
	return out, nil
}

// baseLayers is the number of layers of the base that distill has built upon, 0 if the
// image was made by something else.
func baseLayers(c *v1.ConfigFile) int {
	if r, err := layers.ReadRecord(c); err == nil {
		return r.BaseLayers
	}
	n := 0
	for _, h := range c.History {
		if strings.HasPrefix(h.CreatedBy, "distill ") || strings.HasPrefix(h.CreatedBy, "distill:") {
			return n
		}
		if !h.EmptyLayer {
			n++
		}
	}
	return 0
}

// appDirs are the working directory of an image, and where --app went.
func appDirs(c *v1.ConfigFile) []string {
	dirs := []string{c.Config.WorkingDir}
	if r, err := layers.ReadRecord(c); err == nil {
		dirs = append(dirs, r.App...)
	}
	return dirs
}

// inherited tells whether a path of the whole tree is what it is in the base.
func inherited(base, whole files.Set) func(string) bool {
	return func(path string) bool {
		b, ok := base.Get(path)
		if !ok {
			return false
		}
		f, ok := whole.Get(path)
		return ok && f.Mode.Type() == b.Mode.Type() && f.Size == b.Size && f.Link == b.Link && f.SHA256 == b.SHA256 && f.ModTime == b.ModTime
	}
}

// appRoots are the directories with modules of an application: each of dirs, if it is one of the image's own and Python does not look into it anyway.
func appRoots(env *inspect.Environment, dirs ...string) []string {
	var out []string
	for _, dir := range dirs {
		p := files.Clean(dir)
		if p == "" || env.Python == nil || slices.Contains(env.Python.SysPath, p) || slices.Contains(out, p) {
			continue
		}
		if slices.ContainsFunc(env.Python.SysPath, func(s string) bool { return strings.HasPrefix(s, p+"/") }) {
			continue // an ancestor of what Python looks into: /usr, /root
		}
		out = append(out, p)
	}
	return out
}
