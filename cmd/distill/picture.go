package main

import (
	"bytes"
	"fmt"
	"time"
)

// draw shows what is under way, one line each and below it what its program
// printed last. A picture that comes too soon after the one before is drawn
// later, unless now is set.
func (p *progress) draw(now bool) {
	if p.closed {
		return
	}
	if wait := redraw - time.Since(p.last); !now && wait > 0 {
		if p.later == nil {
			p.later = time.AfterFunc(wait, p.drawLater)
		}
		return
	}
	if p.later != nil {
		p.later.Stop()
		p.later = nil
	}
	p.last = time.Now()
	p.erase()
	var b bytes.Buffer
	p.drawn = p.picture(&b)
	_, _ = p.out.Write(b.Bytes())
}

// drawLater draws what draw held back.
func (p *progress) drawLater() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.later = nil
	p.draw(true)
}

// picture writes the rows, and returns how many lines these are: fewer than the
// terminal has, since what has scrolled away can't be drawn over.
func (p *progress) picture(b *bytes.Buffer) int {
	width, height := p.size()
	rows := p.rows
	more := len(rows) - (height - 2)
	if more > 0 {
		rows = rows[:height-2]
	}
	talking := 0
	for _, r := range rows {
		if r.output.len() > 0 {
			talking++
		}
	}
	each := 0
	if talking > 0 {
		each = min(tailShown, (height-1-len(rows))/talking)
	}
	lines := 0
	for _, r := range rows {
		fmt.Fprintln(b, cutLine(rowText(r), width-1))
		for _, text := range r.output.last(each) {
			fmt.Fprintf(b, "\x1b[2m%s\x1b[0m\n", cutLine("  "+cleanLine(text, 2*width), width-1))
			lines++
		}
	}
	if more > 0 {
		fmt.Fprintf(b, "... and %d more\n", more)
		lines++
	}
	return lines + len(rows)
}

func rowText(r *row) string {
	line := fmt.Sprintf("%-14s %s", platformText(r.platform), foreignLine(r.step, 60))
	if r.total > 0 {
		line = fmt.Sprintf("%-48s %s %s of %s", line, bar(r.done, r.total), bytesText(r.done), bytesText(r.total))
	}
	return line
}

// cutLine returns as much of s as fits into so many columns of a terminal.
func cutLine(s string, columns int) string {
	for i, r := range s {
		columns--
		if r >= 0x1100 { // the first of the scripts that terminals show in two columns
			columns--
		}
		if columns < 0 {
			return s[:i]
		}
	}
	return s
}
