package buildkit

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/grpcerrors"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// node is one daemon.
type node struct {
	name      string // its address, for messages
	id        string // of its worker
	address   *address
	client    *client.Client
	dial      *dialer
	platforms []platform // of its worker, the machine's own first
	busy      int        // jobs that run; guarded by the pool
	old       atomic.Bool
	mu        sync.Mutex
	swept     []string // filters for what its jobs may have left
}

// platform is what a job or a node names.
type platform struct{ os, arch, variant string }

// String is the usual form.
func (p platform) String() string {
	if p.variant == "" {
		return p.os + "/" + p.arch
	}
	return p.os + "/" + p.arch + "/" + p.variant
}

func parsePlatform(text string) platform {
	p := platform{}
	p.os, text, _ = strings.Cut(text, "/")
	p.arch, p.variant, _ = strings.Cut(text, "/")
	if p.arch == "arm64" && p.variant == "v8" {
		p.variant = ""
	}
	return p
}

func specPlatform(p ocispecs.Platform) platform {
	return parsePlatform(platform{p.OS, p.Architecture, p.Variant}.String())
}

func (p platform) spec() ocispecs.Platform {
	return ocispecs.Platform{OS: p.os, Architecture: p.arch, Variant: p.variant}
}

// What a node is to a platform; more is better.
const (
	lacks = iota
	emulates
	native
)

// offers tells what n is to a platform. A platform without a variant is any of the
// architecture.
func (n *node) offers(text string) int {
	want := parsePlatform(text)
	for _, p := range n.platforms {
		if p.os != want.os || p.arch != want.arch || want.variant != "" && p.variant != want.variant && p.variant != "" {
			continue
		}
		own := n.platforms[0].arch
		// A processor runs the programs of its predecessor.
		if p.arch == own || p.arch == "arm" && own == "arm64" || p.arch == "386" && own == "amd64" {
			return native
		}
		return emulates
	}
	return lacks
}

// connect returns the node of an address, an error if it does not answer in time.
func connect(ctx context.Context, a *address, timeout time.Duration) (*node, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	n := &node{name: a.text, address: a, dial: &dialer{dial: a.dial}}
	c, err := client.New(limited, a.target, client.WithContextDialer(n.dial.connect), client.WithTracerProvider(nil))
	if err != nil {
		return nil, &NodeError{Node: a.text, Text: firstLine(err), Remedy: a.remedy, Err: err}
	}
	n.client = c
	workers, err := c.ListWorkers(limited)
	if err == nil && len(workers) == 0 {
		err = status.Error(codes.Unavailable, "it has no worker")
	}
	if err != nil {
		if limited.Err() != nil {
			err = status.Errorf(codes.Unavailable, "no answer in %s", timeout)
		}
		gone := n.gone(err)
		n.close()
		return nil, cmp.Or(done(ctx), gone)
	}
	// A daemon gives jobs to its first worker unless it is told otherwise.
	n.id = cmp.Or(workers[0].ID, a.text)
	for _, p := range workers[0].Platforms {
		n.platforms = append(n.platforms, specPlatform(p))
	}
	if len(n.platforms) == 0 {
		n.close()
		return nil, &NodeError{Node: a.text, Text: "its worker names no platform", Remedy: "see the log of its buildkitd"}
	}
	return n, nil
}

func (n *node) close() error {
	err := n.client.Close()
	n.dial.close()
	return err
}

// reason is what went wrong when a connection fails: of what dialing says, which knows
// more, or of the error.
func (n *node) reason(err error) string {
	if e := n.dial.lastError(); e != nil {
		return firstLine(e)
	}
	if s, ok := grpcerrors.AsGRPCStatus(err); ok {
		err = errors.New(s.Message())
	}
	return firstLine(err)
}
