package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

func version(t testing.TB, s string) python.Version {
	t.Helper()
	v, err := python.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const header = "lock-version = \"1.0\"\ncreated-by = \"x\"\n"

var digest = strings.Repeat("a", 64)

// pkg is an entry with files; "NAME#md5" and "NAME#none" have another hash.
func pkg(name, v, extra string, files ...string) string {
	s := fmt.Sprintf("[[packages]]\nname = %q\nversion = %q\n%s", name, v, extra)
	var wheels []string
	for _, f := range files {
		f, algorithm, _ := strings.Cut(f, "#")
		hashes := fmt.Sprintf("{ sha256 = %q }", digest)
		switch algorithm {
		case "md5":
			hashes = fmt.Sprintf("{ md5 = %q }", digest[:32])
		case "none":
			hashes = "{}"
		}
		file := fmt.Sprintf("{ url = \"https://files.example.org/%s\", hashes = %s }", f, hashes)
		if strings.HasSuffix(f, ".whl") {
			wheels = append(wheels, file)
		} else {
			s += "sdist = " + file + "\n"
		}
	}
	if wheels != nil {
		s += "wheels = [" + strings.Join(wheels, ", ") + "]\n"
	}
	return s
}

func pure(name, v string) string { return pkg(name, v, "", name+"-"+v+"-py3-none-any.whl") }

// facts reads a lock and judges it for two platforms with Python 3.11.
func facts(t *testing.T, text string) *Facts {
	t.Helper()
	l, err := pylock.ReadUnhashed([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	targets, err := Targets(l, Described{
		Platforms: []Platform{{Name: "linux/amd64", Machine: "x86_64"}, {Name: "linux/arm64", Machine: "aarch64"}}, Given: true, Python: "3.11.2",
		Libc: python.Libc{Family: "glibc", Major: 2, Minor: 36},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Facts{Targets: targets, Lock: l, Items: Items("pylock.toml", []byte(text), l, targets)}
}

// listing makes a listing of wheels and source archives; "FILE yanked" is one.
func listing(t *testing.T, files ...string) *Listing {
	t.Helper()
	p := &resolve.Project{}
	byVersion := map[string][]*resolve.Artifact{}
	for _, f := range files {
		f, flag, _ := strings.Cut(f, " ")
		a := &resolve.Artifact{Kind: resolve.Sdist, Target: -1, File: f, Hashes: map[string]string{"sha256": digest}, Yanked: flag == "yanked"}
		if a.Yanked {
			a.YankedReason = "broken"
		}
		if flag == "changed" {
			a.Hashes["sha256"] = strings.Repeat("b", 64)
		}
		v := version(t, strings.TrimSuffix(strings.SplitN(f, "-", 3)[1], ".tar.gz"))
		if strings.HasSuffix(f, ".whl") {
			a.Kind = resolve.Wheel
			w, err := python.ParseWheelName(f)
			if err != nil {
				t.Fatal(err)
			}
			a.WheelName = w
		}
		if byVersion[v.String()] == nil {
			p.Versions = append(p.Versions, v)
		}
		byVersion[v.String()] = append(byVersion[v.String()], a)
	}
	slices.SortFunc(p.Versions, python.Version.Compare)
	p.Artifacts = func(i int) []*resolve.Artifact { return byVersion[p.Versions[i].String()] }
	return &Listing{Project: p, Where: "the index"}
}

func lines(list []Finding) string {
	var out []string
	for _, x := range list {
		out = append(out, fmt.Sprintf("%s:%d %s %s [%s] %s", x.Place.File, x.Place.Line, x.Severity, x.ID, strings.Join(x.Platforms, " "), x.Sentence()))
	}
	return strings.Join(out, "\n")
}

const (
	amd64 = "a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"
	arm64 = "a-1.0-cp311-cp311-manylinux_2_17_aarch64.whl"
	newer = "a-2.0-cp311-cp311-manylinux_2_17_"
	both  = "linux/amd64 linux/arm64"
)

func TestRules(t *testing.T) {
	index := func(l *Listing) func(*Facts) { return func(f *Facts) { f.Index = map[python.Name]*Listing{"a": l} } }
	for _, c := range []struct {
		name, lock string
		with       func(*Facts)
		want       string
	}{
		{"clean", pure("a", "1.0"), nil, ""},
		{"clean with index", pure("a", "1.0"), index(listing(t, "a-1.0-py3-none-any.whl")), ""},
		{"yanked", pure("a", "1.0"), index(listing(t, "a-1.0-py3-none-any.whl yanked")),
			"pylock.toml:3 medium yanked/a [" + both + "] a 1.0: yanked: broken; lock another version of it"},
		{"changed", pure("a", "1.0"), index(listing(t, "a-1.0-py3-none-any.whl changed")),
			"pylock.toml:3 critical changed/a [" + both + "] a 1.0: a-1.0-py3-none-any.whl has another content on the index: sha256 " +
				"bbbbbbbbbbbbbbbb..., the lock has aaaaaaaaaaaaaaaa...; do not install it before it is clear which file is right"},
		{"version vanished", pure("a", "1.0"), index(listing(t, "a-1.1-py3-none-any.whl")),
			"pylock.toml:3 high vanished/a [" + both + "] a 1.0: the version is not on the index any more; lock another version of it, or name the index that has it"},
		{"file vanished", pure("a", "1.0"), index(listing(t, "a-1.0.tar.gz")),
			"pylock.toml:3 high vanished/a [" + both + "] a 1.0: a-1.0-py3-none-any.whl is not on the index any more; lock another version of it, or name the index that has it"},
		{"project vanished", pure("a", "1.0"), index(&Listing{Missing: true, Where: "the index"}),
			"pylock.toml:3 high vanished/a [" + both + "] a 1.0: the project is not on the index any more; lock another version of it, or name the index that has it"},
		{"quarantined", pure("a", "1.0"), func(f *Facts) {
			l := listing(t, "a-1.0-py3-none-any.whl")
			l.Status = "quarantined"
			index(l)(f)
		}, "pylock.toml:3 critical project-status/a [" + both + "] a 1.0: the project is quarantined; remove it: the index suspects it of being harmful"},
		{"no hash", pkg("a", "1.0", "", "a-1.0-py3-none-any.whl#none"), nil,
			"pylock.toml:3 high no-hash/a [" + both + "] a 1.0: a-1.0-py3-none-any.whl has no hash; lock again: distill lock writes the sha256 of each file"},
		{"weak hash", pkg("a", "1.0", "", "a-1.0-py3-none-any.whl#md5"), nil,
			"pylock.toml:3 medium weak-hash/a [" + both + "] a 1.0: a-1.0-py3-none-any.whl has only weak hashes (md5 or sha1); lock again: distill lock writes the sha256 of each file"},
		{"build", pkg("a", "1.0", "", amd64, "a-1.0.tar.gz"), index(listing(t, amd64, "a-1.0.tar.gz", "a-1.5.tar.gz", newer+"x86_64.whl", newer+"aarch64.whl")),
			"pylock.toml:3 low needs-build/a [linux/arm64] a 1.0: there is no wheel for linux/arm64: it has to be built from source; 2.0 has wheels for linux/amd64 and linux/arm64"},
		{"build, and no way out", pkg("a", "1.0", "", amd64, "a-1.0.tar.gz"), index(listing(t, amd64, "a-1.0.tar.gz")),
			"pylock.toml:3 low needs-build/a [linux/arm64] a 1.0: there is no wheel for linux/arm64: it has to be built from source; no newer version has wheels for linux/amd64 and linux/arm64"},
		{"build, since wheels are excluded", pkg("a", "1.0", "", "a-1.0.tar.gz") + "[tool.distill]\noptions = { no-binary = \"b,a\" }\n",
			index(listing(t, "a-1.0-py3-none-any.whl", "a-1.0.tar.gz")),
			"pylock.toml:3 low needs-build/a [" + both + "] a 1.0: the lock was made with --no-binary b,a, and has no wheel for linux/amd64 and linux/arm64: " +
				"it has to be built from source; the index has wheels of this version for linux/amd64 and linux/arm64: lock again without --no-binary b,a, or ignore the finding"},
		{"unfit", pkg("a", "1.0", "", amd64), nil,
			"pylock.toml:3 high unfit/a [linux/arm64] a 1.0: none of its wheels fits linux/arm64, and there is no source archive; lock again for this platform"},
		{"too new a libc", pkg("a", "1.0", "", strings.ReplaceAll(amd64, "2_17", "2_40"), arm64), nil,
			"pylock.toml:3 high unfit/a [linux/amd64] a 1.0: none of its wheels fits linux/amd64, and there is no source archive; lock again for this platform"},
		{"requires-python", pkg("a", "1.0", "requires-python = \">=3.12\"\n", "a-1.0-py3-none-any.whl"), nil,
			"pylock.toml:3 high requires-python/a [" + both + "] a 1.0: it is for Python >=3.12, there is 3.11.2 on linux/amd64 and linux/arm64; lock again for this Python"},
		{"split", pkg("a", "1.0", "marker = \"platform_machine == 'x86_64'\"\n", "a-1.0-py3-none-any.whl") +
			pkg("a", "2.0", "marker = \"platform_machine == 'aarch64'\"\n", "a-2.0-py3-none-any.whl"), nil,
			"pylock.toml:3 low split/a [" + both + "] a: its versions differ: linux/amd64 1.0, linux/arm64 2.0; pin a version that all of them have"},
		{"split by bounds", pkg("a", "1.0", "marker = \"platform_machine == 'x86_64'\"\n", "a-1.0-py3-none-any.whl") +
			"[packages.tool.distill]\nwanted-by = [\"r.txt: a<2; platform_machine == 'x86_64'\"]\n" +
			pkg("a", "2.0", "marker = \"platform_machine == 'aarch64'\"\n", "a-2.0-py3-none-any.whl"),
			index(listing(t, "a-1.0-py3-none-any.whl", "a-1.5-py3-none-any.whl", "a-2.0-py3-none-any.whl")),
			"pylock.toml:3 low split/a [" + both + "] a: its versions differ: linux/amd64 1.0, linux/arm64 2.0; 1.5 has wheels for all of them"},
		{"split by bounds that nothing fits", pkg("a", "1.0", "marker = \"platform_machine == 'x86_64'\"\n", "a-1.0-py3-none-any.whl") +
			"[packages.tool.distill]\nwanted-by = [\"r.txt: a<2; platform_machine == 'x86_64'\"]\n" +
			pkg("a", "2.0", "marker = \"platform_machine == 'aarch64'\"\n", "a-2.0-py3-none-any.whl") +
			"[packages.tool.distill]\nwanted-by = [\"b 1.0: a>=2\"]\n",
			index(listing(t, "a-1.0-py3-none-any.whl", "a-2.0-py3-none-any.whl")),
			"pylock.toml:3 low split/a [" + both + "] a: its versions differ: linux/amd64 1.0, linux/arm64 2.0; " +
				"2.0 has wheels for all of them, but does not fit all that ask for it: relax their bounds"},
		{"vcs", "[[packages]]\nname = \"a\"\nvcs = { type = \"git\", url = \"https://example.org/a\", commit-id = \"0\" }\n", nil,
			"pylock.toml:3 low needs-build/a [" + both + "] a: there is no wheel for linux/amd64 and linux/arm64: it has to be built from source; lock a version that has wheels, if there is one\n" +
				"pylock.toml:3 low unchecked/a [" + both + "] a: it comes from a version control system; take a release of it"},
	} {
		f := facts(t, header+c.lock)
		if c.with != nil {
			c.with(f)
		}
		if got := lines(Run(f)); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func advisory(t *testing.T, id string, fixed string, aliases ...string) *Advisory {
	t.Helper()
	events := []Event{{Kind: Introduced, Everywhere: true}}
	if fixed != "" {
		events = append(events, Event{Kind: Fixed, Version: version(t, fixed)})
	}
	return &Advisory{ID: id, Aliases: aliases, Severity: Unknown, Summary: "bad " + id, Affected: []Affected{{Name: "a", Ranges: []Range{NewRange(events)}}}}
}

func TestAliasesAreOneFinding(t *testing.T) {
	f := facts(t, header+pure("a", "1.0"))
	high := advisory(t, "GHSA-1", "1.2", "CVE-1")
	high.Severity, high.Score = High, 7.5
	gone := advisory(t, "PYSEC-9", "3")
	gone.Withdrawn = true
	f.Advisories = map[Key][]*Advisory{{"a", "1.0"}: {
		high, advisory(t, "CVE-2", ""), advisory(t, "PYSEC-1", "1.2", "CVE-1"), gone,
		advisory(t, "X-1", "2", "X-2"), advisory(t, "X-3", "3", "X-4"), advisory(t, "X-5", "3", "X-2", "X-4"),
	}}
	want := strings.Join([]string{
		"pylock.toml:3 unknown CVE-2 [" + both + "] a 1.0: bad CVE-2 (CVE-2); no fixed version is known: do without it, or ignore the finding with a reason",
		"pylock.toml:3 high PYSEC-1 [" + both + "] a 1.0: bad GHSA-1 (PYSEC-1, GHSA-1, CVE-1); upgrade to 1.2 or later",
		"pylock.toml:3 unknown X-1 [" + both + "] a 1.0: bad X-1 (X-1, X-2, X-3, X-4, X-5); upgrade to 3 or later",
	}, "\n")
	if got := lines(Run(f)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRequirementsAreCompared(t *testing.T) {
	requirement := func(s string, line int) python.Requirement {
		r, err := python.ParseRequirement(s)
		if err != nil {
			t.Fatal(err)
		}
		r.Pos = python.Pos{File: "r.txt", Line: line}
		return r
	}
	text := header + pkg("a", "1.0", "dependencies = [{ name = \"b\" }]\n", "a-1.0-py3-none-any.whl") + pure("b", "1.0") + pure("c", "1.0")
	f := facts(t, text)
	f.Wanted = &Wanted{
		Requirements: []python.Requirement{requirement("a>=2", 1), requirement("d; platform_machine == 'aarch64'", 2), requirement("e; sys_platform == 'win32'", 3)},
		Constraints:  []python.Requirement{requirement("b<1", 1), requirement("z<1", 2)},
	}
	want := strings.Join([]string{
		"r.txt:1 high unmet/a [" + both + "] a 1.0: a>=2 is wanted, the lock has 1.0; lock again",
		"r.txt:1 high unmet/b [" + both + "] b 1.0: b<1 is wanted, the lock has 1.0; lock again",
		`r.txt:2 high unmet/d [linux/arm64] d: d; platform_machine == "aarch64" is wanted, but the lock does not have it; lock again`,
		"pylock.toml:12 low unwanted/c [" + both + "] c 1.0: no requirement leads to it; lock again",
	}, "\n")
	if got := lines(Run(f)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	f.Wanted.Overrides = []python.Requirement{requirement("a==1.0", 9), requirement("b==1.0", 9)}
	if got := lines(Run(f)); strings.Contains(got, "unmet/a") || strings.Contains(got, "unmet/b") {
		t.Errorf("overrides do not count:\n%s", got)
	}
}

func TestIgnores(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d.Add(13 * time.Hour)
	}
	list := []Finding{
		{Code: "vulnerable", ID: "PYSEC-1", Aliases: []string{"CVE-1"}, Package: "a", Severity: High},
		{Code: "split", ID: "split/b", Package: "b", Severity: Low},
	}
	for _, c := range []struct {
		ignore, today, open, unused string
	}{
		{"cve-1", "2026-01-01", "split/b", ""},
		{"PYSEC-1:not: reachable:2026-01-01", "2026-01-01", "split/b", ""},
		{"PYSEC-1:2025-12-31", "2026-01-01", "PYSEC-1 expired-ignore/PYSEC-1 split/b", ""},
		{"split", "2026-01-01", "PYSEC-1", ""},
		{"split/b", "2026-01-01", "PYSEC-1", ""},
		{"split/a", "2026-01-01", "PYSEC-1 split/b", "split/a"},
	} {
		i, err := ParseIgnore(c.ignore)
		if err != nil {
			t.Fatal(err)
		}
		open, ignored, unused := Sift(slices.Clone(list), []Ignore{i}, day(c.today), Place{File: "x"})
		var got, without []string
		for _, x := range open {
			got = append(got, x.ID)
		}
		for _, u := range unused {
			without = append(without, u.ID)
		}
		if strings.Join(got, " ") != c.open || strings.Join(without, " ") != c.unused {
			t.Errorf("%s on %s: open %q, unused %q", c.ignore, c.today, got, without)
		}
		if len(open) < 2 && ignored[0].Reason != i.Reason {
			t.Errorf("%s: the reason is lost: %+v", c.ignore, ignored)
		}
	}
	for _, bad := range []string{"", ":x", "X:2026-13-01", "A B"} {
		if _, err := ParseIgnore(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestScores(t *testing.T) {
	for vector, want := range map[string]float64{
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H":                9.8,
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N":                6.1,
		"CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N/E:P/RL:O/RC:C":  3.1,
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H":                10,
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H":                7.5,
		"CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H":                7.8,
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N":                0,
		"AV:N/AC:L/Au:N/C:P/I:P/A:P":                                  7.5,
		"(AV:N/AC:M/Au:N/C:N/I:P/A:N)":                                4.3,
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/": -1,
		"CVSS:3.1/AV:N":         -1,
		"":                      -1,
		"CVSS:3.1/AV:N/AC:L/S:": -1,
	} {
		got, ok := Score(vector)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s: got %v, want %v", vector, got, want)
		}
	}
}

func TestTargetsAreGuessedFromTheLock(t *testing.T) {
	two := Described{Platforms: []Platform{{Name: "linux/amd64", Machine: "x86_64"}, {Name: "linux/arm64", Machine: "aarch64"}}}
	for _, c := range []struct{ lock, want string }{
		{pkg("a", "1.0", "", "a-1.0-cp312-cp312-manylinux_2_28_x86_64.whl"), "linux/amd64 3.12.99"},
		{pkg("a", "1.0", "", "a-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", "a-1.0-cp312-cp312-manylinux_2_28_aarch64.whl"), "linux/amd64 3.12.99 linux/arm64 3.12.99"},
		{pkg("a", "1.0", "", "a-1.0-cp310-cp310-musllinux_1_2_aarch64.whl"), "linux/arm64 3.10.99"},
		{pkg("a", "1.0", "", "a-1.0-cp312-cp312-manylinux_2_28_x86_64.whl") + pure("b", "1") + pure("c", "1"), "linux/amd64 3.12.99"},
		{pure("a", "1.0"), "linux/amd64 3.8.99 linux/arm64 3.8.99"},
	} {
		l, err := pylock.Read([]byte(header + c.lock))
		if err != nil {
			t.Fatal(err)
		}
		targets, err := Targets(l, two)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range targets {
			got = append(got, x.Name, x.Python.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("got %v, want %s", got, c.want)
		}
	}
}

func TestLibcOfEachPlatformCounts(t *testing.T) {
	l, err := pylock.Read([]byte(header + pure("a", "1.0")))
	if err != nil {
		t.Fatal(err)
	}
	old := python.Libc{Family: "glibc", Major: 2, Minor: 17}
	targets, err := Targets(l, Described{
		Platforms: []Platform{{Name: "linux/amd64", Machine: "x86_64", Libc: old}, {Name: "linux/arm64", Machine: "aarch64"}},
		Given:     true, Python: "3.11.2", Libc: python.Libc{Family: "glibc", Major: 2, Minor: 36},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true} {
		w, err := python.ParseWheelName("a-1.0-cp311-cp311-manylinux_2_28_" + []string{"x86_64", "aarch64"}[i] + ".whl")
		if err != nil {
			t.Fatal(err)
		}
		if _, got := targets[i].Tags.Rank(w); got != want {
			t.Errorf("%s: manylinux_2_28 fits: %v", targets[i].Name, got)
		}
	}
}

func TestSARIFHasARuleForEachResult(t *testing.T) {
	open := []Finding{
		{Code: "vulnerable", ID: "PYSEC-1", Aliases: []string{"CVE-1"}, Severity: Critical, Score: 9.8, Package: "a", Version: "1", Place: Place{"pylock.toml", 3}, Message: "m", Fix: "f"},
		{Code: "split", ID: "split/b", Severity: Low, Package: "b", Place: Place{"dir with space/pylock.toml", 0}, Message: "m", Fix: "f"},
	}
	text, err := SARIF("1.0", open, []Ignored{{Finding: open[1], Reason: "known"}})
	if err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(text, &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if log.Version != "2.1.0" || len(run.Results) != 3 || len(run.Tool.Driver.Rules) != 2 {
		t.Fatalf("got\n%s", text)
	}
	for _, r := range run.Results {
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Message.Text == "" {
			t.Errorf("result %+v has no rule", r)
		}
	}
	if r := run.Results[0]; r.Level != "error" || r.Locations[0].Physical.Region.StartLine != 3 || run.Tool.Driver.Rules[0].Properties.SecuritySeverity != "9.8" {
		t.Errorf("got %+v", r)
	}
	if u := run.Results[1].Locations[0].Physical.Artifact.URI; u != "dir%20with%20space/pylock.toml" {
		t.Errorf("URI %q", u)
	}
	if s := run.Results[2].Suppressions; len(s) != 1 || s[0].Justification != "known" {
		t.Errorf("got %+v", s)
	}
}

// TestDocumentationListsAllRules keeps docs/audit.md and the rules together.
func TestDocumentationListsAllRules(t *testing.T) {
	text, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Rules() {
		severity := r.Severity.String()
		if r.Code == vulnerable.Code {
			severity = "of the advisory"
		}
		if !strings.Contains(string(text), fmt.Sprintf("| `%s` | %s |", r.Code, severity)) {
			t.Errorf("docs/audit.md does not list %s (%s)", r.Code, severity)
		}
	}
}
