package python

import (
	"fmt"
	"strings"
)

// ParseRequiresTxt reads requires.txt of an egg-info folder: requirements, below
// headings such as [extra], [:marker] or [extra:marker]. It returns them with
// the headings as markers, and the extras in the order in which they occur.
func ParseRequiresTxt(b []byte) ([]Requirement, []Name, error) {
	if len(b) > maxMetadata {
		return nil, nil, fmt.Errorf("requires.txt is larger than %d bytes", maxMetadata)
	}
	var out []Requirement
	var extras []Name
	heading := ""
	number := 0
	for line := range strings.SplitSeq(decodeText(b), "\n") {
		number++
		line = trimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section, ok := strings.CutSuffix(line[1:], "]")
			if !ok {
				return nil, nil, fmt.Errorf("requires.txt:%d: heading %q is not closed", number, clip(line))
			}
			extra, marker, _ := strings.Cut(section, ":")
			heading = trimSpace(marker)
			if extra = trimSpace(extra); extra == "" {
				continue
			}
			name := NormalizeName(extra)
			extras = appendNew(extras, name)
			heading = joinMarkers(heading, "extra == "+quotePython(string(name)))
		default:
			r, err := requirementUnder(heading, line)
			if err != nil {
				return nil, nil, fmt.Errorf("requires.txt:%d: %w", number, err)
			}
			if out = append(out, r); len(out) > maxRequiresDist {
				return nil, nil, fmt.Errorf("requires.txt has more than %d requirements", maxRequiresDist)
			}
		}
	}
	return out, extras, nil
}

// requirementUnder reads a requirement that holds only under a marker.
func requirementUnder(marker, line string) (Requirement, error) {
	r, err := ParseRequirementLenient(line)
	if err != nil || marker == "" {
		return r, err
	}
	r.Marker, err = ParseMarker(joinMarkers(r.Marker.String(), marker))
	return r, err
}

// joinMarkers joins two markers by "and"; either may be empty.
func joinMarkers(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return "(" + a + ") and (" + b + ")"
}

func appendNew(list []Name, name Name) []Name {
	for _, have := range list {
		if have == name {
			return list
		}
	}
	return append(list, name)
}
