package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/gunzip"
)

// memory is a store of one blob.
type memory []byte

func (m memory) open(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	return newChecked(bytes.NewReader(m), nopCloser{}, d)
}
func (m memory) at(v1.Descriptor) (randomBlob, bool) { return nil, false }
func (m memory) probe(v1.Descriptor) error           { return nil }
func (m memory) forget(v1.Descriptor)                {}
func (m memory) Close() error                        { return nil }

type noteProbe struct{}

func (noteProbe) Version() string { return "note" }
func (noteProbe) Wants(path string, size int64, head []byte) files.Want {
	return files.Want(size % 8)
}
func (noteProbe) Note(path string, size int64, r io.ReaderAt) ([]byte, error) {
	return []byte(path), nil
}

// FuzzLayers reads bytes as two layers of an image: nothing panics, every path stays in the
// root, and what is remembered of a layer survives being stored.
func FuzzLayers(f *testing.F) {
	for _, name := range []string{"sparse-gnu", "sparse-pax-0.0", "sparse-pax-0.1", "sparse-pax-1.0", "odd-names"} {
		data, err := os.ReadFile("testdata/" + name + ".tar")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, data[:len(data)/2])
		f.Add([]byte{}, data)
	}
	c, err := cache.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		src := newSource("fuzz", Options{Cache: c})
		var tree overlay
		for _, data := range [][]byte{lower, upper} {
			src.store = memory(data)
			l := &layer{source: src, desc: v1.Descriptor{Digest: sha256Of(data), Size: int64(len(data))}, diffID: sha256Of(data), budget: new(budget)}
			st, err := l.openStream(t.Context(), nil, newRecorder())
			if err != nil {
				return
			}
			hold := new([]byte)
			l.facts, err = walk(st, noteProbe{}, c, hold)
			st.close()
			if err != nil {
				return
			}
			checkStored(t, l.facts)
			if tree.add(l, l.facts) != nil {
				return
			}
		}
		for f := range tree.set().All() {
			if f.Path == "" || files.Clean(f.Path) != f.Path {
				t.Errorf("path %q", f.Path)
			}
			if f.Size < 0 || f.IsRegular() != (f.Content != nil) {
				t.Errorf("%+v", f)
			}
		}
	})
}

// checkStored writes and reads facts.
func checkStored(t *testing.T, f *facts) {
	var b bytes.Buffer
	if err := f.writeTo(&b); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != f.storedSize() {
		t.Errorf("%d bytes, said to be %d", b.Len(), f.storedSize())
	}
	g, err := decodeFacts(b.String())
	if err != nil {
		t.Fatal(err)
	}
	list := func(f *facts) (list []string) {
		if err := f.each(func(e *entry) error { list = append(list, fmt.Sprintf("%+v", *e)); return nil }); err != nil {
			t.Fatal(err)
		}
		return list
	}
	if a, b := list(f), list(g); !reflect.DeepEqual(a, b) || g.extent != f.extent {
		t.Errorf("stored %q, got %q", a, b)
	}
}

func FuzzDecodeFacts(f *testing.F) {
	var b factsBuilder
	b.add(&entry{kind: kindFile, path: "a", size: 3, kept: "abc", hasKept: true, sha256: strings.Repeat("0", 64), note: "n", hasNote: true, xattrs: map[string]string{"k": "v"}})
	b.add(&entry{kind: kindSymlink, path: "l", link: "a"})
	b.add(&entry{kind: kindOpaque, path: "d", uid: 1, gid: 2, modTime: -3})
	var out strings.Builder
	if err := b.finish(1024).writeTo(&out); err != nil {
		f.Fatal(err)
	}
	f.Add(out.String())
	f.Add("facts")
	f.Fuzz(func(t *testing.T, data string) {
		facts, err := decodeFacts(data)
		if err != nil {
			return
		}
		n := 0
		if err := facts.each(func(*entry) error { n++; return nil }); err != nil || n != facts.entries {
			t.Errorf("%d entries of %d, %v", n, facts.entries, err)
		}
	})
}

func FuzzParseDocument(f *testing.F) {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(nil))
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"` + digest + `","size":3},"layers":[{"digest":"` + digest + `","size":1}]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"` + digest + `","size":1,"platform":{"os":"linux","architecture":"arm64"},"annotations":{"SIZE":"1"}}]}`))
	f.Add([]byte(`{"schemaVersion":1,"fsLayers":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := parseDocument(data)
		if err != nil {
			if !isKnown(err) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		if (doc.index == nil) == (doc.manifest == nil) {
			t.Fatal("neither or both")
		}
		var list []v1.Descriptor
		if doc.index != nil {
			list = doc.index.Manifests
		} else {
			list = append(doc.manifest.Layers, doc.manifest.Config)
		}
		for _, d := range list {
			if d.Size < 0 || d.Size > maxBytes || len(d.Digest.Hex) != 64 && len(d.Digest.Hex) != 128 || strings.Trim(d.Digest.Hex, "0123456789abcdef") != "" {
				t.Errorf("%+v", d)
			}
		}
	})
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"alpine", "localhost:5000/a:1", "oci:dir:tag", "oci-archive:f.tar:a/b:c", "docker-archive:x@sha256:00", "scratch", "docker://a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReference(text)
		if err != nil {
			return
		}
		if (r.registry != nil) != (r.scheme == schemeRegistry) || r.scheme != "" && r.registry == nil && r.path == "" {
			t.Errorf("%+v", r)
		}
	})
}

func FuzzDecodePoints(f *testing.F) {
	r := newRecorder()
	h := sha256.New()
	r.found(gunzip.Point{In: 80, Out: 100, Window: "window"})
	r.found(gunzip.Point{In: 800, Out: 1000, Window: strings.Repeat("w", 32<<10)})
	r.write(h, 0, make([]byte, 2000))
	good := r.bytes()
	if list := decodePoints(good); len(list) != 3 || list[1].Window != "window" || list[2].Out != 1000 || len(list[2].state) < 32 {
		f.Fatalf("%d points", len(list))
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		list := decodePoints(data)
		for i := 1; i < len(list); i++ {
			if list[i].Out <= list[i-1].Out || list[i].In < list[i-1].In {
				t.Errorf("%+v", list)
			}
		}
	})
}
