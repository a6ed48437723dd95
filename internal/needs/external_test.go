package needs

import (
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/python"
)

func TestParseExternal(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"dep:generic/openssl", "generic openssl"},
		{"dep:virtual/compiler/c", "virtual compiler/c"},
		{"dep:virtual/interface/lapack@>=3.7.1", "virtual interface/lapack@>=3.7.1"},
		{"dep:generic/openjpeg@>=2.0,<3", "generic openjpeg@>=2.0,<3"},
		{"dep:github/AbiWord/enchant; platform_system!='Windows'", "github AbiWord/enchant; platform_system != \"Windows\""},
		{"pkg:Generic/libffi?arch=x#sub", "generic libffi"},
		{"virtual:compiler/c", "virtual compiler/c"},
		{" dep:golang/example.org/a/b ", "golang example.org/a/b"},
	} {
		x, err := ParseExternal(c.text)
		got := x.Type + " " + x.Name
		if x.Version != "" {
			got += "@" + x.Version
		}
		if x.Marker != nil {
			got += "; " + x.Marker.String()
		}
		if err != nil || got != c.want {
			t.Errorf("%q: %q, %v", c.text, got, err)
		}
	}
	for _, bad := range []string{"", "openssl", "dep:", "dep:openssl", "dep:generic/", "dep:/openssl", "dep:a//b", "dep:generic/a b", "dep:generic/a; os_name", "dep:generic/\x00", "dep:generic/" + strings.Repeat("a", 2000)} {
		if x, err := ParseExternal(bad); err == nil || x.Type != "" || x.Name != "" {
			t.Errorf("%q: %+v", bad, x)
		}
	}
}

func TestExternalDependenciesAreNeeded(t *testing.T) {
	b := book(t)
	x := externals(t, "dep:virtual/compiler/cpp", "dep:virtual/interface/blas", "dep:generic/libffi", "dep:generic/Libjpeg", "dep:github/openssl/openssl",
		"dep:generic/pkg-config", "dep:generic/ninja", "dep:github/acme/thing@>=1", "dep:pypi/numpy", "dep:virtual/compiler/algol", "dep:virtual/interface/teapot",
		"dep:generic/sqlite; platform_system=='Windows'", "dep:generic/zlib; platform_system=='Linux'")
	x[2].Optional = true
	x = append(x, External{Text: "gcc (any)"})
	l := b.For("acme", version(t, "1"), Hints{External: x})
	env := python.MarkerEnvFor(version(t, "3.11"), "x86_64")
	img := debian()
	img.Markers = &env
	r := Check(l, img)
	want := "C++ compiler, headers of Python, BLAS, libjpeg, OpenSSL, pkg-config, Ninja, zlib"
	if got := strings.Join(names(r.Missing()), ", "); got != want {
		t.Errorf("missing %s, want %s", got, want)
	}
	want = "libffi, dep:github/acme/thing@>=1, dep:virtual/compiler/algol, dep:virtual/interface/teapot, gcc (any)"
	if got := strings.Join(names(r.Unsure()), ", "); got != want {
		t.Errorf("unsure %s, want %s", got, want)
	}
}

func FuzzParseExternal(f *testing.F) {
	f.Add("dep:virtual/interface/lapack@>=3.7.1 ; platform_system != 'Windows'")
	f.Add("pkg:generic/a?b#c")
	b := BuiltIn()
	f.Fuzz(func(t *testing.T, text string) {
		x, err := ParseExternal(text)
		if err != nil {
			return
		}
		if x.Type == "" || x.Name == "" || x.Text != text {
			t.Errorf("%+v", x)
		}
		again := "dep:" + x.Type + "/" + x.Name
		if y, err := ParseExternal(again); err != nil || y.Type != x.Type || y.Name != x.Name {
			t.Errorf("%q: %+v, %v", again, y, err)
		}
		l := b.For("acme", python.Version{}, Hints{External: []External{x}})
		Check(l, debian()).Text()
	})
}
