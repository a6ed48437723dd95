package image_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/r-seed-1713b764/distill/internal/image"
)

// simple stores a one-layer image with a file "name" that says which it is.
func simple(k *kit, platform, text string) desc {
	return k.image(platform, []layerOf{{tar: tarOf(k.t, "file name "+text)}}, nil)
}

func fileName(t *testing.T, i *image.Image) string {
	t.Helper()
	f, ok := i.Files.Get("name")
	if !ok {
		t.Fatal("no file name")
	}
	return read(t, f)
}

func platforms(s *image.Source) string {
	var list []string
	for _, p := range s.Platforms {
		list = append(list, strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/"))
	}
	return strings.Join(list, " ")
}

func TestPlatforms(t *testing.T) {
	attest := desc{"vnd.docker.reference.type": "attestation-manifest"}
	for name, c := range map[string]struct {
		list func(k *kit) []desc
		want string
	}{
		"a single manifest has the platform of its configuration": {func(k *kit) []desc {
			return []desc{simple(k, "linux/arm64", "a")}
		}, "linux/arm64/v8"},
		"an index": {func(k *kit) []desc {
			return []desc{k.index(on(simple(k, "linux/amd64", "a"), "linux/amd64"), on(simple(k, "linux/arm64", "b"), "linux/arm64/v8"))}
		}, "linux/amd64 linux/arm64/v8"},
		"indexes in an index": {func(k *kit) []desc {
			return []desc{k.index(k.index(k.index(on(simple(k, "linux/amd64", "a"), "linux/amd64"))), k.index(on(simple(k, "linux/arm64", "b"), "linux/arm64")))}
		}, "linux/amd64 linux/arm64/v8"},
		"no index at all": {func(k *kit) []desc {
			return []desc{on(simple(k, "linux/amd64", "a"), "linux/amd64"), on(simple(k, "linux/arm64", "b"), "linux/arm64")}
		}, "linux/amd64 linux/arm64/v8"},
		"attestations and unknown platforms are passed over": {func(k *kit) []desc {
			return []desc{k.index(with(on(simple(k, "linux/arm64", "x"), "unknown/unknown"), "annotations", attest),
				with(simple(k, "linux/arm64", "x"), "annotations", attest), on(simple(k, "linux/ppc64le", "x"), "unknown/unknown"),
				on(simple(k, "linux/amd64", "a"), "linux/amd64"))}
		}, "linux/amd64"},
		"of two for one platform the first counts": {func(k *kit) []desc {
			return []desc{k.index(on(simple(k, "linux/arm64", "a"), "linux/arm64"), on(simple(k, "linux/arm64", "b"), "linux/arm64/v8"), on(simple(k, "linux/arm", "c"), "linux/arm/v7"))}
		}, "linux/arm64/v8 linux/arm/v7"},
		"descriptors without a platform have that of the configuration": {func(k *kit) []desc {
			return []desc{k.index(simple(k, "linux/amd64", "a"), simple(k, "linux/arm64/v8", "b"))}
		}, "linux/amd64 linux/arm64/v8"},
		"other things in an index are passed over": {func(k *kit) []desc {
			other := k.json(desc{"schemaVersion": 2, "layers": []any{}, "config": k.blob([]byte("{}"), "application/vnd.oci.empty.v1+json")}, string(types.OCIManifestSchema1))
			return []desc{k.index(other, k.blob([]byte("text"), "text/plain"), on(simple(k, "linux/amd64", "a"), "linux/amd64"))}
		}, "linux/amd64"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			s, err := open(t, k.finish(c.list(k)...), image.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := platforms(s); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestImageMatchesPlatforms(t *testing.T) {
	k := newKit(t)
	s, err := open(t, k.finish(k.index(on(simple(k, "linux/amd64/v2", "amd64"), "linux/amd64/v2"),
		on(simple(k, "linux/arm64", "arm64"), "linux/arm64/v8"), on(simple(k, "linux/arm", "armv7"), "linux/arm/v7"), on(simple(k, "linux/arm", "armv6"), "linux/arm/v6"))), image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{"linux/amd64": "amd64", "linux/arm64": "arm64", "linux/arm64/v8": "arm64", "linux/arm": "armv7", "linux/arm/v6": "armv6"} {
		i, err := s.Image(t.Context(), platform(p))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := fileName(t, i); got != want {
			t.Errorf("%s is %q, want %q", p, got, want)
		}
	}
	for _, p := range []string{"linux/s390x", "windows/amd64", "linux/amd64/v3", "linux/arm/v5"} {
		_, err := s.Image(t.Context(), platform(p))
		if !errors.Is(err, image.ErrNoPlatform) || !strings.Contains(err.Error(), "linux/arm/v7") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestTags(t *testing.T) {
	k := newKit(t)
	a, b, c := simple(k, "linux/amd64", "a"), simple(k, "linux/amd64", "b"), simple(k, "linux/amd64", "c")
	ref := k.finish(tagged(a, "1.0"), tagged(k.index(on(b, "linux/amd64")), "latest"), tagged(c, "registry.example.org/team/app:2.0"))
	for tag, want := range map[string]string{"": "b", ":1.0": "a", ":latest": "b", ":2.0": "c", "@" + fmt.Sprint(a["digest"]): "a", "@" + fmt.Sprint(b["digest"]): "b"} {
		i, err := load(t, ref+tag, image.Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		if got := fileName(t, i); got != want {
			t.Errorf("%q is %q, want %q", tag, got, want)
		}
	}
	for _, tag := range []string{":3.0", "@sha256:" + strings.Repeat("0", 64)} {
		if _, err := open(t, ref+tag, image.Options{}); !errors.Is(err, image.ErrMissing) {
			t.Errorf("%q: %v", tag, err)
		}
	}
	two := newKit(t)
	ref = two.finish(tagged(simple(two, "linux/amd64", "a"), "1.0"), tagged(simple(two, "linux/amd64", "b"), "2.0"))
	if _, err := open(t, ref, image.Options{}); !errors.Is(err, image.ErrMissing) || !strings.Contains(err.Error(), `"1.0", "2.0"`) {
		t.Errorf("no tag where there are two: %v", err)
	}
	one := newKit(t)
	if got := fileName(t, mustLoad(t, one.finish(tagged(simple(one, "linux/amd64", "a"), "1.0")), image.Options{})); got != "a" {
		t.Errorf("the only one is %q", got)
	}
}

func TestSourceDigest(t *testing.T) {
	k := newKit(t)
	index := k.index(on(simple(k, "linux/amd64", "a"), "linux/amd64"))
	s, err := open(t, k.finish(index), image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Digest.String() != index["digest"] {
		t.Errorf("%s, want %s", s.Digest, index["digest"])
	}
	if s.Name != "" {
		t.Errorf("name %q", s.Name)
	}
}

func TestStoredForms(t *testing.T) {
	text := tarOf(t, "file name x", "dir d")
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	half := len(text) / 2
	members := append(gzipOf(text[:half]), gzipOf(text[half:])...)
	frames := enc.EncodeAll(text[half:], enc.EncodeAll(text[:half], nil))
	for name, l := range map[string]layerOf{
		"gzip":                           {},
		"gzip, docker's type":            {mediaType: string(types.DockerLayer)},
		"gzip in several members":        {stored: members},
		"zstd":                           {stored: enc.EncodeAll(text, nil), mediaType: string(types.OCILayerZStd)},
		"zstd in several frames":         {stored: frames, mediaType: string(types.OCILayerZStd)},
		"uncompressed":                   {stored: text, mediaType: string(types.OCIUncompressedLayer)},
		"uncompressed, docker's type":    {stored: text, mediaType: string(types.DockerUncompressedLayer)},
		"uncompressed that says gzip":    {stored: text, mediaType: string(types.DockerLayer)},
		"with a diffID of sha512":        {diffID: sha512Of(text)},
		"without the zeros at the end":   {tar: text[:len(text)-1024]},
		"with more zeros at the end":     {tar: append(bytes.Clone(text), make([]byte, 300_000)...)},
		"empty archive":                  {tar: tarOf(t)},
		"nothing, gzipped":               {tar: []byte{}, stored: gzipOf(nil)},
		"nothing at all, an empty layer": {tar: []byte{}, stored: []byte{}, mediaType: string(types.OCIUncompressedLayer)},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			want := "dir d\nfile name x\n"
			if l.tar == nil {
				l.tar = text
			} else if len(l.tar) <= 1024 {
				want = ""
			}
			i := mustLoad(t, k.finish(k.image("linux/amd64", []layerOf{l}, nil)), image.Options{})
			if got := describe(t, i.Files); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestDigestsOfSHA512(t *testing.T) {
	k := newKit(t)
	m := k.image("linux/amd64", []layerOf{{tar: tarOf(t, "file name x")}}, func(config, manifest desc) {
		stored := gzipOf(tarOf(t, "file name x"))
		manifest["layers"] = []any{k.blob512(stored, string(types.OCILayer))}
	})
	i := mustLoad(t, k.finish(m), image.Options{})
	if fileName(t, i) != "x" || i.Manifest.Layers[0].Digest.Algorithm != "sha512" {
		t.Errorf("%v", i.Manifest.Layers)
	}
}

func TestMissingPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, []byte("x"), 0o644)
	for _, ref := range []string{"oci:" + dir + "/nowhere", "oci:" + dir + "/nowhere:tag", "oci:" + dir, "oci:" + file, "oci-archive:" + dir,
		"oci-archive:" + dir + "/nowhere", "docker-archive:" + dir + "/nowhere.tar:app"} {
		if _, err := open(t, ref, image.Options{}); !errors.Is(err, image.ErrMissing) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestBadReferences(t *testing.T) {
	for _, ref := range []string{"", "oci:", "Upper/Case", "a b", "https://registry.example.org/a", "a@sha256:12", "registry.example.org/a:tag:tag",
		"docker-daemon:", "containers-storage:--help", "oci:x@sha256:12", "a\nb", "oci:/nowhere:"} {
		if _, err := open(t, ref, image.Options{}); !errors.Is(err, image.ErrReference) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestScratch(t *testing.T) {
	s, err := open(t, "scratch", image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	i, err := s.Image(t.Context(), v1.Platform{OS: "linux", Architecture: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	if i.Files.Len() != 0 || i.Config.Variant != "v8" || i.Platform.Variant != "v8" || len(i.Manifest.Layers) != 0 {
		t.Errorf("%+v", i)
	}
	if layers, err := i.V1.Layers(); err != nil || len(layers) != 0 {
		t.Errorf("%v %v", layers, err)
	}
	if got, closer, err := i.Gather(t.Context(), i.Files); err != nil || got.Len() != 0 || closer.Close() != nil {
		t.Errorf("Gather: %v", err)
	}
}

func sha512Of(data []byte) string {
	h, err := v1.Hasher("sha512")
	if err != nil {
		panic(err)
	}
	h.Write(data)
	return fmt.Sprintf("sha512:%x", h.Sum(nil))
}
