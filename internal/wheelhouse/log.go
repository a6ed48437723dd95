package wheelhouse

import (
	"bytes"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/cache"
)

// buildLog takes what a build prints: all of it into a file, and line by line to the
// teller.
type buildLog struct {
	*build.Log
	file *cache.Log
	path string // of the file, once it is kept
}

func (h *House) newLog(platform, step, name string) (*buildLog, error) {
	f, err := h.o.Cache.CreateLog(name)
	if err != nil {
		return nil, err
	}
	l := &buildLog{file: f}
	l.Log = build.NewLog(&lines{file: f, tell: func(line string) { h.o.Teller.Output(platform, step, line) }})
	return l, nil
}

// end keeps the file of a failed build and drops any other.
func (l *buildLog) end(failed bool) error {
	if !failed {
		l.file.Drop()
		return nil
	}
	var err error
	l.path, err = l.file.Keep()
	return err
}

// maxLine is the longest line that is shown, in bytes.
const maxLine = 1 << 10

// lines passes a log on to its file, and tells each line.
type lines struct {
	file *cache.Log
	tell func(string)
	line []byte
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	for rest := p; ; {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		l.line = append(l.line, part[:min(len(part), maxLine-len(l.line))]...)
		if !whole {
			return l.file.Write(p)
		}
		l.tell(string(l.line))
		l.line, rest = l.line[:0], after
	}
}
