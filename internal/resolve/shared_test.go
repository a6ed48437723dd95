package resolve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// sharedDir returns the folder with the big inputs, which are not part of the
// repository.
func sharedDir(t *testing.T, name string) string {
	dir := os.Getenv("DISTILL_SHARED")
	if dir == "" {
		t.Skip("DISTILL_SHARED is not set to the folder with the shared inputs")
	}
	return filepath.Join(dir, name)
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(path, err)
	}
}

// jsonVersion is a version of a package in both kinds of shared worlds.
type jsonVersion struct {
	Requires       []string
	Extras         map[string][]string
	Wheel          *bool
	Sdist          *bool
	WheelTags      []string `json:"wheel_tags"`
	Tags           *[]string
	RequiresPython *string `json:"requires_python"`
	Yanked         bool
}

// addJSON adds a version; defaultPython is what it requires if it doesn't say.
func (w *world) addJSON(name, version string, v jsonVersion, sdist bool, defaultPython string) error {
	project, err := python.ParseName(name)
	if err != nil {
		return err
	}
	if w.projects[project] == nil {
		w.projects[project] = &worldProject{}
	}
	r := w.projects[project].add(project, mustVersion(version))
	for _, s := range v.Requires {
		r.needs.Requires = append(r.needs.Requires, mustRequirement(s))
	}
	for extra, list := range v.Extras {
		r.needs.Extras = append(r.needs.Extras, python.Name(extra))
		for _, s := range list {
			head, marker, _ := strings.Cut(s, ";")
			m := fmt.Sprintf("extra == '%s'", extra)
			if marker != "" {
				m = "(" + marker + ") and " + m
			}
			r.needs.Requires = append(r.needs.Requires, mustRequirement(head+" ; "+m))
		}
	}
	tags := v.WheelTags
	if v.Tags != nil {
		tags = *v.Tags
	} else if len(tags) == 0 {
		tags = []string{"py3-none-any"}
	}
	if v.Wheel == nil || *v.Wheel {
		for _, tag := range tags {
			w.file(r, fmt.Sprintf("%s-%s-%s.whl", strings.ReplaceAll(string(project), "-", "_"), version, tag))
		}
	}
	if sdist && (v.Sdist == nil || *v.Sdist) {
		w.file(r, fmt.Sprintf("%s-%s.tar.gz", project, version))
	}
	wants := defaultPython
	if v.RequiresPython != nil {
		wants = *v.RequiresPython
	}
	spec, err := python.ParseSpecifiersLenient(wants)
	if err != nil {
		return err
	}
	for _, a := range r.candidate.Artifacts {
		a.Yanked, a.RequiresPython = v.Yanked, spec
	}
	return nil
}

func picked(r *Resolution, target int) map[string]string {
	out := make(map[string]string)
	for _, p := range r.On(target) {
		out[string(p.Name)] = p.Version.String()
	}
	return out
}

