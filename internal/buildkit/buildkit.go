// Package buildkit runs jobs in images on BuildKit daemons, of this machine or of others,
// each with the platforms that it has.
//
// The image is handed over as it is, by digest, and only what a node lacks of it; it is
// never exported again. A job gets no network, no secret, no agent and no variable of the
// caller; what it leaves is taken out file by file, within bounds.
package buildkit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/grpclog"
)

// Options say how to reach nodes. The zero value is the documented default of each field.
type Options struct {
	// Platforms are those whose nodes are asked for where an address stands for several
	// (buildx://); default linux/amd64 and linux/arm64.
	Platforms []string
	// TLS is that of tcp addresses that name none themselves.
	TLS TLS
	// Temp is the folder that results are laid into while they are taken; "" is the
	// system's for temporary files.
	Temp string
	// Timeout bounds connecting to one node and asking what it has; default 30 seconds,
	// which kubectl needs at times.
	Timeout time.Duration
}

const defaultTimeout = 30 * time.Second

// Pool is a number of nodes. Its methods may be called by several goroutines.
type Pool struct {
	nodes []*node
	temp  string
	mu    sync.Mutex // of each node's busy
}

// Open connects to the addresses, which are separated by commas, and asks each what it
// has. All of them have to answer. Addresses are:
//
//	tcp://HOST:PORT?ca=FILE&cert=FILE&key=FILE&servername=NAME, or ?tlsdir=FOLDER
//	buildkit://HOST[:PORT] (the same, port 1234 if none is given)
//	unix:///PATH
//	docker-container://NAME[?context=C], podman-container://NAME, nerdctl-container://NAME
//	kube-pod://POD[?context=C&namespace=N&container=C]
//	ssh://[USER@]HOST[:PORT][/SOCKET]
//	buildx://BUILDER (all its nodes that have one of the platforms)
//
// An error is an [*AddressError] or a [*NodeError], or the context's.
func Open(ctx context.Context, addresses string, o Options) (*Pool, error) {
	quiet()
	list, err := parseAddresses(addresses, o)
	if err != nil {
		return nil, err
	}
	found, failed := make([]*node, len(list)), make([]error, len(list))
	var g errgroup.Group
	g.SetLimit(8)
	for i, a := range list {
		g.Go(func() error {
			found[i], failed[i] = connect(ctx, a, cmp.Or(o.Timeout, defaultTimeout))
			return nil
		})
	}
	_ = g.Wait() // each has its own error
	p := &Pool{temp: o.Temp}
	for i, n := range found {
		// A builder is asked for each platform: for some it has no node, for several the same.
		switch same := func(m *node) bool { return list[i].shared && m.name == list[i].text && m.id == n.id }; {
		case n == nil:
		case slices.ContainsFunc(p.nodes, same):
			n.close()
		default:
			p.nodes = append(p.nodes, n)
		}
	}
	for i, err := range failed {
		if err != nil && !(list[i].shared && slices.ContainsFunc(p.nodes, func(n *node) bool { return n.name == list[i].text })) {
			_ = p.Close()
			return nil, err
		}
	}
	return p, nil
}

// quiet keeps the libraries of the client from writing to the standard error, which is
// the command's alone.
var quiet = sync.OnceFunc(func() {
	log.SetOutput(io.Discard) // HTTP/2 of a session
	logrus.SetOutput(io.Discard)
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
})

// Close ends the connections. Jobs that run then fail.
func (p *Pool) Close() error {
	var errs []error
	for _, n := range p.nodes {
		errs = append(errs, n.close())
	}
	p.nodes = nil
	return errors.Join(errs...)
}

// Offers tells which node a job for a platform ("linux/arm64") would run on if none ran
// elsewhere, and whether all that have the platform only emulate it. ok is false if no node
// has it. What a node says of itself is believed: the first architecture that it lists is
// its own.
func (p *Pool) Offers(platform string) (name string, emulated, ok bool) {
	list := p.able(platform)
	if len(list) == 0 {
		return "", false, false
	}
	return list[0].name, list[0].offers(platform) == emulates, true
}

// able returns the nodes that have a platform, native ones before others, else in the
// order of their addresses.
func (p *Pool) able(platform string) []*node {
	var list []*node
	for _, n := range p.nodes {
		if n.offers(platform) != lacks {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b *node) int { return cmp.Compare(b.offers(platform), a.offers(platform)) })
	return list
}

// take chooses the node for a job, and release gives it back, telling whether that was
// its last.
func (p *Pool) take(platform string) (*node, error) {
	list := p.able(platform)
	if len(list) == 0 {
		return nil, &PlatformError{Platform: platform, Has: p.platforms()}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	best := list[0]
	for _, n := range list[1:] {
		if n.offers(platform) == best.offers(platform) && n.busy < best.busy {
			best = n
		}
	}
	best.busy++
	return best, nil
}

func (p *Pool) release(n *node) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.busy--
	return n.busy == 0
}

// platforms lists what each node has, for a message.
func (p *Pool) platforms() []string {
	var out []string
	for _, n := range p.nodes {
		var has []string
		for _, pl := range n.platforms {
			has = append(has, pl.String())
		}
		out = append(out, fmt.Sprintf("%s has %s", n.name, strings.Join(has, ", ")))
	}
	return out
}
