package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// screen is a terminal that knows what progress uses: lines, the cursor up, clearing to
// the end, and attributes, which it drops.
type screen struct {
	lines   []string // above the cursor
	written int
	highest int // most lines that the cursor went up at once
}

func (s *screen) Write(b []byte) (int, error) {
	s.written += len(b)
	for text := string(b); text != ""; {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			i := strings.IndexAny(rest, "AJm")
			n, _ := strconv.Atoi(rest[:i])
			if rest[i] == 'A' {
				s.highest = max(s.highest, n)
				s.lines = s.lines[:len(s.lines)-n]
			}
			text = rest[i+1:]
			continue
		}
		i := strings.IndexByte(text, '\n')
		if e := strings.IndexByte(text, '\x1b'); e >= 0 && e < i {
			s.add(text[:e], false)
			text = text[e:]
			continue
		}
		s.add(text[:i], true)
		text = text[i+1:]
	}
	return len(b), nil
}

// open is set while a line has no end yet.
const open = "\x00"

func (s *screen) add(text string, ends bool) {
	if n := len(s.lines); n > 0 && strings.HasSuffix(s.lines[n-1], open) {
		text = strings.TrimSuffix(s.lines[n-1], open) + text
		s.lines = s.lines[:n-1]
	}
	if !ends {
		text += open
	}
	s.lines = append(s.lines, text)
}

func (s *screen) String() string { return strings.Join(s.lines, "\n") }

func newScreen(t *testing.T, width, height int) (*screen, *progress) {
	t.Helper()
	s := &screen{}
	p, err := newProgress(s, "tty", func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	p.size = func() (int, int) { return width, height }
	return s, p
}

// show draws what is due.
func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw(true)
}

func want(t *testing.T, got fmt.Stringer, want string) {
	t.Helper()
	if g, w := strings.TrimSpace(got.String()), strings.TrimSpace(want); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func TestBuildsSideBySideHaveRowsOfTheirOwn(t *testing.T) {
	s, p := newScreen(t, 80, 24)
	p.Step("linux/amd64", "resolving")
	endA := p.Begin("linux/amd64", "building a 1.0")
	endB := p.Begin("linux/amd64", "building b 2.0")
	p.Step("linux/arm64", "reading")
	for i := range 6 {
		p.Output("linux/amd64", "building a 1.0", fmt.Sprintf("cc a%d.c", i))
	}
	p.Output("linux/amd64", "building b 2.0", "running build_ext")
	p.Output("linux/amd64", "building b 2.0", " \r\n")
	p.Output("linux/amd64", "building c 3.0", "of nothing")
	p.show()
	want(t, s, `
linux/amd64    resolving
linux/amd64    building a 1.0
  cc a2.c
  cc a3.c
  cc a4.c
  cc a5.c
linux/amd64    building b 2.0
  running build_ext
linux/arm64    reading`)

	p.Step("linux/amd64", "choosing files")
	endA()
	endA()
	want(t, s, `
linux/amd64    building b 2.0
  running build_ext
linux/arm64    reading
linux/amd64    choosing files`)

	p.Warn("something")
	want(t, s, `
warning: something
linux/amd64    building b 2.0
  running build_ext
linux/arm64    reading
linux/amd64    choosing files`)

	p.close()
	want(t, s, "warning: something")
	endB()
	p.Output("linux/amd64", "choosing files", "late")
	want(t, s, "warning: something")
}

func TestStepOfAllEndsThoseOfEach(t *testing.T) {
	s, p := newScreen(t, 80, 24)
	p.Step("linux/amd64", "reading")
	p.Step("linux/arm64", "reading")
	defer p.Begin("linux/amd64", "building a 1.0")()
	p.Step("", "publishing")
	p.Step("linux/arm64", "publishing")
	want(t, s, `
linux/amd64    building a 1.0
all platforms  publishing
linux/arm64    publishing`)
}

func TestTwoOfOneNameEndApart(t *testing.T) {
	s, p := newScreen(t, 80, 24)
	first := p.Begin("linux/amd64", "building a 1.0")
	second := p.Begin("linux/amd64", "building a 1.0")
	p.Output("linux/amd64", "building a 1.0", "of the second")
	first()
	want(t, s, "linux/amd64    building a 1.0\n  of the second")
	second()
	want(t, s, "")
}

func TestForeignOutputHarmsNoTerminal(t *testing.T) {
	s, p := newScreen(t, 40, 24)
	defer p.Begin("linux/amd64", "building")()
	for _, line := range []string{
		"\x1b[31mred\x1b[0m and \x1b]0;title\a\u202e",
		"10%\r20%\r100%",
		strings.Repeat("x", 200),
		strings.Repeat("日", 200),
	} {
		p.Output("linux/amd64", "building", line+"\r\n")
	}
	p.show()
	want(t, s, "linux/amd64    building\n"+
		"  red and \\u001b]0;title\\u0007\\u202e\n"+
		"  100%\n  "+strings.Repeat("x", 37)+"\n  "+strings.Repeat("日", 18))
}

func TestPictureFitsTheTerminal(t *testing.T) {
	for _, height := range []int{5, 8, 24} {
		s, p := newScreen(t, 80, height)
		for i := range 12 {
			name := fmt.Sprintf("building %d", i)
			defer p.Begin("linux/amd64", name)()
			for range 10 {
				p.Output("linux/amd64", name, "cc")
			}
			p.show()
		}
		if len(s.lines) > height-1 || s.highest > height-1 {
			t.Errorf("%d lines in a terminal of %d:\n%s", len(s.lines), height, s)
		}
		if !strings.Contains(s.String(), "building 0") || height < 12 && !strings.Contains(s.String(), "more") {
			t.Errorf("in %d lines:\n%s", height, s)
		}
	}
}

// What is drawn too soon is drawn later, without another word.
func TestLastLineOfSilenceIsDrawn(t *testing.T) {
	s, p := newScreen(t, 80, 24)
	defer p.Begin("linux/amd64", "building")()
	p.Output("linux/amd64", "building", "linking")
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		shown := strings.Contains(s.String(), "linking")
		p.mu.Unlock()
		if shown {
			return
		}
	}
	t.Error("the line is not drawn")
}

