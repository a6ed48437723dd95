package publish

import (
	"context"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// counter adds up bytes by platform and tells of them.
type counter struct {
	mu               sync.Mutex
	done, total      map[string]int64
	uploaded, reused map[string]int64
	tell             func(platform string, done, total int64)
}

func newCounter(c *content, opts Options) *counter {
	n := &counter{
		done: make(map[string]int64), total: make(map[string]int64),
		uploaded: make(map[string]int64), reused: make(map[string]int64),
		tell: opts.Progress,
	}
	for _, v := range c.variants {
		p := v.platform.String()
		n.uploaded[p], n.reused[p] = 0, 0
		for _, b := range v.blobs {
			n.total[p] += b.Size
		}
	}
	return n
}

// moved tells that more (or fewer) bytes of a platform are done.
func (n *counter) moved(platform string, delta int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done[platform] += delta
	if n.tell != nil {
		n.tell(platform, n.done[platform], n.total[platform])
	}
}

// finished books a blob.
func (n *counter) finished(platform string, size int64, sent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if sent {
		n.uploaded[platform] += size
	} else {
		n.reused[platform] += size
	}
}

// skipped books a blob that was there.
func (n *counter) skipped(platform string, size int64) {
	n.finished(platform, size, false)
	n.moved(platform, size)
}

// work is a blob and the platform for which it counts.
type work struct {
	blob
	platform string
}

// distinct lists the blobs of some documents, each once; what comes again is
// booked as reused.
func (n *counter) distinct(docs []document) []work {
	seen := make(map[v1.Hash]bool)
	var all []work
	for _, d := range docs {
		for _, b := range d.blobs {
			if seen[b.Digest] {
				n.skipped(d.platform.String(), b.Size)
				continue
			}
			seen[b.Digest] = true
			all = append(all, work{b, d.platform.String()})
		}
	}
	return all
}

// parallel is how many blobs are on their way at once: enough to hide round
// trips, few enough for a home's uplink and a registry's limits.
const parallel = 4

// each does something with all blobs, some at a time.
func each(ctx context.Context, all []work, do func(ctx context.Context, w work) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, w := range all {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(ctx, w)
		})
	}
	return g.Wait()
}
