package wheelhouse

import (
	"context"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/buildkit"
)

// nodes runs builds on BuildKit daemons.
type nodes struct {
	house *House
	pool  *buildkit.Pool
}

// nodesAtOnce is how many builds run on nodes at one time: they have their own
// processors.
const nodesAtOnce = 8

func (h *House) openBuildKit(ctx context.Context) (engine, error) {
	var o buildkit.Options
	for _, p := range h.o.Platforms {
		o.Platforms = append(o.Platforms, p.Name)
	}
	pool, err := buildkit.Open(ctx, h.o.Engine, o)
	if err != nil {
		return nil, err
	}
	return &nodes{h, pool}, nil
}

func (n *nodes) processes() int { return 0 } // nodes have their own

func (n *nodes) close() { _ = n.pool.Close() }

func (n *nodes) emulated(platform string) string {
	if node, emulated, ok := n.pool.Offers(platform); ok && emulated {
		return node + " emulates it"
	}
	return ""
}

func (n *nodes) sandbox(_ context.Context, p *Platform) (build.Sandbox, error) {
	return &nodeRun{n, p}, nil
}

// nodeRun is the sandbox of one platform.
type nodeRun struct {
	*nodes
	p *Platform
}

// Run implements [build.Sandbox].
func (n *nodeRun) Run(ctx context.Context, j build.Job) error {
	l := n.house.limits()
	job := buildkit.Job{
		Image: n.p.Image.V1, Platform: n.p.Name, Place: j.Place, Files: j.Files, Out: j.Out, Dir: j.Dir, Args: j.Args, Env: j.Env,
		User: j.User, Log: j.Log, Name: "distill: " + strings.Join(j.Args, " "),
		Limits: buildkit.Limits{Time: l.Time, Memory: l.Memory, FileSize: l.Disk, Processes: l.Processes, Result: maxResult},
	}
	for _, dir := range hiddenFolders(n.p) {
		job.Hidden = append(job.Hidden, "/"+dir)
	}
	return n.pool.Run(ctx, job, j.Take)
}

// maxResult bounds what a build leaves, in bytes.
const maxResult = 8 << 30
