package plan

import (
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"*.txt", []string{"a.txt", "a/b/c.txt", "d.txt/e"}, []string{"a.txts", "txt"}},
		{"/usr/share/zoneinfo/**", []string{"usr/share/zoneinfo/UTC", "usr/share/zoneinfo/a/b", "usr/share/zoneinfo"}, []string{"usr/share/zoneinfo2", "x/usr/share/zoneinfo/UTC"}},
		{"usr/bin", []string{"usr/bin", "usr/bin/a"}, []string{"usr/binary", "opt/usr/bin"}},
		{"tests", []string{"tests", "a/tests/b", "tests/b"}, []string{"a/tests2/b"}},
		{"**/numpy/**/tests", []string{"numpy/tests/a", "x/numpy/core/tests/a.py"}, []string{"numpy/test"}},
		{"a/*/c", []string{"a/b/c", "a/b/c/d"}, []string{"a/b/d/c", "a/c"}},
		{"a/?[0-9].py", []string{"a/x1.py"}, []string{"a/xx.py"}},
	} {
		gs, err := parseGlobs([]string{c.pattern})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.yes {
			if !gs[0].match(p) {
				t.Errorf("%s does not match %s", c.pattern, p)
			}
		}
		for _, p := range c.no {
			if gs[0].match(p) {
				t.Errorf("%s matches %s", c.pattern, p)
			}
		}
	}
	for _, bad := range []string{"", "/", "a//b", "[", "a/../b", "./a"} {
		if _, err := parseGlobs([]string{bad}); err == nil {
			t.Errorf("%q is a pattern", bad)
		}
	}
}

func TestGlobRoot(t *testing.T) {
	for pattern, want := range map[string]string{
		"usr/share/zoneinfo/**": "usr/share/zoneinfo", "usr/share/a*/b": "usr/share", "opt/tool": "opt", "*.txt": "", "opt": "",
	} {
		gs, err := parseGlobs([]string{pattern})
		if err != nil {
			t.Fatal(err)
		}
		if got := gs[0].root(); got != want {
			t.Errorf("root of %s is %q, not %q", pattern, got, want)
		}
	}
}

func TestGlobTakesNoLongTime(t *testing.T) {
	gs, err := parseGlobs([]string{strings.Repeat("**/a*a*a*b/", 50) + "x"})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if gs[0].match(strings.Repeat(strings.Repeat("a", 100)+"/", 100) + "y") {
		t.Error("it matches")
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("it took %s", d)
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a/**/b*", "a/x/bc/d")
	f.Add("*.py", "a/b.py")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		gs, err := parseGlobs([]string{pattern})
		if err != nil || len(pattern)+len(name) > 1000 {
			t.Skip()
		}
		// What holds for a directory holds for what is in it.
		if gs[0].match(name) && !gs[0].match(name+"/x") {
			t.Errorf("%q matches %q and not what is in it", pattern, name)
		}
		// A root is a prefix of every match.
		if root := gs[0].root(); root != "" && gs[0].match(name) && !within(name, root) {
			t.Errorf("%q matches %q outside of %q", pattern, name, root)
		}
	})
}
