package layers

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a header holds, the standard library reads the same from it.
func FuzzHeaderReadsBack(f *testing.F) {
	f.Add("usr/bin/env", "", "", "", 0, 0, int64(0))
	f.Add(strings.Repeat("a/", 80)+"b", strings.Repeat("../", 50)+"x", "user.x", "\x00\n=", 1<<21, 1<<21-1, int64(1)<<33)
	f.Add(strings.Repeat("é", 60), "é", "user.é", "1", 1, 2, int64(1)<<33-1)
	f.Add(strings.Repeat("x", 155)+"/"+strings.Repeat("y", 100), "", "", "", 7, 8, int64(5))
	f.Add(strings.Repeat("x", 156)+"/y", "", "", "", 7, 8, int64(5))
	f.Add(strings.Repeat("x", 99), "y", "", "", 7, 8, int64(5))
	f.Fuzz(func(t *testing.T, name, link, key, value string, uid, gid int, size int64) {
		if checkName(name) != nil || strings.ContainsAny(key, "=\x00\n") || uid < 0 || gid < 0 || size < 0 ||
			strings.IndexByte(link, 0) >= 0 || len(name)+len(link)+len(key)+len(value) > 8<<10 {
			t.Skip()
		}
		e := entry{name: name, kind: kindFile, mode: 0o644, uid: uid, gid: gid, size: size}
		if link != "" {
			e.kind, e.link, e.size = kindSymlink, link, 0
		}
		if key != "" && value != "" { // an empty value deletes, for the reader
			e.xattrs = map[string]string{key: value}
		}
		b := header(&e, 1_700_000_000)
		if len(b)%blockSize != 0 {
			t.Fatalf("%d bytes", len(b))
		}
		h, err := tar.NewReader(io.MultiReader(bytes.NewReader(b), bytes.NewReader(zeros[:]))).Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != name || h.Linkname != link || h.Uid != uid || h.Gid != gid || h.Size != e.size || h.ModTime.Unix() != 1_700_000_000 {
			t.Errorf("%+v became %+v", e, h)
		}
		got := map[string]string{}
		for k, v := range h.PAXRecords {
			if name, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok {
				got[name] = v
			}
		}
		if !maps.Equal(got, e.xattrs) && len(got)+len(e.xattrs) > 0 {
			t.Errorf("attributes %q became %q", e.xattrs, got)
		}
	})
}

func TestPlainNamesNeedNoPax(t *testing.T) {
	for name, blocks := range map[string]int{
		"usr/bin/env":                    1,
		strings.Repeat("x", 100):         1,
		strings.Repeat("x", 101):         3,
		"d/" + strings.Repeat("x", 100):  1,
		strings.Repeat("d/", 77) + "d/x": 1,
		strings.Repeat("d/", 128) + "x":  3,
		"ü":                              3,
		strings.Repeat("d/", 20) + strings.Repeat("x", 101): 3,
	} {
		e := entry{name: name, kind: kindFile}
		if got := len(header(&e, 0)) / blockSize; got != blocks {
			t.Errorf("%q: %d blocks, want %d", name, got, blocks)
		}
	}
}

// GNU tar reads what is written here, too.
func TestGNUTarReadsLayers(t *testing.T) {
	program, err := exec.LookPath("tar")
	if err != nil {
		t.Skip("no tar program here")
	}
	p := sample()
	var names []string
	for i := range p.Layers {
		entries, err := list(&p.Layers[i])
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := writeTar(&b, entries, epoch.Unix()); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "layer.tar")
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "-tf", name, "--quoting-style=literal")
		cmd.Env = []string{"LC_ALL=C.UTF-8"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, e := range entries {
			want := e.name
			if e.kind == kindDir {
				want += "/"
			}
			names = append(names, want)
			if !strings.Contains("\n"+string(out), "\n"+want+"\n") {
				t.Errorf("tar does not list %q:\n%s", want, out)
			}
		}
	}
	if len(names) == 0 {
		t.Error("nothing was listed")
	}
}
