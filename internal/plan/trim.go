package plan

import "strings"

// Caches are left behind whatever --trim says: byte code that is stale as soon as
// the epoch becomes the time of its source, and what test and lint tools keep.
// "none" and "safe" mean the same until there are rules for tests and headers.

var cacheDirs = []string{"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}

// isCache tells whether path is a cache. has tells whether the package has
// another path: byte code without its source is code, not cache.
func isCache(path string, has func(string) bool) bool {
	for part := range strings.SplitSeq(dirOf(path), "/") {
		for _, c := range cacheDirs {
			if part == c {
				return true
			}
		}
	}
	for _, ext := range []string{".pyc", ".pyo"} {
		if module, ok := strings.CutSuffix(path, ext); ok {
			return has(module + ".py")
		}
	}
	return false
}
