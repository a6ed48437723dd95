package build

import (
	_ "embed" // the programs that run inside
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// The paths of a build are the same on each machine, since compilers write them into
// what they make; it runs as a user without a name.
const (
	place   = "/build"
	toolsAt = "env"
	siteAt  = "site"
	homeAt  = "home"
	tempAt  = "tmp"
	user    = 1000
)

//go:embed driver.py
var driver string

//go:embed sitecustomize.py
var siteCustomize string

// The hooks that the driver knows.
const (
	hookRequires = "requires"
	hookMetadata = "metadata"
	hookWheel    = "wheel"
)

// task is what the driver is told.
type task struct {
	Hook        string   `json:"hook"`
	Source      string   `json:"source"`
	Backend     string   `json:"backend"`
	BackendPath []string `json:"backend_path"`
	Asked       []string `json:"asked"`
}

// environment is all that a build sees of the kind: what the image says, then ours.
func (r *Request) environment() []string {
	own := []string{
		"PATH=" + place + "/" + toolsAt + "/bin:" + r.Path,
		"HOME=" + place + "/" + homeAt,
		"TMPDIR=" + place + "/" + tempAt,
		"PYTHONPATH=" + place + "/" + siteAt,
		"SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.Epoch, 10),
		"PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1", "PYTHONUNBUFFERED=1",
		"LC_ALL=C.UTF-8", "TZ=UTC", "USER=build", "LOGNAME=build",
		// There is no network: who asks for it is told at once, and not after minutes.
		"PIP_NO_INDEX=1", "CARGO_NET_OFFLINE=true", "MATURIN_NO_INSTALL_RUST=1",
	}
	if r.Jobs > 0 {
		n := strconv.Itoa(r.Jobs)
		own = append(own, "MAKEFLAGS=-j"+n, "CMAKE_BUILD_PARALLEL_LEVEL="+n, "NPY_NUM_BUILD_JOBS="+n, "MAX_JOBS="+n, "CARGO_BUILD_JOBS="+n)
	}
	name := func(v string) string { n, _, _ := strings.Cut(v, "="); return n }
	out := slices.DeleteFunc(slices.Clone(r.Env), func(v string) bool {
		return strings.HasPrefix(v, "PYTHON") || slices.ContainsFunc(own, func(o string) bool { return name(o) == name(v) })
	})
	return append(out, own...)
}

// files is what stands below place when the build begins.
func (r *Request) files(s *System, hook string) (files.Set, error) {
	t, err := json.Marshal(task{
		Hook: hook, Source: r.Source.FileName, Backend: s.Backend, BackendPath: append([]string{}, s.BackendPath...), Asked: r.Asked,
	})
	if err != nil {
		return files.Set{}, err
	}
	var list []*files.File
	for _, dir := range []string{toolsAt, siteAt, homeAt, tempAt, "in", "out"} {
		list = append(list, &files.File{Path: dir, Mode: fs.ModeDir | 0o755})
	}
	list = append(list,
		regular("driver.py", textContent(driver), int64(len(driver))),
		regular(siteAt+"/sitecustomize.py", textContent(siteCustomize), int64(len(siteCustomize))),
		regular("task.json", textContent(t), int64(len(t))),
		regular("in/"+r.Source.FileName, r.Source, r.Source.Size))
	tools, err := r.tools()
	if err != nil {
		return files.Set{}, err
	}
	list = append(list, tools...)
	for i, f := range list {
		owned := *f
		owned.UID, owned.GID, owned.ModTime = user, user, r.Epoch
		list[i] = &owned
	}
	return files.NewSet(list), nil
}

// tools are the files of the build requirements. Of two that have one path, that of the
// project whose name comes later in the alphabet stands: pip lets the one stand that it
// installs last.
func (r *Request) tools() ([]*files.File, error) {
	var list []*files.File
	at := map[string]int{}
	tools := slices.SortedStableFunc(slices.Values(r.Tools), func(a, b *wheel.Wheel) int {
		return strings.Compare(string(a.Name.Name), string(b.Name.Name))
	})
	from := map[string]python.Name{}
	for _, w := range tools {
		set, err := w.Files(wheel.Scheme{
			Purelib: toolsAt, Platlib: toolsAt, Scripts: toolsAt + "/bin", Data: toolsAt, Headers: toolsAt + "/include", Python: r.Python,
		})
		if err != nil {
			return nil, err
		}
		for f := range set.All() {
			i, taken := at[f.Path]
			switch {
			case !taken:
				at[f.Path], from[f.Path] = len(list), w.Name.Name
				list = append(list, f)
			case list[i].Mode.IsDir() != f.Mode.IsDir():
				return nil, fmt.Errorf("build requirements %s and %s disagree on whether %q is a folder", from[f.Path], w.Name.Name, f.Path)
			default:
				list[i], from[f.Path] = f, w.Name.Name
			}
		}
	}
	return list, nil
}

func regular(path string, c files.Content, size int64) *files.File {
	return &files.File{Path: path, Mode: 0o644, Size: size, Content: c}
}

// textContent is the content of a small file.
type textContent string

// Open implements [files.Content].
func (t textContent) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(t))), nil
}
