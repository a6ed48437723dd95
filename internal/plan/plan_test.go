package plan

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/hints"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

var update = flag.Bool("update", false, "write the wanted plans anew")

// Each file in testdata is a case: the trees of both images and of wheels, the
// picks, and the plan that is wanted. kit_test.go tells how trees are written.
func TestMake(t *testing.T) {
	eachCase(t, "testdata/*.txtar", func(t *testing.T, input string) string {
		t.Helper()
		return planText(t, readCase(t, input))
	})
}

// The order of picks and of what is in the trees does not show.
func TestMakeIgnoresOrder(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range cases {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		input, want, _ := strings.Cut(string(text), "-- want --\n")
		for range 5 {
			in := readCase(t, input)
			slices.Reverse(in.Picks)
			if in.Dev != nil {
				slices.Reverse(in.Dev.Distributions)
			}
			slices.Reverse(in.Base.Distributions)
			if got := planText(t, in); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
			}
		}
	}
}

// A layer of one package is the same whatever else is in the image, and one
// more small package changes one layer.
func TestLayersDependOnTheirPackages(t *testing.T) {
	const text = `
-- dev --
@python
usr/lib/x86_64-linux-gnu/libq.so.1 elf soname=libq.so.1
-- base --
@python
-- wheel big --
usr/local/lib/python3.11/dist-packages/big/__init__.py size=4000000
usr/local/lib/python3.11/dist-packages/big/ext.abi3.so elf needs=libq.so.1
-- wheel large --
usr/local/lib/python3.11/dist-packages/large/__init__.py size=4000000
-- wheel one --
usr/local/lib/python3.11/dist-packages/one.py
-- wheel two --
usr/local/lib/python3.11/dist-packages/two.py
-- wheel three --
usr/local/lib/python3.11/dist-packages/three.py
-- picks --
`
	layersOf := func(names ...string) map[string]string {
		picks := ""
		for _, n := range names {
			picks += n + " wheel 1\n"
		}
		p, err := Make(readCase(t, text+picks))
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, l := range p.Layers {
			var b strings.Builder
			for f := range l.Files.All() {
				fileText(t, &b, l, f)
			}
			out[l.Name] = b.String()
		}
		return out
	}
	few := layersOf("big", "one")
	many := layersOf("big", "large", "one", "two", "three")
	if few["big 1"] == "" || few["big 1"] != many["big 1"] {
		t.Errorf("the layer of big was %q and is %q", few["big 1"], many["big 1"])
	}
	before, after := layersOf("big", "large", "one", "two"), many
	changed := 0
	for name, files := range after {
		if before[name] != files {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("one more package changed %d layers:\n%v\n%v", changed, before, after)
	}
}

// readCase puts the sections of a case together.
func readCase(t *testing.T, text string) Input {
	t.Helper()
	in := Input{Platform: "linux/amd64", Hints: hints.BuiltIn()}
	wheels := map[string]files.Set{}
	var picks string
	for _, s := range sections(text) {
		switch kind, rest, _ := strings.Cut(s.name, " "); kind {
		case "dev":
			in.Dev = readTree(t, s.text)
		case "base":
			in.Base = readTree(t, s.text)
		case "app":
			in.App = readTree(t, s.text).Files
		case "merged":
			in.Merged = readTree(t, s.text).Files
		case "code":
			in.Code = readTree(t, s.text).Files
		case "wheel":
			wheels[rest] = readTree(t, s.text).Files
		case "picks":
			picks = s.text
		case "hints":
			book, err := hints.Parse("hints", []byte(s.text))
			if err != nil {
				t.Fatal(err)
			}
			in.Hints = in.Hints.Join(book)
		}
	}
	for line := range strings.Lines(picks) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "exclude":
			in.Options.Exclude = append(in.Options.Exclude, words[1])
		case "include":
			in.Options.Include = append(in.Options.Include, words[1])
		case "max-layers":
			fmt.Sscan(words[1], &in.Options.MaxLayers)
		case "trim":
			in.Options.Trim = words[1]
		case "no-byte-code":
			in.Options.NoByteCode = true
		case "library-path":
			in.LibraryPath = words[1]
		case "dev-library-path":
			in.DevLibraryPath = words[1]
		default:
			in.Picks = append(in.Picks, readPick(t, words, in, wheels))
		}
	}
	return in
}

