package image_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
)

// TestHostileImages runs the image cases of the kit of hostile inputs, which is not part of
// the repository.
func TestHostileImages(t *testing.T) {
	shared := os.Getenv("DISTILL_SHARED")
	if shared == "" {
		t.Skip("DISTILL_SHARED does not name the folder with the kit of hostile inputs")
	}
	data, err := os.ReadFile(filepath.Join(shared, "hostile/cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Family, Name, Expect string
		Checks               []string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.Family != "image" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "layout")
			cmd := exec.Command("python3", filepath.Join(shared, "hostile/evilimage.py"), "--case", c.Name, "--out", out, "--outside", filepath.Join(dir, "outside"))
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, said)
			}
			i, err := loadAMD64(t, "oci:"+out)
			t.Logf("expect %s: %v", c.Expect, err)
			if err != nil && c.Expect != "refuse-clean" && c.Expect != "contain" || err == nil && c.Expect == "refuse-clean" {
				t.Errorf("expected %s: %v", c.Expect, err)
			}
			if err == nil {
				checkTree(t, i, c.Checks)
			}
			if list, _ := filepath.Glob(filepath.Join(dir, "outside/EVIL*")); len(list) > 0 {
				t.Errorf("escaped: %q", list)
			}
		})
	}
}

func loadAMD64(t *testing.T, ref string) (*image.Image, error) {
	t.Helper()
	s, err := open(t, ref, image.Options{Probe: keepAll{}})
	if err != nil {
		return nil, err
	}
	return s.Image(t.Context(), platform("linux/amd64"))
}

func checkTree(t *testing.T, i *image.Image, checks []string) {
	t.Helper()
	for f := range i.Files.All() {
		if files.Clean(f.Path) != f.Path || f.Path == "" {
			t.Errorf("path %q", f.Path)
		}
		if f.IsRegular() && strings.Contains(read(t, f), "HOSTSECRET") {
			t.Errorf("%s holds a secret", f.Path)
		}
	}
	for _, c := range checks {
		if p, ok := strings.CutPrefix(c, "tree:"); ok {
			if _, there := i.Files.Get(p); !there {
				t.Errorf("%s is missing", p)
			}
		} else if p, ok := strings.CutPrefix(c, "notree:"); ok {
			if _, there := i.Files.Get(p); there {
				t.Errorf("%s is there", p)
			}
		}
	}
}
