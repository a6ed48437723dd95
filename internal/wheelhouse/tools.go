package wheelhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// builtTool returns the order of a build requirement that has to be built, nil for
// one that comes as a wheel.
func (r *Ready) builtTool(p *resolve.Pick) *Ready {
	for _, b := range r.Builds {
		if b.Pick == p {
			return b.Ready
		}
	}
	return nil
}

// record is what the wheel for a target is made of.
func (h *House) record(ctx context.Context, r *Ready, target int) (*record, error) {
	p := &h.o.Platforms[target]
	rec := &record{
		Recipe: recipe, Archive: r.File.Name, Source: r.Digest, Image: p.Image.Digest.String(), Platform: p.Name, Python: "/" + p.Env.Python.Path,
		Tools: []toolFile{}, Asked: r.Asked,
	}
	report := h.look(r, target)
	rec.Env, rec.Passed = report.Set(), report.Env()
	at := r.position(target)
	for _, tool := range r.Tools.On(at) {
		placed, _ := tool.Placed(at)
		f := placed.Artifact.Ref.(pypi.File)
		one := toolFile{File: f.Name, ID: f.Hashes["sha256"]}
		if placed.Artifact.Kind == resolve.Sdist {
			_, key, err := h.keyOf(ctx, r.builtTool(tool), target)
			if err != nil {
				return nil, err
			}
			one.ID = "built:" + key
		} else if one.ID == "" {
			file, _, digest, err := h.o.Fetch(ctx, f)
			if err != nil {
				return nil, err
			}
			file.Close()
			one.ID = strings.TrimPrefix(digest, "sha256:")
		}
		rec.Tools = append(rec.Tools, one)
	}
	slices.SortFunc(rec.Tools, func(a, b toolFile) int { return strings.Compare(a.File, b.File) })
	return rec, nil
}

// keyOf returns the record of a target's wheel as it is kept, and its key.
func (h *House) keyOf(ctx context.Context, r *Ready, target int) (text []byte, key string, err error) {
	rec, err := h.record(ctx, r, target)
	if err != nil {
		return nil, "", err
	}
	return rec.text()
}

// openTools fetches, or makes, the build requirements for a target. They are open
// until the function that is returned is called.
func (h *House) openTools(ctx context.Context, r *Ready, target int) (list []*wheel.Wheel, closeAll func(), err error) {
	var opened []pypi.ReadAtCloser
	end := func() {
		for _, f := range opened {
			f.Close()
		}
	}
	defer func() {
		if err != nil {
			end()
		}
	}()
	at := r.position(target)
	for _, tool := range r.Tools.On(at) {
		placed, _ := tool.Placed(at)
		name := placed.Artifact.File
		var f pypi.ReadAtCloser
		var size int64
		if placed.Artifact.Kind == resolve.Sdist {
			made, err := h.make(ctx, r.builtTool(tool), target, false)
			if err != nil {
				return nil, nil, fmt.Errorf("build requirement of %s: %w", r.title(), err)
			}
			blob, err := h.o.Cache.OpenBlob(made.Digest)
			if err != nil {
				return nil, nil, err
			}
			name, f, size = made.FileName, blob, blob.Size
		} else if f, size, _, err = h.o.Fetch(ctx, placed.Artifact.Ref.(pypi.File)); err != nil {
			return nil, nil, err
		}
		opened = append(opened, f)
		w, err := wheel.Open(name, f, size)
		if err != nil {
			return nil, nil, fmt.Errorf("build requirement %s: %w", name, err)
		}
		list = append(list, w)
	}
	return list, end, nil
}
