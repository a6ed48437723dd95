package plan

import (
	"path"
	"slices"
	"strings"
)

// glob is a pattern for paths, split at slashes.
type glob struct {
	text  string
	parts []string // the last one is "**": a directory stands for all in it
}

func parseGlobs(list []string) ([]glob, error) {
	var out []glob
	for _, text := range list {
		parts := strings.Split(strings.Trim(text, "/"), "/")
		if len(parts) == 1 && parts[0] != "" {
			parts = slices.Insert(parts, 0, "**")
		}
		for _, part := range parts {
			if _, err := path.Match(part, ""); err != nil || part == "" || part == "." || part == ".." {
				return nil, failf(`patterns are like "usr/share/app/**/*.txt"`, "%q is no pattern for paths", text)
			}
		}
		out = append(out, glob{text: text, parts: append(parts, "**")})
	}
	return out, nil
}

// match tells whether path, without leading slash, is meant. It goes back only
// to the last "**", so its time is bounded by both lengths multiplied.
func (g glob) match(name string) bool {
	segs := strings.Split(name, "/")
	i, j := 0, 0
	star, mark := -1, 0
	for j < len(segs) {
		switch {
		case i < len(g.parts) && g.parts[i] == "**":
			star, mark = i, j
			i++
		case i < len(g.parts) && matchPart(g.parts[i], segs[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(g.parts) && g.parts[i] == "**" {
		i++
	}
	return i == len(g.parts)
}

func matchPart(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// root returns the directory that all matches are in, "" if there is no such.
func (g glob) root() string {
	n := 0
	for n < len(g.parts)-2 && !strings.ContainsAny(g.parts[n], `*?[\`) {
		n++
	}
	return strings.Join(g.parts[:n], "/")
}
