package distill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/hints"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/plan"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

// interpreterRoot is the interpreter of one platform's new image in a folder of its own:
// with its standard library and what these need, and nothing else.
type interpreterRoot struct {
	h         *Host
	hints     *hints.Book
	base, dev *opened // of the platform that it is from
	name      string  // of the engine

	once   sync.Once
	err    error
	engine sandbox.Engine
	dir    string
	root   string
}

func (r *interpreterRoot) remove() {
	if r.dir != "" {
		_ = sandbox.Remove(r.dir)
	}
}

// unpack finds the files that the interpreter needs, as if it were to come along to an
// empty base, and lays them into a folder.
func (r *interpreterRoot) unpack(ctx context.Context) (err error) {
	if r.engine, err = sandbox.Open(ctx, r.name); err != nil {
		return compileFailure(err)
	}
	o := r.base
	rt, err := plan.NewRuntime(plan.Input{
		Platform: o.env.Platform,
		Dev:      o.env,
		Base:     &inspect.Environment{Platform: o.env.Platform},
		Hints:    r.hints,
	})
	if err != nil {
		return &Failure{Kind: NeedsBuild, Text: "--compile: the Python of the new image can't run", Cause: err, Hint: []string{withoutCompile}}
	}
	var size int64
	for f := range rt.Files.All() {
		size += f.Size
	}
	r.h.Teller.Step(o.env.Platform, fmt.Sprintf("unpacking %d MB to compile with", size/1_000_000))
	return r.lay(ctx, rt.Files)
}

func (r *interpreterRoot) lay(ctx context.Context, set files.Set) error {
	// What came along to a base without Python is the development image's.
	set, closer, err := r.dev.image.Gather(ctx, set)
	if err != nil {
		return err
	}
	defer closer.Close()
	set, closer, err = r.base.image.Gather(ctx, set)
	if err != nil {
		return err
	}
	defer closer.Close()
	// Engines that give files other owners need a folder which these may enter.
	if r.dir, err = os.MkdirTemp("", "distill-root-"); err != nil {
		return err
	}
	r.root = filepath.Join(r.dir, "root")
	return sandbox.Unpack(ctx, r.root, set, r.engine.Owners())
}
