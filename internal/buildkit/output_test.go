package buildkit

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// archive makes one of lines "TYPE NAME [CONTENT or TARGET]".
func archive(lines ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, l := range lines {
		f := append(strings.SplitN(l, " ", 3), "")
		h := &tar.Header{Typeflag: f[0][0], Name: f[1], Mode: 0o4777}
		switch h.Typeflag {
		case tar.TypeReg:
			h.Size = int64(len(f[2]))
		case tar.TypeLink, tar.TypeSymlink:
			h.Linkname = f[2]
		}
		w.WriteHeader(h)
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, f[2])
		}
	}
	w.Close()
	return b.Bytes()
}

const (
	reg, hard, sym, char, dir, fifo = "0", "1", "2", "3", "5", "6"
)

func TestUnpack(t *testing.T) {
	deep := "out" + strings.Repeat("/d", 70)
	cases := []struct {
		name    string
		archive []byte
		want    []string // "error: " and the text
	}{
		{"empty", archive(), []string{"out/"}},
		{"files", archive(dir+" out/", reg+" out/a hello", reg+" ./out/s/b x"), []string{"out/", "out/a = hello", "out/s/", "out/s/b = x"}},
		{"other kinds are skipped", archive(sym+" out/l /etc/passwd", fifo+" out/f", char+" out/c", reg+" out/a x"), []string{"out/", "out/a = x"}},
		{"outside is skipped", archive(reg+" other/a x", reg+" out/../up x", reg+" ../up x", reg+" /out/abs x", reg+" output x", reg+" out/a x"), []string{"out/", "out/a = x"}},
		{"out is no folder", archive(sym+" out /etc", reg+" out/a x"), []string{"out/", "out/a = x"}},
		{"out is a file", archive(reg + " out x"), []string{`error: "out"`}},
		{"hard links", archive(reg+" out/a x", hard+" out/b out/a", hard+" out/c /etc/passwd", hard+" out/d out/absent", hard+" out/e ../../etc/passwd"), []string{"out/", "out/a = x", "out/b = x"}},
		{"through a link", archive(sym+" out/l /tmp", reg+" out/l/a x"), []string{"out/", "out/l/", "out/l/a = x"}},
		{"twice", archive(reg+" out/a x", reg+" out/a y"), []string{`error: "out/a"`}},
		{"below a file", archive(reg+" out/a x", reg+" out/a/b y"), []string{`error: "out/a/b"`}},
		{"deep", archive(reg + " " + deep + " x"), []string{"error: a path of 143 bytes"}},
		{"large", archive(reg+" out/a 12345", reg+" out/b 123456"), []string{"error: more than 10 bytes"}},
		{"cut", archive(reg + " out/a 12345")[:514], []string{`error: "out/a": unexpected EOF`}},
		{"no archive", bytes.Repeat([]byte("x"), 1024), []string{"error: archive/tar: invalid tar header"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root, err := os.OpenRoot(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			err = unpack(bytes.NewReader(c.archive), root, "out", 10)
			var got []string
			if err != nil {
				if !errors.Is(err, ErrResult) {
					t.Errorf("error %v", err)
				}
				text := strings.TrimPrefix(err.Error(), ErrResult.Error()+": ")
				want := strings.TrimPrefix(c.want[0], "error: ")
				if !strings.HasPrefix(c.want[0], "error: ") || !strings.HasPrefix(text, want) {
					t.Errorf("error %s, want %q", text, c.want)
				}
				return
			}
			got = tree(t, root.FS())
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestUnpackBoundsFiles(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var lines []string
	for i := range maxResultFiles + 1 {
		lines = append(lines, fmt.Sprintf("%s out/%d/", dir, i%3))
	}
	if err := unpack(bytes.NewReader(archive(lines...)), root, "out", 10); !errors.Is(err, ErrResult) || !strings.Contains(err.Error(), "more than 10000 files") {
		t.Errorf("error %v", err)
	}
}

// Whatever a node sends, nothing but regular files and folders lies in the folder after
// it, no more than the limit, and nothing outside.
func FuzzUnpack(f *testing.F) {
	f.Add(archive(dir+" out/", reg+" out/a hello", hard+" out/b out/a", sym+" out/l ../.."))
	f.Add(archive(reg+" out/../../x x", reg+" /etc/x y"))
	f.Fuzz(func(t *testing.T, b []byte) {
		top := t.TempDir()
		if err := os.Mkdir(top+"/root", 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(top + "/root")
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		const limit = 1 << 16
		_ = unpack(bytes.NewReader(b), root, "out", limit)
		var total int64
		var seen []fs.FileInfo
		err = fs.WalkDir(os.DirFS(top), ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if p != "." && p != "root" && p != "root/out" && !strings.HasPrefix(p, "root/out/") || !d.IsDir() && !d.Type().IsRegular() {
				t.Errorf("there is %s %s", info.Mode(), p)
			}
			same := func(other fs.FileInfo) bool { return os.SameFile(info, other) }
			if d.Type().IsRegular() && !slices.ContainsFunc(seen, same) {
				seen = append(seen, info)
				total += info.Size()
			}
			return nil
		})
		if err != nil || total > limit {
			t.Fatal(total, err)
		}
	})
}
