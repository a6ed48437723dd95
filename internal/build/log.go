package build

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// MaxLog is how many bytes of a log are passed on; the largest of real builds that was
// seen has 4 MiB.
const MaxLog = 64 << 20

// maxTail is how much of the end is kept in memory.
const maxTail = 256 << 10

// Log bounds what a build prints: it passes the first MaxLog bytes on, says once that the
// rest is left out, and keeps the last of it for [Lines]. It passes on valid UTF-8 in
// which control characters but for tab and new line, and those that turn the direction
// of writing, are spelled out ("\x1b"), so that a log can be shown on a terminal. Its
// methods may be called by several goroutines.
type Log struct {
	mu   sync.Mutex
	to   io.Writer
	left int
	tail []byte
	half []byte // the beginning of a character whose end was not written yet
	// native tells whether a compiler was called with one of nativeFlags.
	native bool
	err    error
}

// nativeFlags make code for the processor that compiles.
var nativeFlags = [][]byte{[]byte(" -march=native"), []byte(" -mcpu=native")}

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
	text := l.printable(p)
	for _, flag := range nativeFlags {
		l.native = l.native || bytes.Contains(text, flag)
	}
	l.tail = append(l.tail, text[max(0, len(text)-maxTail):]...)
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

// Native tells whether a compiler that the build shows was told to make code for this
// machine's processor: the wheel may not run on another one, and is another one there.
func (l *Log) Native() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.native
}

// Err returns the first error of the writer behind the log.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// printable spells out what a terminal would act on. A carriage return, by which progress
// bars overwrite a line, begins a new one.
func (l *Log) printable(p []byte) []byte {
	if len(l.half) > 0 {
		p = append(l.half, p...)
		l.half = nil
	}
	out := make([]byte, 0, len(p)+len(p)/8)
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1 && !utf8.FullRune(p), r == '\r' && len(p) == 1:
			l.half = append([]byte{}, p...)
			return out
		case r == '\r':
			if p[1] != '\n' {
				out = append(out, '\n')
			}
		case r == '\n', r == '\t':
			out = append(out, byte(r))
		case unicode.IsControl(r):
			out = fmt.Appendf(out, `\x%02x`, r)
		case unicode.Is(unicode.Bidi_Control, r):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = utf8.AppendRune(out, r)
		}
		p = p[n:]
	}
	return out
}