func TestFloodOfOutputIsBounded(t *testing.T) {
	s, p := newScreen(t, 80, 24)
	start := time.Now()
	end := p.Begin("linux/amd64", "building")
	line := strings.Repeat("y", 5000)
	for range 100_000 {
		p.Output("linux/amd64", "building", line)
	}
	end()
	if most := 2000 * int(time.Since(start)/redraw+4); s.written > most {
		t.Errorf("%d bytes are drawn, more than %d", s.written, most)
	}

	for _, mode := range []string{"plain", "json"} {
		var b bytes.Buffer
		p, _ := newProgress(&b, mode, func(string) (string, bool) { return "", false })
		p.verbose = true
		end := p.Begin("linux/amd64", "building")
		for i := range 100_000 {
			p.Output("linux/amd64", "building", fmt.Sprintf("line %d %s", i, strings.Repeat("y", 100)))
		}
		end()
		if b.Len() < maxOutput || b.Len() > 3*maxOutput {
			t.Errorf("%s: %d bytes", mode, b.Len())
		}
		for _, text := range []string{"line 0 ", "lines are left out", "line 99900 ", "line 99999 "} {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%s: there is no %q", mode, text)
			}
		}
		if strings.Contains(b.String(), "line 99899 ") {
			t.Errorf("%s: the middle is there", mode)
		}
	}
}

func TestPlainProgressShowsOutputIfAsked(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		var b bytes.Buffer
		p, _ := newProgress(&b, "plain", func(string) (string, bool) { return "", false })
		p.verbose = verbose
		end := p.Begin("linux/arm64", "building a 1.0")
		p.Output("linux/arm64", "building a 1.0", "cc \x1b[1ma.c")
		end()
		text := ""
		if verbose {
			text = "   0.0s  linux/arm64    building a 1.0 | cc a.c\n"
		}
		want(t, &b, "0.0s  linux/arm64    building a 1.0\n"+text+"   0.0s  linux/arm64    building a 1.0: took 0.0s")
	}
}

func TestJSONProgressHasEventsForOutput(t *testing.T) {
	var b bytes.Buffer
	p, _ := newProgress(&b, "json", func(string) (string, bool) { return "", false })
	p.verbose = true
	end := p.Begin("linux/arm64", "building a 1.0")
	p.Output("linux/arm64", "building a 1.0", `say "hi"`)
	end()
	var events []string
	for line := range strings.Lines(b.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e["platform"] != "linux/arm64" || e["step"] != "building a 1.0" {
			t.Errorf("%v", e)
		}
		events = append(events, fmt.Sprint(e["event"], " ", e["text"]))
	}
	if got := strings.Join(events, ", "); got != `begin <nil>, output say "hi", end <nil>` {
		t.Error(got)
	}
}

func TestProgressIsSafeForManyGoroutines(t *testing.T) {
	s, p := newScreen(t, 80, 24)
	var g sync.WaitGroup
	for i := range 8 {
		g.Go(func() {
			platform, step := fmt.Sprint("linux/", i%2), fmt.Sprint("building ", i)
			end := p.Begin(platform, step)
			defer end()
			for n := range 200 {
				p.Output(platform, step, "line")
				p.Step(platform, fmt.Sprint("step ", n%7))
				p.Bytes(platform, step, 1, 2)
			}
		})
	}
	g.Wait()
	p.close()
	want(t, s, "")
	var none *progress
	none.Begin("", "x")()
	none.Output("", "x", "y")
}

func BenchmarkOutput(b *testing.B) {
	p, _ := newProgress(&screen{}, "tty", func(string) (string, bool) { return "", false })
	defer p.Begin("linux/amd64", "building")()
	line := strings.Repeat("y", 100)
	b.ReportAllocs()
	for b.Loop() {
		p.Output("linux/amd64", "building", line)
	}
}
