package main

import (
	"fmt"
	"strings"
)

const (
	// tailShown is how many lines stand below a row: as many as four builds side
	// by side leave room for in a small terminal.
	tailShown = 4
	// tailKept is how many lines are kept of what is not shown at once: what a
	// compiler says about one mistake fits.
	tailKept = 100
	// maxTailLine bounds a line that is kept or shown.
	maxTailLine = 1000
	// maxOutput is how much of what one step prints is shown before its middle is
	// left out: half of what BuildKit shows of a step.
	maxOutput = 1 << 20
)

// tail is what a program printed: the last lines of it.
type tail struct {
	lines []string // a ring once it is full
	next  int      // the oldest of a full ring
	bytes int      // that were shown, in the modes that show all
	held  int      // lines that were not shown, of which the last ones are kept
}

func (t *tail) len() int { return len(t.lines) }

// add keeps a line, in place of the oldest if there are too many.
func (t *tail) add(line string) {
	if len(line) > maxTailLine {
		line = line[:maxTailLine]
	}
	line = strings.Clone(line) // the caller's may be part of something large
	if len(t.lines) < tailKept {
		t.lines = append(t.lines, line)
		return
	}
	t.lines[t.next] = line
	t.next = (t.next + 1) % tailKept
}

// last returns the last n lines (or as many as there are), oldest first.
func (t *tail) last(n int) []string {
	n = min(n, len(t.lines))
	out := make([]string, 0, n)
	for i := len(t.lines) - n; i < len(t.lines); i++ {
		out = append(out, t.lines[(t.next+i)%len(t.lines)])
	}
	return out
}

// Output shows a line that a program of a step printed: below its row on a
// terminal, else only if -v asks for it.
func (p *progress) Output(platform, step, line string) {
	if p == nil || p.mode == "quiet" || p.mode != "tty" && !p.verbose {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.row(platform, step)
	if r == nil {
		return
	}
	if p.mode == "tty" {
		if strings.TrimSpace(line) == "" {
			return // there is little room
		}
		r.output.add(line)
		p.draw(false)
		return
	}
	if r.output.bytes > maxOutput {
		r.output.held++
		r.output.add(line)
		return
	}
	r.output.bytes += min(len(line), maxTailLine) + 1
	p.print(r, line)
}

// flush shows the end of what a row printed, if its middle was left out.
func (p *progress) flush(r *row) {
	if r.output.held == 0 {
		return
	}
	if n := r.output.held - r.output.len(); n > 0 {
		p.print(r, fmt.Sprintf("... %d lines are left out", n))
	}
	for _, line := range r.output.last(tailKept) {
		p.print(r, line)
	}
}

// print shows one line of output, in the modes "plain" and "json".
func (p *progress) print(r *row, line string) {
	line = cleanLine(line, maxTailLine)
	if p.mode == "json" {
		p.event(map[string]any{"event": "output", "platform": r.platform, "step": r.step, "text": line})
		return
	}
	p.line(r, foreignLine(r.step, 60)+" | "+line)
}

// cleanLine is foreignLine for what a program printed: without colours, and of a
// line that was written over itself (a progress bar) what is seen in the end.
func cleanLine(s string, max int) string {
	s = strings.TrimRight(s, "\r\n")
	s = s[strings.LastIndexByte(s, '\r')+1:]
	if strings.Contains(s, "\x1b[") {
		s = withoutColours(s)
	}
	return foreignLine(s, max)
}

// withoutColours leaves out the control sequences of ECMA-48 (CSI).
func withoutColours(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		// Parameters and intermediates are 0x20 to 0x3f, what ends it 0x40 to 0x7e.
		i := strings.IndexFunc(rest, func(r rune) bool { return r < 0x20 || r > 0x3f })
		if i < 0 {
			return b.String()
		}
		if rest[i] >= 0x40 && rest[i] <= 0x7e {
			i++
		}
		s = rest[i:]
	}
}
