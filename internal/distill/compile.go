package distill

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	stdruntime "runtime"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/bytecode"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/plan"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

// maxSource bounds one module that is compiled; the largest seen has 3 MB.
const maxSource = 64 << 20

// compilers makes byte code for all platforms of one run, each module once: byte code of
// the same source, path and Python is the same on every architecture.
type compilers struct {
	h  *Host
	in *inputs

	mu    sync.Mutex
	list  map[string]*interpreterRoot // by version of Python
	owned []io.Closer
}

func (h *Host) newCompilers(in *inputs) *compilers {
	return &compilers{h: h, in: in, list: map[string]*interpreterRoot{}}
}

// close deletes what was unpacked. Code that was returned opens no more.
func (c *compilers) close() {
	for _, r := range c.list {
		r.remove()
	}
	closeAll(c.owned)
}

func (c *compilers) own(list ...io.Closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owned = append(c.owned, list...)
}

// job is the modules of one package.
type job struct {
	owner   string
	modules []plan.Uncompiled
	key     string
}

// code returns byte code for modules of platform t, at the paths where the plan
// wants it. There is none for what is no Python of this version.
func (c *compilers) code(ctx context.Context, t int, list []plan.Uncompiled) (files.Set, error) {
	list, err := c.identify(ctx, t, list)
	if err != nil {
		return files.Set{}, err
	}
	version := c.in.base[t].env.Python.Version.String()
	jobs := jobsOf(list, version)
	found := make([]*codeEntry, len(jobs))
	var missing []plan.Uncompiled
	for i, j := range jobs {
		if found[i] = c.h.openCode(j); found[i] == nil {
			missing = append(missing, j.modules...)
		}
	}
	if len(missing) > 0 {
		c.h.Teller.Step(platformName(c.in.platforms[t]), fmt.Sprintf("compiling modules (%d)", len(missing)))
		if err := c.compileAll(ctx, t, jobs, found, missing); err != nil {
			return files.Set{}, err
		}
	}
	var out []*files.File
	for i, j := range jobs {
		c.own(found[i])
		out = append(out, found[i].files(j)...)
	}
	return files.NewSet(out), nil
}

// compileAll fills in what was not found.
func (c *compilers) compileAll(ctx context.Context, t int, jobs []job, found []*codeEntry, missing []plan.Uncompiled) error {
	python, err := c.python(ctx, t)
	if err != nil {
		return err
	}
	sources, closer, err := c.gather(ctx, t, missing)
	if err != nil {
		return err
	}
	defer closer.Close()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(stdruntime.GOMAXPROCS(0))
	for i, j := range jobs {
		if found[i] != nil {
			continue
		}
		g.Go(func() (err error) {
			defer c.h.Cache.Lock(codeBucket + j.key)() // another platform may be at it
			if found[i] = c.h.openCode(j); found[i] != nil {
				return nil
			}
			code, err := python.compile(ctx, j, sources)
			if err != nil {
				return err
			}
			found[i], err = c.h.putCode(j, code)
			return err
		})
	}
	return g.Wait()
}

// identify fills in the digests of sources that nobody knows yet, and leaves out what is
// too large.
func (c *compilers) identify(ctx context.Context, t int, list []plan.Uncompiled) ([]plan.Uncompiled, error) {
	var out, unknown []plan.Uncompiled
	for _, u := range list {
		// What a link leads to has byte code by its own name.
		if !u.Source.IsRegular() || u.Source.Size > maxSource {
			continue
		}
		if u.Source.SHA256 == "" {
			unknown = append(unknown, u)
		}
		out = append(out, u)
	}
	if len(unknown) == 0 {
		return out, nil
	}
	set, closer, err := c.gather(ctx, t, unknown)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	for i, u := range out {
		if u.Source.SHA256 != "" {
			continue
		}
		f, _ := set.Get(u.Source.Path)
		b, err := f.ReadAll(maxSource)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", u.Owner, err)
		}
		sum := sha256.Sum256(b)
		known := *u.Source
		known.SHA256 = hex.EncodeToString(sum[:])
		out[i].Source = &known
	}
	return out, nil
}

// gather makes the sources open at once.
func (c *compilers) gather(ctx context.Context, t int, list []plan.Uncompiled) (files.Set, io.Closer, error) {
	all := make([]*files.File, len(list))
	for i, u := range list {
		all[i] = u.Source
	}
	return c.in.dev[t].image.Gather(ctx, files.NewSet(all))
}

// jobsOf groups modules by package, which they are in the order of.
func jobsOf(list []plan.Uncompiled, version string) []job {
	var jobs []job
	for i, u := range list {
		if i == 0 || u.Owner != list[i-1].Owner {
			jobs = append(jobs, job{owner: u.Owner})
		}
		j := &jobs[len(jobs)-1]
		j.modules = append(j.modules, u)
	}
	for i := range jobs {
		jobs[i].key = jobs[i].name(version)
	}
	return jobs
}

