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
	inputs, err := newInputs(&Job{User: 1000, Out: "res/ult", Files: files.NewSet([]*files.File{
		textFile("a/b", "x"), textFile("a-b", "y"), textFile("a/b-c/d", "z"), textFile("res/ult/old", "o"),
		{Path: "a", Mode: fs.ModeDir | fs.ModeSetgid | 0o700, UID: 5, GID: 6, ModTime: 7},
	})}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range []string{placeInput, resultInput} {
		validator := &fsutil.Validator{}
		err = inputs[name].Walk(t.Context(), "/", func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			st := info.(*fsutil.StatInfo)
			if st.Uid != 1000 || st.Gid != 1000 {
				t.Errorf("%s belongs to %d:%d", p, st.Uid, st.Gid)
			}
			if p == "place/a" && (info.Mode() != fs.ModeDir|fs.ModeSetgid|0o700 || info.ModTime().Unix() != 7) {
				t.Errorf("%s: %s %s", p, info.Mode(), info.ModTime())
			}
			got = append(got, p)
			return validator.HandleChange(fsutil.ChangeKindAdd, p, info, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"place", "place/a", "place/a/b", "place/a/b-c", "place/a/b-c/d", "place/a-b", "place/res", "place/res/ult",
		"res", "res/ult", "res/ult/old",
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
