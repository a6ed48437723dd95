package buildkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

// dialer connects, and keeps what went wrong last: the library between tells only part.
type dialer struct {
	dial func(ctx context.Context) (net.Conn, error)
	mu   sync.Mutex
	last error
	open []*watched
}

func (d *dialer) connect(ctx context.Context, _ string) (net.Conn, error) {
	c, err := d.dial(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = err
	if err != nil {
		return nil, err
	}
	w := &watched{Conn: c}
	d.open = append(d.open, w)
	return w, nil
}

// watched keeps the first error of reading: what a program or TLS says of the other side.
// Of a program, the deadline has no effect, and it has ended when writing to it fails.
type watched struct {
	net.Conn
	mu     sync.Mutex
	failed error
}

// Read implements [net.Conn].
func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.note(err)
	return n, err
}

// Write implements [net.Conn]. Where it fails, the other side may have said why before it
// closed: that it wants a certificate.
func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if err != nil {
		const soon = 200 * time.Millisecond
		if w.SetReadDeadline(time.Now().Add(soon)) == nil {
			_, said := w.Conn.Read(make([]byte, 512))
			w.note(said)
		}
	}
	return n, err
}

func (w *watched) note(err error) {
	if err == nil || err == io.EOF || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
}

func (w *watched) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// lastError is what is known of the end of the last connection.
func (d *dialer) lastError() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil {
		return d.last
	}
	if len(d.open) == 0 {
		return nil
	}
	return d.open[len(d.open)-1].failure()
}

func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.open {
		c.Close()
	}
	d.open = nil
}

// program is a connection through the standard input and output of a program.
type program struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	errors *tail
	once   sync.Once
}

// startProgram starts the program; it runs until the connection is closed.
func startProgram(ctx context.Context, args []string) (net.Conn, error) {
	// It outlives the context of dialing.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), args[0], args[1:]...)
	p := &program{cmd: cmd, errors: &tail{}}
	cmd.Stderr = p.errors
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// Read implements [net.Conn]. The end comes with what the program wrote about it.
func (p *program) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err != nil {
		// The program writes its last words before it ends, but they may arrive later.
		time.Sleep(50 * time.Millisecond)
		if text := p.errors.text(); text != "" {
			err = fmt.Errorf("%s: %s", p.cmd.Args[0], text)
		}
	}
	return n, err
}

// Write implements [net.Conn].
func (p *program) Write(b []byte) (int, error) { return p.in.Write(b) }

// Close implements [net.Conn]; it waits for the program's end.
func (p *program) Close() error {
	p.once.Do(func() {
		p.in.Close()
		gone := make(chan struct{})
		go func() {
			// The error is that of an end that was asked for.
			_ = p.cmd.Wait()
			close(gone)
		}()
		select {
		case <-gone:
		case <-time.After(time.Second):
			_ = p.cmd.Process.Kill()
			<-gone
		}
	})
	return nil
}

// LocalAddr implements [net.Conn].
func (p *program) LocalAddr() net.Addr { return programAddr(p.cmd.Args[0]) }

// RemoteAddr implements [net.Conn].
func (p *program) RemoteAddr() net.Addr { return programAddr(p.cmd.Args[0]) }

// SetDeadline implements [net.Conn], without effect: HTTP/2 has its own.
func (p *program) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements [net.Conn], without effect.
func (p *program) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements [net.Conn], without effect.
func (p *program) SetWriteDeadline(time.Time) error { return nil }

type programAddr string

// Network implements [net.Addr].
func (a programAddr) Network() string { return "program" }

// String implements [net.Addr].
func (a programAddr) String() string { return string(a) }

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 4 << 10

// Write implements [io.Writer].
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if extra := len(t.buf) - tailSize; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
