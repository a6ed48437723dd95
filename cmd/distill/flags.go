package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

// outputFlags are what every command has.
type outputFlags struct {
	progress string
	quiet    bool
	verbose  bool
	json     bool
	color    string
	config   string
	cacheDir string
}

func (o *outputFlags) register(f *pflag.FlagSet) {
	f.StringVar(&o.progress, "progress", "auto", "how to show progress: auto, tty, plain, json or quiet")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "show errors only (--progress quiet)")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "also show what was asked of the index, each decision, what builds print, and libraries that may be loaded and are in neither image")
	f.BoolVar(&o.json, "json", false, "write the result to stdout as JSON")
	f.StringVar(&o.color, "color", "auto", "auto, always or never")
	f.StringVar(&o.config, "config", "", "configuration `FILE` (default distill.toml beside the first requirements file)")
	f.StringVar(&o.cacheDir, "cache-dir", "", "cache `DIR` (default $XDG_CACHE_HOME/distill)")
}

// registerRequirements adds what is asked for.
func registerRequirements(f *pflag.FlagSet, o *distill.RequirementOptions) {
	f.StringArrayVarP(&o.Files, "req", "r", nil, "requirements `FILE`, in pip's format (repeatable)")
	f.StringArrayVarP(&o.Constraints, "constraint", "c", nil, "constraints `FILE` (repeatable)")
	f.StringArrayVar(&o.Overrides, "override", nil, "`FILE` of requirements that replace what packages ask for (repeatable)")
	f.BoolVar(&o.RequireHashes, "require-hashes", false, "refuse a requirement without a hash")
}

// registerPins adds what an earlier lock counts for.
func registerPins(f *pflag.FlagSet, o *distill.PinOptions, what string) {
	f.StringVar(&o.Lock, "lock", "", what)
	f.BoolVar(&o.Locked, "locked", false, "fail if the lock would change, and show how")
	f.BoolVarP(&o.Upgrade, "upgrade", "U", false, "keep nothing of the lock")
	f.StringArrayVarP(&o.UpgradePackages, "upgrade-package", "P", nil, "keep all of the lock but `NAME` (repeatable)")
}

// registerIndex adds where packages come from.
func registerIndex(f *pflag.FlagSet, o *distill.IndexOptions) {
	f.StringVar(&o.IndexURL, "index-url", "", "package index `URL` (default PyPI)")
	f.StringArrayVar(&o.ExtraIndexURLs, "extra-index-url", nil, "further index `URL`, asked before --index-url (repeatable)")
	f.StringArrayVarP(&o.FindLinks, "find-links", "f", nil, "`FOLDER|URL` with more files (repeatable)")
	f.BoolVar(&o.NoIndex, "no-index", false, "ask no index")
	f.StringVar(&o.Strategy, "index-strategy", "first-index", "first-index: the first index that knows a project is the only one asked for it; unsafe-best-match: all")
	f.StringVar(&o.ExcludeNewer, "exclude-newer", "", "ignore files uploaded on or after `DATE` (2026-01-31 or RFC 3339)")
	f.BoolVar(&o.Offline, "offline", false, "use the network for nothing")
	f.StringArrayVar(&o.TrustedHosts, "trusted-host", nil, "`HOST` whose certificate is not verified (repeatable)")
}

// registerChoice adds what decides between versions and artifacts.
func registerChoice(f *pflag.FlagSet, o *distill.ChoiceOptions) {
	f.StringSliceVar(&o.Platforms, "platform", nil, "`PLATFORMS`, as linux/amd64,linux/arm64 (default: all that the images have)")
	f.StringVar(&o.PythonVersion, "python-version", "", "Python `VERSION` to resolve for when no image is given")
	f.StringVar(&o.Libc, "libc", "", "C library to resolve for when no image is given: glibc-2.36, musl-1.2")
	f.StringVar(&o.Prefer, "prefer", "image", "image (what stands in the development image, then newest), newest or lowest")
	f.StringVar(&o.Align, "align", "versions", "one newest version everywhere (versions), or an older one that has wheels everywhere (wheels)")
	f.BoolVar(&o.Pre, "pre", false, "also take pre-releases")
	f.StringArrayVar(&o.OnlyBinary, "only-binary", nil, "never build these `NAMES` (:all:, :none: or a comma list; repeatable)")
	f.StringArrayVar(&o.NoBinary, "no-binary", nil, "never take a wheel of these `NAMES` (repeatable)")
	f.BoolVar(&o.NoBuild, "no-build", false, "never build from source")
	f.StringSliceVar(&o.Sources, "source", nil, "order of preference, as `image,wheel,build`")
}

