package pypi

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// listing is the rows of a page that are worth keeping, by version.
type listing struct {
	releases []listed // newest first
	skipped  int
}

type listed struct {
	version python.Version
	files   []*File // of the page's rows, in their order
}

// list checks the rows of a page about a project. base is the URL that relative
// ones are relative to.
func list(p *rawPage, name python.Name, base *url.URL) listing {
	base = baseOf(p, base)
	var out listing
	byText := map[string]int{} // version as file names write it -> its place in out
	for i := range p.rows {
		r := &p.rows[i]
		version, ok := versionOf(r.Name, name)
		if !ok || !r.clean(base) {
			out.skipped++
			continue
		}
		key := version.String()
		at, known := byText[key]
		if !known {
			at = len(out.releases)
			byText[key] = at
			out.releases = append(out.releases, listed{version: version})
		}
		out.releases[at].files = append(out.releases[at].files, &r.File)
	}
	out.sort()
	return out
}

// sort puts the newest version first, and makes one release of "1.0" and "1.0.0".
func (l *listing) sort() {
	slices.SortStableFunc(l.releases, func(a, b listed) int { return b.version.Compare(a.version) })
	kept := l.releases[:0]
	for _, r := range l.releases {
		if n := len(kept); n > 0 && kept[n-1].version.Compare(r.version) == 0 {
			kept[n-1].files = append(kept[n-1].files, r.files...)
			continue
		}
		kept = append(kept, r)
	}
	l.releases = kept
}

// baseOf returns what relative URLs of the page are relative to.
func baseOf(p *rawPage, page *url.URL) *url.URL {
	if p.base != "" {
		if u, err := page.Parse(p.base); err == nil && mayLink(page, u) {
			return u
		}
	}
	return page
}

// versionOf returns the version in the name of a wheel or a source archive, or ok
// false for anything else, files of other projects among it.
func versionOf(file string, project python.Name) (v python.Version, ok bool) {
	if file == "" || len(file) > 255 || !utf8.ValidString(file) || strings.ContainsAny(file, "/\\\x00") {
		return v, false
	}
	if isWheel(file) {
		w, err := python.ParseWheelName(file)
		if err != nil || w.Name != project {
			return v, false
		}
		return w.Version, true
	}
	if !python.IsSdistName(file) {
		return v, false
	}
	v, err := python.ParseSdistName(file, project)
	return v, err == nil
}

// clean makes the URL absolute and the hashes lower case; ok is false if the row
// is of no use.
func (r *rawRow) clean(base *url.URL) bool {
	if r.broken || r.Size < 0 {
		return false
	}
	if !r.fragment && base.Scheme != "file" && isPlainPath(r.URL) {
		if u, ok := below(base, r.URL); ok {
			r.URL = u
		}
	}
	if r.fragment || !isPlainURL(r.URL) {
		u, err := base.Parse(r.URL)
		if err != nil || !mayLink(base, u) {
			return false
		}
		if r.fragment {
			r.Hashes = hashesOf(u.Fragment)
		}
		// Credentials that an index writes into its links are not used: they would
		// end in lock files and messages.
		u.User, u.Fragment, u.RawFragment = nil, "", ""
		r.URL = u.String()
	} else if base.Scheme == "https" && !strings.HasPrefix(r.URL, "https:") {
		return false
	}
	var ok bool
	if r.Hashes, ok = cleanHashes(r.Hashes); !ok {
		return false
	}
	if r.CoreMetadata != nil {
		if m, ok := cleanHashes(r.CoreMetadata); ok {
			r.CoreMetadata = m
		} else {
			r.CoreMetadata = nil
		}
	}
	r.RequiresPython = strings.ToValidUTF8(r.RequiresPython, "?")
	return true
}

// mayLink tells whether a page may point to u: not to this machine's files
// unless it is one itself, and not from https to http.
func mayLink(page, u *url.URL) bool {
	switch u.Scheme {
	case "https":
		return u.Host != ""
	case "http":
		return u.Host != "" && page.Scheme != "https"
	case "file":
		return page.Scheme == "file"
	}
	return false
}

// isPlainURL tells whether a URL is absolute and consists of characters that
// url.Parse would hand back as they are; most of those on an index do.
func isPlainURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			return false
		}
	}
	host, path, _ := strings.Cut(rest, "/")
	if name, port, ok := strings.Cut(host, ":"); ok {
		if port == "" || strings.Trim(port, "0123456789") != "" {
			return false
		}
		host = name
	}
	return host != "" && isPlain(host) && isPlain(path) && !strings.Contains(rest, "/../") && !strings.Contains(rest, "/./")
}

// isPlain tells whether all characters of a part of a URL stand for themselves.
func isPlain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', 'A' <= c && c <= 'Z', c == '/', c == '.', c == '-', c == '_', c == '+', c == '!', c == '~':
		default:
			return false
		}
	}
	return true
}

// isPlainPath tells whether a URL is relative and made of names that need no second
// look, as indexes write that are not at the root of a host.
func isPlainPath(s string) bool {
	for strings.HasPrefix(s, "../") {
		s = s[3:]
	}
	return s != "" && !strings.HasPrefix(s, "//") && !strings.Contains(s, "/.") && s[0] != '.' &&
		strings.IndexByte(s, ':') < 0 && isPlainURL("http://h/"+strings.TrimPrefix(s, "/"))
}

// below resolves a plain path against the URL of a page, ok false where that takes
// more than to cut and to join.
func below(base *url.URL, path string) (u string, ok bool) {
	if base.RawPath != "" || base.Opaque != "" || base.User != nil || !isPlainURL("http://h"+base.Path) {
		return "", false
	}
	folder := ""
	if !strings.HasPrefix(path, "/") {
		folder = base.Path[:strings.LastIndexByte(base.Path, '/')+1]
		for strings.HasPrefix(path, "../") {
			up := strings.LastIndexByte(strings.TrimSuffix(folder, "/"), '/')
			if up < 0 {
				return "", false
			}
			folder, path = folder[:up+1], path[3:]
		}
		if folder == "" {
			return "", false
		}
	}
	return base.Scheme + "://" + base.Host + folder + path, true
}

// digestLen is the length in hex of the digests we know.
var digestLen = map[string]int{"md5": 32, "sha256": 64, "sha384": 96, "sha512": 128}

// cleanHashes returns the hashes that we can check; ok is false if one of them
// cannot be a digest.
func cleanHashes(m map[string]string) (clean map[string]string, ok bool) {
	simple := true
	for algorithm, digest := range m {
		simple = simple && len(digest) == digestLen[algorithm] && isLowerHex(digest)
	}
	if simple && m != nil {
		return m, true
	}
	clean = make(map[string]string, len(m))
	for _, algorithm := range slices.Sorted(maps.Keys(m)) {
		key := strings.ToLower(algorithm)
		n, known := digestLen[key]
		digest := strings.ToLower(strings.TrimSpace(m[algorithm]))
		switch {
		case !known:
		case len(digest) != n || !isLowerHex(digest):
			return nil, false
		default:
			clean[key] = cmp.Or(clean[key], digest)
		}
	}
	return clean, true
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// hashesOf reads the fragment of a link, "sha256=...", perhaps with more behind
// "&".
func hashesOf(fragment string) map[string]string {
	for part := range strings.SplitSeq(fragment, "&") {
		algorithm, digest, ok := strings.Cut(part, "=")
		if _, known := digestLen[algorithm]; ok && known {
			return map[string]string{algorithm: digest}
		}
	}
	return map[string]string{}
}
