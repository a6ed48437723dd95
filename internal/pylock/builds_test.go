package pylock

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// maker makes resolutions by hand; the digest of a file follows from its name.
type maker struct {
	*testing.T
	r *resolve.Resolution
}

func newMaker(t *testing.T, targets ...resolve.Target) *maker {
	return &maker{t, &resolve.Resolution{Targets: targets}}
}

// pick adds a version with one file on some targets.
func (m *maker) pick(file string, on ...int) *resolve.Pick {
	m.Helper()
	digest := fmt.Sprintf("%02x", len(file)%256) + strings.Repeat("0", 61) + string("0123456789abcdef"[file[0]%16])
	a := &resolve.Artifact{
		Kind: resolve.Sdist, Target: -1, File: file, URL: "https://files.example.org/" + file, Hashes: map[string]string{"sha256": digest},
	}
	name, rest, _ := strings.Cut(strings.TrimSuffix(file, ".tar.gz"), "-")
	if n, err := python.ParseWheelName(file); err == nil {
		a.Kind, a.WheelName = resolve.Wheel, n
		rest = n.Version.String()
	}
	p := &resolve.Pick{
		Name: python.NormalizeName(name), Version: version(m.T, rest), Index: "https://user:secret@index.example.org/simple",
		Candidate: &resolve.Candidate{Artifacts: []*resolve.Artifact{a}}, Files: []*resolve.Artifact{a},
	}
	for _, t := range on {
		p.On = append(p.On, resolve.Placed{Target: t, Artifact: a})
	}
	m.r.Picks = append(m.r.Picks, p)
	return p
}

// wants notes who asks for a pick; parent nil is the build itself.
func (m *maker) wants(p, parent *resolve.Pick, text string) {
	m.Helper()
	p.Wanted = append(p.Wanted, resolve.Want{Requirement: requirement(m.T, text, "", 0), Parent: parent})
}

func pick(r *resolve.Resolution, name string) *resolve.Pick {
	return r.Picks[slices.IndexFunc(r.Picks, func(p *resolve.Pick) bool { return string(p.Name) == name })]
}

// workbench is a resolution in which h5py and pandas are built. The platforms build
// h5py with different versions of setuptools; on arm64 the cython that h5py takes is
// built, too; pandas takes another cython.
func workbench(t *testing.T) (*resolve.Resolution, []BuildOf) {
	t.Helper()
	amd, arm := target(t, "linux/amd64", "x86_64"), target(t, "linux/arm64", "aarch64")
	main := newMaker(t, amd, arm)
	h5py := main.pick("h5py-3.11.0.tar.gz", 0, 1)
	main.pick("numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.whl", 0)
	pandas := main.pick("pandas-2.2.3.tar.gz", 0, 1)

	h := newMaker(t, amd, arm)
	wheel := h.pick("cython-3.0.0-cp311-cp311-manylinux_2_17_x86_64.whl", 0)
	cython := wheel
	source := h.pick("cython-3.0.0.tar.gz", 1)
	cython.On, cython.Files = append(cython.On, source.On...), append(cython.Files, source.Files...)
	h.r.Picks = h.r.Picks[:1]
	h.wants(cython, nil, "cython>=3")
	old := h.pick("setuptools-70.0-py3-none-any.whl", 0)
	h.wants(old, nil, "setuptools")
	newer := h.pick("setuptools-75.1-py3-none-any.whl", 1)
	h.wants(newer, nil, "setuptools")
	h.r.Splits = []resolve.Split{{Name: "setuptools", Picks: []*resolve.Pick{old, newer}}}

	c := newMaker(t, arm)
	c.wants(c.pick("setuptools-75.1-py3-none-any.whl", 0), nil, "setuptools>=61")

	p := newMaker(t, amd, arm)
	p.wants(p.pick("cython-0.29.37-py2.py3-none-any.whl", 0, 1), nil, "cython<3")
	python := p.pick("meson-1.5-py3-none-any.whl", 0, 1)
	build := p.pick("meson_python-0.17-py3-none-any.whl", 0, 1)
	p.wants(python, build, "meson>=1")
	p.wants(build, nil, "meson-python")
	return main.r, []BuildOf{
		{Pick: pandas, Targets: []int{0, 1}, Tools: p.r},
		{Pick: h5py, Targets: []int{0, 1}, Tools: h.r, Asked: []string{"pkgconfig", "NumPy >= 1.21", "numpy>=1.21"}},
		{Pick: cython, Targets: []int{1}, Tools: c.r},
	}
}

