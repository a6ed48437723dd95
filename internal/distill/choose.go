package distill

import (
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/plan"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// maxDownloads is how many wheels are fetched at once; the client has the limit
// on requests.
const maxDownloads = 8

// choose turns the picks of one target into what the plan lays; wheels are
// fetched. What it returns is open until the closers are closed.
func (h *Host) choose(ctx context.Context, r *resolved, t int, base *inspect.Environment) (_ []plan.Pick, closers []io.Closer, err error) {
	if err := needsBuild(r, t); err != nil {
		return nil, nil, err
	}
	list := r.On(t)
	picks := make([]plan.Pick, len(list))
	opened := make([]io.Closer, len(list))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxDownloads)
	for i, p := range list {
		placed, _ := p.Placed(t)
		picks[i] = plan.Pick{Name: p.Name, Version: p.Version, Why: why(p)}
		if ref, ok := placed.Artifact.Ref.(installedRef); ok {
			if ref.inBase {
				picks[i].InBase = ref.dist
			} else {
				picks[i].Installed = ref.dist
			}
			continue
		}
		g.Go(func() (err error) {
			picks[i].Wheel, opened[i], err = h.fetchWheel(ctx, r.client, placed.Artifact.Ref.(pypi.File), base.Python)
			return err
		})
	}
	err = g.Wait()
	for _, c := range opened {
		if c != nil {
			closers = append(closers, c)
		}
	}
	if err != nil {
		closeAll(closers)
		return nil, nil, err
	}
	return picks, closers, nil
}

func closeAll(list []io.Closer) {
	for _, c := range list {
		c.Close()
	}
}

// why names the first requirement that wants a pick.
func why(p *resolve.Pick) string {
	if len(p.Wanted) == 0 {
		return ""
	}
	w := p.Wanted[0]
	if w.Parent != nil {
		return "needed by " + string(w.Parent.Name)
	}
	return fmt.Sprintf("%s:%d", w.Requirement.Pos.File, w.Requirement.Pos.Line)
}

// needsBuild is the error for picks that only a source build can give.
func needsBuild(r *resolved, t int) error {
	var lines []string
	for _, p := range r.On(t) {
		placed, _ := p.Placed(t)
		if placed.Artifact.Kind != resolve.Sdist {
			continue
		}
		line := fmt.Sprintf("%s %s for %s can only be built from source (%s)", p.Name, p.Version, r.Targets[t].Name, placed.Artifact.File)
		for _, reason := range placed.Refused {
			line += "\n  " + reason
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return nil
	}
	return &Failure{
		Kind: NeedsBuild,
		Text: strings.Join(lines, "\n"),
		Hint: []string{
			"building from source is not available in this version of distill: install it in the development image for this platform",
			"or allow a version that has a wheel (--align wheels, --no-build)",
		},
	}
}

// fetchWheel downloads a wheel and shows it as the files that the plan lays.
func (h *Host) fetchWheel(ctx context.Context, client *pypi.Client, f pypi.File, py *inspect.Interpreter) (*plan.WheelFiles, io.Closer, error) {
	r, size, digest, err := client.Download(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	w, err := wheel.Open(f.Name, r, size)
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	scheme := wheel.Scheme{
		Purelib: py.Purelib, Platlib: py.Platlib, Scripts: py.Scripts, Data: py.Data, Headers: py.Headers, Python: interpreterName(py),
	}
	set, err := w.Files(scheme)
	if err == nil {
		set, err = h.annotateWheel(set, digest, scheme)
	}
	if err != nil {
		r.Close()
		return nil, nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return &plan.WheelFiles{FileName: f.Name, Digest: digest, Files: set}, r, nil
}

// interpreterName is the path that scripts start the interpreter by.
func interpreterName(py *inspect.Interpreter) string {
	want := "/python3"
	for _, n := range py.Names {
		if strings.HasSuffix(n, want) {
			return "/" + n
		}
	}
	return "/" + py.Path
}
