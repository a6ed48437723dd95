package sandbox

import "context"

type podman struct{}

func (podman) Name() string   { return "podman" }
func (podman) Owners() Owners { return Owners{} }
func (podman) Run(ctx context.Context, root string, c Command) error {
	return &Unavailable{Engine: "podman", Text: "podman is not installed"}
}
func (podman) check(ctx context.Context) error { return nil }