// registerImage adds what shows in the image.
func registerImage(f *pflag.FlagSet, o *imageFlags) {
	f.StringVar(&o.entrypoint, "entrypoint", "", "entrypoint: words as a shell splits them, or a JSON list")
	f.StringVar(&o.cmd, "cmd", "", "default arguments, likewise")
	f.StringArrayVarP(&o.image.Env, "env", "e", nil, "environment variable `NAME=value` (repeatable)")
	f.StringArrayVar(&o.image.App, "app", nil, "local folder or file `SRC:DST` that is the last layer (DST default /app; repeatable)")
	f.StringVar(&o.user, "user", "", "user `NAME|UID[:GROUP]` of the processes; the account is made if the base lacks it")
	f.StringVar(&o.workdir, "workdir", "", "working directory, made if the base lacks it")
	f.StringArrayVar(&o.labels, "label", nil, "label `NAME=value` (repeatable)")
	f.StringArrayVar(&o.annotations, "annotation", nil, "annotation `NAME=value` on index and manifests (repeatable)")
	f.StringVar(&o.image.Trim, "trim", "safe", "leave out what is not needed at run time: none, safe or max")
	registerCompile(f, &o.image.ByteCode)
	f.StringVar(&o.image.Compression, "compression", "gzip", "gzip or zstd")
	f.IntVar(&o.image.MaxLayers, "max-layers", 40, "most layers of an image, the base's included")
	f.StringArrayVar(&o.image.Include, "include", nil, "also lay files of the development image that match `GLOB` (repeatable)")
	f.StringArrayVar(&o.image.Exclude, "exclude", nil, "leave out files that match `GLOB` (repeatable)")
	f.StringArrayVar(&o.image.Hints, "hints", nil, "`FILE` that says what packages use beside their files (repeatable)")
}

// imageFlags are flags about the image that need a look before they are options.
type imageFlags struct {
	image               distill.ImageOptions
	entrypoint, cmd     string
	user, workdir       string
	labels, annotations []string
}

// options turns the flags into what the line takes.
func (o *imageFlags) options(set *pflag.FlagSet) (distill.ImageOptions, error) {
	out := o.image
	var err error
	if set.Changed("entrypoint") {
		if out.Entrypoint, err = words("--entrypoint", o.entrypoint); err != nil {
			return out, err
		}
	}
	if set.Changed("cmd") {
		if out.Cmd, err = words("--cmd", o.cmd); err != nil {
			return out, err
		}
	}
	if set.Changed("user") {
		out.User = &o.user
	}
	if set.Changed("workdir") {
		out.Workdir = &o.workdir
	}
	for _, e := range out.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return out, usagef("write it as NAME=value", "--env %q is no NAME=value", e)
		}
	}
	if out.Labels, err = pairs("--label", o.labels); err != nil {
		return out, err
	}
	out.Annotations, err = pairs("--annotation", o.annotations)
	return out, err
}

func pairs(flag string, list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range list {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, usagef("write it as NAME=value", "%s %q is no NAME=value", flag, s)
		}
		out[k] = v
	}
	return out, nil
}

// registerPublish adds where the result goes.
func registerPublish(f *pflag.FlagSet, o *distill.PublishOptions) {
	f.StringArrayVarP(&o.To, "to", "t", nil, "`REF` to publish to (repeatable; default oci:./NAME-distilled)")
	f.BoolVar(&o.TagAliases, "tag-aliases", false, "tag 1.4.2 also as 1.4, 1 and latest")
	f.BoolVar(&o.ArchTags, "arch-tags", true, "in a registry also tag each variant: TAG-amd64, TAG-arm64v8")
	f.BoolVar(&o.Insecure, "insecure", false, "speak plain HTTP to registries, or do not verify their certificate")
}
