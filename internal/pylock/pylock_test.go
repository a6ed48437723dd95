package pylock

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

var update = flag.Bool("update", false, "write the golden files")

func version(t *testing.T, s string) python.Version {
	t.Helper()
	v, err := python.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func requirement(t *testing.T, s, file string, line int) python.Requirement {
	t.Helper()
	r, err := python.ParseRequirement(s)
	if err != nil {
		t.Fatal(err)
	}
	r.Pos = python.Pos{File: file, Line: line}
	return r
}

func target(t *testing.T, name, machine string) resolve.Target {
	t.Helper()
	v := version(t, "3.11.2")
	return resolve.Target{
		Name: name, Python: v, Libc: python.Libc{Family: "glibc", Major: 2, Minor: 36}, Markers: python.MarkerEnvFor(v, machine),
		Tags: python.TagsFor(python.TagTarget{
			Implementation: "cp", Major: 3, Minor: 11, Arch: machine, Libc: python.Libc{Family: "glibc", Major: 2, Minor: 36},
		}),
	}
}

func wheel(t *testing.T, file string, digest byte) *resolve.Artifact {
	t.Helper()
	n, err := python.ParseWheelName(file)
	if err != nil {
		t.Fatal(err)
	}
	return &resolve.Artifact{
		Kind: resolve.Wheel, Target: -1, File: file, WheelName: n, URL: "https://user:secret@files.example.org/" + file,
		Hashes: map[string]string{"sha256": strings.Repeat(string(digest), 64), "md5": strings.Repeat(string(digest), 32)},
		Size:   1234, Uploaded: time.Date(2024, 5, 6, 7, 8, 9, 500000, time.UTC),
	}
}

// sample is a resolution with everything in it: files of the image, wheels, a
// source archive, a package that exists in the image only, a split package, a
// direct reference, and one that only one platform has.
func sample(t *testing.T) *resolve.Resolution {
	t.Helper()
	r := &resolve.Resolution{Targets: []resolve.Target{target(t, "linux/amd64", "x86_64"), target(t, "linux/arm64", "aarch64")}}
	add := func(name, v string, artifacts []*resolve.Artifact, on ...resolve.Placed) *resolve.Pick {
		p := &resolve.Pick{
			Name: python.Name(name), Version: version(t, v), Index: "https://user:secret@index.example.org/simple",
			Candidate: &resolve.Candidate{Artifacts: artifacts}, On: on,
		}
		for _, a := range artifacts {
			if a.Kind != resolve.ImageFiles {
				p.Files = append(p.Files, a)
			}
		}
		r.Picks = append(r.Picks, p)
		return p
	}
	image0 := &resolve.Artifact{Kind: resolve.ImageFiles, Target: 0}
	image1 := &resolve.Artifact{Kind: resolve.ImageFiles, Target: 1}
	a86 := wheel(t, "a_b-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", 'a')
	aarm := wheel(t, "a_b-1.0-cp311-cp311-manylinux_2_17_aarch64.whl", 'b')
	a := add("a-b", "1.0", []*resolve.Artifact{a86, aarm, image0}, resolve.Placed{Target: 0, Artifact: image0}, resolve.Placed{Target: 1, Artifact: aarm, Extras: []python.Name{"x"}})
	c := add("conda-thing", "2.0", []*resolve.Artifact{image0, image1}, resolve.Placed{Target: 0, Artifact: image0}, resolve.Placed{Target: 1, Artifact: image1})
	d := wheel(t, "direct-3.0-py3-none-any.whl", 'c')
	direct := add("direct", "3.0", []*resolve.Artifact{d}, resolve.Placed{Target: 0, Artifact: d}, resolve.Placed{Target: 1, Artifact: d})
	direct.URL = d.URL
	s1, s2 := wheel(t, "s-1.0-py3-none-any.whl", 'd'), wheel(t, "s-2.0-py3-none-any.whl", 'e')
	one := add("s", "1.0", []*resolve.Artifact{s1}, resolve.Placed{Target: 0, Artifact: s1})
	two := add("s", "2.0", []*resolve.Artifact{s2}, resolve.Placed{Target: 1, Artifact: s2})
	r.Splits = []resolve.Split{{Name: "s", Picks: []*resolve.Pick{one, two}}}
	source := &resolve.Artifact{Kind: resolve.Sdist, Target: -1, File: "z-0.1.tar.gz", URL: "https://files.example.org/z-0.1.tar.gz", Hashes: map[string]string{"sha256": strings.Repeat("f", 64)}}
	z := add("z", "0.1", []*resolve.Artifact{source}, resolve.Placed{Target: 1, Artifact: source})
	z.Guess = "its dependencies can only be told by a build"
	a.Wanted = []resolve.Want{{Requirement: requirement(t, "a-b[x]>=1", "dir/requirements.txt", 3), Targets: []int{0, 1}}}
	c.Wanted = []resolve.Want{{Requirement: requirement(t, "conda-thing", "", 0), Parent: a, Targets: []int{0, 1}}}
	a.Edges = []resolve.Edge{
		{To: c, Requirement: requirement(t, "conda-thing", "", 0), Targets: []int{0, 1}},
		{To: one, Requirement: requirement(t, "s", "", 0), Targets: []int{0}}, {To: two, Requirement: requirement(t, "s", "", 0), Targets: []int{1}},
	}
	a.Passed = []resolve.Passed{{First: version(t, "2.0"), Last: version(t, "2.0"), Count: 1, Reason: "is a pre-release \"\x1b[31m\u202e"}}
	return r
}

func sampleLock(t *testing.T) *Lock {
	t.Helper()
	l, err := From(sample(t), Meta{
		CreatedBy: "distill", Images: []Image{{Role: "from", Reference: "registry.example.org/dev:1", Digest: "sha256:" + strings.Repeat("0", 64)}},
		Options: map[string]string{"prefer": "image", "exclude-newer": "2025-01-01"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTextIsTheGoldenFile(t *testing.T) {
	got := sampleLock(t).Text()
	const golden = "testdata/sample.pylock.toml"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the text differs from %s; run go test -update and look:\n%s", golden, got)
	}
	for _, bad := range []string{"secret", "md5", "\x1b", "\u202e", "dir/requirements", "requirements.txt:3"} {
		if bytes.Contains(got, []byte(bad)) {
			t.Errorf("the text contains %q", bad)
		}
	}
}

func TestReadGivesWhatWasWritten(t *testing.T) {
	l := sampleLock(t)
	got, err := Read(l.Text())
	if err != nil {
		t.Fatal(err)
	}
	if again := got.Text(); !bytes.Equal(again, l.Text()) {
		t.Errorf("written again it is\n%s", again)
	}
	if !reflect.DeepEqual(got.Distill.Images, l.Distill.Images) || !reflect.DeepEqual(got.Distill.Options, l.Distill.Options) {
		t.Errorf("got images %v and options %v", got.Distill.Images, got.Distill.Options)
	}
}

func TestPreferencesFollowMarkers(t *testing.T) {
	l := sampleLock(t)
	got := make(map[string]int)
	for _, p := range l.Preferences(sample(t).Targets) {
		got[string(p.Name)+" "+p.Version.String()] += 1 << p.Target
	}
	want := map[string]int{"a-b 1.0": 3, "conda-thing 2.0": 3, "direct 3.0": 3, "s 1.0": 1, "s 2.0": 2, "z 0.1": 2}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFileWithoutHashIsNotLocked(t *testing.T) {
	r := sample(t)
	a := r.Picks[0].Files[0]
	a.Hashes = map[string]string{"md5": strings.Repeat("a", 32)}
	if got := Unhashed(r); len(got) != 1 || got[0] != a {
		t.Fatalf("Unhashed gives %v", got)
	}
	if _, err := From(r, Meta{CreatedBy: "distill"}); err == nil || !strings.Contains(err.Error(), a.File) {
		t.Errorf("got %v", err)
	}
	l, err := From(r, Meta{CreatedBy: "distill", SHA256: map[*resolve.Artifact]string{a: strings.Repeat("9", 64)}})
	if err != nil || !bytes.Contains(l.Text(), []byte(strings.Repeat("9", 64))) {
		t.Errorf("got %v", err)
	}
}

func TestTargetsThatMarkersCannotTellApart(t *testing.T) {
	r := sample(t)
	r.Targets[1].Markers = r.Targets[0].Markers
	if _, err := From(r, Meta{CreatedBy: "distill"}); err == nil || !strings.Contains(err.Error(), "no marker tells apart") {
		t.Errorf("got %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	head := "lock-version = \"1.0\"\ncreated-by = \"x\"\n"
	wheel := `{ url = "https://example.org/a-1.0-py3-none-any.whl", hashes = { sha256 = "00" } }`
	for _, c := range []struct{ text, want string }{
		{`created-by = "x"` + "\npackages = []", "lock-version: it is missing"},
		{"lock-version = \"2.0\"\ncreated-by = \"x\"\npackages = []", "unsupported lock version"},
		{"lock-version = 1\ncreated-by = \"x\"\npackages = []", "lock-version: this is a number, not a text"},
		{`lock-version = "1.0"` + "\npackages = []", "created-by: it is missing"},
		{head, "packages: it is missing"},
		{head + "packages = 1", "packages: this is a number, not an array"},
		{head + "packages = [1]", "packages[0]: this is a number, not a table"},
		{head + "environments = [\"nonsense ==\"]\npackages = []", "environments[0]"},
		{head + "requires-python = \"three\"\npackages = []", "requires-python"},
		{head + "[[packages]]\nversion = \"1\"", "packages[0].name: it is missing"},
		{head + "[[packages]]\nname = \"A.b\"", "no project name in normal form"},
		{head + "[[packages]]\nname = \"a\"\nversion = \"one\"", "packages[0].version"},
		{head + "[[packages]]\nname = \"a\"", "either sdist and wheels"},
		{head + "[[packages]]\nname = \"a\"\nmarker = \"x\"", "packages[0].marker"},
		{head + "[[packages]]\nname = \"a\"\nwheels = [" + wheel + "]\nvcs = { type = \"git\" }", "either sdist and wheels"},
		{head + "[[packages]]\nname = \"a\"\ndirectory = {path = \".\"}\nvcs = { type = \"git\" }", "both vcs and directory"},
		{head + "[[packages]]\nname = \"b\"\nwheels = [" + wheel + "]", "no wheel of b"},
		{head + "[[packages]]\nname = \"a\"\nversion = \"2\"\nwheels = [" + wheel + "]", "no wheel of a 2"},
		{head + "[[packages]]\nname = \"a\"\nsdist = { url = \"https://example.org/b-1.tar.gz\", hashes = { sha256 = \"00\" } }", "no source archive of a"},
		{head + "[[packages]]\nname = \"a\"\nsdist = { url = \"https://example.org/a-1.tar.gz\" }", "packages[0].sdist.hashes: no hash is given"},
		{head + "[[packages]]\nname = \"a\"\nsdist = { name = \"a-1.tar.gz\", hashes = { sha256 = \"00\" } }", "neither url nor path"},
		{head + "[[packages]]\nname = \"a\"\nsdist = { url = \"u/a-1.tar.gz\", size = -1, hashes = { sha256 = \"00\" } }", "size"},
		{head + "[[packages]]\nname = \"a\"\nsdist = { url = \"u/a-1.tar.gz\", upload-time = \"now\", hashes = { sha256 = \"00\" } }", "upload-time"},
		{head + "[[packages]]\nname = \"a\"\nsdist = { url = \"u/a-1.tar.gz\", hashes = { sha256 = \"zz\" } }", "no digest"},
		{"a = ", "line 1"},
		{"a = " + strings.Repeat("[", 1<<20), "deep"},
		{"a = " + strings.Repeat("{a=", 1<<20), "deep"},
		{strings.Repeat("a.", 1<<20) + "a = 1", "deep"},
		{"[" + strings.Repeat("a.", 1<<20) + "a]", "deep"},
	} {
		_, err := Read([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestReadUnhashedTakesFilesWithoutHash(t *testing.T) {
	const text = "lock-version = \"1.0\"\ncreated-by = \"x\"\n[[packages]]\nname = \"a\"\nversion = \"1\"\n" +
		"wheels = [{ url = \"https://example.org/a-1-py3-none-any.whl\" }, { url = \"https://example.org/a-1-py2-none-any.whl\", hashes = {} }]\n"
	if _, err := Read([]byte(text)); err == nil {
		t.Error("Read takes it")
	}
	l, err := ReadUnhashed([]byte(text))
	if err != nil || len(l.Packages) != 1 || len(l.Packages[0].Wheels) != 2 || len(l.Packages[0].Wheels[0].Hashes) != 0 {
		t.Errorf("got %v, %v", l, err)
	}
	if _, err := ReadUnhashed([]byte("a = " + strings.Repeat("[", 1<<20))); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("got %v", err)
	}
}

func TestReadOfOtherTools(t *testing.T) {
	for _, file := range []string{"testdata/uv.pylock.toml", "testdata/pip.pylock.toml"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		l, err := Read(b)
		if err != nil || len(l.Packages) == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// FuzzRead checks that whatever is read can be written and read again, to the
// same text.
func FuzzRead(f *testing.F) {
	for _, file := range []string{"testdata/sample.pylock.toml", "testdata/builds.pylock.toml", "testdata/uv.pylock.toml", "testdata/pip.pylock.toml"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Read(b)
		if err != nil {
			return
		}
		tool := l.BuildPackages()
		for _, p := range slices.Concat(l.Packages, l.Distill.Build) {
			for _, b := range p.Distill.Builds {
				for _, d := range b.Requires {
					if tool(d) == nil {
						t.Fatalf("%s %s has no entry", d.Name, d.Version)
					}
				}
			}
		}
		for _, p := range l.Packages {
			if p.Elsewhere != "" {
				return // such entries are not written
			}
		}
		text := l.Text()
		again, err := Read(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if !bytes.Equal(again.Text(), text) {
			t.Fatalf("got\n%s\nthen\n%s", text, again.Text())
		}
	})
}
