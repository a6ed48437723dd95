package distill

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/transport"
	"github.com/r-seed-1713b764/distill/internal/wheelhouse"
)

func versionOf(t *testing.T, text string) python.Version {
	t.Helper()
	v, err := python.ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// placedOn is a pick that gets onto both platforms as a file.
func placedOn(t *testing.T, name, version, file string) *resolve.Pick {
	t.Helper()
	a := &resolve.Artifact{Kind: resolve.Sdist, File: file, Ref: pypi.File{Name: file}}
	if strings.HasSuffix(file, ".whl") {
		w, err := python.ParseWheelName(file)
		if err != nil {
			t.Fatal(err)
		}
		a.Kind, a.WheelName = resolve.Wheel, w
	}
	return &resolve.Pick{Name: python.Name(name), Version: versionOf(t, version), On: []resolve.Placed{{Target: 0, Artifact: a}, {Target: 1, Artifact: a}}}
}

func platformsOf(names ...string) []resolve.Target {
	var out []resolve.Target
	for _, n := range names {
		out = append(out, resolve.Target{Name: n})
	}
	return out
}

func TestOrdersPreferTheLockAndWhatTheApplicationRunsWith(t *testing.T) {
	h5py, numpy := placedOn(t, "h5py", "3.11.0", "h5py-3.11.0.tar.gz"), placedOn(t, "numpy", "2.1.0", "numpy-2.1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
	six := placedOn(t, "six", "1.16", "six-1.16-py3-none-any.whl")
	h5py.Edges = []resolve.Edge{{To: numpy}, {To: six}, {To: numpy}}
	r := &resolved{Resolution: &resolve.Resolution{Targets: platformsOf("linux/amd64", "linux/arm64"), Picks: []*resolve.Pick{h5py, numpy, six}}}
	orders := r.orders(h5py, nil, []int{0, 1})
	if len(orders) != 1 {
		t.Fatalf("%d orders without a lock", len(orders))
	}
	o := orders[0]
	if o.Known || fmt.Sprint(o.Linked) != "[numpy]" || o.File.Name != "h5py-3.11.0.tar.gz" || fmt.Sprint(o.Targets) != "[0 1]" || len(o.Prefer) != 6 {
		t.Errorf("without a lock: %+v", o)
	}

	lock, err := pylock.Read([]byte(builtLock))
	if err != nil {
		t.Fatal(err)
	}
	orders = r.orders(h5py, &pins{lock: lock}, []int{0, 1})
	if len(orders) != 1 || !orders[0].Known || fmt.Sprint(orders[0].Asked) != "[numpy>=1.21]" || orders[0].Prefer[0].Name != "cython" {
		t.Errorf("with a lock: %+v", orders)
	}
}

func TestOrdersFallApartAsTheLockSays(t *testing.T) {
	split := strings.Replace(builtLock, `platforms = ["linux/amd64", "linux/arm64"]
asked = ["numpy>=1.21"]
requires = [{ name = "cython", version = "3.0" }, { name = "setuptools", version = "70.0" }]
`, `platforms = ["linux/amd64"]
requires = [{ name = "setuptools", version = "70.0" }]
[[packages.tool.distill.builds]]
platforms = ["linux/arm64"]
asked = ["cython"]
requires = [{ name = "cython", version = "3.0" }, { name = "setuptools", version = "70.0" }]
`, 1)
	lock, err := pylock.Read([]byte(split))
	if err != nil {
		t.Fatal(err)
	}
	h5py := placedOn(t, "h5py", "3.11.0", "h5py-3.11.0.tar.gz")
	r := &resolved{Resolution: &resolve.Resolution{Targets: platformsOf("linux/amd64", "linux/arm64"), Picks: []*resolve.Pick{h5py}}}
	var got string
	for _, o := range r.orders(h5py, &pins{lock: lock}, []int{0, 1}) {
		got += fmt.Sprint(o.Targets, o.Asked, o.Known, len(o.Prefer), "; ")
		for _, p := range o.Prefer {
			if p.Target != 0 {
				t.Errorf("%v: preference for position %d", o.Targets, p.Target)
			}
		}
	}
	if got != "[0] [] true 2; [1] [cython] true 3; " {
		t.Errorf("orders %s", got)
	}
	// A platform that the lock does not know puts all of them into one.
	r.Targets = platformsOf("linux/amd64", "linux/riscv64")
	if orders := r.orders(h5py, &pins{lock: lock}, []int{0, 1}); len(orders) != 1 || orders[0].Known {
		t.Errorf("with a new platform: %+v", orders)
	}
}

func TestLockedTellsEachPart(t *testing.T) {
	p, tool := placedOn(t, "demo", "1.0", "demo-1.0.tar.gz"), placedOn(t, "tool", "1.0", "tool-1.0.tar.gz")
	part := func(target int, asked ...string) *pickBuild {
		o := wheelhouse.Order{Targets: []int{target}}
		inner := &wheelhouse.Ready{Order: o}
		return &pickBuild{pick: p, ready: &wheelhouse.Ready{Order: o, Asked: asked, Builds: []*wheelhouse.BuiltTool{{Pick: tool, Ready: inner}}}}
	}
	b := &builds{list: []*pickBuild{part(0), part(1, "x")}}
	var got string
	for _, one := range b.locked() {
		got += fmt.Sprint(one.Pick.Name, one.Targets, one.Asked, "; ")
	}
	if got != "demo[0] []; tool[0] []; demo[1] [x]; tool[1] []; " {
		t.Errorf("locked %s", got)
	}
	b.list[1].wheels = map[int]*wheelhouse.Wheel{1: {FileName: "b"}}
	if w := b.wheel(p, 1); w == nil || w.FileName != "b" || b.wheel(p, 0) != nil {
		t.Errorf("wheel %+v", w)
	}
}

func TestNativeArtifacts(t *testing.T) {
	image := func(files ...string) *resolve.Artifact {
		return &resolve.Artifact{Kind: resolve.ImageFiles, Ref: installedRef{dist: &inspect.Distribution{Files: files}}}
	}
	for _, c := range []struct {
		a    *resolve.Artifact
		want bool
	}{
		{image("usr/lib/python3/dist-packages/numpy/core/_multiarray.cpython-311-x86_64-linux-gnu.so"), true},
		{image("usr/lib/python3/dist-packages/six.py"), false},
		{placedOn(t, "six", "1.16", "six-1.16-py2.py3-none-any.whl").On[0].Artifact, false},
		{placedOn(t, "a", "1", "a-1-cp311-cp311-linux_x86_64.whl").On[0].Artifact, true},
		{placedOn(t, "a", "1", "a-1.tar.gz").On[0].Artifact, true},
	} {
		if isNative(c.a) != c.want {
			t.Errorf("%+v", c.a)
		}
	}
}

// TestWheelThatNeedsMoreThanWasResolved: what a source archive says may be a guess.
func TestWheelThatNeedsMoreThanWasResolved(t *testing.T) {
	store, err := cache.Open(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	demo, numpy := placedOn(t, "demo", "1.0", "demo-1.0.tar.gz"), placedOn(t, "numpy", "1.26.0", "numpy-1.26.0-py3-none-any.whl")
	demo.On[0].Extras = []python.Name{"fast"}
	r := &resolved{
		Resolution: &resolve.Resolution{Targets: platformsOf("linux/amd64", "linux/arm64"), Picks: []*resolve.Pick{demo, numpy}},
		asked:      &asked{overrides: []python.Requirement{{Name: "replaced"}}},
		builds:     &builds{building: &building{h: &Host{Cache: store}}},
	}
	for _, m := range []struct{ machine string }{{"x86_64"}, {"aarch64"}} {
		i := map[string]int{"x86_64": 0, "aarch64": 1}[m.machine]
		r.Targets[i].Markers = python.MarkerEnv{PlatformMachine: m.machine, PythonVersion: "3.11", PythonFullVersion: "3.11.2"}
	}
	for _, c := range []struct{ requires, amd64, arm64 string }{
		{"numpy>=1.20", "", ""},
		{"numpy>=2", "numpy>=2", "numpy>=2"},
		{"other", "other", "other"},
		{"replaced>9", "", ""},
		{`other ; platform_machine == "aarch64"`, "", `other; platform_machine == "aarch64"`},
		{`other ; extra == "fast"`, `other; extra == "fast"`, ""},
		{`other ; extra == "slow"`, "", ""},
	} {
		blob, err := store.CreateBlob()
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(blob)
		for name, text := range map[string]string{
			"demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: " + c.requires + "\n",
			"demo-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "demo-1.0.dist-info/RECORD": "",
		} {
			f, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(f, text)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		digest, size, err := blob.Commit()
		if err != nil {
			t.Fatal(err)
		}
		for at, want := range []string{c.amd64, c.arm64} {
			err := r.checkNeeds(demo, at, &wheelhouse.Wheel{FileName: "demo-1.0-py3-none-any.whl", Digest: digest, Size: size})
			switch {
			case want == "" && err != nil:
				t.Errorf("%s on %d: %v", c.requires, at, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), "needs "+want+", which its source archive does not say") || KindOf(err) != NoSolution):
				t.Errorf("%s on %d: %v", c.requires, at, err)
			}
		}
	}
}

func TestKindOfFailedBuilds(t *testing.T) {
	for _, c := range []struct {
		cause error
		want  Kind
	}{
		{errors.New("exit code 1"), NeedsBuild},
		{fmt.Errorf("fetching: %w", pypi.ErrOffline), Network},
		{fmt.Errorf("fetching: %w", transport.ErrNetwork), Network},
		{&resolve.NoSolution{Story: "none"}, NeedsBuild},
		{&resolve.NoSolution{Story: "none", Unasked: true}, Network},
		{&unanswered{&transport.Error{Kind: transport.Server, Status: 500}}, Network},
	} {
		err := fmt.Errorf("build requirement of a 1.0: %w", &wheelhouse.BuildError{Project: "demo 1.0", Platform: "linux/amd64", Cause: c.cause})
		if got := KindOf(err); got != c.want {
			t.Errorf("%v: %v, want %v", c.cause, got, c.want)
		}
	}
	if got := KindOf(fmt.Errorf("x: %w", cache.ErrFolder)); got != Damaged {
		t.Errorf("a full disk: %v", got)
	}
}
