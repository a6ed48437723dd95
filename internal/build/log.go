package build

import (
	"io"
	"sync"
)

// MaxLog is how many bytes of a log are passed on; the largest of real builds that was
// seen has 4 MiB.
const MaxLog = 64 << 20

// maxTail is how much of the end is kept in memory.
const maxTail = 256 << 10

// Log bounds what a build prints: it passes the first MaxLog bytes on, says once that the
// rest is left out, and keeps the last of it for [Lines]. Control characters but for tab
// and new line come out as "\x1b", so that a log can be shown on a terminal. Its methods
// may be called by several goroutines.
type Log struct {
	mu   sync.Mutex
	to   io.Writer
	left int
	tail []byte
	err  error
}

// NewLog returns a log that passes on to w, which may be nil.
func NewLog(w io.Writer) *Log {
	if w == nil {
		w = io.Discard
	}
	return &Log{to: w, left: MaxLog}
}

// Write implements [io.Writer] and never fails: a build does not end because its log can't
// be kept. Err tells of that.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := printable(p)
	l.tail = append(l.tail, text...)
	if len(l.tail) > 2*maxTail {
		l.tail = append(l.tail[:0], l.tail[len(l.tail)-maxTail:]...)
	}
	if l.left <= 0 || l.err != nil {
		return len(p), nil
	}
	cut := text[:min(len(text), l.left)]
	l.left -= len(cut)
	if _, l.err = l.to.Write(cut); l.err == nil && l.left == 0 {
		_, l.err = io.WriteString(l.to, "\n[the log is cut here: it is too long]\n")
	}
	return len(p), nil
}

// Tail returns the last of the log, at most 512 KiB.
func (l *Log) Tail() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]byte{}, l.tail...)
}

// Err returns the first error of the writer behind the log.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

const hexDigits = "0123456789abcdef"

// printable replaces what a terminal would act on. A carriage return, by which progress
// bars overwrite a line, begins a new one.
func printable(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for i, c := range p {
		switch {
		case c == '\r':
			if i+1 == len(p) || p[i+1] != '\n' {
				out = append(out, '\n')
			}
		case c < ' ' && c != '\n' && c != '\t' || c == 0x7f:
			out = append(out, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			out = append(out, c)
		}
	}
	return out
}
