package resolve

import (
	"fmt"
	"slices"
	"strings"
)

// tagGroups writes what wheels are for, platform by platform: those of the
// machine in question first, and Linux only if there are any, as others never
// come into question.
func tagGroups(list []*Artifact, machine string) string {
	const most = 4
	by := make(map[string][]string)
	var platforms []string
	linux := slices.ContainsFunc(list, func(a *Artifact) bool { return strings.Contains(platformOf(a), "linux") })
	for _, a := range list {
		platform := platformOf(a)
		if linux && !strings.Contains(platform, "linux") {
			continue
		}
		if by[platform] == nil {
			platforms = append(platforms, platform)
		}
		if tag := strings.Join(a.WheelName.Python, "."); !slices.Contains(by[platform], tag) {
			by[platform] = append(by[platform], tag)
		}
	}
	slices.SortFunc(platforms, func(a, b string) int {
		if x, y := strings.HasSuffix(a, machine), strings.HasSuffix(b, machine); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	var out []string
	for i, platform := range platforms {
		if i == most {
			out = append(out, fmt.Sprintf("%d more", len(platforms)-most))
			break
		}
		out = append(out, tagSpan(by[platform])+" on "+platform)
	}
	return strings.Join(out, ", ")
}

func platformOf(a *Artifact) string { return a.WheelName.Platform[0] }

// tagSpan writes some Python tags in order of age, many by the ends.
func tagSpan(tags []string) string {
	slices.SortFunc(tags, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	if n := len(tags); n > 3 {
		return tags[0] + " to " + tags[n-1]
	}
	return strings.Join(tags, " ")
}
