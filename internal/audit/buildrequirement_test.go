package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// toolLock is a lock with a package b that is built with the version 1.0 of a, whose
// entry begins on line 15.
func toolLock(file string) string {
	tool := strings.ReplaceAll(pkg("a", "1.0", "", file), "[[packages]]", "[[tool.distill.build-packages]]")
	return header + pkg("b", "1.0", "", "b-1.0.tar.gz") + "[[packages.tool.distill.builds]]\nplatforms = [\"linux/arm64\"]\n" +
		"requires = [{ name = \"a\", version = \"1.0\" }]\n" + "[tool.distill]\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n\n\n\n" + tool
}

func toolFacts(t *testing.T, file string) *Facts {
	t.Helper()
	text := toolLock(file)
	f := facts(t, text)
	f.Tools = Tools("pylock.toml", []byte(text), f.Lock, f.Targets)
	return f
}

// withoutB are the findings that are not about the package that is built.
func withoutB(list []Finding) string {
	var out []Finding
	for _, x := range list {
		if x.Package != "b" {
			out = append(out, x)
		}
	}
	return lines(out)
}

func TestBuildRequirementsWeighLess(t *testing.T) {
	const wheel = "a-1.0-py3-none-any.whl"
	index := func(l *Listing) func(*Facts) {
		return func(f *Facts) { f.Index = map[python.Name]*Listing{"a": l} }
	}
	status := func(s string) func(*Facts) {
		l := listing(t, wheel)
		l.Status = s
		return index(l)
	}
	known := func(list ...*Advisory) func(*Facts) {
		return func(f *Facts) { f.Advisories = map[Key][]*Advisory{{"a", "1.0"}: list} }
	}
	critical := advisory(t, "PYSEC-1", "1.2")
	critical.Severity, critical.Score = Critical, 9.8
	const note = " (not installed: b 1.0 is built with it); "
	const upgrade = "; distill lock --upgrade-package a looks for one"
	const newer = "; builds take what is of the time of their source archive, so lock a newer version of what is built with it, or one that has a wheel"
	for _, c := range []struct {
		name, file string
		with       func(*Facts)
		want       string
	}{
		{"clean", wheel, index(listing(t, wheel)), ""},
		{"nothing known", wheel, nil, ""},
		{"vulnerable", wheel, known(critical), "low PYSEC-1 [linux/arm64] a 1.0: bad PYSEC-1 (not installed: b 1.0 is built with it); upgrade to 1.2 or later" + newer},
		{"malware", wheel, known(advisory(t, "MAL-2025-1", "1.2")), "unknown MAL-2025-1 [linux/arm64] a 1.0: bad MAL-2025-1" + note + "upgrade to 1.2 or later" + newer},
		{"changed", wheel, index(listing(t, wheel+" changed")), "critical build-changed/a [linux/arm64] a 1.0: a-1.0-py3-none-any.whl has another content on the index: " +
			"sha256 bbbbbbbbbbbbbbbb..., the lock has aaaaaaaaaaaaaaaa..." + note + "do not install it before it is clear which file is right"},
		{"vanished", wheel, index(&Listing{Missing: true, Where: "the index"}), "medium build-vanished/a [linux/arm64] a 1.0: the project is not on the index any more" + note +
			"lock another version of it, or name the index that has it" + upgrade},
		{"yanked", wheel, index(listing(t, wheel+" yanked")), "low build-yanked/a [linux/arm64] a 1.0: yanked: broken" + note + "lock another version of it" + upgrade},
		{"archived", wheel, status("archived"), "low build-project-status/a [linux/arm64] a 1.0: the project is archived" + note + "look for another project that does the same"},
		{"quarantined", wheel, status("quarantined"), "critical build-project-status/a [linux/arm64] a 1.0: the project is quarantined" + note + "remove it: the index suspects it of being harmful"},
		{"no hash", wheel + "#none", nil, "high build-no-hash/a [linux/arm64] a 1.0: a-1.0-py3-none-any.whl has no hash" + note + "lock again: distill lock writes the sha256 of each file"},
		{"weak hash", wheel + "#md5", nil, "medium build-weak-hash/a [linux/arm64] a 1.0: a-1.0-py3-none-any.whl has only weak hashes (md5 or sha1)" + note +
			"lock again: distill lock writes the sha256 of each file"},
		// That is nothing to say about what is not installed.
		{"from source", "a-1.0.tar.gz", nil, ""},
	} {
		f := toolFacts(t, c.file)
		if c.with != nil {
			c.with(f)
		}
		want := c.want
		if want != "" {
			want = "pylock.toml:15 " + want
		}
		if got := withoutB(Run(f)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, want)
		}
	}
}

func TestBuildRequirementsAreNoItems(t *testing.T) {
	f := toolFacts(t, "a-1.0-py3-none-any.whl")
	if len(f.Items) != 1 || f.Items[0].Name != "b" || len(f.Tools) != 1 || f.Tools[0].Name != "a" {
		t.Errorf("got items %v and tools %v", f.Items, f.Tools)
	}
	f.Advisories = map[Key][]*Advisory{{"a", "1.0"}: {advisory(t, "PYSEC-1", "1.2")}}
	for _, x := range Run(f) {
		if x.Code == vulnerable.Code || x.Code == unwanted.Code {
			t.Errorf("%s is found about %s", x.Code, x.Package)
		}
	}
	// On a platform for which nothing is built with it, it says nothing.
	if got := Tools("pylock.toml", nil, f.Lock, f.Targets[:1]); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestToolThatIsInstalledTooIsJudgedTwice(t *testing.T) {
	text := strings.Replace(toolLock("a-1.0-py3-none-any.whl"), "[[packages]]", pure("a", "1.0")+"[[packages]]", 1)
	f := facts(t, text)
	f.Tools = Tools("pylock.toml", []byte(text), f.Lock, f.Targets)
	a := advisory(t, "PYSEC-1", "1.2")
	a.Severity = High
	f.Advisories = map[Key][]*Advisory{{"a", "1.0"}: {a}}
	var got []string
	for _, x := range Run(f) {
		if x.Package == "a" {
			got = append(got, fmt.Sprintf("%s %s %v", x.Code, x.Severity, x.Platforms))
		}
	}
	want := "vulnerable high [linux/amd64 linux/arm64]\nbuild-vulnerable low [linux/arm64]"
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	_, ignored, _ := Sift(Run(f), []Ignore{{ID: "build-vulnerable"}}, time.Time{}, Place{})
	if len(ignored) != 1 || ignored[0].Code != "build-vulnerable" {
		t.Errorf("ignored: %v", ignored)
	}
}

func TestSomeNames(t *testing.T) {
	for want, list := range map[string][]string{
		"a is": {"a"}, "a and b are": {"a", "b"}, "a, b and c are": {"a", "b", "c"}, "a, b, c and 2 more are": {"a", "b", "c", "d", "e"},
	} {
		if got := someNames(list); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
