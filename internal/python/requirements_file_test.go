package python

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is found into the files of testdata/requirements")

// environment is what ${...} stands for in the tests.
func environment(name string) (string, bool) {
	value, ok := map[string]string{"TOKEN": "s3cret", "EMPTY": "", "HOST": "index.example.org"}[name]
	return value, ok
}

// TestRequirementsFiles reads requirements.txt of each archive; "want" is what
// comes out of it.
func TestRequirementsFiles(t *testing.T) {
	archives, err := filepath.Glob("testdata/requirements/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			b, err := os.ReadFile(archive)
			if err != nil {
				t.Fatal(err)
			}
			files := splitArchive(string(b))
			got := dumpRequirements("requirements.txt", files)
			if *update {
				head, _, _ := strings.Cut(string(b), "-- want --\n")
				if err := os.WriteFile(archive, []byte(head+"-- want --\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != files["want"] {
				t.Errorf("got:\n%swant:\n%s", got, files["want"])
			}
		})
	}
}

// splitArchive returns the files of a text archive: each begins behind a line
// "-- NAME --".
func splitArchive(text string) map[string]string {
	files := map[string]string{}
	name := ""
	for line := range strings.SplitAfterSeq(text, "\n") {
		if title, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(title, " --\n") {
			name = strings.TrimSuffix(title, " --\n")
			files[name] = ""
		} else if name != "" {
			files[name] += line
		}
	}
	return files
}

func opener(files map[string]string) Opener {
	return func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}
}

// dumpRequirements tells everything that reading a requirements file gives.
func dumpRequirements(name string, files map[string]string) string {
	var b strings.Builder
	f, err := ParseRequirements(name, opener(files), environment)
	if err != nil {
		fmt.Fprintf(&b, "error %v\n", err)
		var hinted *RequirementsError
		if errors.As(err, &hinted) && hinted.Hint != "" {
			fmt.Fprintf(&b, "hint %s\n", hinted.Hint)
		}
		return b.String()
	}
	for _, list := range []struct {
		kind string
		reqs []Requirement
	}{{"requirement", f.Requirements}, {"constraint", f.Constraints}} {
		for _, r := range list.reqs {
			fmt.Fprintf(&b, "%s %s %s\n", list.kind, r.Pos, r)
			for _, algorithm := range slices.Sorted(maps.Keys(r.Hashes)) {
				for _, digest := range r.Hashes[algorithm] {
					fmt.Fprintf(&b, "    %s:%s\n", algorithm, digest)
				}
			}
		}
	}
	dumpOptions(&b, &f.Options)
	for _, w := range f.Warnings {
		fmt.Fprintf(&b, "warning %s\n", w)
	}
	return b.String()
}

func dumpOptions(b *strings.Builder, o *RequirementsOptions) {
	for _, c := range []struct {
		name string
		on   bool
	}{
		{"no-index", o.NoIndex}, {"pre", o.Pre}, {"require-hashes", o.RequireHashes}, {"prefer-binary", o.PreferBinary},
	} {
		if c.on {
			fmt.Fprintln(b, "option", c.name)
		}
	}
	if o.IndexURL != "" {
		fmt.Fprintln(b, "option index-url", o.IndexURL)
	}
	for _, c := range []struct {
		name   string
		values []string
	}{
		{"extra-index-url", o.ExtraIndexURLs}, {"find-links", o.FindLinks}, {"trusted-host", o.TrustedHosts},
	} {
		for _, value := range c.values {
			fmt.Fprintln(b, "option", c.name, value)
		}
	}
	for _, c := range []struct {
		name    string
		control FormatControl
	}{{"no-binary", o.NoBinary}, {"only-binary", o.OnlyBinary}} {
		if c.control.All || len(c.control.Names) > 0 {
			fmt.Fprintln(b, "option", c.name, c.control.All, c.control.Names, "except", c.control.Except)
		}
	}
}
