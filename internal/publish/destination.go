package publish

import (
	"strings"
	"unicode"

	"github.com/google/go-containerregistry/pkg/name"
)

// kind is what a destination is.
type kind int

const (
	toRegistry kind = iota
	toLayout
	toArchive
)

// destination is where a result goes.
type destination struct {
	text string // as given
	kind kind
	path string          // of a folder or archive
	repo name.Repository // of a registry
	bare string          // as given, without tag
	tag  string
}

// parseDestination reads host/name[:TAG], oci:DIR[:TAG] or oci-archive:FILE[:TAG].
func parseDestination(s string) (destination, error) {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return destination{}, usage(quote(s), "has control characters in it")
	}
	if rest, ok := strings.CutPrefix(s, "oci:"); ok {
		return parsePath(s, "oci:", rest, toLayout)
	}
	if rest, ok := strings.CutPrefix(s, "oci-archive:"); ok {
		return parsePath(s, "oci-archive:", rest, toArchive)
	}
	for _, prefix := range []string{"docker-archive:", "docker-daemon:", "containers-storage:"} {
		if strings.HasPrefix(s, prefix) {
			return destination{}, usage(quote(s), "%s can be read only; write to a registry, oci:DIR or oci-archive:FILE", prefix)
		}
	}
	if strings.Contains(s, "@") {
		return destination{}, usage(quote(s), "a destination has a tag, not a digest")
	}
	if strings.Contains(s, "://") {
		return destination{}, usage(quote(s), "a registry reference has no scheme")
	}
	tag, err := name.NewTag(s)
	if err != nil {
		return destination{}, usage(quote(s), "no registry reference (host/name:tag)")
	}
	if !validTag(tag.TagStr()) || !validPath(tag.RepositoryStr()) {
		return destination{}, usage(quote(s), "no registry reference (host/name:tag, lower case)")
	}
	d := destination{text: s, kind: toRegistry, repo: tag.Repository, tag: tag.TagStr()}
	d.bare, _ = splitTag(s)
	return d, nil
}

func parsePath(s, prefix, rest string, k kind) (destination, error) {
	path, tag := splitTag(rest)
	if path == "" {
		return destination{}, usage(quote(s), "names no path")
	}
	if tag == "" {
		tag = name.DefaultTag
	}
	return destination{text: s, kind: k, path: path, bare: prefix + path, tag: tag}, nil
}

// splitTag cuts off ":TAG" at the end, if what follows the last colon is a tag:
// a path may have colons, too.
func splitTag(s string) (rest, tag string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || !validTag(s[i+1:]) {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// validTag checks the rule of the distribution specification:
// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
func validTag(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !alphanumeric(c) && (c < 'A' || c > 'Z') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// validPath checks the rule of the distribution specification for repository
// names: lower case parts, joined inside by one of . _ __ or dashes.
func validPath(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || !alphanumeric(part[0]) || !alphanumeric(part[len(part)-1]) {
			return false
		}
		for _, bad := range []string{"..", "._", "_.", ".-", "-.", "_-", "-_", "___"} {
			if strings.Contains(part, bad) {
				return false
			}
		}
	}
	return true
}

func alphanumeric(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
