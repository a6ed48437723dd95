package image_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/r-seed-1713b764/distill/internal/image"
)

// TestDamage bends a good image in one place each; it must be refused, by an error that
// tells what is wrong.
func TestDamage(t *testing.T) {
	text := tarOf(t, "file name x", "file big "+strings.Repeat("0123456789", 1000))
	stored := gzipOf(text)
	layer := func(l layerOf) func(k *kit) []desc {
		if l.tar == nil {
			l.tar = text
		}
		return func(k *kit) []desc {
			return []desc{k.image("linux/amd64", []layerOf{{tar: tarOf(k.t, "dir below")}, l}, nil)}
		}
	}
	edited := func(edit func(config, manifest desc)) func(k *kit) []desc {
		return func(k *kit) []desc { return []desc{k.image("linux/amd64", []layerOf{{tar: text}}, edit)} }
	}
	first := func(manifest desc) desc { return manifest["layers"].([]any)[0].(desc) }
	raw := func(doc string) func(k *kit) []desc {
		return func(k *kit) []desc { return []desc{k.blob([]byte(doc), string(types.OCIManifestSchema1))} }
	}
	flipped := bytes.Clone(stored)
	flipped[len(flipped)/2] ^= 0xff
	badSum := bytes.Clone(text)
	badSum[150] ^= 1

	for name, c := range map[string]struct {
		make func(k *kit) []desc
		want error
		text string
	}{
		"diffID":                   {layer(layerOf{diffID: "sha256:" + strings.Repeat("ab", 32)}), image.ErrDamaged, "diffID"},
		"broken off gzip":          {layer(layerOf{stored: stored[:len(stored)*2/3]}), image.ErrDamaged, "gzip"},
		"gzip with a flipped byte": {layer(layerOf{stored: flipped}), image.ErrDamaged, ""},
		"bytes behind the gzip":    {layer(layerOf{stored: append(bytes.Clone(stored), "trailing"...)}), image.ErrDamaged, "gzip"},
		"zeros behind the gzip":    {layer(layerOf{stored: append(bytes.Clone(stored), make([]byte, 512)...)}), image.ErrDamaged, "gzip"},
		"broken off tar":           {layer(layerOf{tar: text[:len(text)/2]}), image.ErrDamaged, "tar"},
		"bytes behind the tar":     {layer(layerOf{tar: append(bytes.Clone(text), "trailing"...)}), image.ErrDamaged, "behind the end"},
		"tar checksum":             {layer(layerOf{tar: badSum}), image.ErrDamaged, "tar"},
		"no archive":               {layer(layerOf{stored: bytes.Repeat([]byte("this is no layer"), 100)}), image.ErrDamaged, "tar"},
		"empty blob":               {layer(layerOf{stored: []byte{}}), image.ErrDamaged, "diffID"},
		"unknown layer type":       {layer(layerOf{mediaType: "application/vnd.example.layer+lzma"}), image.ErrUnsupported, "lzma"},
		"foreign layer":            {layer(layerOf{mediaType: string(types.DockerForeignLayer)}), image.ErrUnsupported, "distributed"},

		"layer size":          {edited(func(_, m desc) { first(m)["size"] = 12 }), image.ErrDamaged, "descriptor says 12"},
		"negative layer size": {edited(func(_, m desc) { first(m)["size"] = -1 }), image.ErrDamaged, "negative"},
		"huge layer size":     {edited(func(_, m desc) { first(m)["size"] = int64(1) << 60 }), image.ErrDamaged, "more than"},
		"short digest":        {edited(func(_, m desc) { first(m)["digest"] = "sha256:abcd" }), image.ErrDamaged, "abcd"},
		"digest as a path":    {edited(func(_, m desc) { first(m)["digest"] = "sha256:../../../../etc/passwd" }), image.ErrDamaged, ""},
		"unknown algorithm":   {edited(func(_, m desc) { first(m)["digest"] = "md5:" + strings.Repeat("0", 32) }), image.ErrDamaged, "md5"},
		"missing layer":       {edited(func(_, m desc) { first(m)["digest"] = "sha256:" + strings.Repeat("0", 64) }), image.ErrDamaged, "missing"},
		"no digest":           {edited(func(_, m desc) { delete(first(m), "digest") }), image.ErrDamaged, "no digest"},
		"too many layers": {edited(func(_, m desc) {
			m["layers"] = make([]any, 1001)
			for i := range 1001 {
				m["layers"].([]any)[i] = desc{"mediaType": types.OCILayer, "digest": "sha256:" + strings.Repeat("0", 64), "size": 1}
			}
		}), image.ErrDamaged, "1001 layers"},
		"fewer diffIDs": {edited(func(c, _ desc) { c["rootfs"] = desc{"type": "layers", "diff_ids": []any{}} }), image.ErrDamaged, "diff_ids"},
		"no rootfs":     {edited(func(c, _ desc) { delete(c, "rootfs") }), image.ErrDamaged, "diff_ids"},
		"no platform":   {edited(func(c, _ desc) { delete(c, "architecture") }), image.ErrDamaged, "no platform"},
		"config size":   {edited(func(c, m desc) { m["config"] = desc{"digest": "sha256:" + strings.Repeat("0", 64), "size": 17 << 20} }), image.ErrDamaged, "more than"},
		"other config": {edited(func(c, m desc) {
			m["config"] = desc{"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": "sha256:" + strings.Repeat("0", 64), "size": 2}
		}), image.ErrUnsupported, "no container image"},
		"manifest and index": {edited(func(_, m desc) { m["manifests"] = []any{} }), image.ErrDamaged, "both"},
		"wrong own type":     {edited(func(_, m desc) { m["mediaType"] = types.OCIImageIndex }), image.ErrDamaged, "not the"},
		"LAYERS":             {edited(func(_, m desc) { m["LAYERS"] = []any{} }), image.ErrDamaged, "unusual case"},

		"not JSON":       {raw("<html>captive portal</html>"), image.ErrDamaged, ""},
		"not an object":  {raw(`[1]`), image.ErrDamaged, "not a JSON object"},
		"empty manifest": {raw(``), image.ErrDamaged, ""},
		"neither":        {raw(`{"schemaVersion":2}`), image.ErrDamaged, "neither"},
		"twice the same": {raw(`{"schemaVersion":2,"layers":[],"config":{},"layers":[]}`), image.ErrDamaged, "twice"},
		"two documents":  {raw(`{"schemaVersion":2,"layers":[]} {}`), image.ErrDamaged, "after the end"},
		"deep JSON":      {raw(`{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`), image.ErrDamaged, "deep"},
		"schema 1":       {raw(`{"schemaVersion":1,"name":"a","fsLayers":[]}`), image.ErrUnsupported, "schema 1"},
		"large manifest": {raw(`{"schemaVersion":2,"layers":[],"a":"` + strings.Repeat("x", 5<<20) + `"}`), image.ErrDamaged, "more than"},

		"index of nothing":  {func(k *kit) []desc { return []desc{k.index()} }, image.ErrDamaged, "no image"},
		"no image at all":   {func(k *kit) []desc { return nil }, image.ErrDamaged, "no image"},
		"index as manifest": {func(k *kit) []desc { return []desc{with(k.index(), "mediaType", types.OCIManifestSchema1)} }, image.ErrDamaged, "not the"},
		"deep index": {func(k *kit) []desc {
			d := on(simple(k, "linux/amd64", "a"), "linux/amd64")
			for range 6 {
				d = k.index(d)
			}
			return []desc{d}
		}, image.ErrDamaged, "nested"},
		"wide index": {func(k *kit) []desc {
			var list []desc
			for i := range 1100 {
				list = append(list, k.json(desc{"schemaVersion": 2, "manifests": []any{}, "annotations": desc{"n": fmt.Sprint(i)}}, string(types.OCIImageIndex)))
			}
			return []desc{k.index(list...)}
		}, image.ErrDamaged, "documents"},
		"another platform than listed": {func(k *kit) []desc {
			return []desc{k.index(on(simple(k, "linux/arm64", "a"), "linux/amd64"))}
		}, image.ErrDamaged, "its configuration is for linux/arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			_, err := load(t, k.finish(c.make(k)...), image.Options{Probe: keepAll{}})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%v, want %v with %q", err, c.want, c.text)
			}
		})
	}
}

