package buildkit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// Job is one program that runs in an image.
type Job struct {
	// Image is the root, which can't be written to, but for /tmp and Place; what its
	// configuration says is not applied.
	Image    v1.Image
	Platform string // "linux/arm64"
	// Place is the folder that Files are laid out below, absolute; the program may write
	// there, and it is gone when the job ends, all but what lies below Out.
	Place string
	Files files.Set
	Out   string // below Place, "out"
	Dir   string // the working folder, absolute; "" is Place
	Args  []string
	Env   []string // NAME=value; there are no others, but for a PATH if it is missing
	User  int      // number of the user and of the group, the owner of Files
	// Log gets what the program prints, as it comes, and is written to by one goroutine. A
	// node cuts a log that gets too long or too fast, and says so in it.
	Log    io.Writer
	Limits Limits
	Name   string // what it is called where the node shows what it does
	// Hidden are folders of the image that the program sees empty, absolute.
	Hidden []string
}

// Limits bound a job. Zero is the default.
type Limits struct {
	Time      time.Duration // from its begin on a node, with the hand-over of the image; default 30 minutes
	Memory    int64         // bytes of all processes together; default none; a node before BuildKit 0.31 has no such limit
	FileSize  int64         // bytes of one file; default 2 GiB. Nodes have no limit for all together.
	Processes int           // of the user on the node, in all jobs of his; default 2048
	Result    int64         // bytes of all files below Out; default 4 GiB
}

// The limits that a job has if nothing is said. A node may run several jobs of one user.
const (
	DefaultTime      = 30 * time.Minute
	DefaultFileSize  = 2 << 30
	DefaultProcesses = 2048
	DefaultResult    = 4 << 30
)

func (l Limits) orDefault() Limits {
	l.Time = cmp.Or(l.Time, DefaultTime)
	l.FileSize = cmp.Or(l.FileSize, DefaultFileSize)
	l.Processes = cmp.Or(l.Processes, DefaultProcesses)
	l.Result = cmp.Or(l.Result, DefaultResult)
	return l
}

// Run runs the job on the best node, a native one before one that emulates, of equals the
// one with the fewest jobs, and calls take with a folder in which Out lies as it does
// below Place: its folders and regular files, nothing else. The folder is gone when Run
// returns; the error of take is returned as it is. The error is an [*ExitError] if the
// program ran and did not succeed, a [*PlatformError] if no node has the platform, a
// [*NodeError] for what a node can't or won't do, and the context's if that is done.
func (p *Pool) Run(ctx context.Context, j Job, take func(place *os.Root) error) error {
	if err := j.check(); err != nil {
		return err
	}
	j.Limits = j.Limits.orDefault()
	n, err := p.take(j.Platform)
	if err != nil {
		return err
	}
	defer func() { n.sweep(ctx, &j, p.release(n)) }()
	dir, err := os.MkdirTemp(p.temp, "distill-buildkit-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := n.runLimited(ctx, j, root); err != nil {
		return err
	}
	return take(root)
}

// check tells what is wrong with a job before anybody is asked.
func (j *Job) check() error {
	switch {
	case j.Image == nil || len(j.Args) == 0:
		return errors.New("a job needs an image and a program")
	case !path.IsAbs(j.Place) || path.Clean(j.Place) != j.Place || j.Place == "/":
		return fmt.Errorf("%q is no folder for a job", j.Place)
	case j.Out == "" || path.Clean("/"+j.Out) != "/"+j.Out:
		return fmt.Errorf("%q is no folder for results", j.Out)
	}
	return nil
}

// runLimited is run on a node that may be too old to limit memory. It then says so, and
// does without.
func (n *node) runLimited(ctx context.Context, j Job, root *os.Root) error {
	if !n.old.Load() {
		err := n.run(ctx, j, root)
		if err == nil || j.Limits.Memory == 0 || !strings.Contains(err.Error(), string(pb.CapExecMetaLinuxResources)) {
			return err
		}
		n.old.Store(true)
	}
	if j.Limits.Memory > 0 && j.Log != nil {
		fmt.Fprintf(j.Log, "BuildKit node %s is too old to limit memory\n", n.name)
	}
	j.Limits.Memory = 0
	return n.run(ctx, j, root)
}

