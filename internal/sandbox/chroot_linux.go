package sandbox

import "context"

type chroot struct{}

func (chroot) Name() string   { return "chroot" }
func (chroot) Owners() Owners { return Owners{} }
func (chroot) Run(ctx context.Context, root string, c Command) error {
	return &Unavailable{Engine: "chroot", Text: "needs root"}
}
