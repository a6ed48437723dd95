package sandbox

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/files"
)

func TestUnpack(t *testing.T) {
	a, b := file("usr/bin/a", "text", 0o755), file("usr/bin/b", "text", 0o755)
	a.Inode, b.Inode = 7, 7
	locked := &files.File{Path: "locked", Mode: fs.ModeDir | 0o555}
	set := files.NewSet([]*files.File{
		a, b, locked, file("locked/x", "x", 0o444),
		file("su", "s", 0o4755|fs.ModeSetuid),
		{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		{Path: "dev/sda", Mode: fs.ModeDevice | 0o666},
		{Path: "pipe", Mode: fs.ModeNamedPipe | 0o666},
		{Path: "bin", Mode: fs.ModeSymlink | 0o777, Link: "usr/bin"},
		{Path: "out", Mode: fs.ModeSymlink | 0o777, Link: "../../../../etc/passwd"},
	})
	dir := filepath.Join(t.TempDir(), "deep", "root")
	t.Cleanup(func() { Remove(dir) })
	if err := Unpack(t.Context(), dir, set, Owners{}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"usr": "drwxr-xr-x", "usr/bin/a": "-rwxr-xr-x", "locked/x": "-r--r--r--", "su": "-rwxr-xr-x", "tmp": "dtrwxrwxrwx",
		"bin": "Lrwxrwxrwx", "out": "Lrwxrwxrwx", "dev": "", "pipe": "", "dev/sda": "",
		"locked": "drwxr-xr-x", // its owner stands for root
	} {
		info, err := os.Lstat(filepath.Join(dir, path))
		if got := modeText(info); got != want {
			t.Errorf("%s is %q, %v, not %q", path, got, err, want)
		}
	}
	infoA, _ := os.Stat(filepath.Join(dir, "usr/bin/a"))
	infoB, _ := os.Stat(filepath.Join(dir, "usr/bin/b"))
	if !os.SameFile(infoA, infoB) || infoA.ModTime().Unix() != 1_700_000_000 {
		t.Errorf("not linked, or of another time: %v", infoA.ModTime())
	}
	if to, _ := os.Readlink(filepath.Join(dir, "out")); to != "../../../../etc/passwd" {
		t.Errorf("out leads to %s", to)
	}
	list, _ := os.ReadDir(filepath.Dir(dir))
	if len(list) != 1 {
		t.Errorf("left over: %v", list)
	}
	if err := Unpack(t.Context(), dir, files.Set{}, Owners{}); err != nil {
		t.Errorf("a complete folder: %v", err)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
}

func modeText(info fs.FileInfo) string {
	if info == nil {
		return ""
	}
	return info.Mode().String()
}

func TestUnpackKeepsOwners(t *testing.T) {
	if os.Geteuid() != 0 || !(namespaces{}).Owners().Keep {
		t.Skip("gives files to others: needs root")
	}
	app := file("home/app/x", "x", 0o600)
	app.UID, app.GID = 1000, 1001
	dir := filepath.Join(t.TempDir(), "root")
	if err := Unpack(t.Context(), dir, files.NewSet([]*files.File{app}), Owners{Keep: true, Base: 5_000_000}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{"home/app/x": 5_001_000, "home": 5_000_000, ".": 5_000_000} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != want {
			t.Errorf("%s belongs to %d", path, st.Uid)
		}
	}
}

// TestUnpackStaysInside has sets that no image reader makes.
func TestUnpackStaysInside(t *testing.T) {
	outside := t.TempDir()
	for name, list := range map[string][]*files.File{
		"through an absolute link": {{Path: "a", Mode: fs.ModeSymlink, Link: outside}, file("a/x", "x", 0o644)},
		"through a relative link":  {{Path: "a", Mode: fs.ModeSymlink, Link: "../../../../../../../" + outside}, file("a/x", "x", 0o644)},
		"with dots":                {file("../../x", "x", 0o644)},
		"over a link":              {{Path: "a", Mode: fs.ModeSymlink, Link: outside + "/x"}, file("a", "x", 0o644), file("b", "x", 0o644)},
		"with less than its size":  {{Path: "a", Mode: 0o644, Size: 10, Content: content("x")}},
		"that is too large":        {{Path: "a", Mode: 0o644, Size: maxBytes + 1, Content: content("x")}},
		"that can't be read":       {{Path: "a", Mode: 0o644, Size: 1, Content: unreadable{}}},
	} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "root")
		err := Unpack(t.Context(), dir, files.NewSet(list), Owners{})
		if err == nil && name != "over a link" {
			t.Errorf("%s: no error", name)
		}
		if err != nil {
			if list, _ := os.ReadDir(parent); len(list) != 0 {
				t.Errorf("%s: left over: %v", name, list)
			}
		}
		if list, _ := os.ReadDir(outside); len(list) != 0 {
			t.Fatalf("%s: outside: %v", name, list)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Unpack(ctx, filepath.Join(t.TempDir(), "root"), files.NewSet([]*files.File{file("a", "x", 0o644)}), Owners{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

type unreadable struct{}

func (unreadable) Open() (io.ReadCloser, error) { return nil, errors.New("broken") }

func BenchmarkUnpack(b *testing.B) {
	var list []*files.File
	text := string(make([]byte, 4000))
	for i := range 5000 {
		list = append(list, file(filepath.Join("usr/lib", string(rune('a'+i%26)), "pkg", string(rune('a'+i/26%26)), filepath.Base(b.TempDir())+string(rune('0'+i%10))+string(rune('a'+i/676))), text, 0o644))
	}
	set := files.NewSet(list)
	for b.Loop() {
		dir := filepath.Join(b.TempDir(), "root")
		if err := Unpack(b.Context(), dir, set, Owners{}); err != nil {
			b.Fatal(err)
		}
	}
}