// run has the job done by the node, and lays the result into root.
func (n *node) run(ctx context.Context, j Job, root *os.Root) error {
	limited, cancel := context.WithTimeoutCause(ctx, j.Limits.Time, &ExitError{Code: 137, Limit: "time", Bound: j.Limits.Time.String()})
	defer cancel()
	// A node takes a file that can't be read for an empty one, so the job has to end.
	limited, stop := context.WithCancelCause(limited)
	defer stop(nil)
	store, err := newImageStore(j.Image, func(err error) { stop(fmt.Errorf("image for %s: %w", j.Platform, err)) })
	if err != nil {
		return fmt.Errorf("image for %s: %w", j.Platform, err)
	}
	defer store.close()
	def, step, err := j.definition(limited, store.reference())
	if err != nil {
		return err
	}
	in, err := newInputs(&j, stop)
	if err != nil {
		return err
	}
	out := newReceiver(root, j.Out, j.Limits.Result)
	attendant, end, err := n.attend(limited, store, in, out.open)
	if err != nil {
		return err
	}
	defer end()
	statuses := make(chan *client.SolveStatus)
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		copyLog(j.Log, step, statuses)
	}()
	_, err = n.client.Solve(limited, def, client.SolveOpt{
		SharedSession: attendant, SessionPreInitialized: true,
		LocalMounts: in, // only looked at for its names
		Exports:     []client.ExportEntry{{Type: client.ExporterTar}},
		Internal:    true, // no entry in the history of the node's builds
	}, statuses)
	<-logged
	received := out.wait(err != nil)
	switch {
	case done(limited) != nil:
		return done(limited)
	case received != nil:
		return received
	case err != nil:
		return j.explain(n.solveError(err))
	}
	return nil
}

// explain names the limit that is the likely end of a program.
func (j *Job) explain(err error) error {
	const killed, fileTooLarge = 128 + 9, 128 + 25 // SIGKILL, SIGXFSZ
	var exit *ExitError
	switch {
	case !errors.As(err, &exit):
	case exit.Code == killed && j.Limits.Memory > 0:
		exit.Limit, exit.Bound = "memory", fmt.Sprintf("%d MiB", j.Limits.Memory>>20)
	case exit.Code == fileTooLarge:
		exit.Limit, exit.Bound = "disk", fmt.Sprintf("%d MiB", j.Limits.FileSize>>20)
	}
	return err
}

// emptyHome is the same as in other sandboxes, since programs write it into what they make.
const emptyHome = "/tmp/home"

// maxTemporary bounds /tmp, which is in memory: compilers leave their intermediate files there.
const maxTemporary = 2 << 30

// result is the folder of results in the image.
func (j *Job) result() string { return path.Join(j.Place, j.Out) }

// definition is the job in BuildKit's words, and the digest of the step that runs the
// program.
func (j *Job) definition(ctx context.Context, reference string) (*llb.Definition, string, error) {
	name := cmp.Or(j.Name, "distill")
	named := func(what string) llb.ConstraintsOpt { return llb.WithCustomName(name + ": " + what) }
	image := llb.OCILayout(reference, llb.OCIStore("", storeID), named("image"))
	// Two jobs may have files of one path, size and time with other content, so that
	// nothing of an earlier one may be reused.
	local := func(input string) llb.State {
		return llb.Local(input, llb.Differ(llb.DiffNone, true), named(strings.TrimPrefix(input, "distill-")))
	}
	run := []llb.RunOption{
		llb.Args(j.Args),
		llb.With(
			llb.Dir(cmp.Or(j.Dir, j.Place)),
			llb.User(fmt.Sprintf("%d:%d", j.User, j.User)),
			llb.Network(llb.NetModeNone),
			llb.Security(llb.SecurityModeSandbox),
			llb.Hostname("build"),
		),
		llb.AddUlimit(llb.UlimitNproc, int64(j.Limits.Processes), int64(j.Limits.Processes)),
		llb.AddUlimit(llb.UlimitFsize, j.Limits.FileSize, j.Limits.FileSize),
		llb.AddUlimit(llb.UlimitCore, 0, 0),
		llb.ReadonlyRootFS(),
		llb.AddMount("/tmp", llb.Scratch(), llb.Tmpfs(llb.TmpfsSize(maxTemporary))),
		named("run"),
	}
	home := false
	for _, v := range j.Env {
		key, value, ok := strings.Cut(v, "=")
		if !ok || key == "" {
			return nil, "", fmt.Errorf("%q is no variable", v)
		}
		home = home || key == "HOME"
		run = append(run, llb.AddEnv(key, value))
	}
	if !home {
		run = append(run, llb.AddEnv("HOME", emptyHome), llb.AddMount(emptyHome, llb.Scratch(), llb.Tmpfs(llb.TmpfsSize(maxTemporary))))
	}
	if j.Limits.Memory > 0 {
		run = append(run, llb.MemoryLimit(j.Limits.Memory), llb.MemorySwapLimit(j.Limits.Memory))
	}
	for _, dir := range j.Hidden {
		run = append(run, llb.AddMount(dir, llb.Scratch(), llb.Readonly))
	}
	state := image.Run(run...)
	state.AddMount(j.Place, local(placeInput), llb.SourcePath("/"+placeFolder), llb.ForceNoOutput)
	out := state.AddMount(j.result(), local(resultInput), llb.SourcePath("/"+j.Out))
	def, err := out.Marshal(ctx, llb.Platform(parsePlatform(j.Platform).spec()))
	if err != nil {
		return nil, "", fmt.Errorf("job %s: %w", name, err)
	}
	step, err := def.Head()
	if err != nil {
		return nil, "", fmt.Errorf("job %s: %w", name, err)
	}
	return def, step.String(), nil
}
