package python

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// lineOption is an option on a line of a requirements file: its first long name
// without hyphens, and its value.
type lineOption struct{ name, value string }

// optionSpec is an option that pip knows or has known in requirements files.
type optionSpec struct {
	name     string
	aliases  []string
	short    byte // 0 if there is none
	hasValue bool
}

var optionSpecs = []optionSpec{
	{name: "index-url", aliases: []string{"pypi-url"}, short: 'i', hasValue: true},
	{name: "extra-index-url", hasValue: true},
	{name: "no-index"},
	{name: "constraint", short: 'c', hasValue: true},
	{name: "requirement", short: 'r', hasValue: true},
	{name: "editable", short: 'e', hasValue: true},
	{name: "find-links", short: 'f', hasValue: true},
	{name: "no-binary", hasValue: true},
	{name: "only-binary", hasValue: true},
	{name: "prefer-binary"},
	{name: "require-hashes"},
	{name: "no-require-hashes"},
	{name: "pre"},
	{name: "all-releases", hasValue: true},
	{name: "only-final", hasValue: true},
	{name: "trusted-host", hasValue: true},
	{name: "use-feature", hasValue: true},
	{name: "hash", hasValue: true},
	{name: "config-settings", aliases: []string{"config-setting"}, short: 'C', hasValue: true},
	{name: "global-option", hasValue: true},
	{name: "install-option", hasValue: true},
}

// parseOptions reads the options of a line as pip's option parser does: values
// behind = or as the next word, long names may be shortened.
func parseOptions(text string) ([]lineOption, error) {
	words, err := splitWords(text)
	if err != nil {
		return nil, err
	}
	var out []lineOption
	for i := 0; i < len(words); i++ {
		spec, value, given, err := findOption(words[i])
		if err != nil {
			return nil, err
		}
		if spec.hasValue && !given {
			if i++; i == len(words) {
				return nil, fmt.Errorf("option --%s has no value", spec.name)
			}
			value = words[i]
		} else if given && !spec.hasValue {
			return nil, fmt.Errorf("option --%s takes no value", spec.name)
		}
		out = append(out, lineOption{spec.name, value})
	}
	return out, nil
}

// findOption returns the option that a word names, and the value if that is in
// the word too.
func findOption(word string) (spec *optionSpec, value string, given bool, err error) {
	long, ok := strings.CutPrefix(word, "--")
	switch {
	case ok && long != "":
		long, value, given = strings.Cut(long, "=")
		spec, err = longOption(long)
		return spec, value, given, err
	case ok || len(word) < 2 || word[0] != '-':
		return nil, "", false, fmt.Errorf("%q stands behind options, where only options can be", word)
	}
	for i := range optionSpecs {
		if optionSpecs[i].short == word[1] {
			return &optionSpecs[i], word[2:], len(word) > 2, nil
		}
	}
	return nil, "", false, fmt.Errorf("unknown option %q", word[:2])
}

func longOption(long string) (*optionSpec, error) {
	var found []*optionSpec
	for i := range optionSpecs {
		spec := &optionSpecs[i]
		names := append([]string{spec.name}, spec.aliases...)
		if slices.Contains(names, long) {
			return spec, nil
		}
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, long) }) {
			found = append(found, spec)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("unknown option %q", "--"+long)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("option %q may be --%s or --%s", "--"+long, found[0].name, found[1].name)
}

// options carries out a line that has options only.
func (r *requirementsReader) options(options []lineOption, pos Pos, fail func(error) error) error {
	if i := slices.IndexFunc(options, isInclude); i >= 0 {
		for j, o := range options {
			if j != i {
				r.warn(pos, "option --%s has no effect beside --%s", o.name, options[i].name)
			}
		}
		name, err := r.join(pos.File, options[i].value)
		if err != nil {
			return fail(err)
		}
		return r.read(name, options[i].name == "constraint", pos)
	}
	for _, o := range options {
		if err := r.option(o, pos); err != nil {
			return fail(err)
		}
	}
	return nil
}

