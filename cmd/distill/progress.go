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
	mu    sync.Mutex
	out   io.Writer
	mode  string // "tty", "plain", "json", "quiet"
	rows  []*row // one a platform and step, in the order of their start
	drawn int    // lines of the last picture
	last  time.Time
	width int
	start time.Time
}

type row struct {
	platform, step string
	done, total    int64
	finished       bool
}

// redraw is how often a terminal gets a new picture.
const redraw = 100 * time.Millisecond

func newProgress(out io.Writer, mode string, environ func(string) (string, bool)) (*progress, error) {
	p := &progress{out: out, mode: mode, width: 80, start: time.Now()}
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
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 20 {
			p.width = w
		}
	}
	return p, nil
}

// Step says that a platform ("" for all) has come to a step.
func (p *progress) Step(platform, step string) {
	if p == nil || p.mode == "quiet" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rows {
		if r.platform == platform && !r.finished {
			r.finished = true
		}
	}
	p.rows = append(p.rows, &row{platform: platform, step: step})
	switch p.mode {
	case "plain":
		fmt.Fprintf(p.out, "%6.1fs  %-14s %s\n", time.Since(p.start).Seconds(), platformText(platform), foreignLine(step, 200))
	case "json":
		p.event(map[string]any{"event": "step", "platform": platform, "step": step})
	case "tty":
		p.draw(true)
	}
}

// Bytes says how many of a step's bytes are done; total is 0 if not known.
func (p *progress) Bytes(platform, step string, done, total int64) {
	if p == nil || p.mode == "quiet" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.rows, func(r *row) bool { return r.platform == platform && r.step == step })
	if i < 0 {
		return
	}
	p.rows[i].done, p.rows[i].total = done, total
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
	p.rows = nil
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

// draw shows what is under way, one line each.
func (p *progress) draw(now bool) {
	if !now && time.Since(p.last) < redraw {
		return
	}
	p.last = time.Now()
	p.erase()
	for _, r := range p.rows {
		if r.finished {
			continue
		}
		line := fmt.Sprintf("%-14s %s", platformText(r.platform), foreignLine(r.step, 60))
		if r.total > 0 {
			line = fmt.Sprintf("%-48s %s %s of %s", line, bar(r.done, r.total), bytesText(r.done), bytesText(r.total))
		}
		if len(line) >= p.width {
			line = line[:p.width-1]
		}
		fmt.Fprintln(p.out, line)
		p.drawn++
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
