package transport

import (
	"strings"
	"testing"
)

func TestRedactTakesSecretsOut(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:p@example.org/simple/":        "https://example.org/simple/",
		"https://u:p@example.org:8443/a?sig=p#x": "https://example.org:8443/a",
		"https://tok%40en@example.org":           "https://example.org",
		"/relative/path":                         "/relative/path",
		"https://u:p@exa mple.org/":              "https://exa mple.org/",
		"://u:p@x":                               "://x",
		"https://u:p@w@example.org/":             "https://example.org/",
		"https://[bad:u:p@example.org/":          "https://example.org/",
	} {
		if got := Redact(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	in := `failed to parse "https://u:p@h/x", then http://a@b:1?c and x://y`
	if got, want := RedactText(in), `failed to parse "https://h/x", then http://b:1?c and x://y`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzRedact(f *testing.F) {
	const secret = "zsecretz"
	for _, s := range []string{"@h/", "@c@d/e@f", "", "\x7f@h", "@h/?q=://a:b@c", "@h:80/?sig=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		if strings.Contains(rest, secret) || !strings.Contains(rest, "@") {
			return
		}
		raw := "https://user:" + secret + rest
		if got := Redact(raw); strings.Contains(got, secret) {
			t.Errorf("%q became %q", raw, got)
		}
	})
}
