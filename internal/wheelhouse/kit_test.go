package wheelhouse

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/needs"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// world is an index, two images and an engine, all in memory, and a cache in a folder.
type world struct {
	t      *testing.T
	engine *fakeEngine
	o      Options

	mu      sync.Mutex
	shelf   map[python.Name][]item
	fetches map[string]error // of a file name, what fetching it fails with
	asked   []Question
	told    []string // warnings
	output  []string
	logged  []string
	judged  []string // "file for platform" of each Examine
	examine func(target int, b *build.Built) ([]string, error)
}

// item is one file of the index.
type item struct {
	file    pypi.File
	version python.Version
	content []byte
}

const (
	amd64 = 0
	arm64 = 1
)

func newWorld(t *testing.T) *world {
	w := &world{t: t, shelf: map[python.Name][]item{}, fetches: map[string]error{}}
	store, err := cache.Open(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	w.engine = &fakeEngine{w: w, slow: map[string]bool{"linux/arm64": true}}
	w.o = Options{
		Cache: store, Needs: needs.BuiltIn, Engine: "auto", Fetch: w.fetch, Resolve: w.resolve, Teller: w, Time: time.Minute,
		Log: func(text string) { w.mu.Lock(); defer w.mu.Unlock(); w.logged = append(w.logged, text) },
		Examine: func(target int, b *build.Built, _ bool) ([]string, error) {
			w.mu.Lock()
			w.judged = append(w.judged, b.FileName+" for "+w.o.Platforms[target].Name)
			w.mu.Unlock()
			blob, err := store.OpenBlob(b.Digest)
			if err != nil {
				return nil, err
			}
			defer blob.Close()
			if _, err := wheel.Open(b.FileName, blob, blob.Size); err != nil {
				return nil, err
			}
			if w.examine != nil {
				return w.examine(target, b)
			}
			return nil, nil
		},
	}
	w.o.Platforms = []Platform{w.platform("amd64", "3.11.9"), w.platform("arm64", "3.11.9")}
	return w
}

func (w *world) platform(arch, version string) Platform {
	v, err := python.ParseVersion(version)
	if err != nil {
		w.t.Fatal(err)
	}
	env := &inspect.Environment{Platform: "linux/" + arch, Python: &inspect.Interpreter{
		Path: "usr/bin/python3.11", Version: v, Prefix: "usr", Stdlib: "usr/lib/python3.11", Arch: arch,
		Tags:     python.TagsFor(python.TagTarget{Implementation: "cp", Major: 3, Minor: 11, Arch: map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch], Libc: python.Libc{Family: "glibc", Major: 2, Minor: 36}}),
		SiteDirs: []string{"usr/lib/python3.11/site-packages"},
	}}
	return Platform{Name: "linux/" + arch, Env: env, Image: &image.Image{
		Digest: v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(arch[:1], 64)},
		Config: &v1.ConfigFile{Config: v1.Config{Env: []string{"PATH=/opt/bin", "CC=clang", "SECRET_TOKEN=hunter2"}}},
		Files:  files.NewSet(nil),
	}}
}

// house is one run of the program: what it has in memory is new.
func (w *world) house() *House {
	h := New(w.o)
	h.engine = w.engine
	return h
}

// sdist puts a source archive on the shelf and returns an order for it.
func (w *world) sdist(name, version, uploaded string, requires ...string) Order {
	text, _ := json.Marshal(append([]string{}, requires...))
	return w.archive(name, version, uploaded, map[string]string{
		"pyproject.toml": fmt.Sprintf("[build-system]\nrequires = %s\nbuild-backend = 'backend'\n", text),
	})
}

