package python

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

type markerCase struct {
	ID, Op, Context, Env, Marker, In, Norm, Error, Extra string
	Extras                                               []string
	DependencyGroups                                     []string `json:"dependency_groups"`
	OK                                                   bool
	Want                                                 *bool
}

// markerEnvironments reads the environments that the cases name.
func markerEnvironments(t *testing.T) map[string]*MarkerEnv {
	t.Helper()
	out := map[string]*MarkerEnv{}
	files := []string{filepath.Join("testdata", "markers.json")}
	if dir := os.Getenv("DISTILL_SHARED"); dir != "" {
		files = append(files, filepath.Join(dir, "vectors", "markers.dev.json"))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Environments map[string]map[string]string }
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		for name, e := range doc.Environments {
			out[name] = &MarkerEnv{
				OSName: e["os_name"], SysPlatform: e["sys_platform"], PlatformMachine: e["platform_machine"],
				PlatformPythonImplementation: e["platform_python_implementation"],
				PlatformRelease:              e["platform_release"], PlatformSystem: e["platform_system"],
				PlatformVersion: e["platform_version"], PythonVersion: e["python_version"],
				PythonFullVersion: e["python_full_version"], ImplementationName: e["implementation_name"],
				ImplementationVersion: e["implementation_version"],
			}
		}
	}
	return out
}

func TestMarkerVectors(t *testing.T) {
	environments := markerEnvironments(t)
	vectors(t, "markers", func(t *testing.T, c *markerCase) {
		if c.Op == "parse" {
			checkMarker(t, c)
			return
		}
		m, err := ParseMarker(c.Marker)
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			return
		}
		env := environments[c.Env]
		if env == nil {
			t.Fatalf("%s: unknown environment %q", c.ID, c.Env)
		}
		again, err := ParseMarker(m.String())
		if err != nil {
			t.Errorf("%s: %q printed is %q: %v", c.ID, c.Marker, m, err)
			return
		}
		for _, m := range []*Marker{m, again} {
			checkEval(t, c, m, env)
		}
	})
}

func checkEval(t *testing.T, c *markerCase, m *Marker, env *MarkerEnv) {
	t.Helper()
	var got bool
	var err error
	if c.Context == "lock_file" {
		got, err = m.EvalLock(env, normalNames(c.Extras), normalNames(c.DependencyGroups))
	} else {
		got, err = m.Eval(env, NormalizeName(c.Extra))
	}
	switch {
	case c.Want != nil && (err != nil || got != *c.Want):
		t.Errorf("%s: %q in %s is %v, %v; want %v", c.ID, m, c.Env, got, err, *c.Want)
	case c.Error == "UndefinedComparison" && !errors.Is(err, ErrUndefinedComparison),
		c.Error == "UndefinedEnvironmentName" && !errors.Is(err, ErrUnknownVariable):
		t.Errorf("%s: %q in %s gives error %v, want %s", c.ID, m, c.Env, err, c.Error)
	}
}

func normalNames(list []string) (out []Name) {
	for _, s := range list {
		out = append(out, NormalizeName(s))
	}
	return out
}

func checkMarker(t *testing.T, c *markerCase) {
	t.Helper()
	m, err := ParseMarker(c.In)
	if (err == nil) != c.OK {
		t.Errorf("%s: parsing %q gives error %v, want ok %v", c.ID, c.In, err, c.OK)
	}
	if err == nil && c.OK && m.String() != c.Norm {
		t.Errorf("%s: %q is %q, want %q", c.ID, c.In, m, c.Norm)
	}
}
