package distill

import (
	"os"
	"strings"
	"time"

	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// IndexFromEnviron fills what the flags left open from the variables that pip
// and uv users have set already.
func IndexFromEnviron(o *IndexOptions, environ func(string) (string, bool)) {
	get := func(names ...string) string {
		for _, n := range names {
			if v, ok := environ(n); ok && strings.TrimSpace(v) != "" {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
	if o.IndexURL == "" {
		o.IndexURL = withUserOfEnviron(get("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"), environ)
	}
	if len(o.ExtraIndexURLs) == 0 {
		for _, u := range strings.Fields(get("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")) {
			o.ExtraIndexURLs = append(o.ExtraIndexURLs, withUserOfEnviron(u, environ))
		}
	}
	if len(o.FindLinks) == 0 {
		links := get("UV_FIND_LINKS")
		if links == "" {
			links = get("PIP_FIND_LINKS")
		}
		o.SoftFindLinks = strings.FieldsFunc(links, func(r rune) bool { return r == ' ' || r == ',' })
	}
	if len(o.TrustedHosts) == 0 {
		o.TrustedHosts = strings.Fields(get("PIP_TRUSTED_HOST", "UV_INSECURE_HOST"))
	}
	o.NoIndex = o.NoIndex || truth(get("PIP_NO_INDEX", "UV_NO_INDEX"))
	o.Offline = o.Offline || truth(get("UV_OFFLINE"))
	if o.ExcludeNewer == "" {
		o.ExcludeNewer = get("UV_EXCLUDE_NEWER")
	}
}

// withUserOfEnviron takes uv's NAME=URL form of an index apart and adds the
// credentials that UV_INDEX_NAME_USERNAME and _PASSWORD hold for it.
func withUserOfEnviron(s string, environ func(string) (string, bool)) string {
	name, url, named := strings.Cut(s, "=")
	if !named || strings.Contains(name, "/") {
		return s
	}
	prefix := "UV_INDEX_" + strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == '.' {
			return '_'
		}
		return r
	}, name))
	user, _ := environ(prefix + "_USERNAME")
	password, _ := environ(prefix + "_PASSWORD")
	return pypi.WithUser(url, user, password)
}

func truth(s string) bool {
	switch strings.ToLower(s) {
	case "1", "true", "yes", "on", "y", "t":
		return true
	}
	return false
}

// client makes the index client of flags and requirements files together. What a
// file says about the index wins over the flags, as with pip.
func (h *Host) client(o IndexOptions, file python.RequirementsOptions) (*pypi.Client, error) {
	index := o.IndexURL
	if file.IndexURL != "" {
		index = file.IndexURL
	}
	if index == "" {
		index = pypi.DefaultIndex
	}
	c := &pypi.Client{
		Cache:        h.Cache,
		Transport:    h.Transport,
		Indexes:      append(append(append([]string{}, o.ExtraIndexURLs...), file.ExtraIndexURLs...), index),
		FindLinks:    append(append([]string{}, o.FindLinks...), file.FindLinks...),
		NoIndex:      o.NoIndex || file.NoIndex,
		Offline:      o.Offline,
		Netrc:        h.Netrc,
		TrustedHosts: append(append([]string{}, o.TrustedHosts...), file.TrustedHosts...),
	}
	if h.Log != nil {
		c.Log = h.logf
	}
	for _, folder := range o.SoftFindLinks {
		if _, err := os.Stat(folder); err == nil || strings.Contains(folder, "://") {
			c.FindLinks = append(c.FindLinks, folder)
		}
	}
	switch o.Strategy {
	case "", "first-index":
	case "unsafe-best-match":
		c.UnsafeBestMatch = true
	default:
		return nil, usagef("use first-index or unsafe-best-match", "--index-strategy %q is unknown", o.Strategy)
	}
	return c, nil
}

// cutoff reads --exclude-newer. A plain date means the end of that day, as with
// uv.
func cutoff(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usagef("write 2026-01-31 or 2026-01-31T12:00:00Z", "--exclude-newer %q is no date", text)
	}
	return t, nil
}
