package layers

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// The digests of today are the digests of next year: a difference here makes every
// layer of every user new. Change format (entry.go) or an encoder's name along
// with it.
func TestGoldenDigests(t *testing.T) {
	var got strings.Builder
	for _, compression := range []string{"gzip", "zstd"} {
		p := sample()
		img := assemble(t, p, newMemory(), Options{Compression: compression, Version: "0.0.0"})
		members, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range members {
			digest, _ := l.Digest()
			diffID, _ := l.DiffID()
			fmt.Fprintf(&got, "%s layer %q digest %s\n", compression, p.Layers[i].Name, digest.Hex)
			fmt.Fprintf(&got, "%s layer %q diffID %s\n", compression, p.Layers[i].Name, diffID.Hex)
			if compression != "gzip" {
				continue
			}
			entries, err := list(&p.Layers[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				fmt.Fprintf(&got, "layer %q entry %q header %x content %s\n", p.Layers[i].Name, e.name, sha256.Sum256(header(&e, epoch.Unix())), e.content)
			}
		}
		config, _ := img.ConfigName()
		fmt.Fprintf(&got, "%s configuration %s\n", compression, config.Hex)
		fmt.Fprintf(&got, "%s manifest %s\n", compression, strings.TrimPrefix(digestOf(t, img), "sha256:"))
	}
	const name = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(want, []byte(got.String())) {
		return
	}
	wantLines := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got.String(), "\n") {
		if i >= len(wantLines) || wantLines[i] != line {
			t.Errorf("line %d: got  %s", i+1, line)
			if i < len(wantLines) {
				t.Errorf("line %d: want %s", i+1, wantLines[i])
			}
		}
	}
}
