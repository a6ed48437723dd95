package python

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func TestDecodeRequirements(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"UTF-8", "größe", "größe"},
		{"UTF-8 with a byte order mark", "\xef\xbb\xbfgröße", "größe"},
		{"UTF-16, little end first", "\xff\xfea\x00\xf6\x00=\xd8\x00\xde", "aö😀"},
		{"UTF-16, big end first", "\xfe\xff\x00a\x00\xf6", "aö"},
		{"UTF-32, little end first", "\xff\xfe\x00\x00a\x00\x00\x00\xf6\x00\x00\x00", "aö"},
		{"UTF-32, big end first", "\x00\x00\xfe\xff\x00\x00\x00a\x00\x00\x00\xf6", "aö"},
		{"Latin-1 by comment", "# -*- coding: latin-1 -*-\n\xe9", "# -*- coding: latin-1 -*-\né"},
		{"Latin-1 in the second line", "a\n# vim: set fileencoding=iso-8859-1 :\n\xe9", "a\n# vim: set fileencoding=iso-8859-1 :\né"},
		{"a word that only looks like it", "# encodings\n# coding? utf\né", "# encodings\n# coding? utf\né"},
		{"empty", "", ""},
	} {
		if got, err := decodeRequirements([]byte(c.in)); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	for name, in := range map[string]string{
		"no UTF-8":         "\xe9",
		"unknown encoding": "# coding: klingon\na",
		"no ASCII":         "# coding: ascii\n\xe9",
		"odd UTF-16":       "\xff\xfea",
		"odd UTF-32":       "\xff\xfe\x00\x00a",
		"UTF-32 too large": "\xff\xfe\x00\x00\xff\xff\xff\xff",
		"third line":       "a\nb\n# coding: latin-1\n\xe9",
	} {
		if got, err := decodeRequirements([]byte(in)); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for in, want := range map[string][]string{
		`a  b	c`:           {"a", "b", "c"},
		`'a b' "c d"`:      {"a b", "c d"},
		`a'b'"c"d`:         {"abcd"},
		`a\ b \"`:          {"a b", `"`},
		`"a\"b\\c\d" '\x'`: {`a"b\c\d`, `\x`},
		`''`:               {""},
		``:                 nil,
	} {
		if got, err := splitWords(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestRequirementsFromTheWeb(t *testing.T) {
	files := map[string]string{
		"https://example.org/sub/a.txt":   "-r ../b.txt\n-c c.txt\n./x-1.0-py3-none-any.whl\n-f links\n",
		"https://example.org/b.txt":       "from-b\n",
		"https://example.org/sub/c.txt":   "from-c<2\n",
		"requirements.txt":                "-r https://example.org/sub/a.txt\n-r file:///abs/d.txt\n",
		"/abs/d.txt":                      "-r e.txt\n",
		"/abs/e.txt":                      "from-e\n",
		"https://example.org/sub/cyc.txt": "-r https://example.org/sub/cyc.txt\n",
	}
	want := `requirement https://example.org/b.txt:1 from-b
requirement https://example.org/sub/a.txt:3 x @ https://example.org/sub/x-1.0-py3-none-any.whl
requirement /abs/e.txt:1 from-e
constraint https://example.org/sub/c.txt:1 from-c<2
option find-links https://example.org/sub/links
`
	if got := dumpRequirements("requirements.txt", files); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := dumpRequirements("https://example.org/sub/cyc.txt", files); !strings.Contains(got, "include each other") {
		t.Errorf("got %s", got)
	}
	if got := dumpRequirements("./requirements.txt", map[string]string{"./requirements.txt": "-r requirements.txt"}); !strings.Contains(got, "include each other") {
		t.Errorf("got %s", got)
	}
}

func TestRequirementsAreBounded(t *testing.T) {
	deep := func(name string) ([]byte, error) {
		return []byte("-r x" + name + "\n"), nil
	}
	var e *RequirementsError
	if _, err := ParseRequirements("a", deep, nil); !errors.As(err, &e) || !strings.Contains(err.Error(), "more than 50") {
		t.Errorf("got error %.200v", err)
	}
	wide := func(name string) ([]byte, error) {
		if name == "a" {
			return []byte(strings.Repeat("-r b\n", 2000)), nil
		}
		return nil, nil
	}
	if _, err := ParseRequirements("a", wide, nil); !errors.As(err, &e) || !strings.Contains(err.Error(), "1000") {
		t.Errorf("got error %v", err)
	}
	large := func(name string) ([]byte, error) { return make([]byte, maxRequirementsBytes+1), nil }
	if _, err := ParseRequirements("a", large, nil); !errors.As(err, &e) || !strings.Contains(err.Error(), "larger") {
		t.Errorf("got error %v", err)
	}
}

func TestRequirementsErrorsHideCredentialsAndKeepTheCause(t *testing.T) {
	refuse := func(name string) ([]byte, error) {
		if name != "a" {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrPermission)
		}
		return []byte("-r https://user:pass@word@example.org/a@b.txt"), nil
	}
	_, err := ParseRequirements("a", refuse, nil)
	want := "a:1: https://example.org/a@b.txt: https://example.org/a@b.txt: permission denied"
	if err == nil || err.Error() != want || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestFormatControls(t *testing.T) {
	noBinary, onlyBinary, err := FormatControls(
		[2]string{"no-binary", ":all:"}, [2]string{"only-binary", "NumPy"}, [2]string{"no-binary", "a"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[Name][2]bool{"numpy": {false, true}, "a": {true, false}, "b": {true, false}} {
		if got := [2]bool{noBinary.Has(name), onlyBinary.Has(name)}; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if _, _, err := FormatControls([2]string{"no-binary", "a,,b"}); err == nil {
		t.Error("an empty name is accepted")
	}
}
