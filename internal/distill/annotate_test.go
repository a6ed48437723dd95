package distill

import (
	"io"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// once is content that can be opened a number of times.
type once struct {
	text string
	left *int
}

func (o once) Open() (io.ReadCloser, error) {
	*o.left--
	return io.NopCloser(strings.NewReader(o.text)), nil
}

func TestNotesOfAWheelAreRemembered(t *testing.T) {
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{Cache: store}
	left := 2
	var list []*files.File
	for name, text := range map[string]string{"lib/a/__init__.py": "import os\n", "lib/a/data.txt": "nothing"} {
		list = append(list, &files.File{Path: name, Mode: 0o644, Size: int64(len(text)), Content: once{text, &left}})
	}
	s := wheel.Scheme{Purelib: "lib"}
	for range 2 {
		set, err := h.annotateWheel(files.NewSet(list), "sha256:1", s)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := set.Get("lib/a/__init__.py")
		if facts := inspect.Source(f); facts == nil || len(facts.Imports) != 1 {
			t.Errorf("%+v", facts)
		}
		if f, _ := set.Get("lib/a/data.txt"); f.Note != nil {
			t.Errorf("data has the note %q", f.Note)
		}
	}
	if left != 0 {
		t.Errorf("read %d times more than needed", -left)
	}
	if _, ok := readNotes([]byte("\x05abc")); ok {
		t.Error("torn notes are read")
	}
}