func TestScenarios(t *testing.T) {
	dir := sharedDir(t, "scenarios")
	var accepted map[string][]map[string]string
	readJSON(t, filepath.Join(dir, "accepted.json"), &accepted)
	files, err := filepath.Glob(filepath.Join(dir, "cases", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		var c struct {
			Name        string
			Root        struct{ Requires []string }
			Packages    map[string]struct{ Versions map[string]jsonVersion }
			Environment struct{ Python string }
			Options     struct {
				Python      string
				Prereleases bool
				NoBuild     []python.Name `json:"no_build"`
				NoBinary    []python.Name `json:"no_binary"`
			} `json:"resolver_options"`
		}
		readJSON(t, file, &c)
		w := newWorld()
		for name, p := range c.Packages {
			for version, v := range p.Versions {
				if err := w.addJSON(name, version, v, true, ">=3.12"); err != nil {
					t.Fatal(file, err)
				}
			}
		}
		pythonVersion := "3.12"
		for _, s := range []string{c.Environment.Python, c.Options.Python} {
			if s != "" {
				pythonVersion = s
			}
		}
		targets := []Target{testTarget("linux/amd64", pythonVersion, glibc(36)), testTarget("linux/arm64", pythonVersion, glibc(36))}
		for k := range targets {
			want, ok := accepted[c.Name+" "+targets[k].Name]
			if !ok {
				continue
			}
			req := Request{Targets: targets[k : k+1]}
			req.Options.Pre = c.Options.Prereleases
			req.Options.NoBinary.Names = c.Options.NoBinary
			req.Options.OnlyBinary.Names = c.Options.NoBuild
			for _, s := range c.Root.Requires {
				req.Requirements = append(req.Requirements, mustRequirement(s))
			}
			check(t, c.Name+" "+targets[k].Name, w, req, 0, want)
		}
	}
}

// check resolves and compares the picks of a target with the accepted answers,
// of which nil stands for no solution.
func check(t *testing.T, name string, w *world, req Request, target int, accepted []map[string]string) {
	t.Helper()
	var got map[string]string
	r, err := Solve(context.Background(), w, req)
	var none *NoSolution
	if err == nil {
		got = picked(r, target)
	} else if !errors.As(err, &none) {
		t.Errorf("%s: %v", name, err)
		return
	}
	for _, want := range accepted {
		if (want == nil) == (got == nil) && maps.Equal(want, got) {
			return
		}
	}
	t.Errorf("%s:\n got %v\nwant %v", name, got, accepted)
}

// TestOracle compares with what another resolver says about random worlds:
// whether there is an answer must agree, and most versions should.
func TestOracle(t *testing.T) {
	path := filepath.Join(sharedDir(t, "vectors"), "uv_oracle.dev.json")
	var doc struct {
		Cases []struct {
			Origin   string
			Root     []string
			Packages map[string]map[string]jsonVersion
			Answers  map[string]map[string]string
		}
	}
	readJSON(t, path, &doc)
	musl := python.Libc{Family: "musl", Major: 1, Minor: 2}
	targets := map[string]Target{
		"amd64-glibc2.28": testTarget("linux/amd64", "3.11.0", glibc(28)),
		"arm64-glibc2.28": testTarget("linux/arm64", "3.11.0", glibc(28)),
		"amd64-musl1.2":   testTarget("linux/amd64", "3.11.0", musl),
		"arm64-glibc2.17": testTarget("linux/arm64", "3.11.0", glibc(17)),
	}
	same, rows := 0, 0
	for n, c := range doc.Cases {
		w := newWorld()
		for name, versions := range c.Packages {
			for version, v := range versions {
				if err := w.addJSON(name, version, v, false, ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, key := range slices.Sorted(maps.Keys(targets)) {
			req := Request{Targets: []Target{targets[key]}}
			for _, s := range c.Root {
				req.Requirements = append(req.Requirements, mustRequirement(s))
			}
			var got map[string]string
			r, err := Solve(context.Background(), w, req)
			if err == nil {
				got = picked(r, 0)
			}
			want := c.Answers[key]
			rows++
			switch {
			case maps.Equal(got, want) && (got == nil) == (want == nil):
				same++
			case (got == nil) != (want == nil) && !namesPrerelease(want):
				t.Errorf("case %d %s: got %v, want %v, %v\n%v", n, key, got, want, err, c.Root)
			}
		}
	}
	t.Logf("%d of %d rows have the same versions", same, rows)
	if same < rows*9/10 {
		t.Errorf("only %d of %d rows have the same versions", same, rows)
	}
}

// namesPrerelease tells whether an answer has a pre-release. The other resolver
// falls back to one when all final versions were rejected; pip does not, and
// neither do we.
func namesPrerelease(answer map[string]string) bool {
	for _, v := range answer {
		if mustVersion(v).IsPrerelease() {
			return true
		}
	}
	return false
}
