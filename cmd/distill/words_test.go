package main

import (
	"slices"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string // nil: refused
	}{
		{"", []string{}},
		{" python3  -m app ", []string{"python3", "-m", "app"}},
		{`["python3", "-c", "a b; c"]`, []string{"python3", "-c", "a b; c"}},
		{`[]`, []string{}},
		{`python3 -c 'print("a  b")'`, []string{"python3", "-c", `print("a  b")`}},
		{`a "b \"c\" \n" d\ e ''`, []string{"a", `b "c" \n`, "d e", ""}},
		{`--x="a b"c`, []string{"--x=a bc"}},
		{`a\$b 'c$d' "e\$f"`, []string{"a$b", "c$d", "e$f"}},
		{"gunicorn app:app --bind=0.0.0.0:80 -k *", []string{"gunicorn", "app:app", "--bind=0.0.0.0:80", "-k", "*"}},
		{"a && b", nil},
		{"a $HOME", nil},
		{`a "$HOME"`, nil},
		{"a `b`", nil},
		{"a > b", nil},
		{"a 'b", nil},
		{`a b\`, nil},
		{`["a", 1]`, nil},
		{`["a"`, nil},
	} {
		got, err := words("--entrypoint", c.in)
		switch {
		case c.want == nil && err == nil:
			t.Errorf("%q gives %q, want an error", c.in, *got)
		case c.want == nil:
		case err != nil:
			t.Errorf("%q: %v", c.in, err)
		case !slices.Equal(*got, c.want):
			t.Errorf("%q gives %q, want %q", c.in, *got, c.want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`a "b c" 'd' \e`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := words("--cmd", s)
		if err != nil || strings.HasPrefix(strings.TrimSpace(s), "[") {
			return
		}
		// Quoting what came out gives the same again.
		var quoted []string
		for _, w := range *got {
			quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
		}
		again, err := words("--cmd", strings.Join(quoted, " "))
		if err != nil || !slices.Equal(*again, *got) {
			t.Errorf("%q gives %q, and that %q, %v", s, *got, again, err)
		}
	})
}
