package python

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// WheelName is the parsed file name of a wheel (PEP 427, 425).
type WheelName struct {
	Name                  Name
	Version               Version
	Build                 string
	Python, ABI, Platform []string // compressed tag sets, lower case
}

// A wheel name that stands for more tags than this is refused: the longest real
// one has 24.
const maxTags = 10_000

// maxFileName is the longest file name that is looked at, in bytes.
const maxFileName = 4096

// ParseWheelName reads the file name of a wheel:
// {name}-{version}(-{build})?-{python}-{abi}-{platform}.whl
func ParseWheelName(file string) (*WheelName, error) {
	stem, ok := strings.CutSuffix(file, ".whl")
	if len(file) > maxFileName {
		return nil, fmt.Errorf("wheel %q: file name is longer than %d bytes", clip(file), maxFileName)
	}
	if !ok {
		return nil, fmt.Errorf("wheel %q: extension is not .whl", clip(file))
	}
	var buf [6]string
	parts, ok := splitInto(buf[:0], stem, '-')
	if !ok || len(parts) < 5 {
		return nil, fmt.Errorf("wheel %q: file name has %d parts, not 5 or 6", clip(file), strings.Count(stem, "-")+1)
	}
	w := &WheelName{}
	if !isWheelProject(parts[0]) {
		return nil, fmt.Errorf("wheel %q: %q is no escaped project name", clip(file), clip(parts[0]))
	}
	w.Name = NormalizeName(parts[0])
	var valid bool
	if w.Version, valid = parseVersion(parts[1]); !valid {
		return nil, fmt.Errorf("wheel %q: %q is no version", clip(file), clip(parts[1]))
	}
	if len(parts) == 6 {
		if w.Build = parts[2]; w.Build == "" || !isDigit(w.Build[0]) {
			return nil, fmt.Errorf("wheel %q: build number %q does not begin with a digit", clip(file), clip(w.Build))
		}
	}
	if err := w.setTags(parts[len(parts)-3:]); err != nil {
		return nil, fmt.Errorf("wheel %q: %w", clip(file), err)
	}
	return w, nil
}

// isWheelProject tells whether s is a project name as file names of wheels have
// it: words and dots, no doubled underscore.
func isWheelProject(s string) bool {
	if s == "" || strings.Contains(s, "__") {
		return false
	}
	for _, r := range s {
		if r != '.' && !isWord(r) {
			return false
		}
	}
	return true
}

func (w *WheelName) setTags(parts []string) error {
	count := 0
	for _, part := range parts {
		count += 1 + strings.Count(part, ".")
	}
	if count > maxTags {
		return fmt.Errorf("file name has more than %d tags", maxTags)
	}
	// The three sets share one array.
	all := make([]string, 0, count)
	sets := [3]*[]string{&w.Python, &w.ABI, &w.Platform}
	product := 1
	for i, part := range parts {
		start := len(all)
		all, _ = splitInto(all, strings.ToLower(part), '.')
		*sets[i] = all[start:len(all):len(all)]
		if slices.Contains(*sets[i], "") {
			return fmt.Errorf("tag set %q has an empty tag", clip(part))
		}
		product *= len(*sets[i])
	}
	if product > maxTags {
		return fmt.Errorf("file name stands for more than %d tags", maxTags)
	}
	for _, python := range w.Python {
		if !isIdentifier(python) {
			return fmt.Errorf("%q is no tag of an interpreter", clip(python))
		}
	}
	return nil
}

// splitInto appends the parts of s to list, as many as it has room for; ok is
// false if there are more.
func splitInto(list []string, s string, separator byte) (out []string, ok bool) {
	for len(list) < cap(list) {
		i := strings.IndexByte(s, separator)
		if i < 0 {
			return append(list, s), true
		}
		list = append(list, s[:i])
		s = s[i+1:]
	}
	return list, false
}

// isIdentifier tells whether s is an identifier of Python.
func isIdentifier(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError || !isWord(r) || i == 0 && r < utf8.RuneSelf && isDigit(byte(r)) {
			return false
		}
	}
	return s != ""
}

// Tags returns the tags that the wheel stands for.
func (w *WheelName) Tags() []Tag {
	out := make([]Tag, 0, len(w.Python)*len(w.ABI)*len(w.Platform))
	for _, python := range w.Python {
		for _, abi := range w.ABI {
			for _, platform := range w.Platform {
				out = append(out, Tag{python, abi, platform})
			}
		}
	}
	return out
}

// BuildNumber returns the number at the beginning of the build tag and the rest,
// by which builds of one version are ordered; 0 and "" if there is no build tag.
// A number past 64 bits is given as the largest one.
func (w *WheelName) BuildNumber() (number uint64, rest string) {
	end := skipDigits(w.Build, 0)
	return parseUint(w.Build[:end]), w.Build[end:]
}

// sdistExtensions are those of PEP 625 and, behind them, the older ones that pip
// still takes.
var sdistExtensions = []string{".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tbz", ".tar.Z", ".tar"}

// IsSdistName tells whether the file name has an extension of source archives,
// and is not so long that it cannot be one.
func IsSdistName(file string) bool {
	_, ok := sdistStem(file)
	return ok
}

func sdistStem(file string) (string, bool) {
	if len(file) > maxFileName {
		return "", false
	}
	for _, extension := range sdistExtensions {
		if stem, ok := strings.CutSuffix(file, extension); ok {
			return stem, true
		}
	}
	return "", false
}

// ParseSdistName splits the file name of a source archive; project is the
// project whose page lists it, since "a-b-1.0" is ambiguous without. With
// project "" the rules of PEP 625 hold: the version begins behind the last hyphen,
// and the extension is .tar.gz or .zip.
func ParseSdistName(file string, project Name) (Version, error) {
	stem, ok := sdistStem(file)
	if !ok || project == "" && !strings.HasSuffix(file, ".tar.gz") && !strings.HasSuffix(file, ".zip") {
		return Version{}, fmt.Errorf("source archive %q: extension is not .tar.gz or .zip", clip(file))
	}
	name, version := "", ""
	for i := 0; i < len(stem); i++ {
		if stem[i] != '-' {
			continue
		}
		if project == "" || NormalizeName(stem[:i]) == project {
			name, version = stem[:i], stem[i+1:]
			if _, valid := parseVersion(version); valid && project != "" {
				break
			}
		}
	}
	if name == "" {
		return Version{}, fmt.Errorf("source archive %q: file name is not %s-VERSION", clip(file), project)
	}
	v, valid := parseVersion(version)
	if !valid {
		return Version{}, fmt.Errorf("source archive %q: %q is no version", clip(file), clip(version))
	}
	return v, nil
}

// SplitSdistName returns name and version in the file name of a source archive,
// the version being what stands behind the last hyphen.
func SplitSdistName(file string) (Name, Version, error) {
	v, err := ParseSdistName(file, "")
	if err != nil {
		return "", Version{}, err
	}
	stem, _ := sdistStem(file)
	return NormalizeName(stem[:strings.LastIndexByte(stem, '-')]), v, nil
}
