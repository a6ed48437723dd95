package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
)

// kit makes an OCI layout, piece by piece, each of which a test may bend.
type kit struct {
	t   testing.TB
	dir string
}

func newKit(t testing.TB) *kit {
	t.Helper()
	k := &kit{t, t.TempDir()}
	k.write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return k
}

func (k *kit) write(name string, data []byte) {
	k.t.Helper()
	name = filepath.Join(k.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		k.t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		k.t.Fatal(err)
	}
}

// desc is a descriptor as JSON, so that it can be bent in any way.
type desc = map[string]any

func (k *kit) blob(data []byte, mediaType string) desc {
	k.t.Helper()
	hex := fmt.Sprintf("%x", sha256.Sum256(data))
	k.write("blobs/sha256/"+hex, data)
	return desc{"mediaType": mediaType, "digest": "sha256:" + hex, "size": len(data)}
}

func (k *kit) blob512(data []byte, mediaType string) desc {
	k.t.Helper()
	hex := fmt.Sprintf("%x", sha512.Sum512(data))
	k.write("blobs/sha512/"+hex, data)
	return desc{"mediaType": mediaType, "digest": "sha512:" + hex, "size": len(data)}
}

func (k *kit) json(v any, mediaType string) desc {
	k.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		k.t.Fatal(err)
	}
	return k.blob(data, mediaType)
}

// layerOf is a layer to be: its tar archive, and how it is stored.
type layerOf struct {
	tar       []byte
	stored    []byte // nil: gzip of tar
	mediaType string // "": OCI gzip
	diffID    string // "": of tar
}

