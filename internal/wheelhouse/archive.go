package wheelhouse

import (
	"context"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/pypi"
)

// archive is an open source archive.
type archive struct {
	source build.Source
	digest string
	closer pypi.ReadAtCloser
}

func (a *archive) Close() { a.closer.Close() }

func (h *House) open(ctx context.Context, f pypi.File) (*archive, error) {
	r, size, digest, err := h.o.Fetch(ctx, f)
	if err != nil {
		return nil, err
	}
	return &archive{build.Source{FileName: f.Name, Content: r, Size: size}, digest, r}, nil
}
