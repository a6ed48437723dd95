package distill

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/pylock"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// builtLock is a lock whose one package is built with setuptools on both platforms,
// and with a cython that is built itself on arm64.
const builtLock = `lock-version = "1.0"
requires-python = "==3.11.*"
created-by = "distill"
[[packages]]
name = "h5py"
version = "3.11.0"
sdist = { url = "https://files.example.org/h5py-3.11.0.tar.gz", hashes = { sha256 = "aa" } }
[packages.tool.distill]
on = { "linux/amd64" = "h5py-3.11.0.tar.gz", "linux/arm64" = "h5py-3.11.0.tar.gz" }
[[packages.tool.distill.builds]]
platforms = ["linux/amd64", "linux/arm64"]
asked = ["numpy>=1.21"]
requires = [{ name = "cython", version = "3.0" }, { name = "setuptools", version = "70.0" }]
[tool.distill]
platforms = ["linux/amd64", "linux/arm64"]
python = "3.11.2"
libc = { "linux/amd64" = "glibc-2.36", "linux/arm64" = "glibc-2.36" }
[[tool.distill.build-packages]]
name = "cython"
version = "3.0"
sdist = { url = "https://files.example.org/cython-3.0.tar.gz", hashes = { sha256 = "bb" } }
wheels = [{ url = "https://files.example.org/cython-3.0-cp311-cp311-linux_x86_64.whl", hashes = { sha256 = "cc" } }]
[tool.distill.build-packages.tool.distill]
on = { "linux/amd64" = "cython-3.0-cp311-cp311-linux_x86_64.whl", "linux/arm64" = "cython-3.0.tar.gz" }
wanted-by = ["building h5py 3.11.0: cython"]
[[tool.distill.build-packages.tool.distill.builds]]
platforms = ["linux/arm64"]
requires = [{ name = "setuptools", version = "70.0" }]
[[tool.distill.build-packages]]
name = "setuptools"
version = "70.0"
wheels = [{ url = "https://files.example.org/setuptools-70.0-py3-none-any.whl", hashes = { sha256 = "dd" } }]
[tool.distill.build-packages.tool.distill]
on = { "linux/amd64" = "setuptools-70.0-py3-none-any.whl", "linux/arm64" = "setuptools-70.0-py3-none-any.whl" }
wanted-by = ["building cython 3.0: setuptools", "building h5py 3.11.0: setuptools"]
`

// withoutBuildsText is builtLock as it is made without an image.
func withoutBuildsText() string {
	shipped, _, _ := strings.Cut(builtLock, "[[packages.tool.distill.builds]]")
	_, rest, _ := strings.Cut(builtLock, "[tool.distill]\n")
	settings, _, _ := strings.Cut(rest, "[[tool.distill.build-packages]]")
	return shipped + "[tool.distill]\n" + settings
}

// edited is builtLock with texts replaced by others.
func edited(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(builtLock) }

func pinsOf(t *testing.T, text string) *pins {
	t.Helper()
	l, err := pylock.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &pins{file: "pylock.toml", lock: l}
}

