package python

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type tagCase struct {
	ID, Op, File, In, Name, Version string
	OK                              bool
	Target                          json.RawMessage
	Rank                            *int
	Files, Tags                     []string
	Build                           json.RawMessage
	Want                            json.RawMessage
}

type tagCaseTarget struct {
	Arch, Libc, Python string
	LibcVersion        string `json:"libc_version"`
	Threaded           bool
}

func (c tagCaseTarget) tags(t *testing.T) *Tags {
	t.Helper()
	target := TagTarget{Implementation: "cp", Arch: c.Arch}
	target.Major, target.Minor = twoNumbers(t, c.Python)
	target.Libc.Family = c.Libc
	target.Libc.Major, target.Libc.Minor = twoNumbers(t, c.LibcVersion)
	if c.Threaded {
		target.ABIs = []string{"cp" + strings.ReplaceAll(c.Python, ".", "") + "t"}
	}
	return TagsFor(target)
}

func twoNumbers(t *testing.T, s string) (a, b int) {
	t.Helper()
	major, minor, _ := strings.Cut(s, ".")
	a, err := strconv.Atoi(major)
	if err == nil {
		b, err = strconv.Atoi(minor)
	}
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return a, b
}

// namedTarget reads names such as "cp313t-musl1.2-x86_64".
func namedTarget(t *testing.T, name string) *Tags {
	t.Helper()
	parts := strings.SplitN(name, "-", 3)
	python, threaded := strings.CutSuffix(strings.TrimPrefix(parts[0], "cp"), "t")
	libc := strings.TrimRight(parts[1], "0123456789.")
	return tagCaseTarget{
		Arch: parts[2], Libc: libc, LibcVersion: strings.TrimPrefix(parts[1], libc),
		Python: python[:1] + "." + python[1:], Threaded: threaded,
	}.tags(t)
}

func TestTagVectors(t *testing.T) {
	vectors(t, "tags", func(t *testing.T, c *tagCase) {
		switch c.Op {
		case "tags":
			checkTags(t, c)
		case "match", "best":
			checkMatch(t, c)
		case "wheel_name":
			checkWheelName(t, c)
		case "sdist_name":
			name, version, err := SplitSdistName(c.In)
			if (err == nil) != c.OK || err == nil && (string(name) != c.Name || version.String() != c.Version) {
				t.Errorf("%s: %q is %q %s, %v; want %q %s", c.ID, c.In, name, version, err, c.Name, c.Version)
			}
		case "parse_tag":
			w := &WheelName{}
			if err := w.setTags(strings.Split(c.In, "-")); err != nil {
				t.Errorf("%s: %v", c.ID, err)
			}
			var want []string
			mustJSON(t, c.Want, &want)
			if got := tagTexts(w.Tags()); !slices.Equal(got, want) {
				t.Errorf("%s: %q is %q, want %q", c.ID, c.In, got, want)
			}
		default:
			t.Errorf("%s: unknown op %q", c.ID, c.Op)
		}
	})
}

func tagTexts(tags []Tag) []string {
	out := make([]string, len(tags))
	for i, tag := range tags {
		out[i] = tag.String()
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// checkTags compares with linux_ARCH moved behind the other platforms.
func checkTags(t *testing.T, c *tagCase) {
	t.Helper()
	var target tagCaseTarget
	mustJSON(t, c.Target, &target)
	var want []string
	mustJSON(t, c.Want, &want)
	want = linuxLast(want, "linux_"+target.Arch)
	var got []string
	for _, tag := range target.tags(t).All() {
		got = append(got, tag.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %s: tags differ: %d, want %d", c.ID, c.Target, len(got), len(want))
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("    at %d: %s, want %s", i, got[i], want[i])
				break
			}
		}
	}
}

func linuxLast(tags []string, platform string) []string {
	var out []string
	for i := 0; i < len(tags); {
		prefix, found := strings.CutSuffix(tags[i], "-"+platform)
		if !found {
			out = append(out, tags[i])
			i++
			continue
		}
		j := i + 1
		for j < len(tags) && strings.HasPrefix(tags[j], prefix+"-") && !strings.HasSuffix(tags[j], "-any") {
			out = append(out, tags[j])
			j++
		}
		out = append(out, tags[i])
		i = j
	}
	return out
}

// checkMatch compares which files fit, and the best ones. Ranks are those of the
// order with linux_ARCH first, so they agree only where no such tag plays a role.
func checkMatch(t *testing.T, c *tagCase) {
	t.Helper()
	var target string
	mustJSON(t, c.Target, &target)
	tags := namedTarget(t, target)
	if c.Op == "match" {
		w, err := ParseWheelName(c.File)
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			return
		}
		if _, ok := tags.Rank(w); ok != (string(c.Want) == "true") {
			t.Errorf("%s: %s fits %s: %v, want %s", c.ID, c.File, target, ok, c.Want)
		}
		return
	}
	var best []string
	bestRank := -1
	for _, file := range c.Files {
		w, err := ParseWheelName(file)
		if err != nil {
			continue
		}
		if rank, ok := tags.Rank(w); ok && (bestRank < 0 || rank <= bestRank) {
			if rank < bestRank {
				best = nil
			}
			bestRank = rank
			best = append(best, file)
		}
	}
	var want []string
	mustJSON(t, c.Want, &want)
	slices.Sort(best)
	slices.Sort(want)
	if !slices.Equal(best, want) {
		t.Errorf("%s: best of %s is %q, want %q", c.ID, target, best, want)
	}
}

func checkWheelName(t *testing.T, c *tagCase) {
	t.Helper()
	w, err := ParseWheelName(c.In)
	if (err == nil) != c.OK {
		t.Errorf("%s: parsing %q gives error %v, want ok %v", c.ID, c.In, err, c.OK)
	}
	if err != nil || !c.OK {
		return
	}
	if string(w.Name) != c.Name || w.Version.String() != c.Version || !slices.Equal(tagTexts(w.Tags()), c.Tags) {
		t.Errorf("%s: %q is %q %s %q", c.ID, c.In, w.Name, w.Version, tagTexts(w.Tags()))
	}
	number, rest := w.BuildNumber()
	build := "null"
	if w.Build != "" {
		b, _ := json.Marshal([]any{strconv.FormatUint(number, 10), rest})
		build = string(b)
	}
	if got := strings.ReplaceAll(string(c.Build), " ", ""); got != build {
		t.Errorf("%s: %q has build %s, want %s", c.ID, c.In, build, got)
	}
}
