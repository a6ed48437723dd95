package distill

import (
	"slices"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/inspect"
)

func TestInterpreterEnv(t *testing.T) {
	debian := &inspect.Interpreter{Path: "usr/bin/python3.11", Names: []string{"usr/bin/python3"}, Scripts: "usr/local/bin"}
	conda := &inspect.Interpreter{Path: "opt/conda/bin/python3.11", Names: []string{"opt/conda/bin/python3", "usr/bin/python3"}, Scripts: "opt/conda/bin"}
	venv := &inspect.Interpreter{Path: "usr/bin/python3.11", Names: []string{"opt/venv/bin/python3"}, Scripts: "opt/venv/bin"}
	hidden := &inspect.Interpreter{Path: "opt/py/bin/python3.11", Names: []string{"opt/py/bin/python3"}, Scripts: "opt/py/bin"}
	for _, c := range []struct {
		name, dev, base string
		py              *inspect.Interpreter
		want            string
	}{
		{"the base's has all", "/usr/local/bin:/usr/bin", "/usr/local/bin:/usr/bin:/bin", debian, ""},
		{"nothing is set", "/usr/local/bin:/usr/bin", "", debian, "PATH=" + standardPath},
		{"behind", "/usr/bin:/bin:/opt/conda/bin", "/usr/bin:/bin", conda, "PATH=/usr/bin:/bin:/opt/conda/bin"},
		{"before", "/opt/venv/bin:/usr/bin:/bin", "/usr/bin:/bin", venv, "PATH=/opt/venv/bin:/usr/bin:/bin"},
		{"others are not taken", "/opt/tools:/opt/venv/bin:/usr/bin", "/usr/bin", venv, "PATH=/opt/venv/bin:/usr/bin"},
		{"started by its whole name", "/usr/bin", "/bin", hidden, "PATH=/bin:/opt/py/bin"},
		{"the base lacks a usual folder", "/usr/local/bin:/usr/bin:/bin", "/usr/bin:/bin", debian, "PATH=/usr/local/bin:/usr/bin:/bin"},
	} {
		var base, want []string
		if c.base != "" {
			base = []string{"PATH=" + c.base, "LANG=C"}
		}
		if c.want != "" {
			want = []string{c.want}
		}
		if got := interpreterEnv([]string{"PATH=" + c.dev}, base, c.py); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", c.name, got, want)
		}
	}
}
