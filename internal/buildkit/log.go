package buildkit

import (
	"io"

	"github.com/moby/buildkit/client"
)

// copyLog writes what the step prints, until the channel is closed. A writer that fails
// gets no more.
func copyLog(w io.Writer, step string, from <-chan *client.SolveStatus) {
	for s := range from {
		for _, l := range s.Logs {
			if w == nil || l.Vertex.String() != step {
				continue
			}
			if _, err := w.Write(l.Data); err != nil {
				w = nil
			}
		}
	}
}
