// Package build makes a wheel out of a source archive, in a sandbox of the development
// image.
//
// It knows what a build is (PEP 517 and 518, and setup.py before them); who runs it, and
// where its requirements come from, is its caller's. A build gets no network: source and
// requirements have been fetched and checked before.
package build

import (
	"context"
	_ "embed" // the driver
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// Sandbox runs one command in the development image, without a network.
type Sandbox interface {
	// Run lays j.Files out below j.Place, which the command may write to, runs the
	// command, and calls j.Take with what j.Place is then if it ended with code 0. The
	// error of j.Take is returned as it is.
	Run(ctx context.Context, j Job) error
}

// Job is what a sandbox is asked to run.
type Job struct {
	Place string // absolute, in the image
	Files files.Set
	Dir   string // the working folder, below Place
	Args  []string
	Env   []string // all of it, but for what the image says of PATH
	User  int      // number of the user and group, the owner of Files
	Log   io.Writer
	Take  func(place *os.Root) error
}

// Request says what to build.
type Request struct {
	Source Source
	// Tools are the build requirements, as wheels, each project once.
	Tools []*wheel.Wheel
	// Asked are the requirements beside those of [ReadSystem] that Tools were chosen for:
	// what an earlier [MoreError] named.
	Asked []string
	// Python is the image's interpreter ("/usr/bin/python3.11"), Path its PATH.
	Python, Path string
	Epoch        int64 // seconds since 1970, for what a back end dates
	Log          io.Writer
}

// Built is a wheel that was made; its content is in the cache.
type Built struct {
	FileName string
	Digest   string // "sha256:..."
	Size     int64
}

// MoreError says that a back end asks for more than its pyproject.toml lists. Asked for
// once more with Tools that serve them, the build goes on.
type MoreError struct{ Requires []string }

// Error lists what is asked for.
func (e *MoreError) Error() string {
	return "the build asks for " + strings.Join(e.Requires, ", ")
}

// ErrResult is wrapped by errors about what a build has left: no wheel, a damaged one, or
// that of another project.
var ErrResult = errors.New("the build gives no usable wheel")

// The paths of a build are the same on each machine, since compilers write them into
// what they make; it runs as a user without a name.
const (
	place    = "/build"
	toolsAt  = "env"
	resultAt = "out/result.json"
	user     = 1000
)

// The bounds of what is taken out, in bytes.
const (
	maxResult = 1 << 20
	maxWheel  = 4 << 30
)

//go:embed driver.py
var driver string

// Wheel builds the source archive and puts the wheel into the cache. What the build
// prints goes to the request's log. An error of the sandbox is returned as it is.
func Wheel(ctx context.Context, sb Sandbox, store *cache.Dir, r Request) (*Built, error) {
	system, err := ReadSystem(r.Source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Source.FileName, err)
	}
	set, err := r.files(system)
	if err != nil {
		return nil, err
	}
	var built *Built
	err = sb.Run(ctx, Job{
		Place: place,
		Files: set,
		Dir:   place,
		// Without site, the packages of the image are not seen: what a build may use
		// stands in its requirements.
		Args: []string{r.Python, "-S", "-B", "driver.py"},
		Env:  r.environment(),
		User: user,
		Log:  r.Log,
		Take: func(root *os.Root) error {
			built, err = r.take(root, store)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", r.Source.FileName, err)
	}
	return built, nil
}

// environment is all that a build sees of the kind.
func (r *Request) environment() []string {
	tools := place + "/" + toolsAt
	return []string{
		"PATH=" + tools + "/bin:" + r.Path, "PYTHONPATH=" + tools, "SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.Epoch, 10),
		"PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1", "PYTHONNOUSERSITE=1", "LC_ALL=C.UTF-8", "TZ=UTC", "USER=build", "LOGNAME=build",
	}
}

// task is what the driver is told, result what it answers.
type task struct {
	Source      string   `json:"source"`
	Backend     string   `json:"backend"`
	BackendPath []string `json:"backend_path"`
	Asked       []string `json:"asked"`
	Epoch       int64    `json:"epoch"`
}

type result struct {
	Requires []string `json:"requires"`
	Wheel    string   `json:"wheel"`
}

// files is what stands below place when the build begins.
func (r *Request) files(s *System) (files.Set, error) {
	t, err := json.Marshal(task{
		Source: r.Source.FileName, Backend: s.Backend, BackendPath: append([]string{}, s.BackendPath...), Asked: append([]string{}, r.Asked...), Epoch: r.Epoch,
	})
	if err != nil {
		return files.Set{}, err
	}
	list := []*files.File{
		{Path: toolsAt, Mode: fs.ModeDir | 0o755}, {Path: "in", Mode: fs.ModeDir | 0o755}, {Path: "out", Mode: fs.ModeDir | 0o755},
		regular("driver.py", textContent(driver), int64(len(driver))),
		regular("task.json", textContent(t), int64(len(t))),
		regular("in/"+r.Source.FileName, r.Source, r.Source.Size),
	}
	from := map[string]python.Name{}
	for _, w := range r.Tools {
		set, err := w.Files(wheel.Scheme{
			Purelib: toolsAt, Platlib: toolsAt, Scripts: toolsAt + "/bin", Data: toolsAt, Headers: toolsAt + "/include", Python: r.Python,
		})
		if err != nil {
			return files.Set{}, err
		}
		for f := range set.All() {
			if other, ok := from[f.Path]; ok && !f.Mode.IsDir() && other != w.Name.Name {
				return files.Set{}, fmt.Errorf("build requirements %s and %s both have the file %q", other, w.Name.Name, f.Path)
			}
			from[f.Path] = w.Name.Name
			list = append(list, f)
		}
	}
	for i, f := range list {
		owned := *f
		owned.UID, owned.GID, owned.ModTime = user, user, r.Epoch
		list[i] = &owned
	}
	return files.NewSet(list), nil
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

// take reads what the build has left, which is as hostile as its source.
func (r *Request) take(root *os.Root, store *cache.Dir) (*Built, error) {
	text, err := readBounded(root, resultAt, maxResult)
	if err != nil {
		return nil, err
	}
	var got result
	if err := json.Unmarshal(text, &got); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	if got.Wheel == "" {
		if more := missing(got.Requires, r.Asked); len(more) > 0 {
			return nil, &MoreError{more}
		}
		return nil, fmt.Errorf("%w: its back end names none", ErrResult)
	}
	name, err := python.ParseWheelName(got.Wheel)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	if project, version, err := python.SplitSdistName(r.Source.FileName); err == nil && (name.Name != project || name.Version.String() != version.String()) {
		return nil, fmt.Errorf("%w: it gives %s", ErrResult, got.Wheel)
	}
	return keep(root, got.Wheel, store)
}

// missing returns what is in list and not in asked.
func missing(list, asked []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(asked, s) })
}

// keep copies a wheel into the cache, if it is one.
func keep(root *os.Root, name string, store *cache.Dir) (*Built, error) {
	f, err := openRegular(root, "out/"+name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w, err := store.CreateBlob()
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	n, err := io.Copy(w, io.LimitReader(f, maxWheel+1))
	if err != nil {
		return nil, err
	}
	if n > maxWheel {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrResult, name, int64(maxWheel))
	}
	digest, size, err := w.Commit()
	if err != nil {
		return nil, err
	}
	blob, err := store.OpenBlob(digest)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	if _, err := wheel.Open(name, blob, size); err != nil {
		store.RemoveBlob(digest)
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	return &Built{FileName: name, Digest: digest, Size: size}, nil
}

// openRegular opens a file and nothing that would wait or lead elsewhere.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResult, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no file", ErrResult, name)
	}
	return root.Open(name)
}

func readBounded(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrResult, name, limit)
	}
	return text, err
}