func isInclude(o lineOption) bool { return o.name == "requirement" || o.name == "constraint" }

// option carries out one option of a line without requirement.
func (r *requirementsReader) option(o lineOption, pos Pos) error {
	out := &r.out.Options
	switch o.name {
	case "index-url":
		out.IndexURL = o.value
	case "extra-index-url":
		out.ExtraIndexURLs = append(out.ExtraIndexURLs, o.value)
	case "no-index":
		out.NoIndex = true
	case "find-links":
		link, err := r.joinLink(pos.File, o.value)
		if err != nil {
			return err
		}
		out.FindLinks = append(out.FindLinks, link)
	case "no-binary", "only-binary":
		return r.formats.set(o.name, o.value)
	case "prefer-binary":
		out.PreferBinary = true
	case "require-hashes":
		out.RequireHashes = true
	case "no-require-hashes":
		r.noRequireHashes = true
	case "pre":
		out.Pre = true
	case "all-releases":
		if o.value != ":all:" {
			return &RequirementsError{Reason: "option --all-releases is supported for :all: only", Hint: "name a pre-release in the requirement instead, such as >=2.0.dev0"}
		}
		out.Pre = true
	case "trusted-host":
		out.TrustedHosts = append(out.TrustedHosts, o.value)
	case "editable":
		return editableError(o.value)
	case "hash":
		r.warn(pos, "option --hash has no effect without a requirement")
	case "use-feature", "only-final", "config-settings":
		r.warn(pos, "option --%s has no effect here", o.name)
	default:
		return unsupportedOption(o.name)
	}
	return nil
}

// joinLink is join for --find-links, which may be a URL of any kind.
func (r *requirementsReader) joinLink(from, link string) (string, error) {
	if hasScheme(link) && !hasPrefixFold(link, "file:") {
		return link, nil
	}
	return r.join(from, link)
}

// requirementOption carries out an option behind a requirement.
func (r *requirementsReader) requirementOption(req *Requirement, o lineOption, pos Pos) error {
	switch o.name {
	case "hash":
		algorithm, digest, err := parseHash(o.value)
		if err != nil {
			return err
		}
		req.addHash(algorithm, digest)
	case "no-binary", "only-binary":
		return r.formats.set(o.name, o.value) // pip takes them anywhere
	case "editable":
		return editableError(o.value)
	case "config-settings", "global-option", "install-option":
		return unsupportedOption(o.name)
	default:
		r.warn(pos, "option --%s has no effect behind a requirement", o.name)
	}
	return nil
}

func unsupportedOption(name string) error {
	return &RequirementsError{
		Reason: "option --" + name + " is not supported",
		Hint:   "build a wheel with it (pip wheel) and name the wheel or its folder (--find-links)",
	}
}

func (r *Requirement) addHash(algorithm, digest string) {
	if r.Hashes == nil {
		r.Hashes = map[string][]string{}
	}
	if !slices.Contains(r.Hashes[algorithm], digest) {
		r.Hashes[algorithm] = append(r.Hashes[algorithm], digest)
	}
}

// digestLength are the lengths in bytes of the digests that pip takes.
var digestLength = map[string]int{"sha256": 32, "sha384": 48, "sha512": 64}

// parseHash reads sha256:DIGEST.
func parseHash(value string) (algorithm, digest string, err error) {
	algorithm, digest, ok := strings.Cut(value, ":")
	if !ok {
		return "", "", fmt.Errorf("hash %q is not ALGORITHM:DIGEST", value)
	}
	length, known := digestLength[algorithm]
	if !known {
		return "", "", fmt.Errorf("hash algorithm %q is none of sha256, sha384, sha512", algorithm)
	}
	b, err := hex.DecodeString(digest)
	if err != nil || len(b) != length {
		return "", "", fmt.Errorf("%s digest %q is not %d hexadecimal digits", algorithm, digest, 2*length)
	}
	return algorithm, strings.ToLower(digest), nil
}
