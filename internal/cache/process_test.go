//go:build unix

package cache_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// roleVariable makes the test program another process that uses a cache.
const roleVariable = "DISTILL_CACHE_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role, os.Args[1], os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play does one thing with the cache in dir. It says "ready" when it has what it
// wants, and goes on when its input ends.
func play(role, dir, key string) error {
	d, err := cache.Open(dir)
	if err != nil {
		return err
	}
	ready := func() {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
	ctx := context.Background()
	switch role {
	case "hold":
		release, err := d.Hold(ctx, key, nil)
		if err != nil {
			return err
		}
		ready()
		release()
	case "count":
		for range 25 {
			if err := countUp(ctx, d, key); err != nil {
				return err
			}
		}
	case "fill": // and never come to an end
		_, _, err := d.Tree(ctx, key, func(dir string) error {
			os.MkdirAll(filepath.Join(dir, "locked"), 0o555)
			ready()
			return io.ErrUnexpectedEOF
		})
		return err
	case "tree":
		path, release, err := d.Tree(ctx, key, fillWith("other process"))
		if err != nil {
			return err
		}
		ready()
		_, err = os.Stat(filepath.Join(path, "text"))
		release()
		return err
	case "log":
		l, err := d.CreateLog(key)
		if err != nil {
			return err
		}
		ready()
		l.Drop()
	}
	return nil
}

// countUp adds one to the number in the file that key names, in steps that go wrong
// if two do it at a time.
func countUp(ctx context.Context, d *cache.Dir, key string) error {
	release, err := d.Hold(ctx, key, nil)
	if err != nil {
		return err
	}
	defer release()
	name := filepath.Join(d.Path(), "number")
	text, _ := os.ReadFile(name)
	n, _ := strconv.Atoi(string(text))
	return os.WriteFile(name, []byte(strconv.Itoa(n+1)), 0o600)
}

// process is another process that has got as far as "ready".
type process struct {
	*exec.Cmd
	end io.Closer
}

func start(t *testing.T, d *cache.Dir, role, key string) *process {
	t.Helper()
	p := command(t, d, role, key)
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if strings.TrimSpace(line) != "ready" {
		t.Fatalf("%s: %q, %v", role, line, err)
	}
	return &process{p, in}
}

func command(t *testing.T, d *cache.Dir, role, key string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, d.Path(), key)
	c.Env = append(os.Environ(), roleVariable+"="+role)
	return c
}

// finish lets a process end by itself.
func (p *process) finish(t *testing.T) {
	t.Helper()
	p.end.Close()
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// kill is what kill -9 does.
func (p *process) kill() {
	p.Process.Kill()
	p.Wait()
}
