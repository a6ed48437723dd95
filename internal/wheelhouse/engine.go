package wheelhouse

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

// engine runs builds. Its methods may be called by several goroutines.
type engine interface {
	// emulated tells how the programs of a platform are emulated, "" if they are not.
	emulated(platform string) string
	// sandbox returns what runs a build in the development image of a platform.
	sandbox(ctx context.Context, p *Platform) (build.Sandbox, error)
	// processes is how many processes a build is told to start, 0 if nobody knows.
	processes() int
	close()
}

// The limits of a build, unless others are given.
const (
	defaultTime   = time.Hour
	defaultMemory = 8 << 30
	maxDisk       = 20 << 30
	maxProcesses  = 2048
)

func (h *House) limits() sandbox.Limits {
	l := sandbox.Limits{Time: h.o.Time, Memory: h.o.Memory, Disk: maxDisk, Processes: maxProcesses}
	if l.Time == 0 {
		l.Time = defaultTime
	}
	if l.Memory == 0 {
		l.Memory = defaultMemory
	}
	return l
}

// opened opens the engine once. That somebody gave up waiting for it is not remembered.
func (h *House) opened(ctx context.Context) (engine, error) {
	h.opening.Lock()
	defer h.opening.Unlock()
	if h.engine != nil || h.failed != nil {
		return h.engine, h.failed
	}
	e, err := h.openEngine(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	h.engine, h.failed = e, err
	return e, err
}

// isAddress tells addresses of BuildKit from names of local engines.
func isAddress(engine string) bool { return strings.Contains(engine, "://") }

func (h *House) openEngine(ctx context.Context) (engine, error) {
	if isAddress(h.o.Engine) {
		return h.openBuildKit(ctx)
	}
	e, err := sandbox.Open(ctx, h.o.Engine)
	if err != nil {
		return nil, err
	}
	return &local{house: h, engine: e, roots: map[string]string{}}, nil
}

// slow tells of each platform whether builds for it are emulated, as far as that can be
// told without opening an engine that is not needed.
func (h *House) slow(ctx context.Context) func(int) bool {
	return func(t int) bool {
		name := h.o.Platforms[t].Name
		if isAddress(h.o.Engine) {
			if e, err := h.opened(ctx); err == nil {
				return e.emulated(name) != ""
			}
		}
		return sandbox.Emulated(name) != ""
	}
}

// visible are the files of a development image that a build sees: what is installed for
// its Python is not among them, since a build requires what it needs.
func visible(p *Platform) files.Set {
	hidden := hiddenFolders(p)
	return p.Image.Files.Filter(func(f *files.File) bool {
		for _, dir := range hidden {
			if strings.HasPrefix(f.Path, dir) && len(f.Path) > len(dir) && f.Path[len(dir)] == '/' {
				return false
			}
		}
		return true
	})
}

// usable are the files that a build can use: what it sees, without programs of packages
// that it does not see.
func (h *House) usable(target int) files.Set {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.usables == nil {
		h.usables = make([]*files.Set, len(h.o.Platforms))
	}
	if h.usables[target] == nil {
		p := &h.o.Platforms[target]
		installed := map[string]bool{}
		for _, d := range p.Env.Distributions {
			for _, f := range d.Files {
				installed[f] = true
			}
		}
		set := visible(p).Filter(func(f *files.File) bool { return !installed[f.Path] })
		h.usables[target] = &set
	}
	return *h.usables[target]
}

func hiddenFolders(p *Platform) []string { return p.Env.Python.SiteDirs }

// local runs builds on this machine, in an unpacked image.
type local struct {
	house  *House
	engine sandbox.Engine

	release []func()
	roots   map[string]string
}

func (l *local) emulated(platform string) string { return sandbox.Emulated(platform) }

func (l *local) processes() int { return runtime.NumCPU() }

func (l *local) close() {
	for _, f := range l.release {
		f()
	}
}

// rootVersion counts up when visible chooses otherwise.
const rootVersion = "1"

func (l *local) sandbox(ctx context.Context, p *Platform) (build.Sandbox, error) {
	h := l.house
	h.mu.Lock()
	root, ok := l.roots[p.Name]
	h.mu.Unlock()
	if !ok {
		key := strings.Join([]string{"build", rootVersion, p.Image.Digest.String(), "/" + p.Env.Python.Path, l.engine.Owners().String()}, " ")
		path, release, err := h.o.Cache.Tree(ctx, key, func(dir string) error {
			end := h.o.Teller.Begin(p.Name, "unpacking the development image to build in")
			defer end()
			set, closer, err := p.Image.Gather(ctx, visible(p))
			if err != nil {
				return err
			}
			defer closer.Close()
			return sandbox.Unpack(ctx, dir, set, l.engine.Owners())
		})
		if err != nil {
			return nil, err
		}
		h.mu.Lock()
		l.roots[p.Name], root = path, path
		l.release = append(l.release, release)
		h.mu.Unlock()
	}
	return &localRun{l, root, p.Name}, nil
}

// localRun is the sandbox of one platform.
type localRun struct {
	*local
	root, platform string
}

// Run implements [build.Sandbox].
func (l *localRun) Run(ctx context.Context, j build.Job) error {
	dir, release, err := l.house.o.Cache.Scratch(ctx)
	if err != nil {
		return err
	}
	defer release()
	at := filepath.Join(dir, "place")
	if err := sandbox.Unpack(ctx, at, j.Files, l.engine.Owners()); err != nil {
		return err
	}
	err = l.engine.Run(ctx, l.root, sandbox.Command{
		Args: j.Args, Dir: j.Dir, Env: j.Env, User: sandbox.User{UID: j.User, GID: j.User}, Platform: l.platform, Stdout: j.Log, Stderr: j.Log,
		Mounts: []sandbox.Mount{{Host: at, Path: j.Place}}, ReadOnly: true, Limits: l.house.limits(),
	})
	if err != nil {
		return err
	}
	place, err := os.OpenRoot(at)
	if err != nil {
		return err
	}
	defer place.Close()
	return j.Take(place)
}
