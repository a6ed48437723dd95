package plan

import (
	"bytes"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/ospkg"
)

// Rejoin makes a file, which was joined with what stood below it, anew for another
// base: what was added goes to the end of what that has. Before and after are the images
// without such files. It knows the loader's cache and the database of apk; ok is false for
// anything else.
func Rejoin(joined *files.File, before, after files.Set) (f *files.File, ok bool, err error) {
	old, err := baseText(before, joined.Path)
	if err != nil {
		return nil, false, err
	}
	base, err := baseText(after, joined.Path)
	if err != nil {
		return nil, false, err
	}
	now, err := joined.ReadAll(maxApk)
	if err != nil {
		return nil, false, err
	}
	var content []byte
	switch {
	case strings.HasSuffix(joined.Path, "lib/apk/db/installed"):
		content = rejoinApk(now, old, base)
	case strings.HasSuffix(joined.Path, "ld.so.cache"):
		if content, err = rejoinCache(now, old, base, after); err != nil {
			return nil, false, err
		}
	default:
		return nil, false, nil
	}
	like, at := joined, joined.Path
	if there, real, found := after.Lookup(joined.Path); found {
		like, at = there, real
	}
	return moved(withText(like, content), at), true, nil
}

// baseText is the content of a file of a base, nil if it has none.
func baseText(base files.Set, path string) ([]byte, error) {
	f, _, ok := base.Lookup(path)
	if !ok || !f.IsRegular() {
		return nil, nil
	}
	return f.ReadAll(maxApk)
}

// rejoinApk appends the records that the old base did not have.
func rejoinApk(now, old, base []byte) []byte {
	var added [][]byte
	have := map[string]bool{}
	for _, r := range apkRecords(old) {
		have[string(r)] = true
	}
	for _, r := range apkRecords(now) {
		if !have[string(r)] {
			added = append(added, r)
		}
	}
	return ospkg.AppendApk(base, added...)
}

// apkRecords splits a database at its empty lines.
func apkRecords(text []byte) [][]byte {
	list := bytes.Split(text, []byte("\n\n"))
	for i, r := range list {
		list[i] = bytes.Trim(r, "\n")
	}
	return slices.DeleteFunc(list, func(r []byte) bool { return len(r) == 0 })
}

// rejoinCache adds the entries that the old base did not have, as far as what they
// name is there.
func rejoinCache(now, old, base []byte, tree files.Set) ([]byte, error) {
	var lists [3][]elfdeps.CacheEntry
	for i, text := range [][]byte{now, old, base} {
		if len(text) == 0 {
			continue
		}
		var err error
		if lists[i], err = elfdeps.ParseCache(text); err != nil {
			return nil, failf("", "the loader's cache: %v", err)
		}
	}
	there := func(e elfdeps.CacheEntry) bool { _, _, ok := tree.Lookup(e.Path); return ok }
	var all []elfdeps.CacheEntry
	for _, e := range lists[2] {
		if there(e) {
			all = append(all, e)
		}
	}
	for _, e := range lists[0] {
		if !slices.Contains(lists[1], e) && !slices.Contains(all, e) && there(e) {
			all = append(all, e)
		}
	}
	return elfdeps.EncodeCache(all), nil
}
