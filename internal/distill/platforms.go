package distill

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// machines maps OCI's names of processors to those of Python's platform tags.
var machines = map[string]string{
	"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l",
	"ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
}

// platformName is how a platform is called in text: the variant that its
// architecture implies is left out.
func platformName(p v1.Platform) string {
	name := p.OS + "/" + p.Architecture
	if p.Variant != "" && (p.Architecture != "arm64" || p.Variant != "v8") {
		name += "/" + p.Variant
	}
	return name
}

// parsePlatforms reads --platform.
func parsePlatforms(names []string) ([]v1.Platform, error) {
	var out []v1.Platform
	for _, n := range names {
		p, err := v1.ParsePlatform(strings.TrimSpace(n))
		if err != nil || p.Architecture == "" {
			return nil, usagef("write linux/amd64", "--platform %q is no platform", n)
		}
		if p.OS != "linux" || machines[p.Architecture] == "" {
			return nil, usagef("", "--platform %s: only Linux on %s is supported", n, strings.Join(slices.Sorted(maps.Keys(machines)), ", "))
		}
		if p.Architecture == "arm64" && p.Variant == "v8" {
			p.Variant = ""
		}
		if !slices.ContainsFunc(out, func(q v1.Platform) bool { return platformName(q) == platformName(*p) }) {
			out = append(out, *p)
		}
	}
	return out, nil
}

// choosePlatforms returns the platforms to work on: those asked for, which all
// images must have, else those that all images have.
func choosePlatforms(h *Host, want []string, sources ...*image.Source) ([]v1.Platform, error) {
	asked, err := parsePlatforms(want)
	if err != nil {
		return nil, err
	}
	byName := func(a, b v1.Platform) int { return strings.Compare(platformName(a), platformName(b)) }
	slices.SortFunc(asked, byName) // the order of words is no input
	if len(asked) > 0 {
		for _, p := range asked {
			for _, s := range sources {
				if !hasPlatform(s, p) {
					return nil, usagef("it has "+platformNames(s.Platforms), "%s has no platform %s", s.Ref, platformName(p))
				}
			}
		}
		return asked, nil
	}
	var out []v1.Platform
	for _, p := range sources[0].Platforms {
		if p.OS != "linux" || machines[p.Architecture] == "" {
			continue
		}
		if i := slices.IndexFunc(sources, func(s *image.Source) bool { return !hasPlatform(s, p) }); i >= 0 {
			h.Teller.Warn(platformName(p) + " is left out: " + sources[i].Ref + " has " + platformNames(sources[i].Platforms) + " only")
			continue
		}
		out = append(out, p)
	}
	slices.SortFunc(out, byName)
	if len(out) == 0 {
		var have []string
		for _, s := range sources {
			have = append(have, s.Ref+" has "+platformNames(s.Platforms))
		}
		return nil, unsupportedf("", "there is no Linux platform in common: %s", strings.Join(have, ", "))
	}
	return out, nil
}

func hasPlatform(s *image.Source, p v1.Platform) bool {
	return s.Ref == "scratch" || slices.ContainsFunc(s.Platforms, func(q v1.Platform) bool { return platformName(q) == platformName(p) })
}

func platformNames(list []v1.Platform) string {
	if len(list) == 0 {
		return "none"
	}
	var out []string
	for _, p := range list {
		out = append(out, platformName(p))
	}
	return strings.Join(out, ", ")
}

// parseLibc reads --libc.
func parseLibc(text string) (python.Libc, error) {
	family, version, ok := strings.Cut(text, "-")
	major, minor, dotted := strings.Cut(version, ".")
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if !ok || !dotted || err1 != nil || err2 != nil || a < 0 || b < 0 || (family != "glibc" && family != "musl") {
		return python.Libc{}, usagef("write glibc-2.36 or musl-1.2", "--libc %q is no C library", text)
	}
	return python.Libc{Family: family, Major: a, Minor: b}, nil
}