// name is what byte code of these modules depends on.
func (j *job) name(version string) string {
	h := sha256.New()
	fmt.Fprintf(h, "compiler %s\npython %s\n", bytecode.CompilerVersion, version)
	for _, u := range j.modules {
		fmt.Fprintf(h, "%q %s\n", u.Source.Path, u.Source.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// python returns the interpreter of the new image of platform t, ready to run here: that
// of another platform if it is of the same version and runs without an emulator.
func (c *compilers) python(ctx context.Context, t int) (*interpreterRoot, error) {
	version := c.in.base[t].env.Python.Version.String()
	c.mu.Lock()
	r := c.list[version]
	if r == nil {
		r = &interpreterRoot{h: c.h, hints: c.in.hints, name: c.in.building.localEngine()}
		c.list[version] = r
	}
	c.mu.Unlock()
	r.once.Do(func() {
		r.base, r.dev = c.native(ctx, t, version)
		r.err = r.unpack(ctx)
	})
	return r, r.err
}

// native finds an image that has this version of Python and runs here without an
// emulator: a platform that is made, or the base for another one. If there is none, it
// is that of platform t.
func (c *compilers) native(ctx context.Context, t int, version string) (base, dev *opened) {
	is := func(o *opened) bool {
		return o.env.Python != nil && o.env.Python.Version.String() == version
	}
	here := v1.Platform{OS: "linux", Architecture: stdruntime.GOARCH}
	for i, p := range c.in.platforms {
		if p.Architecture == here.Architecture && is(c.in.base[i]) {
			return c.in.base[i], c.in.dev[i]
		}
	}
	if c.in.runtimes[t] == nil && len(c.in.onto.Platforms) > len(c.in.platforms) {
		if o, err := c.h.read(ctx, c.in.onto, here); err == nil && is(o) {
			return o, c.in.dev[t]
		}
	}
	return c.in.base[t], c.in.dev[t]
}

// compile runs the interpreter once for a package.
func (r *interpreterRoot) compile(ctx context.Context, j job, sources files.Set) ([]bytecode.Code, error) {
	in, feed := io.Pipe()
	answers, out := io.Pipe()
	var code []bytecode.Code
	var codeErr error
	var wait sync.WaitGroup
	wait.Go(func() { feed.CloseWithError(j.write(feed, sources)) })
	wait.Go(func() {
		code, codeErr = bytecode.ReadCode(answers, len(j.modules))
		answers.CloseWithError(codeErr)
	})
	err := r.run(ctx, in, out)
	in.CloseWithError(io.ErrClosedPipe)
	out.Close()
	wait.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if codeErr == nil && err == nil {
		return code, nil
	}
	if isUnavailable(err) {
		return nil, compileFailure(err)
	}
	return nil, j.failure(codeErr, err)
}

// failure says at which module the interpreter ended.
func (j *job) failure(codeErr, runErr error) error {
	f := &Failure{Kind: NeedsBuild, Text: "byte code of " + j.owner, Cause: codeErr, Hint: []string{withoutCompile}}
	var at *bytecode.ModuleError
	if errors.As(codeErr, &at) && at.Module < len(j.modules) {
		f.Text += fmt.Sprintf(", module %q", j.modules[at.Module].Source.Path)
	}
	switch {
	case codeErr == nil:
		f.Cause = runErr
	case runErr != nil:
		f.Cause = fmt.Errorf("%w (%w)", codeErr, runErr)
	}
	return f
}

func isUnavailable(err error) bool {
	var u *sandbox.Unavailable
	return errors.As(err, &u)
}

// compileFailure is the error about a machine that can't run the image's Python.
func compileFailure(err error) error {
	f := &Failure{Kind: Usage, Text: "--compile runs the Python of the new image, which this machine can't", Cause: err}
	var h interface{ Hints() []string }
	if errors.As(err, &h) {
		f.Hint = h.Hints()
	}
	f.Hint = append(f.Hint, withoutCompile)
	return f
}

const withoutCompile = "without --compile, the byte code of the development image is laid"

// write gives the interpreter the modules.
func (j *job) write(w io.Writer, sources files.Set) error {
	for _, u := range j.modules {
		f, ok := sources.Get(u.Source.Path)
		if !ok {
			return fmt.Errorf("%q is not at hand", u.Source.Path)
		}
		b, err := f.ReadAll(maxSource)
		if err != nil {
			return err
		}
		if err := bytecode.WriteModule(w, "/"+u.Source.Path, b); err != nil {
			return err
		}
	}
	return nil
}

// compileTime bounds one package: scipy takes 20 seconds, 3 minutes in an emulator.
const compileTime = 30 * time.Minute

func (r *interpreterRoot) run(ctx context.Context, in io.Reader, out io.Writer) error {
	o := r.base
	env := bytecode.CompilerEnv()
	if path := envValue(o.image.Config.Config.Env, "LD_LIBRARY_PATH"); path != "" {
		env = append(env, "LD_LIBRARY_PATH="+path)
	}
	return r.engine.Run(ctx, r.root, sandbox.Command{
		Args:     append([]string{"/" + o.env.Python.Path}, bytecode.CompilerArgs()...),
		Env:      env,
		Platform: o.env.Platform,
		Stdin:    in,
		Stdout:   out,
		ReadOnly: true,
		Limits:   sandbox.Limits{Time: compileTime},
	})
}