func workbenchLock(t *testing.T) *Lock {
	t.Helper()
	r, builds := workbench(t)
	l, err := From(r, Meta{CreatedBy: "distill", Builds: builds})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTextWithBuildsIsTheGoldenFile(t *testing.T) {
	got := workbenchLock(t).Text()
	const golden = "testdata/builds.pylock.toml"
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
	again, err := Read(got)
	if err != nil {
		t.Fatal(err)
	}
	if text := again.Text(); !bytes.Equal(text, got) {
		t.Errorf("read and written again it is\n%s", text)
	}
}

func TestTextDoesNotTellTheOrderOfBuilds(t *testing.T) {
	r, builds := workbench(t)
	want := workbenchLock(t).Text()
	slices.Reverse(builds)
	for i := range builds {
		slices.Reverse(builds[i].Asked)
	}
	// The same build a second time, as another package may have had it made.
	again := builds[0]
	builds = append(builds, again)
	// One platform at a time.
	for i := range builds {
		if string(builds[i].Pick.Name) != "pandas" {
			continue
		}
		b := builds[i]
		for target := range r.Targets {
			one := newMaker(t, r.Targets[target])
			for _, p := range b.Tools.Picks {
				q := *p
				q.On = []resolve.Placed{{Target: 0, Artifact: p.On[target].Artifact}}
				one.r.Picks = append(one.r.Picks, &q)
			}
			builds = append(builds, BuildOf{Pick: b.Pick, Targets: []int{target}, Tools: one.r})
		}
		builds = slices.Delete(builds, i, i+1)
		break
	}
	l, err := From(r, Meta{CreatedBy: "distill", Builds: builds})
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Text(); !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestChangeOfOneBuildRequirementIsSmall(t *testing.T) {
	before := strings.Split(string(workbenchLock(t).Text()), "\n")
	r, builds := workbench(t)
	other := newMaker(t, r.Targets...).pick("meson-1.6-py3-none-any.whl", 0, 1)
	other.Wanted = pick(builds[0].Tools, "meson").Wanted
	*pick(builds[0].Tools, "meson") = *other
	l, err := From(r, Meta{CreatedBy: "distill", Builds: builds})
	if err != nil {
		t.Fatal(err)
	}
	after := strings.Split(string(l.Text()), "\n")
	if len(before) != len(after) {
		t.Fatalf("%d lines became %d", len(before), len(after))
	}
	var changed []string
	for i := range after {
		if before[i] != after[i] {
			changed = append(changed, strings.TrimSpace(after[i]))
		}
	}
	// In the build of pandas; in its own entry version, wheel and file.
	if len(changed) != 4 || !strings.Contains(changed[0], "1.6") {
		t.Errorf("changed lines: %q", changed)
	}
}

func TestBuildPreferences(t *testing.T) {
	l, err := Read(workbenchLock(t).Text())
	if err != nil {
		t.Fatal(err)
	}
	r, _ := workbench(t)
	s390x := target(t, "linux/s390x", "s390x")
	for _, c := range []struct {
		name, version string
		targets       []resolve.Target
		want          []string // "TARGET NAME VERSION"
		asked         []string
		known         bool
	}{
		{
			"h5py", "3.11.0", r.Targets, []string{"0 cython 3.0.0", "0 setuptools 70.0", "1 cython 3.0.0", "1 setuptools 75.1"},
			[]string{"numpy>=1.21", "pkgconfig"}, true,
		},
		{"h5py", "3.11.0", r.Targets[1:], []string{"0 cython 3.0.0", "0 setuptools 75.1"}, []string{"numpy>=1.21", "pkgconfig"}, true},
		{"h5py", "3.12.0", r.Targets[1:], []string{"0 cython 3.0.0", "0 setuptools 75.1"}, nil, false},
		{"h5py", "3.11.0", []resolve.Target{s390x, r.Targets[0]}, []string{"1 cython 3.0.0", "1 setuptools 70.0"}, nil, false},
		{"pandas", "2.2.3", r.Targets[:1], []string{"0 cython 0.29.37", "0 meson 1.5", "0 meson-python 0.17"}, nil, true},
		{"cython", "3.0.0", r.Targets[1:], []string{"0 setuptools 75.1"}, nil, true},
		{"cython", "3.0.0", r.Targets, []string{"1 setuptools 75.1"}, nil, false},
		{"numpy", "1.26.4", r.Targets, nil, nil, false},
		{"h5py", "3.11.0", nil, nil, nil, false},
	} {
		prefs, asked, known := l.BuildPreferences(python.Name(c.name), version(t, c.version), c.targets)
		var got []string
		for _, p := range prefs {
			got = append(got, fmt.Sprintf("%d %s %s", p.Target, p.Name, p.Version))
		}
		if !slices.Equal(got, c.want) || !slices.Equal(asked, c.asked) || known != c.known {
			t.Errorf("%s %s: got %q, %q, %v", c.name, c.version, got, asked, known)
		}
	}
}

func TestBuildRequirementsAreNoPreferencesOfTheMain(t *testing.T) {
	r, _ := workbench(t)
	for _, p := range workbenchLock(t).Preferences(r.Targets) {
		if string(p.Name) == "setuptools" || string(p.Name) == "cython" {
			t.Errorf("%s %s is one", p.Name, p.Version)
		}
	}
}

func TestBuildWithoutRequirementsIsKnown(t *testing.T) {
	r, builds := workbench(t)
	builds = []BuildOf{{Pick: builds[0].Pick, Targets: []int{0, 1}}}
	l, err := From(r, Meta{CreatedBy: "distill", Builds: builds})
	if err != nil {
		t.Fatal(err)
	}
	if l, err = Read(l.Text()); err != nil {
		t.Fatal(err)
	}
	if prefs, _, known := l.BuildPreferences("pandas", version(t, "2.2.3"), r.Targets); !known || len(prefs) != 0 {
		t.Errorf("got %v, %v", prefs, known)
	}
}

func TestFromRefusesBuildsThatContradict(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf
		want   string
	}{
		"other targets": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			b[0].Targets = []int{1, 0}
			return b
		}, "build of pandas 2.2.3: its requirements are for linux/amd64, not linux/arm64"},
		"fewer targets": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			b[0].Targets = []int{1}
			return b
		}, "its requirements are for 2 platforms, not 1"},
		"no targets": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			b[0].Targets = nil
			return b
		}, "build of pandas 2.2.3: it is for no platform"},
		"unknown target": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			b[0].Targets = []int{0, 2}
			return b
		}, "2 is no platform"},
		"a stranger": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			b[2].Pick = newMaker(t).pick("stranger-1.0.tar.gz", 1)
			return b
		}, "build of stranger 1.0: it is neither locked nor a build requirement"},
		"two ways": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			return append(b, BuildOf{Pick: b[0].Pick, Targets: []int{1}})
		}, "build of pandas 2.2.3: there are two ways on linux/arm64"},
		"two files": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			other := newMaker(t).pick("setuptools-75.1-1-py3-none-any.whl", 0)
			pick(b[2].Tools, "setuptools").On[0].Artifact = other.Files[0]
			return b
		}, "setuptools 75.1: on linux/arm64 one build takes setuptools-75.1-py3-none-any.whl, another setuptools-75.1-1-py3-none-any.whl"},
		"two contents": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			pick(b[2].Tools, "setuptools").Files[0].Hashes["sha256"] = strings.Repeat("9", 64)
			return b
		}, "setuptools-75.1-py3-none-any.whl has sha256"},
		"two sources": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			pick(b[2].Tools, "setuptools").URL = "https://user:secret@example.org/setuptools-75.1-py3-none-any.whl"
			return b
		}, "one build has it from the index, another from https://example.org/"},
		"no requirement": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			b[0].Asked = []string{"numpy >= one"}
			return b
		}, `build of pandas 2.2.3: its back end asks for "numpy >= one"`},
		"no hash": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			pick(b[2].Tools, "setuptools").Files[0].Hashes = nil
			return b
		}, "no hash is known"},
		"files of the image": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			pick(b[2].Tools, "setuptools").On[0].Artifact = &resolve.Artifact{Kind: resolve.ImageFiles}
			return b
		}, "no file that others could build with"},
		"a circle": {func(t *testing.T, r *resolve.Resolution, b []BuildOf) []BuildOf {
			m := newMaker(t, r.Targets[1])
			m.r.Picks = append(m.r.Picks, b[2].Pick)
			m.r.Picks[0] = newMaker(t).pick("cython-3.0.0.tar.gz", 0)
			return append(b, BuildOf{Pick: pick(b[2].Tools, "setuptools"), Targets: []int{1}, Tools: m.r})
		}, "setuptools 75.1 is built with cython 3.0.0, which can't be built without it"},
	} {
		r, builds := workbench(t)
		_, err := From(r, Meta{CreatedBy: "distill", Builds: c.change(t, r, builds)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two packages take the same build requirement, which was resolved for other platforms
// each time: the way for most platforms is locked, and nothing of the other.
func TestBuildRequirementThatIsBuiltInTwoWays(t *testing.T) {
	r, builds := workbench(t)
	cython := builds[2].Pick
	both := newMaker(t, r.Targets...)
	both.wants(both.pick("setuptools-69.0-py3-none-any.whl", 0, 1), nil, "setuptools")
	deeper := both.pick("wheel-0.44.0.tar.gz", 0, 1)
	lost := newMaker(t, r.Targets[1])
	lost.pick("ninja-1.11-py3-none-any.whl", 0)
	var texts []string
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		pair := []BuildOf{
			{Pick: cython, Targets: []int{1}, Tools: lost.r}, {Pick: cython, Targets: []int{0, 1}, Tools: both.r},
		}
		all := append(slices.Clone(builds[:2]), pair[order[0]], pair[order[1]], BuildOf{Pick: deeper, Targets: []int{0, 1}})
		l, err := From(r, Meta{CreatedBy: "distill", Builds: all})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(l.Text()))
	}
	if texts[0] != texts[1] {
		t.Errorf("the order of the builds shows:\n%s\n%s", texts[0], texts[1])
	}
	for _, want := range []string{`name = "setuptools", version = "69.0"`, "\nname = \"wheel\"\n", "wheel-0.44.0.tar.gz"} {
		if !strings.Contains(texts[0], want) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(texts[0], "ninja") {
		t.Error("what only the other way takes is there")
	}
	// A tie is decided by what is in it, not by what came first.
	other := newMaker(t, r.Targets[1])
	other.pick("setuptools-68.0-py3-none-any.whl", 0)
	texts = nil
	for _, tools := range [][]*resolve.Resolution{{other.r, lost.r}, {lost.r, other.r}} {
		all := slices.Clone(builds[:2])
		for _, one := range tools {
			all = append(all, BuildOf{Pick: cython, Targets: []int{1}, Tools: one})
		}
		l, err := From(r, Meta{CreatedBy: "distill", Builds: all})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(l.Text()))
	}
	if texts[0] != texts[1] || !strings.Contains(texts[0], "ninja") {
		t.Errorf("got\n%s\n%s", texts[0], texts[1])
	}
}

func TestDirectReferenceOfABuild(t *testing.T) {
	r, builds := workbench(t)
	p := pick(builds[0].Tools, "meson")
	p.URL = "https://user:secret@files.example.org/meson-1.5-py3-none-any.whl"
	p.Files[0].URL = p.URL
	l, err := From(r, Meta{CreatedBy: "distill", Builds: builds})
	if err != nil {
		t.Fatal(err)
	}
	text := l.Text()
	got, err := Read(text)
	if err != nil || bytes.Contains(text, []byte("secret")) {
		t.Fatalf("got %v in\n%s", err, text)
	}
	v := version(t, "1.5")
	entry := got.BuildPackages()(Dependency{Name: "meson", Version: &v})
	if entry == nil || entry.Archive == nil || entry.Index != "" {
		t.Errorf("got %+v", entry)
	}
}

func TestUnhashedToolsAreLockedByTheirDigest(t *testing.T) {
	r, builds := workbench(t)
	a := pick(builds[0].Tools, "meson").Files[0]
	a.Hashes = map[string]string{"md5": strings.Repeat("a", 32)}
	if got := Unhashed(builds[0].Tools); !reflect.DeepEqual(got, []*resolve.Artifact{a}) {
		t.Fatalf("Unhashed gives %v", got)
	}
	l, err := From(r, Meta{CreatedBy: "distill", Builds: builds, SHA256: map[*resolve.Artifact]string{a: strings.Repeat("9", 64)}})
	if err != nil || !bytes.Contains(l.Text(), []byte(strings.Repeat("9", 64))) {
		t.Errorf("got %v", err)
	}
}
