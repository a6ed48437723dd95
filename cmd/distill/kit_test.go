package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdImage makes an OCI layout: image LAYOUT TREE ARCH... Each file of the folder
// TREE is a file of the image's one layer, except these:
//
//	#!link TARGET   the file is a symbolic link
//	#!elf INTERP    the file is the smallest program that names INTERP as its loader
//	#!pyc SIZE      the file is byte code of Python 3.11 whose source has SIZE bytes
//	#!python ...    the file is an ELF file, see elfKinds
//
// A folder TREE.ARCH beside it holds what only that architecture has.
func cmdImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: image LAYOUT TREE ARCH...")
	}
	layout, tree := ts.MkAbs(args[0]), ts.MkAbs(args[1])
	k := &kit{dir: layout, ts: ts}
	k.must(os.MkdirAll(filepath.Join(layout, "blobs", "sha256"), 0o755))
	var manifests []any
	for _, arch := range args[2:] {
		layer := k.layer(arch, tree, tree+"."+arch)
		diff := sha256.Sum256(layer)
		var gz bytes.Buffer
		w := gzip.NewWriter(&gz)
		_, err := w.Write(layer)
		k.must(err)
		k.must(w.Close())
		config := k.blob("application/vnd.oci.image.config.v1+json", k.json(map[string]any{
			"architecture": arch, "os": "linux",
			"config": map[string]any{"Env": []string{"PATH=/usr/bin:/bin"}, "Cmd": []string{"python3"}},
			"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(diff[:])}},
		}))
		manifest := k.blob("application/vnd.oci.image.manifest.v1+json", k.json(map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
			"layers": []any{k.blob("application/vnd.oci.image.layer.v1.tar+gzip", gz.Bytes())},
		}))
		manifest["platform"] = map[string]any{"os": "linux", "architecture": arch}
		manifests = append(manifests, manifest)
	}
	const indexType = "application/vnd.oci.image.index.v1+json"
	index := k.blob(indexType, k.json(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": manifests}))
	index["annotations"] = map[string]string{"org.opencontainers.image.ref.name": "latest"}
	k.write("index.json", k.json(map[string]any{"schemaVersion": 2, "mediaType": indexType, "manifests": []any{index}}))
	k.write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

type kit struct {
	dir string
	ts  *testscript.TestScript
}

func (k *kit) must(err error) {
	if err != nil {
		k.ts.Fatalf("%v", err)
	}
}

func (k *kit) json(v any) []byte {
	b, err := json.Marshal(v)
	k.must(err)
	return b
}

func (k *kit) write(name string, b []byte) {
	k.must(os.WriteFile(filepath.Join(k.dir, filepath.FromSlash(name)), b, 0o644))
}

func (k *kit) blob(mediaType string, b []byte) map[string]any {
	sum := sha256.Sum256(b)
	digest := hex.EncodeToString(sum[:])
	k.write("blobs/sha256/"+digest, b)
	return map[string]any{"mediaType": mediaType, "digest": "sha256:" + digest, "size": len(b)}
}

// layer packs folders into one tar, later ones over earlier ones.
func (k *kit) layer(arch string, trees ...string) []byte {
	content := map[string]string{}
	for _, tree := range trees {
		if _, err := os.Stat(tree); err != nil {
			continue
		}
		k.must(filepath.WalkDir(tree, func(p string, d fs.DirEntry, err error) error {
			if err != nil || p == tree {
				return err
			}
			rel, err := filepath.Rel(tree, p)
			if err != nil {
				return err
			}
			if d.IsDir() {
				content[filepath.ToSlash(rel)+"/"] = ""
				return nil
			}
			b, err := os.ReadFile(p)
			content[filepath.ToSlash(rel)] = string(b)
			return err
		}))
	}
	names := make([]string, 0, len(content))
	for n := range content {
		names = append(names, n)
	}
	slices.Sort(names)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, n := range names {
		h, body := entry(n, content[n], arch)
		k.must(w.WriteHeader(h))
		_, err := w.Write(body)
		k.must(err)
	}
	k.must(w.Close())
	return out.Bytes()
}

func entry(name, text, arch string) (*tar.Header, []byte) {
	h := &tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg}
	first, _, _ := strings.Cut(text, "\n")
	switch kind, arg, _ := strings.Cut(first, " "); {
	case strings.HasSuffix(name, "/"):
		h.Typeflag, h.Mode = tar.TypeDir, 0o755
		return h, nil
	case kind == "#!link":
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, arg, 0o777
		return h, nil
	case kind == "#!pyc": // byte code of Python 3.11, of a source with that many bytes
		n, _ := strconv.Atoi(arg)
		text = "\xa7\r\r\n" + strings.Repeat("\x00", 8) + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) + "N"
	case kind == "#!elf":
		text = string(tinyELF(arg, arch))
		h.Mode = 0o755
	default:
		if b, ok := elfKinds(first, arch); ok {
			text, h.Mode = string(b), 0o755
		}
	}
	h.Size = int64(len(text))
	return h, []byte(text)
}