// image stores an image and returns the descriptor of its manifest; edit may change the
// configuration and the manifest.
func (k *kit) image(platform string, layers []layerOf, edit func(config, manifest desc)) desc {
	k.t.Helper()
	p := strings.Split(platform, "/")
	config := desc{"os": p[0], "architecture": p[1], "config": desc{}}
	if len(p) > 2 {
		config["variant"] = p[2]
	}
	var diffIDs, descs []any
	for _, l := range layers {
		if l.stored == nil {
			l.stored = gzipOf(l.tar)
		}
		if l.mediaType == "" {
			l.mediaType = string(types.OCILayer)
		}
		if l.diffID == "" {
			l.diffID = fmt.Sprintf("sha256:%x", sha256.Sum256(l.tar))
		}
		diffIDs = append(diffIDs, l.diffID)
		descs = append(descs, k.blob(l.stored, l.mediaType))
	}
	config["rootfs"] = desc{"type": "layers", "diff_ids": diffIDs}
	manifest := desc{"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "layers": descs}
	if edit != nil {
		edit(config, manifest)
	}
	if manifest["config"] == nil {
		manifest["config"] = k.json(config, string(types.OCIConfigJSON))
	}
	return k.json(manifest, string(types.OCIManifestSchema1))
}

func (k *kit) index(list ...desc) desc {
	k.t.Helper()
	return k.json(desc{"schemaVersion": 2, "mediaType": types.OCIImageIndex, "manifests": list}, string(types.OCIImageIndex))
}

// finish writes index.json and returns the reference.
func (k *kit) finish(list ...desc) string {
	k.t.Helper()
	data, err := json.Marshal(desc{"schemaVersion": 2, "manifests": list})
	if err != nil {
		k.t.Fatal(err)
	}
	k.write("index.json", data)
	return "oci:" + k.dir
}

// on adds a platform to a descriptor.
func on(d desc, platform string) desc {
	p := strings.Split(platform, "/")
	m := desc{"os": p[0], "architecture": p[1]}
	if len(p) > 2 {
		m["variant"] = p[2]
	}
	return with(d, "platform", m)
}

func tagged(d desc, tag string) desc {
	return with(d, "annotations", desc{"org.opencontainers.image.ref.name": tag})
}

func with(d desc, key string, value any) desc {
	c := desc{key: value}
	for k, v := range d {
		if k != key {
			c[k] = v
		}
	}
	return c
}

func gzipOf(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// tarOf makes an archive from lines: "dir P", "file P [TEXT]", "sym P -> T", "hard P -> T",
// "fifo P", "char P", "block P".
func tarOf(t testing.TB, lines ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, line := range lines {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		h := &tar.Header{Mode: 0o644, Format: tar.FormatPAX}
		var text string
		switch verb {
		case "dir":
			h.Typeflag, h.Name, h.Mode = tar.TypeDir, rest+"/", 0o755
		case "file":
			h.Typeflag = tar.TypeReg
			h.Name, text, _ = strings.Cut(rest, " ")
			h.Size = int64(len(text))
		case "sym", "hard":
			h.Typeflag = map[string]byte{"sym": tar.TypeSymlink, "hard": tar.TypeLink}[verb]
			h.Name, h.Linkname, _ = strings.Cut(rest, " -> ")
		case "fifo", "char", "block":
			h.Typeflag, h.Name = map[string]byte{"fifo": tar.TypeFifo, "char": tar.TypeChar, "block": tar.TypeBlock}[verb], rest
		default:
			t.Fatalf("unknown line %q", line)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		io.WriteString(w, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newCache(t testing.TB) *cache.Dir {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// open opens a reference with a cache of its own.
func open(t testing.TB, ref string, o image.Options) (*image.Source, error) {
	t.Helper()
	if o.Cache == nil {
		o.Cache = newCache(t)
	}
	s, err := image.Open(t.Context(), ref, o)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

// load opens a reference and reads its first platform.
func load(t testing.TB, ref string, o image.Options) (*image.Image, error) {
	t.Helper()
	s, err := open(t, ref, o)
	if err != nil {
		return nil, err
	}
	return s.Image(t.Context(), s.Platforms[0])
}

func mustLoad(t testing.TB, ref string, o image.Options) *image.Image {
	t.Helper()
	i, err := load(t, ref, o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// describe writes a tree as the lines that tarOf reads, in path order.
func describe(t testing.TB, set files.Set) string {
	t.Helper()
	var b strings.Builder
	for f := range set.All() {
		switch {
		case f.Mode.IsDir():
			fmt.Fprintf(&b, "dir %s\n", f.Path)
		case f.IsSymlink():
			fmt.Fprintf(&b, "sym %s -> %s\n", f.Path, f.Link)
		case f.IsRegular():
			fmt.Fprintf(&b, "file %s %s", f.Path, read(t, f))
			if f.Inode != 0 {
				fmt.Fprintf(&b, " #%d", f.Inode)
			}
			b.WriteString("\n")
		case f.Mode&fs.ModeNamedPipe != 0:
			fmt.Fprintf(&b, "fifo %s\n", f.Path)
		case f.Mode&fs.ModeCharDevice != 0:
			fmt.Fprintf(&b, "char %s\n", f.Path)
		case f.Mode&fs.ModeDevice != 0:
			fmt.Fprintf(&b, "block %s\n", f.Path)
		default:
			fmt.Fprintf(&b, "? %s %v\n", f.Path, f.Mode)
		}
	}
	return b.String()
}

func read(t testing.TB, f *files.File) string {
	t.Helper()
	data, err := f.ReadAll(1 << 30)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func platform(text string) v1.Platform {
	p, err := v1.ParsePlatform(text)
	if err != nil {
		panic(err)
	}
	return *p
}

// keepAll is a probe that wants everything of everything.
type keepAll struct{ version string }

func (p keepAll) Version() string { return "keep-all" + p.version }

func (keepAll) Wants(string, int64, []byte) files.Want {
	return files.WantContent | files.WantSHA256 | files.WantNote
}

func (keepAll) Note(path string, size int64, r io.ReaderAt) ([]byte, error) {
	data, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != size {
		return nil, fmt.Errorf("%d of %d bytes", len(data), size)
	}
	return fmt.Appendf(nil, "%s has %d bytes", path, len(data)), nil
}

// oddOwner is an archive with a negative owner.
func oddOwner(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Uid: -5, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.Bytes()
}

func sha256Hex(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
