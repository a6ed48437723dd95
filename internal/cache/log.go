package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	logSuffix = ".log"
	// maxLog is what a log holds of what a command wrote first; the largest that
	// a package of the scientific world makes has some megabytes.
	maxLog = 32 << 20
	// maxLogEnd is what it holds of what came last, where the reason of a failure
	// stands.
	maxLogEnd = 256 << 10
	// maxLogs is how many logs of one name are written at a time.
	maxLogs = 100
	// staleLog is how long a log is kept for somebody to read it.
	staleLog = 30 * 24 * time.Hour
)

// Log is the log of a command that is being written. Its methods may be called
// by several goroutines. Exactly one of Keep and Drop is called; Drop after Keep
// does nothing, so it can be deferred.
type Log struct {
	dir  *Dir
	name string

	mu   sync.Mutex
	f    *os.File // nil once kept or dropped
	n    int64
	end  []byte // what came after maxLog bytes, at most twice maxLogEnd
	more int64  // bytes after maxLog
	err  error
}

// CreateLog makes the file logs/NAME.log in place of an older one, or
// logs/NAME.2.log if a process is writing that. Characters in the name that are
// no letter, digit or one of "._+-" become "-". Logs that are older than a month
// go. The error wraps [ErrFolder].
func (d *Dir) CreateLog(name string) (*Log, error) {
	d.removeStaleLogs()
	name = logName(name)
	for i := 1; i <= maxLogs; i++ {
		file := name + logSuffix
		if i > 1 {
			file = fmt.Sprintf("%s.%d%s", name, i, logSuffix)
		}
		// A second look is for who was just about to remove it.
		for range 2 {
			f, err := d.lockedFile(filepath.Join(d.path, logFolder, file))
			if err != nil {
				return nil, err
			}
			if f == nil {
				continue
			}
			if err := f.Truncate(0); err != nil {
				unlock(f)
				return nil, d.fail(err)
			}
			return &Log{dir: d, name: f.Name(), f: f}, nil
		}
	}
	return nil, d.fail(fmt.Errorf("%d logs named %s are being written", maxLogs, name))
}

// logName returns a name that is one component of a path and not hidden.
func logName(name string) string {
	name = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._+-", r) {
			return r
		}
		return '-'
	}, name)
	name = strings.TrimLeft(name[:min(len(name), 200)], ".")
	if name == "" {
		return "log"
	}
	return name
}

func (d *Dir) removeStaleLogs() {
	folder := filepath.Join(d.path, logFolder)
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && ours(filepath.Join(logFolder, e.Name())) && time.Since(info.ModTime()) > staleLog {
			_, _ = d.removeFile(logFolder, filepath.Join(folder, e.Name()))
		}
	}
}

// Name returns the path of the file.
func (l *Log) Name() string { return l.name }

// Write never fails, for nothing should stop because its log can't be written;
// Keep tells. Of a very long log the beginning and the end are kept.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	if l.f == nil || l.err != nil {
		return n, nil
	}
	if now := min(int64(n), maxLog-l.n); now > 0 {
		var k int
		k, l.err = l.f.Write(p[:now])
		l.n += int64(k)
		p = p[now:]
	}
	l.more += int64(len(p))
	l.end = append(l.end, p[max(0, len(p)-maxLogEnd):]...)
	if len(l.end) > 2*maxLogEnd {
		l.end = append(l.end[:0], l.end[len(l.end)-maxLogEnd:]...)
	}
	return n, nil
}

// Keep closes the log and leaves the file, whose path it returns, until it is old
// enough for Prune. The error, about something that could not be written, wraps
// [ErrFolder].
func (l *Log) Keep() (path string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return l.name, nil
	}
	end := l.end[max(0, len(l.end)-maxLogEnd):]
	if left := l.more - int64(len(end)); left > 0 && l.err == nil {
		_, l.err = fmt.Fprintf(l.f, "\n[distill: %d bytes left out here]\n", left)
	}
	if l.err == nil {
		_, l.err = l.f.Write(end)
	}
	unlock(l.f)
	l.f, l.end = nil, nil
	return l.name, l.dir.fail(l.err)
}

// Drop removes the file.
func (l *Log) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return
	}
	os.Remove(l.name)
	unlock(l.f)
	l.f, l.end = nil, nil
}
