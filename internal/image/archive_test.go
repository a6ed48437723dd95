package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/r-seed-1713b764/distill/internal/image"
)

// archiveOf packs the files of a folder, or the given ones, as docker and podman do.
func archiveOf(t *testing.T, members [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m[0], Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(m[1]))}
		if to, ok := strings.CutPrefix(m[1], "-> "); ok {
			h.Typeflag, h.Linkname, h.Size, m[1] = tar.TypeSymlink, to, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(m[1]))
	}
	w.Close()
	return b.Bytes()
}

func saveFile(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image:1.tar") // a colon in a name is no tag
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOCIArchive(t *testing.T) {
	k := newKit(t)
	k.finish(tagged(simple(k, "linux/amd64", "a"), "1.0"), tagged(simple(k, "linux/amd64", "b"), "2.0"))
	var members [][2]string
	filepath.Walk(k.dir, func(p string, i os.FileInfo, err error) error {
		if err == nil && i.Mode().IsRegular() {
			rel, _ := filepath.Rel(k.dir, p)
			data, _ := os.ReadFile(p)
			members = append(members, [2]string{"./" + rel, string(data)})
		}
		return nil
	})
	whole := archiveOf(t, members)
	for form, data := range map[string][]byte{"plain": whole, "gzip": gzipOf(whole)} {
		file := saveFile(t, data)
		for tag, want := range map[string]string{":1.0": "a", ":2.0": "b"} {
			i := mustLoad(t, "oci-archive:"+file+tag, image.Options{})
			if got := fileName(t, i); got != want {
				t.Errorf("%s %s: %q", form, tag, got)
			}
		}
		if _, err := open(t, "oci-archive:"+file, image.Options{}); !errors.Is(err, image.ErrMissing) {
			t.Errorf("%s: no tag: %v", form, err)
		}
	}
	for what, data := range map[string][]byte{
		"broken off":         whole[:len(whole)/2],
		"no tar":             []byte(strings.Repeat("x", 2000)),
		"broken off gzip":    gzipOf(whole)[:1000],
		"two of index.json":  archiveOf(t, append(members, [2]string{"index.json", "{}"})),
		"without some blobs": archiveOf(t, append([][2]string{}, lastOf(members, "index.json")...)),
	} {
		if _, err := load(t, "oci-archive:"+saveFile(t, data)+":1.0", image.Options{}); !errors.Is(err, image.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := open(t, "oci-archive:"+saveFile(t, archiveOf(t, [][2]string{{"manifest.json", "[]"}})), image.Options{}); !errors.Is(err, image.ErrMissing) {
		t.Errorf("docker's archive: %v", err)
	}
}

// lastOf returns the members with this name.
func lastOf(members [][2]string, name string) (list [][2]string) {
	for _, m := range members {
		if strings.HasSuffix(m[0], name) {
			list = append(list, m)
		}
	}
	return list
}

// savedOf makes what docker save writes, of images with one file "name" each.
func savedOf(t *testing.T, gzipped bool, names ...string) [][2]string {
	t.Helper()
	var members [][2]string
	var list []desc
	for i, n := range names {
		text := tarOf(t, "file name "+n)
		config, _ := json.Marshal(desc{"os": "linux", "architecture": "amd64", "rootfs": desc{"type": "layers",
			"diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(text)), fmt.Sprintf("sha256:%x", sha256.Sum256(text))}}})
		hex := fmt.Sprintf("%x", sha256.Sum256(config))
		if gzipped {
			text = gzipOf(text)
		}
		dir := fmt.Sprintf("%d", i)
		members = append(members, [2]string{hex + ".json", string(config)}, [2]string{dir + "/layer.tar", string(text)},
			[2]string{dir + "/again.tar", "-> ../" + dir + "/layer.tar"})
		list = append(list, desc{"Config": hex + ".json", "RepoTags": []string{n}, "Layers": []string{dir + "/layer.tar", dir + "/again.tar"}})
	}
	doc, _ := json.Marshal(list)
	return append(members, [2]string{"manifest.json", string(doc)})
}

func TestDockerArchive(t *testing.T) {
	for _, gzipped := range []bool{false, true} {
		file := saveFile(t, archiveOf(t, savedOf(t, gzipped, "app:1", "registry.example.org:5000/team/app:2")))
		for ref, want := range map[string]string{
			":app:1": "app:1", ":docker.io/library/app:1": "app:1", ":registry.example.org:5000/team/app:2": "registry.example.org:5000/team/app:2",
		} {
			i := mustLoad(t, "docker-archive:"+file+ref, image.Options{Probe: keepAll{}})
			if got := fileName(t, i); got != want {
				t.Errorf("%s: %q", ref, got)
			}
			if len(i.Manifest.Layers) != 2 || i.Manifest.Layers[0].MediaType == types.OCIUncompressedLayer == gzipped {
				t.Errorf("layers %v", i.Manifest.Layers)
			}
		}
		for _, ref := range []string{"", ":app:3"} {
			if _, err := open(t, "docker-archive:"+file+ref, image.Options{}); !errors.Is(err, image.ErrMissing) || !strings.Contains(err.Error(), "app:1") {
				t.Errorf("%q: %v", ref, err)
			}
		}
	}
	one := saveFile(t, archiveOf(t, savedOf(t, false, "app:1")))
	if got := fileName(t, mustLoad(t, "docker-archive:"+one, image.Options{})); got != "app:1" {
		t.Errorf("%q", got)
	}
}

func TestDamagedDockerArchive(t *testing.T) {
	good := savedOf(t, false, "app:1")
	swap := func(suffix, old, with string) []byte {
		var list [][2]string
		for _, m := range good {
			if strings.HasSuffix(m[0], suffix) {
				m[1] = strings.Replace(m[1], old, with, 1)
			}
			list = append(list, m)
		}
		return archiveOf(t, list)
	}
	for what, data := range map[string][]byte{
		"another configuration": swap(".json", `"linux"`, `"LINUX"`),
		"another layer":         swap("layer.tar", "app:1", "app:2"),
		"missing layer":         swap("manifest.json", "/layer.tar", "/nowhere.tar"),
		"missing configuration": swap("manifest.json", ".json", ".jsn"),
		"a loop of links":       swap("again.tar", "../0/layer.tar", "again.tar"),
		"fewer layers":          swap("manifest.json", `,"0/again.tar"`, ""),
		"no list":               swap("manifest.json", "[", "{"),
	} {
		if _, err := load(t, "docker-archive:"+saveFile(t, data), image.Options{}); !errors.Is(err, image.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestOwnedImages uses stand-ins for the programs that own the images.
func TestOwnedImages(t *testing.T) {
	file := saveFile(t, archiveOf(t, savedOf(t, false, "app:1")))
	bin := t.TempDir()
	script := func(program, text string) {
		if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	for _, ref := range []string{"docker-daemon:app:1", "containers-storage:app:1"} {
		if _, err := open(t, ref, image.Options{}); !errors.Is(err, image.ErrProgram) || !strings.Contains(err.Error(), "not installed") {
			t.Errorf("%s without its program: %v", ref, err)
		}
	}
	copyIt := fmt.Sprintf("read -r line < /dev/null; exec /bin/cat '%s'", file)
	script("docker", copyIt)
	script("podman", copyIt)
	for _, ref := range []string{"docker-daemon:app:1", "containers-storage:app:1"} {
		if got := fileName(t, mustLoad(t, ref, image.Options{})); got != "app:1" {
			t.Errorf("%s: %q", ref, got)
		}
	}
	script("docker", "echo first line >&2; echo no such image: app >&2; exit 1")
	if _, err := open(t, "docker-daemon:app:1", image.Options{}); !errors.Is(err, image.ErrProgram) || !strings.Contains(err.Error(), "no such image: app") {
		t.Errorf("%v", err)
	}
}
