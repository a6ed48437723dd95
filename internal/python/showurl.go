package python

import (
	"net/url"
	"slices"
	"strings"
)

// ShowURL returns a URL as people and files may see it: without user and password,
// and without the values of its query that look like secrets (tokens, signatures).
// What is no URL stays as it is.
func ShowURL(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return raw
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		rest = rest[at+1:]
	}
	if _, err := url.Parse(scheme + "://" + rest); err != nil {
		// A slash or a question mark in the password ended the host too early.
		rest = rest[strings.LastIndexByte(rest, '@')+1:]
	}
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	if before, query, ok := strings.Cut(rest, "?"); ok {
		rest = before
		if query = openQuery(query); query != "" {
			rest += "?" + query
		}
	}
	if hasFragment {
		rest += "#" + fragment
	}
	return scheme + "://" + rest
}

// ShowText is [ShowURL] for every URL inside a text.
func ShowText(text string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, "://")
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := strings.IndexAny(text[i:], " \t\r\n\"'<>")
		if end < 0 {
			end = len(text) - i
		}
		end += i
		start := strings.LastIndexAny(text[:i], " \t\r\n\"'<>") + 1
		b.WriteString(text[:start])
		b.WriteString(ShowURL(text[start:end]))
		text = text[end:]
	}
}

// openQuery leaves the parts of a query out that look like secrets.
func openQuery(query string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(query, "&"), func(part string) bool {
		key, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(key); err == nil {
			key = plain
		}
		return isSecretKey(strings.ToLower(key))
	}), "&")
}

// isSecretKey tells whether the value of a query's key, in lower case, is one that
// lets others in, or belongs to the signature of a signed URL.
func isSecretKey(key string) bool {
	if strings.HasPrefix(key, "x-amz-") || strings.HasPrefix(key, "x-goog-") {
		return true
	}
	for _, part := range []string{"token", "secret", "passw", "signature", "credential", "apikey", "api_key", "api-key", "access_key", "accesskey", "private"} {
		if strings.Contains(key, part) {
			return true
		}
	}
	return slices.Contains([]string{"key", "sig", "pass", "pwd", "auth", "authorization", "jwt", "key-pair-id", "policy", "expires", "googleaccessid"}, key)
}