func (w *world) archive(name, version, uploaded string, contents map[string]string) Order {
	w.t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	tw := tar.NewWriter(z)
	for _, p := range slices.Sorted(keys(contents)) {
		full := name + "-" + version + "/" + p
		tw.WriteHeader(&tar.Header{Name: full, Mode: 0o644, Size: int64(len(contents[p])), Typeflag: tar.TypeReg})
		io.WriteString(tw, contents[p])
	}
	tw.Close()
	z.Close()
	i := w.put(name, version, name+"-"+version+".tar.gz", uploaded, b.Bytes())
	return Order{Name: python.Name(name), Version: i.version, File: i.file, Targets: []int{amd64, arm64}}
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// tool puts a wheel on the shelf.
func (w *world) tool(name, version, uploaded string) {
	file := strings.ReplaceAll(name, "-", "_") + "-" + version + "-py3-none-any.whl"
	w.put(name, version, file, uploaded, wheelOf(w.t, file))
}

func (w *world) put(name, version, file, uploaded string, content []byte) item {
	w.t.Helper()
	v, err := python.ParseVersion(version)
	if err != nil {
		w.t.Fatal(err)
	}
	i := item{version: v, content: content, file: pypi.File{Name: file, Hashes: map[string]string{"sha256": digestOf(content)[len("sha256:"):]}}}
	if uploaded != "" {
		if i.file.Uploaded, err = time.Parse(time.DateOnly, uploaded); err != nil {
			w.t.Fatal(err)
		}
	}
	list := slices.DeleteFunc(w.shelf[python.Name(name)], func(old item) bool { return old.file.Name == file })
	w.shelf[python.Name(name)] = append(list, i)
	return i
}

func digestOf(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

// wheelOf makes a wheel; lines are added to its METADATA.
func wheelOf(t *testing.T, file string, lines ...string) []byte {
	t.Helper()
	parts := strings.Split(strings.TrimSuffix(file, ".whl"), "-")
	info := parts[0] + "-" + parts[1] + ".dist-info/"
	tag := strings.Join(parts[2:], "-")
	entries := [][2]string{
		{parts[0] + ".py", "x = 1\n"},
		{info + "METADATA", fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s", parts[0], parts[1], strings.Join(append(lines, ""), "\n"))},
		{info + "WHEEL", fmt.Sprintf("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: %t\nTag: %s\n", strings.HasSuffix(tag, "-any"), tag)},
	}
	var record strings.Builder
	for _, e := range entries {
		sum := sha256.Sum256([]byte(e[1]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", e[0], base64.RawURLEncoding.EncodeToString(sum[:]), len(e[1]))
	}
	record.WriteString(info + "RECORD,,\n")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range append(entries, [2]string{info + "RECORD", record.String()}) {
		f, err := z.Create(e[0])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, e[1])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type readAtCloser struct{ *bytes.Reader }

func (readAtCloser) Close() error { return nil }

func (w *world) fetch(_ context.Context, f pypi.File) (pypi.ReadAtCloser, int64, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fetches[f.Name]; err != nil {
		return nil, 0, "", err
	}
	for _, list := range w.shelf {
		for _, i := range list {
			if i.file.Name == f.Name {
				return readAtCloser{bytes.NewReader(i.content)}, int64(len(i.content)), digestOf(i.content), nil
			}
		}
	}
	return nil, 0, "", fmt.Errorf("%s: %w", f.Name, pypi.ErrNotFound)
}

// resolve answers with the preferred version of each requirement, else the newest.
func (w *world) resolve(_ context.Context, q Question) (*resolve.Resolution, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, q)
	r := &resolve.Resolution{}
	for _, t := range q.Targets {
		r.Targets = append(r.Targets, resolve.Target{Name: w.o.Platforms[t].Name})
	}
	done := map[python.Name]bool{}
	for _, want := range q.Requirements {
		if done[want.Name] {
			continue
		}
		done[want.Name] = true
		var best *item
		for at := range w.shelf[want.Name] {
			i := &w.shelf[want.Name][at]
			if !want.Specifiers.Contains(i.version, false) || !q.Before.IsZero() && (i.file.Uploaded.IsZero() || !i.file.Uploaded.Before(q.Before)) {
				continue
			}
			if best == nil || w.rank(q, want.Name, i) > w.rank(q, want.Name, best) ||
				w.rank(q, want.Name, i) == w.rank(q, want.Name, best) && i.version.Compare(best.version) > 0 {
				best = i
			}
		}
		if best == nil {
			return nil, &resolve.NoSolution{Story: fmt.Sprintf("no version of %s fits", want.Name)}
		}
		p := &resolve.Pick{Name: want.Name, Version: best.version}
		a := &resolve.Artifact{Kind: resolve.Wheel, Target: -1, File: best.file.Name, Uploaded: best.file.Uploaded, Ref: best.file}
		if strings.HasSuffix(a.File, ".tar.gz") {
			a.Kind = resolve.Sdist
		}
		for at := range q.Targets {
			p.On = append(p.On, resolve.Placed{Target: at, Artifact: a})
		}
		r.Picks = append(r.Picks, p)
	}
	slices.SortFunc(r.Picks, func(a, b *resolve.Pick) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return r, nil
}

func (w *world) rank(q Question, name python.Name, i *item) int {
	for at, p := range q.Prefer {
		if p.Name == name && p.Version.Compare(i.version) == 0 {
			return len(q.Prefer) - at
		}
	}
	return 0
}

// Begin implements [Teller].
func (w *world) Begin(string, string) func() { return func() {} }

// Output implements [Teller].
func (w *world) Output(platform, step, line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.output = append(w.output, platform+": "+step+": "+line)
}

// Warn implements [Teller].
func (w *world) Warn(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, text)
}

// logs are the files that builds have left.
func (w *world) logs() []string {
	list, _ := filepath.Glob(filepath.Join(w.o.Cache.Path(), "logs", "*"))
	return list
}

// make prepares and makes an order in a run of its own.
func (w *world) make(o Order) (map[int]*Wheel, error) {
	h := w.house()
	defer h.Close()
	r, err := h.Prepare(w.t.Context(), o)
	if err != nil {
		return nil, err
	}
	parts, err := h.Make(w.t.Context(), r)
	return wheelsOf(parts), err
}

func wheelsOf(parts []*Made) map[int]*Wheel {
	out := map[int]*Wheel{}
	for _, p := range parts {
		for t, one := range p.Wheels {
			out[t] = one
		}
	}
	return out
}

// mustMake makes an order and returns the names of its wheels by platform.
func (w *world) mustMake(o Order) map[int]string {
	w.t.Helper()
	made, err := w.make(o)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[int]string{}
	for t, one := range made {
		out[t] = one.FileName
	}
	return out
}

// fakeEngine plays the driver's part.
type fakeEngine struct {
	w    *world
	slow map[string]bool

	mu     sync.Mutex
	runs   []string // "hook archive platform"
	jobs   []build.Job
	now    int // that run
	most   int // of them at one time
	closed int
	opened int // sandboxes

	// answer is what the back end does; nil builds a pure wheel and asks for nothing.
	answer func(ctx context.Context, c *call) error
}

// call is one run of a back end.
type call struct {
	hook, archive, platform string
	asked                   []string // nil if it has not been asked
	job                     build.Job
	w                       *world

	requires []string
	wheel    string
	lines    []string // of its METADATA
	metadata bool
	raw      []byte // in place of a wheel
}

func (e *fakeEngine) emulated(platform string) string {
	if e.slow[platform] {
		return "qemu"
	}
	return ""
}

func (e *fakeEngine) sandbox(_ context.Context, p *Platform) (build.Sandbox, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.opened++
	return &fakeSandbox{e, p.Name}, nil
}

func (e *fakeEngine) close()         { e.closed++ }
func (e *fakeEngine) processes() int { return 0 }

// count returns how many runs there were of a hook ("" for all), and forgets them.
func (e *fakeEngine) count(hook string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		if strings.HasPrefix(r, hook) {
			n++
		}
	}
	e.runs = nil
	return n
}

type fakeSandbox struct {
	e        *fakeEngine
	platform string
}

// Run implements [build.Sandbox].
func (s *fakeSandbox) Run(ctx context.Context, j build.Job) error {
	var task struct {
		Hook   string   `json:"hook"`
		Source string   `json:"source"`
		Asked  []string `json:"asked"`
	}
	f, ok := j.Files.Get("task.json")
	if !ok {
		return fmt.Errorf("there is no task")
	}
	text, err := f.ReadAll(1 << 20)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &task); err != nil {
		return err
	}
	s.e.mu.Lock()
	s.e.runs = append(s.e.runs, task.Hook+" "+task.Source+" "+s.platform)
	s.e.jobs = append(s.e.jobs, j)
	s.e.now++
	s.e.most = max(s.e.most, s.e.now)
	s.e.mu.Unlock()
	defer func() {
		s.e.mu.Lock()
		s.e.now--
		s.e.mu.Unlock()
	}()
	project := strings.TrimSuffix(task.Source, ".tar.gz")
	c := &call{hook: task.Hook, archive: project, platform: s.platform, asked: task.Asked, job: j, w: s.e.w, wheel: project + "-py3-none-any.whl"}
	if s.e.answer != nil {
		if err := s.e.answer(ctx, c); err != nil {
			return err
		}
	}
	return s.leave(c, j)
}

// leave does what the driver would do with the answer.
func (s *fakeSandbox) leave(c *call, j build.Job) error {
	dir, err := os.MkdirTemp("", "fake-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
		return err
	}
	result := map[string]any{}
	if c.hook == "requires" || c.asked == nil {
		result["requires"] = append([]string{}, c.requires...)
	}
	if c.hook != "requires" && (c.asked != nil || len(c.requires) == 0) {
		content := c.raw
		if content == nil {
			content = wheelOf(s.e.w.t, c.wheel, c.lines...)
		}
		switch {
		case c.hook == "metadata" && c.metadata:
			result["metadata"] = true
			name, version, _ := strings.Cut(c.archive, "-")
			text := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s", name, version, strings.Join(append(c.lines, ""), "\n"))
			err = os.WriteFile(filepath.Join(dir, "out", "METADATA"), []byte(text), 0o644)
		default:
			result["wheel"] = c.wheel
			err = os.WriteFile(filepath.Join(dir, "out", c.wheel), content, 0o644)
		}
		if err != nil {
			return err
		}
	}
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "out", "result.json"), text, 0o644); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return j.Take(root)
}

// native is the wheel of an archive with code for the platform.
func (c *call) native() string {
	return c.archive + "-cp311-cp311-linux_" + map[string]string{"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[c.platform] + ".whl"
}
