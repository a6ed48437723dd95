package buildkit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
)

// ExitError is a program that ran and did not succeed.
type ExitError struct {
	Code int // exit code, or 128 and the signal
	// Limit is which limit it came to ("time", "memory", "disk"), with the bound; "" if none.
	// Memory is a likely cause of code 137, no more; the disk's is that of one file.
	Limit, Bound string
}

// Error says what ended the program.
func (e *ExitError) Error() string {
	switch {
	case e.Limit != "":
		return fmt.Sprintf("stopped: over its limit of %s (%s)", e.Limit, e.Bound)
	default:
		return fmt.Sprintf("exit code %d", e.Code)
	}
}

// AddressError is an address that can't be one of a node.
type AddressError struct{ Address, Text string }

// Error names the address.
func (e *AddressError) Error() string {
	return fmt.Sprintf("BuildKit address %q: %s", e.Address, e.Text)
}

// Hints says what addresses look like.
func (e *AddressError) Hints() []string {
	return []string{"addresses are tcp://HOST:PORT, unix:///PATH, docker-container://NAME, kube-pod://POD, ssh://HOST or buildx://BUILDER; several are separated by commas"}
}

// NodeError is a node that can't be reached, refuses, or went away.
type NodeError struct {
	Node   string // its address
	Text   string // what, with the node's own words
	Remedy string // one line, may be empty
	Err    error  // the cause, may be nil
}

// Error names the node.
func (e *NodeError) Error() string { return fmt.Sprintf("BuildKit node %s: %s", e.Node, e.Text) }

// Unwrap returns the cause.
func (e *NodeError) Unwrap() error { return e.Err }

// Hints says what to do about it.
func (e *NodeError) Hints() []string {
	if e.Remedy == "" {
		return nil
	}
	return []string{e.Remedy}
}

// PlatformError is a platform that no node has.
type PlatformError struct {
	Platform string
	Has      []string // a sentence for each node
}

// Error names the platform and what there is.
func (e *PlatformError) Error() string {
	return fmt.Sprintf("no BuildKit node for %s (%s)", e.Platform, strings.Join(e.Has, "; "))
}

// Hints says how a node gets a platform.
func (e *PlatformError) Hints() []string {
	return []string{"add the address of a node for " + e.Platform + ", or install its emulator where a node runs: docker run --privileged --rm tonistiigi/binfmt --install all"}
}

// solveError turns what a node says of a job into an error of this package.
func (n *node) solveError(err error) error {
	var exit *gateway.ExitError
	if errors.As(err, &exit) && exit.ExitCode != gateway.UnknownExitStatus {
		return &ExitError{Code: int(exit.ExitCode)}
	}
	text := strings.TrimPrefix(firstLine(err), "failed to solve: ") // said by the library
	switch grpcerrors.Code(err) {
	case codes.Unavailable:
		return &NodeError{Node: n.name, Text: "went away while the job ran: " + n.reason(err), Remedy: n.address.remedy, Err: err}
	case codes.PermissionDenied, codes.Unauthenticated:
		return &NodeError{Node: n.name, Text: "denies the job: " + text, Remedy: "see what its configuration allows, and with which certificate it is asked", Err: err}
	case codes.Canceled, codes.DeadlineExceeded:
		return &NodeError{Node: n.name, Text: "gave the job up: " + text, Remedy: "see the log of its buildkitd", Err: err}
	}
	return &NodeError{Node: n.name, Text: text, Remedy: "see the log of its buildkitd", Err: err}
}

// gone is about a node that no longer answers.
func (n *node) gone(err error) error {
	return &NodeError{Node: n.name, Text: "does not answer: " + n.reason(err), Remedy: n.address.remedy, Err: err}
}

// firstLine is what an error says, on one line and of bounded length.
func firstLine(err error) string {
	const limit = 600
	text := strings.Join(strings.Fields(strings.ToValidUTF8(err.Error(), "?")), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + " ..."
	}
	return text
}

// done returns the error of a context, nil if it goes on.
func done(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}
