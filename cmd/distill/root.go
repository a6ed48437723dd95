package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/distill"
	"github.com/r-seed-1713b764/distill/internal/keychain"
	"github.com/r-seed-1713b764/distill/internal/transport"
)

// app is one run of the program.
type app struct {
	world
	output   outputFlags
	progress *progress
}

func newRoot(a *app) *cobra.Command {
	root := newBuild(a)
	root.Use = "distill"
	root.Short = "Turns the Python image people develop in into the image they ship"
	root.Version = version()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetVersionTemplate("distill {{.Version}}\n")
	root.AddCommand(newBuild(a), newLock(a), newInspect(a), newExplain(a), newAudit(a), newDiff(a), newVerify(a), newRebase(a), newCache(a))
	for _, c := range append(root.Commands(), root) {
		c.SilenceErrors, c.SilenceUsage = true, true
		c.Flags().SortFlags = false
		c.SetFlagErrorFunc(flagError)
		a.output.register(c.Flags())
	}
	return root
}

// version is the module version the toolchain stamped into the binary.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// comingCommands and comingFlags are part of the command line that later
// versions fill: naming them beats "unknown".
var (
	comingCommands = []string{"bundle"}
	comingFlags    = []string{"sbom", "provenance", "sign-key", "attest-in-index", "mirror", "report"}
)

func flagError(c *cobra.Command, err error) error {
	text := err.Error()
	for _, name := range comingFlags {
		if text == "unknown flag: --"+name {
			return usagef("docs/cli.md lists what is there", "--%s is not available in this version of distill", name)
		}
	}
	return usagef("see '"+c.CommandPath()+" --help'", "%s", text)
}

// noArguments refuses operands; for the root it is where a misspelt command is
// noticed.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.HasParent() {
		return usagef("", "%s takes no operand, but there is %q", c.CommandPath(), args[0])
	}
	if slices.Contains(comingCommands, args[0]) {
		return usagef("docs/cli.md lists what is there", "the command %q is not available in this version of distill", args[0])
	}
	return usagef("see 'distill --help'", "unknown command %q", args[0])
}

// isFlagOfAnyCommand tells whether some command has a flag of this name, now or
// in a later version: one distill.toml serves all commands.
func isFlagOfAnyCommand(name string) bool {
	root := newRoot(&app{})
	found := slices.Contains(comingFlags, name)
	for _, c := range append(root.Commands(), root) {
		found = found || c.Flags().Lookup(name) != nil
	}
	return found
}

// registries are the images that a command reads and writes, and how; the fields
// point to where the flags are put.
type registries struct {
	insecure *bool
	refs     func() []string
}

// hosts are the registries whose certificate is not looked at.
func (r registries) hosts() []string {
	if r.insecure == nil || !*r.insecure {
		return nil
	}
	return distill.RegistryHosts(r.refs())
}

// host settles the flags and opens what a command uses of the outside.
func (a *app) host(set *pflag.FlagSet, reg registries, index *distill.IndexOptions) (*distill.Host, error) {
	if err := settle(set, a.environ); err != nil {
		return nil, err
	}
	mode := a.output.progress
	if a.output.quiet {
		mode = "quiet"
	}
	var err error
	if a.progress, err = newProgress(a.stderr, mode, a.environ); err != nil {
		return nil, err
	}
	a.progress.verbose = a.output.verbose
	dir, err := a.cacheDir()
	if err != nil {
		return nil, err
	}
	store, err := cache.Open(dir)
	if err != nil {
		return nil, err
	}
	cert, _ := firstOf(a.environ, "PIP_CERT", "REQUESTS_CA_BUNDLE")
	h := &distill.Host{
		Cache:   store,
		Environ: a.environ,
		Teller:  a.progress,
		Netrc:   keychain.Netrc(a.environ),
		Version: version(),
	}
	if a.output.verbose {
		h.Log = a.progress.Log
	}
	opts := transport.Options{UserAgent: "distill/" + version(), CertFile: cert, InsecureHosts: reg.hosts()}
	if index != nil {
		distill.IndexFromEnviron(index, a.environ)
		opts.Offline = index.Offline
		opts.InsecureHosts = append(opts.InsecureHosts, index.TrustedHosts...)
	}
	h.Transport = transport.New(opts)
	h.Keychain = keychain.New(a.environ)
	h.Insecure = reg.insecure != nil && *reg.insecure
	return h, nil
}

// cacheDir is --cache-dir (or its variable), else the folder of the XDG base
// directories.
func (a *app) cacheDir() (string, error) {
	if a.output.cacheDir != "" {
		return filepath.Abs(a.output.cacheDir)
	}
	if x, _ := a.environ("XDG_CACHE_HOME"); filepath.IsAbs(x) {
		return filepath.Join(x, "distill"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usagef("set DISTILL_CACHE_DIR", "there is no folder for the cache: %v", err)
	}
	return filepath.Join(home, ".cache", "distill"), nil
}

func firstOf(environ func(string) (string, bool), names ...string) (string, bool) {
	for _, n := range names {
		if v, ok := environ(n); ok && v != "" {
			return v, true
		}
	}
	return "", false
}

// fail makes sure that a command says something sensible about a nil error of a
// cancelled context.
func fail(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errInterrupted
	}
	return err
}
