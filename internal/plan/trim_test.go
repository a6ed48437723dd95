package plan

import "testing"

func TestMayMiss(t *testing.T) {
	const site = "usr/lib/python3/site-packages/"
	for path, want := range map[string]bool{
		site + "a/tests/test_a.py":         true,
		site + "a/tests/data/x.csv":        true,
		site + "a/a.pyi":                   true,
		site + "a/include/a.h":             true,
		site + "a/_speed.pyx":              true,
		"usr/share/man/man1/a.1":           false, // as below a site directory, which is not known here
		site + "a/core.py":                 false,
		site + "a/testing.py":              false,
		site + "a/data/words.txt":          false,
		site + "a-1.dist-info/METADATA":    false,
		site + "a-1.dist-info/tests/x.txt": false,
	} {
		if got := MayMiss(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
