package buildkit

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	containerd "github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/content"
	"github.com/moby/buildkit/session/filesync"
)

// attend serves a node what a job may ask for, and nothing else: the image, the job's
// files with their owner (the client's own session would give them to root), a place for
// the result. end ends the session and waits for it.
func (n *node) attend(ctx context.Context, store *imageStore, in filesync.DirSource, result filesync.FileOutputFunc) (s *session.Session, end func(), err error) {
	s, err = session.NewSession(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	s.Allow(content.NewAttachable(map[string]containerd.Store{"oci:" + storeID: store}))
	s.Allow(filesync.NewFSSyncProvider(in))
	s.Allow(filesync.NewFSSyncTarget(filesync.WithFSSync(0, result)))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = s.Run(ctx, n.client.Dialer()) // the solve fails if it does
	}()
	return s, func() { s.Close(); <-gone }, nil
}

// What a node is given to remove what jobs left: it lets go of a job's files a little after
// its end.
const (
	sweepTime  = 20 * time.Second
	sweepTries = 10
	sweepPause = 200 * time.Millisecond
)

// sweep has the node forget the files of jobs that have ended: sources may be private, and
// nobody asks for them again. The layers of images stay. After the last of several jobs it
// looks whether all is gone. A node that does not allow it forgets when its own rules say
// so.
func (n *node) sweep(ctx context.Context, j *Job, last bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
	defer cancel()
	which := client.WithFilter(n.leftovers(j))
	for range sweepTries {
		if err := n.client.Prune(ctx, nil, which); err != nil || !last {
			return
		}
		left, err := n.client.DiskUsage(ctx, which)
		if err != nil || len(left) == 0 {
			return
		}
		time.Sleep(sweepPause)
	}
}

// leftovers are filters for what stays of jobs in the store of a node, as it describes it:
// their files, and what was mounted to be written to.
func (n *node) leftovers(j *Job) []string {
	list := []string{"local source for " + placeInput, "local source for " + resultInput}
	for _, at := range []string{j.Place, j.result()} {
		list = append(list, "mount "+at+" from exec "+strings.Join(j.Args, " "))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range list {
		// Jobs of one kind have the same; a few kinds are all that there are.
		const maxKinds = 100
		if f := "description==" + strconv.Quote(d); !slices.Contains(n.swept, f) && len(n.swept) < maxKinds {
			n.swept = append(n.swept, f)
		}
	}
	return slices.Clone(n.swept)
}
