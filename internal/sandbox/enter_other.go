//go:build !linux

package sandbox

import (
	"context"
	"syscall"
)

// Enter returns at once: there are no sandbox processes on this system.
func Enter() {}

func engineOf(name string) Engine {
	if name == "podman" {
		return podman{}
	}
	return none(name)
}

// none is an engine that needs Linux.
type none string

func (n none) Name() string   { return string(n) }
func (n none) Owners() Owners { return Owners{} }
func (n none) Run(context.Context, string, Command) error {
	return &Unavailable{Engine: string(n), Text: "needs Linux", Remedy: "run it in a container or virtual machine, or use --engine podman"}
}

func try(ctx context.Context, e Engine) error {
	if p, ok := e.(podman); ok {
		return p.check(ctx)
	}
	return e.Run(ctx, "", Command{})
}

func signalName(s syscall.Signal) string { return s.String() }

// Emulated is what it is on Linux; here all images are run by podman's own machine.
func Emulated(string) string { return "" }

func archOf(string) string { return "" }
