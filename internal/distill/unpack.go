package distill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

// unpack lays files of an image into a new folder for a sandbox; remove deletes it
// again.
func (h *Host) unpack(ctx context.Context, o *opened, set files.Set, e sandbox.Engine) (root string, remove func(), err error) {
	var size int64
	for f := range set.All() {
		size += f.Size
	}
	h.Teller.Step(o.env.Platform, fmt.Sprintf("unpacking %d MB to run programs in", size/1_000_000))
	// Engines that give files other owners need a folder which these may enter.
	dir, err := os.MkdirTemp("", "distill-root-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = sandbox.Remove(dir) }
	gathered, closer, err := o.image.Gather(ctx, set)
	if err == nil {
		root = filepath.Join(dir, "root")
		err = sandbox.Unpack(ctx, root, gathered, e.Owners())
		closer.Close()
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return root, remove, nil
}
