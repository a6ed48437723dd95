package python

import (
	"strings"
	"testing"
)

func TestShowURLTakesSecretsOut(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:p@example.org/a-1-py3-none-any.whl":        "https://example.org/a-1-py3-none-any.whl",
		"https://tok%40en@example.org:8443/a?x=1":             "https://example.org:8443/a?x=1",
		"https://u:p/w@example.org/a":                         "https://example.org/a",
		"https://u:p?w@example.org/a":                         "https://example.org/a",
		"https://u:p@w@example.org/a":                         "https://example.org/a",
		"https://example.org/a?token=s&v=2&sig=t#sha256=ab":   "https://example.org/a?v=2#sha256=ab",
		"https://example.org/a?X-Amz-Signature=s&X-Amz-Date=": "https://example.org/a",
		"https://example.org/a?Access%5FToken=s":              "https://example.org/a",
		"https://example.org/a?key=s":                         "https://example.org/a",
		"https://example.org/a?keyboard=qwertz&monkey=1":      "https://example.org/a?keyboard=qwertz&monkey=1",
		"https://example.org/@scope/a":                        "https://example.org/@scope/a",
		"wheels/a@b.whl":                                      "wheels/a@b.whl",
	} {
		if got := ShowURL(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	in := `"git+https://u:s@h/a?token=s" and https://h/b?password=s not https://h/c?v=1`
	if got, want := ShowText(in), `"git+https://h/a" and https://h/b not https://h/c?v=1`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRequirementsShowNoSecrets(t *testing.T) {
	f, err := ParseRequirements("https://u:s3cr3t@h/r.txt", func(name string) ([]byte, error) {
		return []byte("alpha @ https://u:s3cr3t@h/a-1-py3-none-any.whl?token=s3cr3t&v=1 ; python_version > '3'\n"), nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := f.Requirements[0]
	if want := `alpha @ https://h/a-1-py3-none-any.whl?v=1 ; python_version > "3"`; r.String() != want || r.Pos.String() != "https://h/r.txt:1" {
		t.Errorf("got %s %s", r.Pos, r)
	}
	if !strings.Contains(r.URL, "u:s3cr3t@") || !strings.Contains(r.URL, "token=s3cr3t") {
		t.Errorf("%s can't be fetched any more", r.URL)
	}
}

func FuzzShowURL(f *testing.F) {
	const secret = "zsecretz"
	for _, s := range []string{"@h/", "@c@d/e@f", "/w@h/", "?w@h/", "#w@h/", "@h:80/?sig=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		if strings.Contains(rest, secret) || !strings.Contains(rest, "@") {
			return
		}
		raw := "https://user:" + secret + rest
		if got := ShowURL(raw); strings.Contains(got, secret) {
			t.Errorf("%q became %q", raw, got)
		}
	})
}
