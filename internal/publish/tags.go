package publish

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// index is the place of the index among what tags point to; variants have
// theirs from 0.
const index = -1

// named is a tag and what it points to.
type named struct {
	tag  string
	what int // index, or the number of a variant
}

// tagging decides which tags there are.
type tagging struct {
	dest    destination
	suffix  []string // of each variant, nil: no tags for them
	aliases bool
}

func newTagging(d destination, platforms []v1.Platform, opts Options) tagging {
	t := tagging{dest: d, aliases: opts.TagAliases}
	if opts.ArchTags == nil && d.kind == toRegistry || opts.ArchTags != nil && *opts.ArchTags {
		for _, p := range platforms {
			t.suffix = append(t.suffix, archSuffix(p))
		}
	}
	return t
}

// names lists all tags, the one asked for first, then its aliases, then those
// of the variants. There are the tags that the destination has already.
func (t tagging) names(there []string) ([]named, error) {
	base := []string{t.dest.tag}
	if t.aliases {
		base = append(base, aliases(t.dest.tag, there)...)
	}
	var all []named
	for _, b := range base {
		all = append(all, named{b, index})
	}
	seen := make(map[string]bool)
	for _, b := range base {
		for i, s := range t.suffix {
			n := named{b + "-" + s, i}
			if !validTag(n.tag) {
				return nil, usage(quote(t.dest.text), "tag %s is longer than 128 characters", n.tag)
			}
			if seen[n.tag] {
				return nil, usage(quote(t.dest.text), "two platforms would have the tag %s", n.tag)
			}
			seen[n.tag] = true
			all = append(all, n)
		}
	}
	return all, nil
}

// archSuffix names an architecture as the official images of Docker Hub do.
func archSuffix(p v1.Platform) string {
	s := p.Architecture + strings.ReplaceAll(p.Variant, "/", "")
	switch p.Architecture {
	case "arm64":
		s = "arm64" + variant(p)
	case "arm":
		s = "arm32" + variant(p)
	case "386":
		s = "i386"
	}
	if p.OS != "" && p.OS != "linux" {
		s = p.OS + "-" + s
	}
	return s
}

// variant is the variant of a platform, with the one that is meant if none is
// given (containerd's platforms.Normalize).
func variant(p v1.Platform) string {
	switch {
	case p.Variant != "":
		return p.Variant
	case p.Architecture == "arm64":
		return "v8"
	case p.Architecture == "arm":
		return "v7"
	}
	return ""
}

// aliases returns the shorter tags of a release: 1.4.2 is also 1.4, 1 and
// latest. A pre-release, and what is no semantic version of three numbers, has
// none; 0.3.1 is 0.3 but not 0, since 0.4 promises nothing to its users. An
// alias stays where it is if there is a higher release that it stands for.
func aliases(tag string, there []string) []string {
	prefix, v := release(tag)
	if v == nil {
		return nil
	}
	var minor, major, latest bool // whether there is a higher one
	for _, other := range there {
		if _, o := release(other); o != nil && o.GreaterThan(v) {
			latest = true
			major = major || o.Major() == v.Major()
			minor = minor || o.Major() == v.Major() && o.Minor() == v.Minor()
		}
	}
	var all []string
	if !minor {
		all = append(all, fmt.Sprintf("%s%d.%d", prefix, v.Major(), v.Minor()))
	}
	if !major && v.Major() > 0 {
		all = append(all, prefix+strconv.FormatUint(v.Major(), 10))
	}
	if !latest {
		all = append(all, "latest")
	}
	return all
}

// release reads 1.4.2 or v1.4.2; nil for everything else.
func release(tag string) (prefix string, v *semver.Version) {
	text, ok := strings.CutPrefix(tag, "v")
	if ok {
		prefix = "v"
	}
	v, err := semver.StrictNewVersion(text)
	if err != nil || v.Prerelease() != "" || v.Metadata() != "" {
		return "", nil
	}
	return prefix, v
}
