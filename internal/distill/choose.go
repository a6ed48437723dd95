package distill

import (
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/r-seed-1713b764/distill/internal/files"
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
			picks[i].Wheel, opened[i], err = h.fetchWheel(ctx, r, p, t, base.Python)
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

// fetchWheel downloads a wheel, or opens the one that was built, and shows it as the
// files that the plan lays.
func (h *Host) fetchWheel(ctx context.Context, r *resolved, p *resolve.Pick, t int, py *inspect.Interpreter) (*plan.WheelFiles, io.Closer, error) {
	placed, _ := p.Placed(t)
	f := placed.Artifact.Ref.(pypi.File)
	out := &plan.WheelFiles{FileName: f.Name, Built: placed.Artifact.Kind == resolve.Sdist}
	var file pypi.ReadAtCloser
	var size int64
	var err error
	if out.Built {
		w := r.builds.wheel(p, t)
		out.FileName, out.Digest, size = w.FileName, w.Digest, w.Size
		file, err = h.Cache.OpenBlob(w.Digest)
	} else {
		file, size, out.Digest, err = r.client.Download(ctx, f)
		if err == nil {
			if err = r.checkHashes(ctx, p.Name, f, out.Digest); err != nil {
				file.Close()
			}
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if _, out.Files, err = h.readWheel(out.FileName, out.Digest, file, size, py); err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("%s: %w", out.FileName, err)
	}
	return out, file, nil
}

// readWheel shows a wheel as the files that it installs for an interpreter, with notes
// about each.
func (h *Host) readWheel(name, digest string, r io.ReaderAt, size int64, py *inspect.Interpreter) (*wheel.Wheel, files.Set, error) {
	w, err := wheel.Open(name, r, size)
	if err != nil {
		return nil, files.Set{}, err
	}
	scheme := wheelScheme(py)
	set, err := w.Files(scheme)
	if err == nil {
		set, err = h.annotateWheel(set, digest, scheme)
	}
	return w, set, err
}

// wheelScheme is where an interpreter wants the files of a wheel.
func wheelScheme(py *inspect.Interpreter) wheel.Scheme {
	return wheel.Scheme{
		Purelib: py.Purelib, Platlib: py.Platlib, Scripts: py.Scripts, Data: py.Data, Headers: py.Headers, Python: interpreterName(py),
	}
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