// readPick reads "NAME image|base|wheel".
func readPick(t *testing.T, words []string, in Input, wheels map[string]files.Set) Pick {
	t.Helper()
	find := func(e *inspect.Environment) *inspect.Distribution {
		for _, d := range e.Distributions {
			if string(d.Name) == words[0] {
				return d
			}
		}
		t.Fatalf("no distribution %s", words[0])
		return nil
	}
	switch words[1] {
	case "image":
		d := find(in.Dev)
		return Pick{Name: d.Name, Version: d.Version, Why: "requirements.txt:1", Installed: d}
	case "base":
		d := find(in.Base)
		return Pick{Name: d.Name, Version: d.Version, Why: "requirements.txt:1", InBase: d}
	}
	// The wheel's name and version are those of a distribution written for it.
	e := readTree(t, "@python\n@dist "+words[0]+" "+words[2]+" x")
	return Pick{Name: e.Distributions[0].Name, Version: e.Distributions[0].Version, Why: "requirements.txt:1",
		Wheel: &WheelFiles{FileName: words[0] + "-" + words[2] + "-py3-none-any.whl", Files: wheels[words[0]]}}
}

// planText shows a plan, or why there is none.
func planText(t *testing.T, in Input) string {
	t.Helper()
	var b strings.Builder
	p, err := Make(in)
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
		var e *Error
		if errors.As(err, &e) && e.Hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", e.Hint)
		}
		return b.String()
	}
	for _, l := range p.Layers {
		fmt.Fprintf(&b, "layer %s: %s\n", l.Name, l.Comment)
		for _, w := range l.Whiteouts {
			fmt.Fprintf(&b, "  - %s\n", w)
		}
		for f := range l.Files.All() {
			fileText(t, &b, l, f)
		}
	}
	for _, k := range p.Packages {
		fmt.Fprintf(&b, "package %s %s from %s (%s), %d files, %d bytes\n", k.Name, k.Version, k.From, k.Detail, k.Files, k.Size)
	}
	for _, t := range p.Trimmed {
		fmt.Fprintf(&b, "trimmed %s: %s, %d files, %d bytes\n", t.Owner, t.Rule, t.Files, t.Bytes)
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	for _, u := range p.Uncompiled {
		if in.Code.Len() > 0 {
			fmt.Fprintf(&b, "uncompiled: %s of %s\n", u.Path, u.Owner)
		}
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

func fileText(t *testing.T, b *strings.Builder, l Layer, f *files.File) {
	t.Helper()
	r := l.Reasons[f.Path]
	switch {
	case f.Mode.IsDir():
		fmt.Fprintf(b, "  %s %s/\n", f.Mode, f.Path)
		if r != (Reason{}) {
			t.Errorf("a directory has a reason: %+v", r)
		}
		return
	case f.IsSymlink():
		fmt.Fprintf(b, "  %s -> %s", f.Path, f.Link)
	default:
		fmt.Fprintf(b, "  %s %s", f.Mode, f.Path)
	}
	if f.Inode != 0 {
		fmt.Fprintf(b, " (inode %d)", f.Inode)
	}
	if r.Why == "" {
		t.Errorf("%s has no reason", f.Path)
	}
	if f.Of != nil {
		fmt.Fprintf(b, " (%s)", f.Rewrite.Name())
	}
	fmt.Fprintf(b, "  [%s, %s]\n", r.Owner, r.Why)
	// What was written here is shown.
	if made, ok := f.Content.(text); ok && baseOf(f.Path) == "ld.so.cache" {
		entries, err := elfdeps.ParseCache(made)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			fmt.Fprintf(b, "    | %s => %s %s\n", e.Name, e.Path, e.HWCaps)
		}
	} else if ok {
		for line := range strings.Lines(string(made)) {
			fmt.Fprintf(b, "    | %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
}
