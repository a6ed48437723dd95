package transport

import (
	"net"
	"net/url"
	"strings"
)

// Redact returns a URL as it may be shown: without user, password, query (where
// signed URLs keep their signature) and fragment. Text that is no URL loses all
// in front of its last "@" but the scheme.
func Redact(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return RedactURL(u)
	}
	if at := strings.LastIndexByte(raw, '@'); at >= 0 {
		scheme, _, _ := strings.Cut(raw[:at], "://")
		if len(scheme) == at {
			scheme = ""
		}
		raw = scheme + "://" + raw[at+1:]
	}
	raw, _, _ = strings.Cut(raw, "?")
	return raw
}

// RedactURL is [Redact] for a parsed URL; nil gives "".
func RedactURL(u *url.URL) string {
	if u == nil {
		return ""
	}
	c := *u
	c.User, c.RawQuery, c.ForceQuery, c.Fragment, c.RawFragment = nil, "", false, "", ""
	return c.String()
}

// RedactText takes the user part out of every URL inside a text.
func RedactText(s string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "://")
		if i < 0 {
			break
		}
		b.WriteString(s[:i+3])
		s = s[i+3:]
		end := strings.IndexAny(s, "/?# \t\n\"'<>")
		if end < 0 {
			end = len(s)
		}
		if at := strings.LastIndexByte(s[:end], '@'); at >= 0 {
			s = s[at+1:]
		}
	}
	b.WriteString(s)
	return b.String()
}

// HostPort returns the host and port of a URL, the port being the scheme's own
// if the URL has none. Credentials belong to exactly this pair.
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
