//go:build unix

package cache_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// fillWith makes a tree as images have them.
func fillWith(text string) func(dir string) error {
	return func(dir string) error {
		locked := filepath.Join(dir, "locked")
		if err := os.MkdirAll(locked, 0o700); err != nil {
			return err
		}
		odd := "a\nb\x80 \u202e*"
		os.WriteFile(filepath.Join(dir, "text"), []byte(text), 0o444)
		os.WriteFile(filepath.Join(locked, odd), []byte(text), 0o000)
		os.Symlink("/", filepath.Join(locked, "everything"))
		os.Link(filepath.Join(dir, "text"), filepath.Join(locked, "again"))
		return os.Chmod(locked, 0o555)
	}
}

func tree(t *testing.T, d *cache.Dir, key string) (path string, release func()) {
	t.Helper()
	path, release, err := d.Tree(t.Context(), key, fillWith(key))
	if err != nil {
		t.Fatal(err)
	}
	return path, release
}

// inRoots returns what lies in the folder of trees.
func inRoots(t *testing.T, d *cache.Dir) (names []string) {
	t.Helper()
	list, _ := os.ReadDir(filepath.Join(d.Path(), "roots"))
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestTreeIsFilledOnce(t *testing.T) {
	d := open(t)
	var filled atomic.Int32
	paths := make([]string, 8)
	var wg sync.WaitGroup
	for i := range paths {
		wg.Go(func() {
			path, release, err := d.Tree(t.Context(), "key", func(dir string) error {
				filled.Add(1)
				return fillWith("content")(dir)
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			paths[i] = path
			if text, err := os.ReadFile(filepath.Join(path, "text")); string(text) != "content" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	wg.Wait()
	for _, p := range paths {
		if p != paths[0] {
			t.Errorf("%s is not %s", p, paths[0])
		}
	}
	start(t, d, "tree", "key").finish(t)
	if text, _ := os.ReadFile(filepath.Join(paths[0], "text")); filled.Load() != 1 || string(text) != "content" {
		t.Errorf("filled %d times, the last with %q", filled.Load(), text)
	}
	other, release := tree(t, d, "other")
	defer release()
	if other == paths[0] {
		t.Error("two keys have one tree")
	}
}

func TestTreeThatFails(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		fill func(dir string) error
		want error
	}{
		"an error":  {func(string) error { return broken }, broken},
		"half done": {func(dir string) error { fillWith("x")(dir); return broken }, broken},
		"full disk": {func(dir string) error {
			fillWith("x")(dir)
			return &fs.PathError{Op: "write", Path: dir, Err: syscall.ENOSPC}
		}, cache.ErrFolder},
		"over quota": {func(string) error { return &os.LinkError{Err: syscall.EDQUOT} }, cache.ErrFolder},
		"nothing":    {func(string) error { return nil }, fs.ErrNotExist},
		"a file":     {func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, nil},
		"a link":     {func(dir string) error { return os.Symlink("/", dir) }, nil},
	} {
		d := open(t)
		path, _, err := d.Tree(t.Context(), "key", c.fill)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want != cache.ErrFolder && errors.Is(err, cache.ErrFolder) {
			t.Errorf("%s: not about the folder: %v", name, err)
		}
		if left := inRoots(t, d); path != "" || len(left) != 0 {
			t.Errorf("%s: %q, left are %q", name, path, left)
		}
		_, release := tree(t, d, "key")
		release()
	}
}

func TestTreeInABadFolder(t *testing.T) {
	d := open(t)
	os.WriteFile(filepath.Join(d.Path(), "roots"), nil, 0o600)
	if _, _, err := d.Tree(t.Context(), "key", fillWith("x")); !errors.Is(err, cache.ErrFolder) {
		t.Errorf("%v, want ErrFolder", err)
	}
}

func TestKilledWhileFilling(t *testing.T) {
	d := open(t)
	start(t, d, "fill", "key").kill()
	left := inRoots(t, d)
	if len(left) != 1 || !strings.HasPrefix(left[0], ".") {
		t.Fatalf("left are %q", left)
	}
	if list, err := d.Info(t.Context()); err != nil || len(list) != 1 || list[0].Part != "locks" {
		t.Errorf("%v, %v", list, err)
	}
	path, release := tree(t, d, "key")
	release()
	if left := inRoots(t, d); len(left) != 1 || filepath.Base(filepath.Dir(path)) != left[0] {
		t.Errorf("left are %q", left)
	}
	// Nobody wants this one again.
	start(t, d, "fill", "other").kill()
	if _, err := d.Prune(t.Context(), time.Unix(0, 0)); err != nil || len(inRoots(t, d)) != 1 {
		t.Errorf("%v, left are %q", err, inRoots(t, d))
	}
}

// TestTreeBeingFilled is left alone by others.
func TestTreeBeingFilled(t *testing.T) {
	d := open(t)
	_, release, err := d.Tree(t.Context(), "key", func(dir string) error {
		if err := fillWith("x")(dir); err != nil {
			return err
		}
		u, err := d.Clean(t.Context())
		if u.Files != 0 || !there(filepath.Join(dir, "locked", "again")) {
			t.Errorf("removed %v, %v", u, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestTreeInUseStays(t *testing.T) {
	d := open(t)
	mine, release := tree(t, d, "mine")
	free, done := tree(t, d, "free")
	done()
	theirs, done := tree(t, d, "theirs")
	done()
	p := start(t, d, "tree", "theirs")
	foreign := filepath.Join(d.Path(), "roots", "notes")
	os.WriteFile(foreign, nil, 0o600)

	list, err := d.Info(t.Context())
	// text with its second name, and the odd one, the link, and what notes the use
	use, _ := os.Stat(filepath.Join(filepath.Dir(mine), "use"))
	if want := (cache.Usage{Part: "roots", Files: 12, Bytes: 2*int64(len("mine"+"free"+"theirs")) + 3*(1+use.Size())}); err != nil || len(list) != 1 || list[0] != want {
		t.Errorf("%v, %v, not %v", list, err, want)
	}
	u, err := d.Clean(t.Context())
	if err != nil || u.Files != 4 || u.Bytes != 9+use.Size() || there(free) || !there(mine) || !there(theirs) {
		t.Errorf("removed %v, %v", u, err)
	}
	p.finish(t)
	release()
	release()
	u, err = d.Prune(t.Context(), time.Now().Add(-time.Hour))
	if err != nil || u.Files != 0 || !there(mine) {
		t.Errorf("pruned what was just used: %v, %v", u, err)
	}
	if u, err = d.Clean(t.Context()); err != nil || u.Files != 8 || len(inRoots(t, d)) != 1 || !there(foreign) {
		t.Errorf("removed %v, %v, left are %q", u, err, inRoots(t, d))
	}
}

// age makes a tree look as if it was last used so many days ago.
func age(t *testing.T, path string, days int) {
	t.Helper()
	old := time.Now().Add(-time.Duration(days) * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(filepath.Dir(path), "use"), old, old); err != nil {
		t.Fatal(err)
	}
}

func TestUseOfTreeIsNoted(t *testing.T) {
	d := open(t)
	used, release := tree(t, d, "used")
	release()
	unused, release := tree(t, d, "unused")
	release()
	age(t, used, 60)
	age(t, unused, 60)
	_, release = tree(t, d, "used")
	release()
	if u, err := d.Prune(t.Context(), time.Now().Add(-30*24*time.Hour)); err != nil || u.Files != 4 || !there(used) || there(unused) {
		t.Errorf("%v, %v", u, err)
	}
}

func TestNewTreeMakesRoom(t *testing.T) {
	d := open(t)
	older, release := tree(t, d, "older")
	release()
	used, release := tree(t, d, "used")
	defer release()
	young, done := tree(t, d, "young")
	done()
	age(t, older, 15)
	age(t, used, 15)
	age(t, young, 13)
	_, done = tree(t, d, "young")
	done()
	if !there(older) {
		t.Error("using one that is there removed another")
	}
	_, done = tree(t, d, "new")
	done()
	if there(older) || !there(used) || !there(young) || len(inRoots(t, d)) != 3 {
		t.Errorf("%q are there", inRoots(t, d))
	}
}

// TestTreeHalfRemoved: somebody did so by hand.
func TestTreeHalfRemoved(t *testing.T) {
	d := open(t)
	for _, part := range []string{"files", "use"} {
		path, release := tree(t, d, "key")
		release()
		if err := cache.RemoveTree(filepath.Join(filepath.Dir(path), part)); err != nil {
			t.Fatal(err)
		}
	}
	path, release := tree(t, d, "key")
	defer release()
	if text, err := os.ReadFile(filepath.Join(path, "text")); string(text) != "key" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestTreeOfAnEarlierStart may have lost files in a power cut.
func TestTreeOfAnEarlierStart(t *testing.T) {
	d := open(t)
	path, release := tree(t, d, "key")
	use := filepath.Join(filepath.Dir(path), "use")
	os.WriteFile(use, []byte("another"), 0o600)
	refill := func() bool {
		filled := false
		_, release, err := d.Tree(t.Context(), "key", func(dir string) error {
			filled = true
			return fillWith("again")(dir)
		})
		if err != nil {
			t.Fatal(err)
		}
		release()
		return filled
	}
	if refill() {
		t.Error("filled again although it is in use")
	}
	release()
	if !refill() || refill() {
		t.Error("it is not filled again, or twice")
	}
	if left := inRoots(t, d); len(left) != 1 {
		t.Errorf("left are %q", left)
	}
}

func TestRemoveTree(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	os.Mkdir(outside, 0o555)
	dir := filepath.Join(t.TempDir(), "dir")
	deep := filepath.Join(dir, strings.Repeat("d/", 100))
	os.MkdirAll(deep, 0o700)
	os.Symlink(outside, filepath.Join(deep, "link"))
	for at := deep; at != filepath.Dir(dir); at = filepath.Dir(at) {
		os.Chmod(at, 0)
	}
	if err := cache.RemoveTree(dir); err != nil || there(dir) {
		t.Error(err)
	}
	if info, _ := os.Stat(outside); info == nil || info.Mode().Perm() != 0o555 {
		t.Errorf("what a link leads to is %v", info)
	}
	if err := cache.RemoveTree(dir); err != nil {
		t.Errorf("what is not there: %v", err)
	}
}
