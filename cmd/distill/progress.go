package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress tells people (and CI logs) how far a run is. The nil pointer tells
// nothing. Safe for several goroutines.
type progress struct {
	mu      sync.Mutex
	out     io.Writer
	mode    string // "tty", "plain", "json", "quiet"
	verbose bool   // what programs print is shown in the modes "plain" and "json" too
	rows    []*row // what is under way, in the order of its start
	drawn   int    // lines of the last picture
	last    time.Time
	later   *time.Timer // draws what came too soon after the last picture
	closed  bool        // nothing is drawn any more
	size    func() (width, height int)
	start   time.Time
}

// row is something under way on a platform.
type row struct {
	platform, step string
	began          time.Time
	beside         bool // it ends by itself, not with the next step of its platform
	done, total    int64
	output         tail
}

// redraw is how often a terminal gets a new picture.
const redraw = 100 * time.Millisecond

func newProgress(out io.Writer, mode string, environ func(string) (string, bool)) (*progress, error) {
	p := &progress{out: out, mode: mode, size: func() (int, int) { return 80, 24 }, start: time.Now()}
	switch mode {
	case "auto":
		p.mode = "plain"
		if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			if t, _ := environ("TERM"); t != "dumb" {
				p.mode = "tty"
			}
		}
		if ci, _ := environ("CI"); ci != "" {
			p.mode = "plain"
		}
	case "tty", "plain", "json", "quiet":
	default:
		return nil, usagef("use auto, tty, plain, json or quiet", "--progress %q is unknown", mode)
	}
	if f, ok := out.(*os.File); ok && p.mode == "tty" {
		p.size = func() (int, int) { return sizeOf(f) }
	}
	return p, nil
}

// sizeOf returns the columns and lines of a terminal; of one that does not know
// its size, or is too small to show anything, those that terminals had once.
func sizeOf(f *os.File) (width, height int) {
	w, h, err := term.GetSize(int(f.Fd()))
	if err != nil || w <= 20 {
		w = 80
	}
	if err != nil || h <= 4 {
		h = 24
	}
	return w, h
}

// Step says that a platform ("" for all) has come to a step: what it did before is over.
func (p *progress) Step(platform, step string) {
	if p == nil || p.mode == "quiet" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows = slices.DeleteFunc(p.rows, func(r *row) bool {
		over := (platform == "" || r.platform == platform) && !r.beside
		if over {
			p.flush(r)
		}
		return over
	})
	p.begin(&row{platform: platform, step: step}, "step")
}

// Begin says that something begins on a platform that runs beside its step and
// beside others of its kind, until end is called.
func (p *progress) Begin(platform, step string) (end func()) {
	if p == nil || p.mode == "quiet" {
		return func() {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &row{platform: platform, step: step, beside: true}
	p.begin(r, "begin")
	return sync.OnceFunc(func() { p.end(r) })
}

// begin adds a row, and shows it under the name of its event.
func (p *progress) begin(r *row, event string) {
	r.began = time.Now()
	p.rows = append(p.rows, r)
	switch p.mode {
	case "plain":
		p.line(r, foreignLine(r.step, 200))
	case "json":
		p.event(map[string]any{"event": event, "platform": r.platform, "step": r.step})
	case "tty":
		p.draw(true)
	}
}

// end takes a row away that Begin made.
func (p *progress) end(r *row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.rows, r)
	if i < 0 {
		return // the run is over
	}
	p.rows = slices.Delete(p.rows, i, i+1)
	p.flush(r)
	took := time.Since(r.began).Seconds()
	switch p.mode {
	case "plain":
		p.line(r, fmt.Sprintf("%s: took %.1fs", foreignLine(r.step, 200), took))
	case "json":
		p.event(map[string]any{"event": "end", "platform": r.platform, "step": r.step, "seconds": took})
	case "tty":
		p.draw(true)
	}
}

// line prints one line about a row, in the mode "plain".
func (p *progress) line(r *row, text string) {
	fmt.Fprintf(p.out, "%6.1fs  %-14s %s\n", time.Since(p.start).Seconds(), platformText(r.platform), text)
}

// row returns what began last under that name and is still under way, nil if
// nothing is.
func (p *progress) row(platform, step string) *row {
	for _, r := range slices.Backward(p.rows) {
		if r.platform == platform && r.step == step {
			return r
		}
	}
	return nil
}

// Bytes says how many of a step's bytes are done; total is 0 if not known.
func (p *progress) Bytes(platform, step string, done, total int64) {
	if p == nil || p.mode == "quiet" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.row(platform, step)
	if r == nil {
		return
	}
	r.done, r.total = done, total
	if p.mode == "tty" {
		p.draw(false)
	}
}

// Warn shows something that the user should know and that stops nothing.
func (p *progress) Warn(text string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.mode {
	case "quiet":
	case "json":
		p.event(map[string]any{"event": "warning", "text": foreignLine(text, maxErrorText)})
	default:
		p.erase()
		fmt.Fprintf(p.out, "warning: %s\n", foreignText(text, maxErrorText))
		if p.mode == "tty" {
			p.draw(true)
		}
	}
}

// Log shows what was asked and decided, for those who want to know.
func (p *progress) Log(text string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.mode {
	case "quiet":
	case "json":
		p.event(map[string]any{"event": "log", "text": foreignLine(text, maxErrorText)})
	default:
		p.erase()
		fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.start).Seconds(), foreignLine(text, maxErrorText))
		if p.mode == "tty" {
			p.draw(true)
		}
	}
}

// forPeople tells whether tables belong beside the progress.
func (p *progress) forPeople() bool { return p != nil && p.mode != "quiet" && p.mode != "json" }

// close takes the moving picture away, so that what follows stands alone.
func (p *progress) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.rows, p.closed = nil, true
	if p.later != nil {
		p.later.Stop()
	}
}

func (p *progress) event(v map[string]any) {
	b, err := json.Marshal(v)
	if err != nil {
		return // plain maps of strings always marshal
	}
	fmt.Fprintf(p.out, "%s\n", b)
}

func (p *progress) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.out, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

func platformText(platform string) string {
	if platform == "" {
		return "all platforms"
	}
	return foreignLine(platform, 40)
}

func bar(done, total int64) string {
	const cells = 20
	n := int(min(max(done, 0), total) * cells / total)
	return "[" + strings.Repeat("=", n) + strings.Repeat(" ", cells-n) + "]"
}
