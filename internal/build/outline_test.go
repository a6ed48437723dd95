package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShowOutlines shows what is read of the source archives in a folder.
func TestShowOutlines(t *testing.T) {
	dir := os.Getenv("DISTILL_E2E_SDISTS")
	if dir == "" {
		t.Skip("set DISTILL_E2E_SDISTS to a folder of source archives")
	}
	list, _ := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
	for _, p := range list {
		f, err := os.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		info, _ := f.Stat()
		o, err := ReadOutline(Source{FileName: filepath.Base(p), Content: f, Size: info.Size()})
		f.Close()
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		h := o.Hints
		t.Logf("%s\n  languages %v certain %v crates %v external %v untranslated %d\n  pc %v\n  headers %v\n  programs %v\n  libraries %v\n  names %v downloads %v", filepath.Base(p), h.Languages, h.Certain, h.Crates, h.External, len(o.Untranslated),
			strings.Join(h.PkgConfig, " "), h.Headers, h.Programs, h.Libraries, h.Names, h.Downloads)
	}
}
