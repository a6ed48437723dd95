package publish

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestAliases(t *testing.T) {
	for _, c := range []struct{ tag, there, want string }{
		{"1.4.2", "", "1.4 1 latest"},
		{"v1.4.2", "", "v1.4 v1 latest"},
		{"0.3.1", "", "0.3 latest"},
		{"1.4", "", ""},
		{"1", "", ""},
		{"latest", "", ""},
		{"nightly", "", ""},
		{"1.4.2-rc.1", "", ""},
		{"1.4.2rc1", "", ""},
		{"1.4.2-alpine", "", ""},
		{"01.4.2", "", ""},
		{"1.4.2", "1.4.1 1.4.2 1.3.9 0.9.0 latest 1 1.4", "1.4 1 latest"},
		{"1.4.2", "1.4.3", ""},
		{"1.4.2", "1.5.0", "1.4"},
		{"1.4.2", "2.0.0", "1.4 1"},
		{"1.4.2", "v2.0.0", "1.4 1"},
		{"1.4.2", "2.0.0-rc.1 1.4.3-beta 1.4.3-amd64", "1.4 1 latest"},
		{"1.4.2", "1.10.0", "1.4"},
	} {
		if got := strings.Join(aliases(c.tag, strings.Fields(c.there)), " "); got != c.want {
			t.Errorf("%s beside %q: %q, want %q", c.tag, c.there, got, c.want)
		}
	}
}

func TestArchSuffix(t *testing.T) {
	for platform, want := range map[string]string{
		"linux/amd64": "amd64", "linux/amd64/v3": "amd64v3", "linux/arm64": "arm64v8", "linux/arm64/v8": "arm64v8",
		"linux/arm/v7": "arm32v7", "linux/arm": "arm32v7", "linux/arm/v6": "arm32v6", "linux/386": "i386",
		"linux/ppc64le": "ppc64le", "linux/s390x": "s390x", "linux/riscv64": "riscv64", "windows/amd64": "windows-amd64",
	} {
		p, err := v1.ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		if got := archSuffix(*p); got != want {
			t.Errorf("%s: %s, want %s", platform, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	both := []v1.Platform{amd64, arm64}
	for _, c := range []struct {
		dest string
		opts Options
		want string
	}{
		{"app", Options{}, "latest latest-amd64 latest-arm64v8"},
		{"example.org/app:1.4.2", Options{TagAliases: true}, "1.4.2 1.4 1 latest 1.4.2-amd64 1.4.2-arm64v8 1.4-amd64 1.4-arm64v8 1-amd64 1-arm64v8 latest-amd64 latest-arm64v8"},
		{"example.org/app:1.4.2", Options{TagAliases: true, ArchTags: new(bool)}, "1.4.2 1.4 1 latest"},
		{"oci:dir", Options{}, "latest"},
		{"oci:dir:x", Options{ArchTags: ptr(true)}, "x x-amd64 x-arm64v8"},
		{"oci-archive:a.tar:x", Options{}, "x"},
	} {
		got, err := Names(c.dest, both, c.opts)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, %v; want %s", c.dest, got, err, c.want)
		}
	}
	if _, err := Names("example.org/app:"+strings.Repeat("x", 125), both, Options{}); !errors.Is(err, ErrUsage) {
		t.Errorf("too long with suffix: %v", err)
	}
	if _, err := Names("app:1", []v1.Platform{arm64, {OS: "linux", Architecture: "arm64", Variant: "v8"}}, Options{}); !errors.Is(err, ErrUsage) {
		t.Errorf("two of one: %v", err)
	}
}

func TestParseDestination(t *testing.T) {
	type short struct {
		kind            kind
		path, repo, tag string
		bare            string
	}
	for text, want := range map[string]short{
		"app":                        {toRegistry, "", "index.docker.io/library/app", "latest", "app"},
		"team/app:1.0":               {toRegistry, "", "index.docker.io/team/app", "1.0", "team/app"},
		"localhost:5000/app":         {toRegistry, "", "localhost:5000/app", "latest", "localhost:5000/app"},
		"localhost:5000/team/app:v1": {toRegistry, "", "localhost:5000/team/app", "v1", "localhost:5000/team/app"},
		"[::1]:5000/app:v1":          {toRegistry, "", "[::1]:5000/app", "v1", "[::1]:5000/app"},
		"oci:out":                    {toLayout, "out", "", "latest", "oci:out"},
		"oci:/a/b:1.0":               {toLayout, "/a/b", "", "1.0", "oci:/a/b"},
		"oci:./a:b/c":                {toLayout, "./a:b/c", "", "latest", "oci:./a:b/c"},
		"oci:a:b:c":                  {toLayout, "a:b", "", "c", "oci:a:b"},
		"oci:out:":                   {toLayout, "out:", "", "latest", "oci:out:"},
		"oci-archive:a.tar":          {toArchive, "a.tar", "", "latest", "oci-archive:a.tar"},
		"oci-archive:a.tar:2":        {toArchive, "a.tar", "", "2", "oci-archive:a.tar"},
	} {
		d, err := parseDestination(text)
		got := short{d.kind, d.path, "", d.tag, d.bare}
		if d.kind == toRegistry && err == nil {
			got.repo = d.repo.Name()
		}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ":", "oci:", "oci-archive:", "oci::x", "https://example.org/app", "app@sha256:beef", "app:1@sha256:beef", "UPPER", "a//b", "a/", "/a",
		"app:-x", "app:" + strings.Repeat("x", 129), "docker-archive:x.tar", "docker-daemon:x", "containers-storage:x", "a\x1b[2J", "oci:a\nb", "a..b", "a b",
		"example.org/app:.x", "example.org/_a", "example.org/a___b",
	} {
		if d, err := parseDestination(text); !errors.Is(err, ErrUsage) || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q: %+v, %v", text, d, err)
		}
	}
}

func FuzzParseDestination(f *testing.F) {
	for _, s := range []string{"localhost:5000/team/app:v1", "oci:./a:b/c:1", "oci-archive:a.tar:2", "app", "[::1]:5000/a", "docker.io/a:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDestination(s)
		if err != nil {
			return
		}
		if !validTag(d.tag) {
			t.Errorf("tag %q", d.tag)
		}
		switch d.bare {
		case "oci", "oci-archive", "docker-archive", "docker-daemon", "containers-storage":
			return // repositories that can be named without a tag only
		}
		again, err := parseDestination(d.bare + ":" + d.tag)
		if err != nil || again.bare != d.bare || again.tag != d.tag || again.path != d.path || again.repo != d.repo {
			t.Errorf("%q: %+v, then %+v, %v", s, d, again, err)
		}
	})
}

func FuzzLayoutIndex(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"sha256:` + strings.Repeat("a", 64) + `","annotations":{"org.opencontainers.image.ref.name":"x"}}],"y":1}`))
	f.Add([]byte(`{"manifests":null}`))
	c := &content{index: document{digest: v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("b", 64)}, bytes: []byte("{}")}}
	f.Fuzz(func(t *testing.T, data []byte) {
		idx, err := parseLayoutIndex(data)
		if err != nil {
			return
		}
		out, err := idx.with(c, []named{{"x", index}})
		if err != nil {
			t.Skip() // invalid raw values
		}
		again, err := parseLayoutIndex(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		found := 0
		for _, e := range again.entries {
			if e.Annotations[refName] == "x" {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d entries in %s", found, out)
		}
		twice, err := again.with(c, []named{{"x", index}})
		if err != nil || !cmp.Equal(twice, out) {
			t.Errorf("%s then %s, %v", out, twice, err)
		}
	})
}
