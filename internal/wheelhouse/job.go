package wheelhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/buildkit"
	"github.com/r-seed-1713b764/distill/internal/needs"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

// buildEpoch is the time that all builds are told: the one in the result is the run's,
// and would keep runs from sharing wheels. It is the first that zip files can hold
// everywhere, 1980-01-02.
const buildEpoch = 315619200

// job is one run of a back end.
type job struct {
	h        *House
	r        *Ready
	target   int
	step     string
	emulated bool
	native   bool // the result is for the processor of who built it, and is not shared
	log      *buildLog
}

func (h *House) job(r *Ready, target int, step string) *job {
	return &job{h: h, r: r, target: target, step: step}
}

// run opens everything and calls do with it.
func (j *job) run(ctx context.Context, do func(build.Sandbox, build.Request) error) error {
	h := j.h
	a, err := h.open(ctx, j.r.File)
	if err != nil {
		return err
	}
	defer a.Close()
	tools, closeTools, err := h.openTools(ctx, j.r, j.target)
	if err != nil {
		return err
	}
	defer closeTools()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	p := &h.o.Platforms[j.target]
	e, err := h.opened(ctx)
	if err != nil {
		return err
	}
	if how := e.emulated(p.Name); how != "" {
		j.emulated = true
		h.warnOnce(fmt.Sprintf("builds for %s run emulated here (%s): expect 10 to 15 times the time of a native build; "+
			"a BuildKit node of that architecture (--build-engine) or a shared --wheel-cache avoids it", p.Name, how))
	}
	sb, err := e.sandbox(ctx, p)
	if err != nil {
		return err
	}
	if j.log, err = h.newLog(p.Name, j.step, logName(j.r, p.Name)); err != nil {
		return err
	}
	end := h.o.Teller.Begin(p.Name, j.step)
	err = do(sb, build.Request{
		Source: a.source, Tools: tools, Asked: j.asked(), Jobs: e.processes(), Python: "/" + p.Env.Python.Path, Path: imagePath(p.Image.Config.Config.Env),
		Env: j.variables(), Epoch: buildEpoch, Log: j.log,
	})
	end()
	if err != nil && ctx.Err() != nil {
		j.log.file.Drop()
		return ctx.Err()
	}
	if err == nil && j.log.Native() {
		j.native = true
		h.warnOnce(j.r.title() + " was compiled for the processor of the machine that built it (-march=native): it may not run on others")
	}
	var more *build.MoreError // has not failed yet
	return errors.Join(err, j.log.end(err != nil && !errors.As(err, &more)))
}

// asked is what the back end is known to want on the platform; nil if it was not asked
// there, and does so itself.
func (j *job) asked() []string {
	if len(j.r.Asked) == 0 && j.r.plain != nil && j.target == j.r.askedOn {
		return []string{}
	}
	return j.r.Asked
}

// failed is the error of a run, with the compiler's own lines, the log and what the build
// may have lacked.
func (j *job) failed(err error, report needs.Report) error {
	err = j.h.failure(&j.r.Order, j.target, err)
	var b *BuildError
	if !errors.As(err, &b) || j.log == nil {
		return err
	}
	if b.Tried = ended(err); b.Tried {
		b.Lines = build.Lines(j.log.Tail(), maxShown)
		b.Advice = append(b.Advice, build.Advice(j.log.Tail()))
	}
	for _, i := range report.Unsure() {
		b.Advice = append(b.Advice, i.Text(report.Manager))
	}
	if j.log.path != "" {
		b.Advice = append(b.Advice, "the whole log: "+j.log.path)
	}
	return err
}

// maxShown keeps an error within a screen.
const maxShown = 8

// ended tells whether a build ended by itself, and not because of a limit or of the
// machine.
func ended(err error) bool {
	var here *sandbox.ExitError
	var there *buildkit.ExitError
	switch {
	case errors.As(err, &here):
		return here.Limit == ""
	case errors.As(err, &there):
		return there.Limit == ""
	}
	return errors.Is(err, build.ErrResult)
}

func logName(r *Ready, platform string) string {
	return fmt.Sprintf("%s-%s-%s", r.Name, r.Version, strings.ReplaceAll(platform, "/", "-"))
}

// imagePath is the PATH of the image, as a container would have it.
func imagePath(env []string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			return v
		}
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

// seen are the variables of an image that a build gets: where tools and libraries are,
// and how to compile. Whatever else an image sets may be a secret.
var seen = []string{
	"LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "CMAKE_PREFIX_PATH",
	"CC", "CXX", "FC", "F77", "AR", "LD", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "FFLAGS", "LDFLAGS", "RUSTFLAGS",
	"CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "GOROOT", "JAVA_HOME", "CUDA_HOME", "CONDA_PREFIX",
}

// variables are those of the image that a build gets: the ones that any may, and those
// that lead this one to what it needs.
func (j *job) variables() []string {
	report := j.h.look(j.r, j.target)
	passed := append(slices.Clone(seen), report.Env()...)
	out := report.Set()
	for _, e := range j.h.o.Platforms[j.target].Image.Config.Config.Env {
		if name, _, ok := strings.Cut(e, "="); ok && slices.Contains(passed, name) {
			out = append(out, e)
		}
	}
	return out
}
