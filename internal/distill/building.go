package distill

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/buildkit"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
	"github.com/r-seed-1713b764/distill/internal/wheelcache"
)

// autoEngine is the engine that is chosen by what this machine can.
const autoEngine = "auto"

// LocalEngines are the names of the engines that run programs on this machine, the
// choice among them first.
func LocalEngines() []string { return append([]string{autoEngine}, sandbox.Engines()...) }

// engineAddresses are the forms of the addresses of a BuildKit.
func engineAddresses() []string {
	return []string{
		"buildkit://HOST", "tcp://HOST:PORT", "unix:///PATH", "docker-container://NAME", "podman-container://NAME", "nerdctl-container://NAME",
		"kube-pod://POD", "ssh://HOST", "buildx://NAME",
	}
}

// buildkitHost is the variable by which buildctl is told where BuildKit is.
const buildkitHost = "BUILDKIT_HOST"

// BuildingFromEnviron puts in what the environment says: BUILDKIT_HOST is the engine if
// none is chosen. An address there that can't be meant is an error of kind [Usage].
func BuildingFromEnviron(o *BuildingOptions, environ func(string) (string, bool)) error {
	host, ok := environ(buildkitHost)
	if !ok || host == "" || o.Engine != "" && o.Engine != autoEngine {
		return nil
	}
	if err := checkEngine(buildkitHost, host, engineAddresses()); err != nil {
		return err
	}
	o.Engine = host
	return nil
}

// check refuses what can't be meant, before anything is read; the error is of kind [Usage].
func (o *BuildingOptions) check(ctx context.Context) error {
	if o.Engine != "" && !slices.Contains(LocalEngines(), o.Engine) {
		if err := checkEngine("--build-engine", o.Engine, append(LocalEngines(), engineAddresses()...)); err != nil {
			return err
		}
	}
	if o.Memory < 0 || o.Memory > 0 && o.Memory < minMemory {
		return usagef("write it as 8GiB or 512MiB", "--build-memory %d is less than %d MiB, in which nothing can be built", o.Memory, minMemory>>20)
	}
	if o.WheelCache == "" {
		return nil
	}
	if err := checkReferences([]string{o.WheelCache}); err != nil {
		return err
	}
	if _, err := wheelcache.Open(ctx, o.WheelCache, wheelcache.Options{}); err != nil {
		return usagef("name a repository of a registry, as registry.example/team/wheels", "--wheel-cache %v", err)
	}
	return nil
}

// minMemory is what Python needs to start a compiler.
const minMemory = 64 << 20

// checkEngine refuses what is no address of a BuildKit; use are the forms that it may have.
func checkEngine(from, address string, use []string) error {
	hint := []string{"use " + strings.Join(use, ", ")}
	if !strings.Contains(address, "://") {
		return &Failure{Kind: Usage, Text: fmt.Sprintf("%s: there is no engine %q", from, address), Hint: hint}
	}
	if err := buildkit.CheckAddresses(address); err != nil {
		return &Failure{Kind: Usage, Text: from, Cause: err, Hint: hint}
	}
	return nil
}

// localEngine is the engine for programs that have to run on this machine.
func (o *BuildingOptions) localEngine() string {
	if slices.Contains(sandbox.Engines(), o.Engine) {
		return o.Engine
	}
	return autoEngine
}
