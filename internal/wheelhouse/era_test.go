package wheelhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

func version(t *testing.T, text string) python.Version {
	t.Helper()
	v, err := python.ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEra(t *testing.T) {
	for _, c := range []struct{ uploaded, python, want string }{
		{"2024-04-01", "3.11.9", "2024-05-01"}, // a month later
		{"2020-01-01", "3.11.9", "2023-10-24"}, // Python 3.11 a year after its release
		{"2023-10-01", "3.11.9", "2023-10-31"},
		{"2019-01-01", "3.8.0", "2020-10-13"},
		{"2026-01-01", "3.14.0", "2026-10-07"},
		{"2020-01-01", "3.15.0", ""}, // younger than the table
		{"2017-01-01", "3.7.1", "2017-01-31"},
		{"2017-01-01", "2.7.18", ""},
		{"2017-01-01", "3", ""},
		{"", "3.11.9", ""},
	} {
		var up time.Time
		if c.uploaded != "" {
			up, _ = time.Parse(time.DateOnly, c.uploaded)
		}
		got := ""
		if e := era(up, version(t, c.python)); !e.IsZero() {
			got = e.Format(time.DateOnly)
		}
		if got != c.want {
			t.Errorf("%q on Python %s: %q, want %q", c.uploaded, c.python, got, c.want)
		}
	}
}

// TestEraOfSeveralPlatforms: a platform whose Python is younger than the table knows no
// limit, in whatever order they come.
func TestEraOfSeveralPlatforms(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "2020-01-01")
	w.o.Platforms[arm64] = w.platform("arm64", "3.12.1")
	h := w.house()
	for _, on := range [][]int{{0, 1}, {1, 0}} {
		o.Targets = on
		if got := h.era(&o).Format(time.DateOnly); got != "2024-10-01" {
			t.Errorf("%v: %s", on, got)
		}
	}
	w.o.Platforms[arm64] = w.platform("arm64", "3.99.0")
	h = w.house()
	for _, on := range [][]int{{0, 1}, {1, 0}} {
		o.Targets = on
		if got := h.era(&o); !got.IsZero() {
			t.Errorf("%v: %v", on, got)
		}
	}
}

func TestToolsAreOfTheTimeOfTheArchive(t *testing.T) {
	for _, c := range []struct {
		name, uploaded string
		tools          map[string]string // version -> time
		want           string
		questions      int
	}{
		{"before its end", "2024-01-01", map[string]string{"1.0": "2023-01-01", "2.0": "2024-01-30", "3.0": "2024-03-01"}, "2.0", 1},
		{"soon after", "2024-01-01", map[string]string{"2.0": "2024-03-01", "3.0": "2025-06-01"}, "2.0", 2},
		{"a year after", "2024-01-01", map[string]string{"2.0": "2024-12-01", "3.0": "2025-06-01"}, "2.0", 3},
		{"years after", "2024-01-01", map[string]string{"2.0": "2026-12-01", "3.0": "2028-06-01"}, "2.0", 4},
		{"whenever", "2024-01-01", map[string]string{"2.0": "2030-12-01", "3.0": "2031-06-01"}, "3.0", 5},
		{"nobody knows when", "2024-01-01", map[string]string{"2.0": ""}, "2.0", 5},
		{"archive without a time", "", map[string]string{"2.0": "2020-01-01", "3.0": ""}, "3.0", 1},
	} {
		w := newWorld(t)
		for v, at := range c.tools {
			w.tool("a", v, at)
		}
		o := w.sdist("demo", "1.0", c.uploaded, "a")
		o.Known = true
		r, err := w.house().Prepare(t.Context(), o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := r.Tools.Picks[0].Version.String(); got != c.want || len(w.asked) != c.questions {
			t.Errorf("%s: %s after %d questions", c.name, got, len(w.asked))
		}
		for _, q := range w.asked[:len(w.asked)-1] {
			if q.Before.IsZero() {
				t.Errorf("%s: asked without a limit first", c.name)
			}
		}
	}
}

func TestToolsThatNobodyHas(t *testing.T) {
	w := newWorld(t)
	o := w.sdist("demo", "1.0", "2024-01-01", "a")
	_, err := w.make(o)
	var none *resolve.NoSolution
	if !errors.Is(err, ErrBuild) || !errors.As(err, &none) || len(w.asked) != 1+len(later) {
		t.Errorf("%v after %d questions", err, len(w.asked))
	}
	w = newWorld(t)
	failed := errors.New("the index does not answer")
	w.o.Resolve = func(context.Context, Question) (*resolve.Resolution, error) {
		w.asked = append(w.asked, Question{})
		return nil, failed
	}
	if _, err := w.make(w.sdist("demo", "1.0", "2024-01-01", "a")); !errors.Is(err, failed) || len(w.asked) != 1 {
		t.Errorf("%v after %d questions", err, len(w.asked))
	}
}

// TestLinkedVersionsCountWheneverTheyCame: an extension that is compiled against numpy 1
// does not run with numpy 2.
func TestLinkedVersionsCountWheneverTheyCame(t *testing.T) {
	for _, c := range []struct {
		linked   []python.Name
		requires string
		want     string
	}{
		{[]python.Name{"numpy"}, "numpy", "[numpy 2.1 setuptools 69.0]"},
		{nil, "numpy", "[numpy 1.26 setuptools 69.0]"},
		{[]python.Name{"numpy"}, "numpy<2", "[numpy 1.26 setuptools 69.0]"},
		{[]python.Name{"pandas"}, "numpy", "[numpy 1.26 setuptools 69.0]"},
	} {
		w := newWorld(t)
		w.tool("setuptools", "69.0", "2024-01-01")
		w.tool("setuptools", "80.0", "2025-05-01")
		w.tool("setuptools", "81.0", "2025-09-01")
		w.tool("numpy", "1.26", "2023-09-01")
		w.tool("numpy", "2.1", "2024-08-01")
		w.tool("numpy", "2.3", "2025-08-01")
		o := w.sdist("demo", "1.0", "2024-04-01", "setuptools", c.requires)
		o.Known, o.Linked = true, c.linked
		for at := range o.Targets {
			o.Prefer = append(o.Prefer, resolve.Preference{Name: "numpy", Version: version(t, "2.1"), Target: at},
				resolve.Preference{Name: "setuptools", Version: version(t, "80.0"), Target: at})
		}
		r, err := w.house().Prepare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range r.Tools.Picks {
			got = append(got, string(p.Name)+" "+p.Version.String())
		}
		if slices.Sort(got); fmt.Sprint(got) != c.want {
			t.Errorf("%v, %s: %v, want %s", c.linked, c.requires, got, c.want)
		}
	}
}
