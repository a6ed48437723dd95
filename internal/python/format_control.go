package python

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// FormatControl is the value of --no-binary or --only-binary: All or Names, but
// not Except, which the opposite option names.
type FormatControl struct {
	All    bool
	Names  []Name // sorted
	Except []Name // sorted; only with All
}

// Has tells whether the option holds for a project.
func (c *FormatControl) Has(name Name) bool {
	if _, ok := slices.BinarySearch(c.Names, name); ok {
		return true
	}
	_, except := slices.BinarySearch(c.Except, name)
	return c.All && !except
}

// FormatControls returns what --no-binary and --only-binary mean when they are
// given in this order; each is "no-binary" or "only-binary" with its value, a
// list of names, :all: and :none: joined by commas. A later one takes from an
// earlier one, as in pip.
func FormatControls(options ...[2]string) (noBinary, onlyBinary FormatControl, err error) {
	var sets formatSets
	for _, o := range options {
		if err := sets.set(o[0], o[1]); err != nil {
			return noBinary, onlyBinary, err
		}
	}
	noBinary, onlyBinary = sets.controls()
	return noBinary, onlyBinary, nil
}

// formatSets are what the options have gathered so far.
type formatSets struct{ noBinary, onlyBinary formatSet }

type formatSet struct {
	all   bool
	names map[Name]bool
}

func (s *formatSets) set(option, value string) error {
	target, other := &s.noBinary, &s.onlyBinary
	if option == "only-binary" {
		target, other = other, target
	}
	parts := strings.Split(value, ",")
	if i := lastIndex(parts, ":all:"); i >= 0 {
		*target, *other = formatSet{all: true}, formatSet{}
		if parts = parts[i+1:]; !slices.Contains(parts, ":none:") {
			return nil
		}
	}
	for _, part := range parts {
		if part == ":none:" {
			*target = formatSet{}
			continue
		}
		name, err := ParseName(trimSpace(part))
		if err != nil {
			return fmt.Errorf("--%s: %w", option, err)
		}
		delete(other.names, name)
		if target.names == nil {
			target.names = map[Name]bool{}
		}
		target.names[name] = true
	}
	return nil
}

func lastIndex(list []string, s string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == s {
			return i
		}
	}
	return -1
}

func (s *formatSets) controls() (noBinary, onlyBinary FormatControl) {
	return s.noBinary.control(&s.onlyBinary), s.onlyBinary.control(&s.noBinary)
}

func (s *formatSet) control(other *formatSet) FormatControl {
	c := FormatControl{All: s.all, Names: slices.Sorted(maps.Keys(s.names))}
	if s.all {
		for name := range other.names {
			if !s.names[name] {
				c.Except = append(c.Except, name)
			}
		}
		slices.Sort(c.Except)
	}
	return c
}