func TestLockedSeesHowPackagesAreBuilt(t *testing.T) {
	for name, c := range map[string]struct {
		old, now string
		want     string // lines of the error, "" for none
	}{
		"the same":               {builtLock, builtLock, ""},
		"made without an image":  {withoutBuildsText(), builtLock, ""},
		"now without an image":   {builtLock, withoutBuildsText(), ""},
		"who wants the tools":    {builtLock, edited("h5py 3.11.0: setuptools", "h5py 3.11.0: setuptools>=61"), ""},
		"another tool":           {builtLock, edited("70.0", "75.1"), "build requirement cython 3.0: built with setuptools 70.0 -> 75.1 on linux/arm64\nh5py 3.11.0: built with setuptools 70.0 -> 75.1"},
		"another file of a tool": {builtLock, edited(`"dd"`, `"ee"`), "build requirement cython 3.0: built with another file of setuptools 70.0 on linux/arm64\nh5py 3.11.0: built with another file of setuptools 70.0"},
		"fewer tools":            {builtLock, edited(`{ name = "cython", version = "3.0" }, `, ""), "h5py 3.11.0: no longer built with cython 3.0"},
		"more tools":             {edited(`{ name = "cython", version = "3.0" }, `, ""), builtLock, "h5py 3.11.0: built with cython 3.0, new"},
		"the back end":           {builtLock, edited(`asked = ["numpy>=1.21"]`+"\n", ""), "h5py 3.11.0: its back end asks for numpy>=1.21 -> none"},
		"on one platform": {
			builtLock,
			edited(`platforms = ["linux/amd64", "linux/arm64"]`+"\nasked", `platforms = ["linux/arm64"]`+"\n"+`requires = [{ name = "setuptools", version = "70.0" }]`+"\n"+
				"[[packages.tool.distill.builds]]\n"+`platforms = ["linux/amd64"]`+"\nasked"),
			"h5py 3.11.0: no longer built with cython 3.0 on linux/arm64\nh5py 3.11.0: its back end asks for numpy>=1.21 -> none on linux/arm64",
		},
		"of a tool only": {
			builtLock, edited(`["linux/arm64"]`+"\n"+`requires = [{ name = "setuptools", version = "70.0" }]`, `["linux/arm64"]`+"\nrequires = []"),
			"build requirement cython 3.0: no longer built with setuptools 70.0 on linux/arm64",
		},
		"with the package": {
			builtLock, edited("h5py-3.11.0", "h5py-3.12.0", `version = "3.11.0"`, `version = "3.12.0"`, "70.0", "75.1"),
			"h5py: 3.11.0 -> 3.12.0\nbuild requirement cython 3.0: built with setuptools 70.0 -> 75.1 on linux/arm64\nh5py 3.12.0: built with setuptools 70.0 -> 75.1",
		},
	} {
		err := pinsOf(t, c.old).check(PinOptions{Lock: "pylock.toml", Locked: true}, pinsOf(t, c.now).lock)
		var got string
		if err != nil {
			got = strings.ReplaceAll(strings.TrimPrefix(err.Error(), "pylock.toml is out of date:\n  "), "\n  ", "\n")
		}
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestFileOfABuildRequirementMustNotChange(t *testing.T) {
	p := pinsOf(t, builtLock)
	now := pinsOf(t, edited(`"dd"`, `"ee"`)).lock
	err := p.checkFiles(now)
	if err == nil || !strings.Contains(err.Error(), "setuptools: setuptools-70.0-py3-none-any.whl has sha256 ee now") {
		t.Errorf("got %v", err)
	}
	p.drop = []python.Name{"setuptools"}
	if err := p.checkFiles(now); err != nil {
		t.Errorf("upgraded, got %v", err)
	}
}

func TestPinsOfBuildRequirements(t *testing.T) {
	v, err := python.ParseVersion("3.11.0")
	if err != nil {
		t.Fatal(err)
	}
	targets := []resolve.Target{{Name: "linux/arm64"}}
	for _, c := range []struct {
		p     *pins
		want  []string
		known bool
	}{
		{nil, nil, false},
		{pinsOf(t, builtLock), []string{"cython 3.0", "setuptools 70.0"}, true},
		{&pins{lock: pinsOf(t, builtLock).lock, all: true}, nil, false},
		{&pins{lock: pinsOf(t, builtLock).lock, drop: []python.Name{"setuptools"}}, []string{"cython 3.0"}, false},
		{&pins{lock: pinsOf(t, builtLock).lock, drop: []python.Name{"h5py"}}, []string{"cython 3.0", "setuptools 70.0"}, false},
		{&pins{lock: pinsOf(t, builtLock).lock, drop: []python.Name{"other"}}, []string{"cython 3.0", "setuptools 70.0"}, true},
	} {
		prefs, asked, known := c.p.buildPreferences("h5py", v, targets)
		var got []string
		for _, x := range prefs {
			got = append(got, fmt.Sprintf("%s %s", x.Name, x.Version))
		}
		if !slices.Equal(got, c.want) || known != c.known || known != slices.Equal(asked, []string{"numpy>=1.21"}) {
			t.Errorf("got %q, %q, %v; want %q, %v", got, asked, known, c.want, c.known)
		}
	}
}

func TestBuildRequirementIsNoStranger(t *testing.T) {
	p := pinsOf(t, builtLock)
	p.drop = []python.Name{"setuptools", "nonsense"}
	if got := p.strangers(nil); !slices.Equal(got, []python.Name{"nonsense"}) {
		t.Errorf("got %v", got)
	}
}
