package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdLook writes what an OCI layout holds for one architecture as text: look LAYOUT ARCH
// FILE. Lines are
//
//	user U, workdir W, entrypoint [...], cmd [...], env A=B, label L
//	layer NAME DIGEST
//	  -rw-r--r-- 0:0 path -> link
//	    | content of small text files
func cmdLook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: look LAYOUT ARCH FILE")
	}
	k := &kit{dir: ts.MkAbs(args[0]), ts: ts}
	var top, index struct {
		Manifests []struct {
			Digest   string
			Platform struct{ Architecture string }
		}
	}
	k.load("index.json", &top)
	k.load(k.blobName(top.Manifests[0].Digest), &index)
	var out bytes.Buffer
	for _, m := range index.Manifests {
		if m.Platform.Architecture == args[1] {
			k.look(&out, m.Digest)
		}
	}
	k.must(os.WriteFile(ts.MkAbs(args[2]), out.Bytes(), 0o644))
}

func (k *kit) blobName(digest string) string {
	return filepath.Join("blobs", strings.ReplaceAll(digest, ":", "/"))
}

func (k *kit) load(name string, v any) {
	b, err := os.ReadFile(filepath.Join(k.dir, name))
	k.must(err)
	k.must(json.Unmarshal(b, v))
}

func (k *kit) look(w io.Writer, digest string) {
	var m struct {
		Config struct{ Digest string }
		Layers []struct{ Digest string }
	}
	k.load(k.blobName(digest), &m)
	var c struct {
		Config struct {
			User, WorkingDir     string
			Entrypoint, Cmd, Env []string
			Labels               map[string]string
		}
		History []struct {
			CreatedBy string `json:"created_by"`
		}
	}
	k.load(k.blobName(m.Config.Digest), &c)
	fmt.Fprintf(w, "user %s\nworkdir %s\nentrypoint %q\ncmd %q\n", c.Config.User, c.Config.WorkingDir, c.Config.Entrypoint, c.Config.Cmd)
	for _, e := range c.Config.Env {
		fmt.Fprintf(w, "env %s\n", e)
	}
	for l := range c.Config.Labels {
		fmt.Fprintf(w, "label %s\n", l)
	}
	for i, l := range m.Layers {
		_, name, ok := strings.Cut(c.History[i].CreatedBy, ": ")
		if !ok { // its digest is up to the compressor of the test kit
			fmt.Fprintln(w, "layer of the base")
		} else {
			fmt.Fprintf(w, "layer %s %s\n", name, l.Digest)
		}
		k.lookLayer(w, l.Digest)
	}
}

func (k *kit) lookLayer(w io.Writer, digest string) {
	f, err := os.Open(filepath.Join(k.dir, k.blobName(digest)))
	k.must(err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	k.must(err)
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		k.must(err)
		line := fmt.Sprintf("  %s %d:%d %s", h.FileInfo().Mode(), h.Uid, h.Gid, h.Name)
		if h.Linkname != "" {
			line += " -> " + h.Linkname
		}
		fmt.Fprintln(w, line)
		text, err := io.ReadAll(io.LimitReader(r, 2000))
		k.must(err)
		if len(text) > 0 && !bytes.ContainsRune(text, 0) {
			fmt.Fprintf(w, "    | %s\n", strings.ReplaceAll(strings.TrimRight(string(text), "\n"), "\n", "\n    | "))
		}
	}
}