// tinyELF is the smallest 64-bit ELF program with a PT_INTERP.
func tinyELF(interp, arch string) []byte {
	machine := uint16(62)
	if arch == "arm64" {
		machine = 183
	}
	name := append([]byte(interp), 0)
	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9))
	le := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	le([]uint16{3, machine})
	le(uint32(1))
	le([]uint64{0, 64, 0})
	le(uint32(0))
	le([]uint16{64, 56, 1, 0, 0, 0})
	le([]uint32{3, 4})
	le([]uint64{120, 120, 120, uint64(len(name)), uint64(len(name)), 1})
	b.Write(name)
	return b.Bytes()
}

// cmdInstalled writes the records of an installed distribution: installed
// SITE-PACKAGES NAME VERSION [REQUIREMENT...]. Its module is the folder of its name, which
// is there already.
func cmdInstalled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: installed SITE-PACKAGES NAME VERSION [REQUIREMENT...]")
	}
	site, name, version := ts.MkAbs(args[0]), args[1], args[2]
	k := &kit{dir: site, ts: ts}
	info := name + "-" + version + ".dist-info"
	k.must(os.MkdirAll(filepath.Join(site, info), 0o755))
	all := map[string][]byte{}
	k.must(filepath.WalkDir(filepath.Join(site, name), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(site, p)
		all[filepath.ToSlash(rel)] = b
		return err
	}))
	all[info+"/METADATA"] = metadata(name, version, args[3:])
	all[info+"/INSTALLER"] = []byte("pip\n")
	all[info+"/RECORD"] = record(all, info)
	for _, n := range []string{"METADATA", "INSTALLER", "RECORD"} {
		k.write(info+"/"+n, all[info+"/"+n])
	}
}

func metadata(name, version string, requires []string) []byte {
	text := "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"
	for _, r := range requires {
		text += "Requires-Dist: " + r + "\n"
	}
	return []byte(text + "\n")
}

func record(all map[string][]byte, info string) []byte {
	var lines []string
	for n, b := range all {
		sum := sha256.Sum256(b)
		lines = append(lines, fmt.Sprintf("%s,sha256=%s,%d\n", n, base64.RawURLEncoding.EncodeToString(sum[:]), len(b)))
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "") + info + "/RECORD,,\n")
}

// cmdWheel makes a pure wheel in the folder wheels: wheel NAME VERSION [REQUIREMENT...].
func cmdWheel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: wheel NAME VERSION [REQUIREMENT...]")
	}
	name, version := args[0], args[1]
	k := &kit{dir: ts.MkAbs("wheels"), ts: ts}
	k.must(os.MkdirAll(k.dir, 0o755))
	info := name + "-" + version + ".dist-info"
	all := map[string][]byte{
		name + "/__init__.py": []byte("__version__ = '" + version + "'\n"),
		info + "/METADATA":    metadata(name, version, args[2:]),
		info + "/WHEEL":       []byte("Wheel-Version: 1.0\nGenerator: kit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
	}
	all[info+"/RECORD"] = record(all, info)
	names := make([]string, 0, len(all))
	for n := range all {
		names = append(names, n)
	}
	slices.Sort(names)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, n := range names {
		w, err := z.Create(n)
		k.must(err)
		_, err = w.Write(all[n])
		k.must(err)
	}
	k.must(z.Close())
	k.write(name+"-"+version+"-py3-none-any.whl", out.Bytes())
}

// cmdSdist makes a source archive in the folder wheels: sdist NAME VERSION
// [REQUIREMENT...]. Its requirements stand in egg-info, as setuptools wrote them
// before PEP 643; without any, it says that only a build can tell them.
func cmdSdist(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sdist NAME VERSION [REQUIREMENT...]")
	}
	name, version := args[0], args[1]
	k := &kit{dir: ts.MkAbs("wheels"), ts: ts}
	k.must(os.MkdirAll(k.dir, 0o755))
	root := name + "-" + version
	head := "Name: " + name + "\nVersion: " + version + "\n"
	type file struct{ name, text string }
	all := []file{{root + "/PKG-INFO", "Metadata-Version: 2.2\n" + head + "Dynamic: Requires-Dist\n"}}
	if len(args) > 2 {
		all = []file{
			{root + "/PKG-INFO", "Metadata-Version: 2.1\n" + head},
			{root + "/" + name + ".egg-info/requires.txt", strings.Join(args[2:], "\n") + "\n"},
		}
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	t := tar.NewWriter(z)
	for _, f := range all {
		k.must(t.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text)), Typeflag: tar.TypeReg}))
		_, err := t.Write([]byte(f.text))
		k.must(err)
	}
	k.must(t.Close())
	k.must(z.Close())
	k.write(root+".tar.gz", out.Bytes())
}
