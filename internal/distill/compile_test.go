package distill

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/bytecode"
	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/plan"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

func hostFor(t *testing.T) *Host {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Host{Cache: c, Teller: tellLog{t}}
}

// uncompiled are modules of one package, whose paths and sources alternate.
func uncompiled(owner string, pairs ...string) []plan.Uncompiled {
	var out []plan.Uncompiled
	for i := 0; i < len(pairs); i += 2 {
		name := strings.TrimSuffix(pairs[i], ".py")
		out = append(out, plan.Uncompiled{
			Owner: owner, Source: acme(pairs[i], pairs[i+1]),
			Path: filepath.Join(filepath.Dir(name), bytecode.Dir, filepath.Base(name)+".cpython-311.pyc"),
		})
	}
	return out
}

func contentOf(t *testing.T, f *files.File) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCodeIsKeptByWhatItIsMadeOf(t *testing.T) {
	h := hostFor(t)
	list := append(uncompiled("a 1", "lib/a.py", "1", "lib/template.py", "{{"), uncompiled("b 1", "lib/b.py", "1")...)
	for i, u := range list {
		u.Source.SHA256 = strings.Repeat(string('a'+rune(i)), 64)
	}
	jobs := jobsOf(list, "3.11.2")
	if len(jobs) != 2 || len(jobs[0].modules) != 2 || jobs[0].key == jobs[1].key {
		t.Fatalf("%+v", jobs)
	}
	if jobsOf(list, "3.11.3")[0].key == jobs[0].key {
		t.Error("the version of Python does not count")
	}
	if h.openCode(jobs[0]) != nil {
		t.Error("something is there before anything was kept")
	}
	c, err := h.putCode(jobs[0], []bytecode.Code{{Data: []byte("code of a")}, {Why: "SyntaxError"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := c.files(jobs[0])
		if len(got) != 1 || got[0].Path != list[0].Path || contentOf(t, got[0]) != "code of a" || got[0].SHA256 == "" {
			t.Errorf("%+v", got)
		}
		c.Close()
		if c = h.openCode(jobs[0]); c == nil {
			t.Fatal("nothing was kept")
		}
	}
	c.Close()
	if h.openCode(job{key: jobs[0].key, modules: jobs[0].modules[:1]}) != nil {
		t.Error("code of two modules was taken for that of one")
	}
}

func TestDamagedCodeIsCompiledAgain(t *testing.T) {
	h := hostFor(t)
	j := jobsOf(uncompiled("a 1", "lib/a.py", "1"), "3.11.2")[0]
	long := bytes.Repeat([]byte("code"), 10_000) // beyond what is checked at once
	if _, err := h.putCode(j, []bytecode.Code{{Data: long}}); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(h.Cache.Path(), codeBucket, "*"))
	more, _ := filepath.Glob(filepath.Join(h.Cache.Path(), codeBucket, "*", "*"))
	damaged := 0
	for _, n := range append(names, more...) {
		if b, err := os.ReadFile(n); err == nil {
			b[len(b)-5] ^= 1
			os.WriteFile(n, b, 0o600)
			damaged++
		}
	}
	if damaged != 1 || h.openCode(j) != nil {
		t.Errorf("%d files were damaged, and nobody noticed", damaged)
	}
}

func TestCompilingSaysWhatThisMachineLacks(t *testing.T) {
	err := compileFailure(&sandbox.Unavailable{Engine: "namespaces", Text: "no user namespaces", Remedy: "allow them"})
	var f *Failure
	if !errors.As(err, &f) || f.Kind != Usage || len(f.Hints()) != 2 || f.Hints()[0] != "allow them" || !strings.Contains(err.Error(), "no user namespaces") {
		t.Errorf("%v, %q", err, f.Hints())
	}
	j := jobsOf(uncompiled("a 1", "lib/a.py", "1"), "3.11.2")[0]
	err = j.failure(&bytecode.ModuleError{Module: 0, Err: bytecode.ErrCompiler}, &sandbox.ExitError{Code: 3})
	if KindOf(err) != NeedsBuild || err.Error() != `byte code of a 1, module "lib/a.py": the Python compiler failed (exit code 3)` {
		t.Error(err)
	}
}

// The Python of a real image compiles, for the other platform as well; that of the other
// platform gives the same.
func TestCompileOnceForAllPlatforms(t *testing.T) {
	h := hostFor(t)
	amd64 := realImage(t, h, "pyslim", v1.Platform{OS: "linux", Architecture: "amd64"})
	arm64 := realImage(t, h, "pyslim", v1.Platform{OS: "linux", Architecture: "arm64"})
	in := &inputs{
		platforms: []v1.Platform{arm64.image.Platform, amd64.image.Platform},
		dev:       []*opened{arm64, amd64}, base: []*opened{arm64, amd64}, runtimes: make([]*runtime, 2), onto: &image.Source{},
	}
	list := append(uncompiled("a 1",
		acmeAt+"a.py", "def f(a): return {'q', a}\n",
		acmeAt+"template.py", "{{ no Python }}\n",
		acmeAt+"é.py", "élève = 'ﬁ'\n",
	), uncompiled("b 1", acmeAt+"latin.py", "# -*- coding: iso-8859-15 -*-\nx = '\xa4'\n")...)
	var before files.Set
	for run := range 2 {
		c := h.newCompilers(in)
		for p := range in.platforms {
			code, err := c.code(t.Context(), p, list)
			if err != nil {
				t.Fatal(err)
			}
			if code.Len() != 3 {
				t.Errorf("%d of 3 modules", code.Len())
			}
			for f := range code.All() {
				head, ok := bytecode.ParseHeader([]byte(contentOf(t, f)))
				if !ok || head.Magic != 3495 || !head.IsHashed() {
					t.Errorf("%s: %+v", f.Path, head)
				}
				if g, ok := before.Get(f.Path); ok && g.SHA256 != f.SHA256 {
					t.Errorf("%s is another one now", f.Path)
				}
			}
			before = code
		}
		if len(c.list) != 1-run {
			t.Errorf("run %d: %d interpreters were unpacked", run, len(c.list))
		}
		c.close()
		for _, r := range c.list {
			if _, err := os.Stat(r.dir); err == nil {
				t.Errorf("%s is left behind", r.dir)
			}
		}
	}
	if sandbox.Emulated("linux/arm64") == "" {
		t.Skip("no emulator for arm64 here")
	}
	alone := &inputs{platforms: in.platforms[:1], dev: in.dev, base: in.base, runtimes: in.runtimes, onto: in.onto}
	c := hostFor(t).newCompilers(alone)
	defer c.close()
	code, err := c.code(t.Context(), 0, list)
	if isUnavailable(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for f := range code.All() {
		if g, ok := before.Get(f.Path); !ok || g.SHA256 != f.SHA256 {
			t.Errorf("%s: the other platform's Python gives other byte code", f.Path)
		}
	}
}
