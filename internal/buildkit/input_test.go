package buildkit

import (
	"io/fs"
	"testing"

	"github.com/tonistiigi/fsutil"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// The protocol wants each folder before what is in it, and names in the order of a walk:
// "a", "a/b", "a-b", which is not that of the bytes.
func TestInputWalksInOrder(t *testing.T) {
	in, err := newInput(files.NewSet([]*files.File{
		textFile("a/b", "x"), textFile("a-b", "y"), textFile("a/b-c/d", "z"), textFile("res/ult/old", "o"),
		{Path: "a", Mode: fs.ModeDir | fs.ModeSetgid | 0o700, UID: 5, GID: 6, ModTime: 7},
	}), "res/ult", func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	validator := &fsutil.Validator{}
	var got []string
	err = in.Walk(t.Context(), "/", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.(*fsutil.StatInfo)
		if st.Uid != 0 || st.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", p, st.Uid, st.Gid)
		}
		if p == "place/p/a" && (info.Mode() != fs.ModeDir|fs.ModeSetgid|0o700 || info.ModTime().Unix() != 7) {
			t.Errorf("%s: %s %s", p, info.Mode(), info.ModTime())
		}
		got = append(got, p)
		return validator.HandleChange(fsutil.ChangeKindAdd, p, info, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"place", "place/p", "place/p/a", "place/p/a/b", "place/p/a/b-c", "place/p/a/b-c/d", "place/p/a-b", "place/p/res", "place/p/res/ult",
		"result", "result/res", "result/res/ult", "result/res/ult/old",
	}
	if len(got) != len(want) {
		t.Fatalf("walks %q\nwant %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("walks %q, want %q", got[i], want[i])
		}
	}
}
