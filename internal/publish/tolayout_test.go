package publish

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestPushToLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "app")
	idx, variants := app(t, "one")
	p, err := Push(context.Background(), "oci:"+dir+":1.0", idx, variants, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "oci:" + dir + "@" + digest(t, idx); p.Ref != want {
		t.Errorf("Ref = %s, want %s", p.Ref, want)
	}
	checkLayout(t, dir, map[string]string{"1.0": digest(t, idx)})
	two, variants2 := app(t, "two")
	if _, err := Push(context.Background(), "oci:"+dir+":2.0", two, variants2, Options{ArchTags: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	checkLayout(t, dir, map[string]string{
		"1.0": digest(t, idx), "2.0": digest(t, two),
		"2.0-amd64": digest(t, variants2[0].Image), "2.0-arm64v8": digest(t, variants2[1].Image),
	})
	before := tree(t, dir)
	p, err = Push(context.Background(), "oci:"+dir+":1.0", idx, variants, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Uploaded["linux/amd64"]+p.Uploaded["linux/arm64"] != 0 {
		t.Errorf("uploaded %v", p.Uploaded)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestLayoutKeepsWhatItDoesNotKnow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "app")
	idx, variants := app(t, "one")
	if _, err := Push(context.Background(), "oci:"+dir+":1.0", idx, variants, Options{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "index.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	odd := `"x-field":[1],"manifests":[{"mediaType":"x/y","size":3,"digest":"sha256:` + strings.Repeat("a", 64) + `","x":{"y":1}},`
	data = []byte(strings.Replace(string(data), `"manifests":[`, odd, 1))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Push(context.Background(), "oci:"+dir+":2.0", idx, variants, Options{}); err != nil {
		t.Fatal(err)
	}
	data, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"x":{"y":1}`) || !strings.Contains(string(data), `"x-field":[1]`) {
		t.Errorf("lost something: %s", data)
	}
}

func TestLayoutAfterFailureIsAsBefore(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, there := range []bool{false, true} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "deep", "app")
		if there {
			idx, variants := app(t, "one")
			if _, err := Push(context.Background(), "oci:"+dir, idx, variants, Options{}); err != nil {
				t.Fatal(err)
			}
		}
		before := tree(t, parent)
		idx, variants := app(t, "two")
		variants[1].Image = failing{variants[1].Image, broken}
		if _, err := Push(context.Background(), "oci:"+dir, idx, variants, Options{}); !errors.Is(err, broken) {
			t.Fatalf("err = %v", err)
		}
		if diff := cmp.Diff(before, tree(t, parent)); diff != "" {
			t.Error(diff)
		}
		if _, err := Push(context.Background(), "oci-archive:"+dir+".tar", idx, variants, Options{}); !errors.Is(err, broken) {
			t.Fatalf("err = %v", err)
		}
		if diff := cmp.Diff(before, tree(t, parent)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestUnusableFolders(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("years of work"), 0o644); err != nil {
		t.Fatal(err)
	}
	idx, variants := app(t, "one")
	before := tree(t, dir)
	for _, dest := range []string{
		"oci:" + dir, "oci:" + dir + "/thesis.txt", "oci:" + dir + "/thesis.txt/x",
		"oci-archive:" + dir, "oci-archive:" + dir + "/thesis.txt", "oci:", "docker-archive:x", "UPPER/case", "app@sha256:" + strings.Repeat("0", 64),
	} {
		if _, err := Push(context.Background(), dest, idx, variants, Options{}); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", dest, err)
		}
		if _, _, err := Current(context.Background(), dest, Options{}); !errors.Is(err, ErrUsage) {
			t.Errorf("Current %s: %v", dest, err)
		}
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestArchiveHasTheSameBytesEachTime(t *testing.T) {
	dir := t.TempDir()
	idx, variants := app(t, "one")
	var content []string
	for _, n := range []string{"a.tar", "b.tar", "a.tar"} {
		path := filepath.Join(dir, n)
		if _, err := Push(context.Background(), "oci-archive:"+path+":1.0", idx, variants, Options{}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, string(data))
	}
	if content[0] != content[1] || content[0] != content[2] {
		t.Error("archives differ")
	}
}

// checkLayout reads a layout with another reader and compares its tags.
func checkLayout(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	l, err := ggcrlayout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	idx, err := l.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(idx); err != nil {
		t.Error(err)
	}
	m, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, d := range m.Manifests {
		got[d.Annotations[refName]] = d.Digest.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// tree maps the files below a folder to their content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[path] = "folder"
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return maps.Clone(all)
}

func TestManyWritersToOneLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "app")
	want := make(map[string]string)
	var wg sync.WaitGroup
	for _, tag := range []string{"a", "b", "c", "d", "e", "f"} {
		idx, variants := app(t, tag)
		want[tag] = digest(t, idx)
		wg.Go(func() {
			if _, err := Push(context.Background(), "oci:"+dir+":"+tag, idx, variants, Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	checkLayout(t, dir, want)
	for path := range tree(t, filepath.Dir(dir)) {
		if strings.Contains(path, temporary) {
			t.Errorf("left behind: %s", path)
		}
	}
}

func TestLeftoversOfTheDeadAreRemoved(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "app")
	beside := filepath.Join(parent, temporary+"app-1", "blobs")
	if err := os.MkdirAll(beside, 0o755); err != nil {
		t.Fatal(err)
	}
	idx, variants := app(t, "one")
	if _, err := Push(context.Background(), "oci:"+dir, idx, variants, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(beside); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", beside, err)
	}
	if err := os.Mkdir(filepath.Join(dir, temporary+"2"), 0o755); err != nil {
		t.Fatal(err)
	}
	busy := filepath.Join(dir, temporary+"busy")
	if err := os.Mkdir(busy, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := tryLock(busy)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := Push(context.Background(), "oci:"+dir+":2", idx, variants, Options{}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{temporary + "busy", "blobs", "index.json", "oci-layout"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestDamagedBlobIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "app")
	idx, variants := app(t, "one")
	if _, err := Push(context.Background(), "oci:"+dir, idx, variants, Options{}); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	for path, content := range before {
		if strings.Contains(path, "sha256/") {
			if err := os.WriteFile(path, bytes.ToUpper([]byte(content)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := Push(context.Background(), "oci:"+dir, idx, variants, Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}