// TestChangedBlob changes bytes under a digest, which a folder does not notice by itself.
func TestChangedBlob(t *testing.T) {
	k := newKit(t)
	ref := k.finish(k.image("linux/amd64", []layerOf{{tar: tarOf(t, "file name x")}}, nil))
	blobs, err := filepath.Glob(filepath.Join(k.dir, "blobs/sha256/*"))
	if err != nil || len(blobs) != 3 {
		t.Fatal(blobs, err)
	}
	for _, name := range blobs {
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		bad[len(bad)-1] ^= 1
		os.WriteFile(name, bad, 0o644)
		if _, err := load(t, ref, image.Options{}); !errors.Is(err, image.ErrDamaged) {
			t.Errorf("%s changed: %v", name, err)
		}
		os.WriteFile(name, good, 0o644)
	}
	mustLoad(t, ref, image.Options{})
}

func TestEntriesThatAreRefused(t *testing.T) {
	long := strings.Repeat("n", 256)
	for name, lines := range map[string][]string{
		"a long part":  {"file a/" + long + "/b x"},
		"a long name":  {"file " + strings.Repeat("d/", 2050) + "x y"},
		"a long link":  {"sym a -> " + strings.Repeat("d/", 2050)},
		"an odd owner": nil,
	} {
		text := tarOf(t, lines...)
		if lines == nil {
			text = oddOwner(t)
		}
		k := newKit(t)
		_, err := load(t, k.finish(k.image("linux/amd64", []layerOf{{tar: text}}, nil)), image.Options{})
		if !errors.Is(err, image.ErrDamaged) || len(err.Error()) > 1000 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
