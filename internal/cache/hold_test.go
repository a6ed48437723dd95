//go:build unix

package cache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

func hold(t *testing.T, d *cache.Dir, key string) (release func()) {
	t.Helper()
	release, err := d.Hold(t.Context(), key, func() { t.Errorf("%s: waited", key) })
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// locks returns how many locks have a file.
func locks(t *testing.T, d *cache.Dir) int {
	t.Helper()
	list, _ := os.ReadDir(filepath.Join(d.Path(), "locks"))
	return len(list)
}

func TestHoldIsForOne(t *testing.T) {
	d := open(t)
	inside, told := 0, make(chan struct{}, 20)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			release, err := d.Hold(t.Context(), "key", func() { told <- struct{}{} })
			if err != nil {
				t.Error(err)
				return
			}
			if inside++; inside != 1 { // the race detector looks at this too
				t.Errorf("%d inside", inside)
			}
			inside--
			release()
			release()
		})
	}
	wg.Wait()
	if len(told) > 19 {
		t.Errorf("%d were told to wait", len(told))
	}
	if n := locks(t, d); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

func TestHoldKeysAreApart(t *testing.T) {
	d := open(t)
	defer hold(t, d, "a")()
	defer hold(t, d, "b")()
	defer d.Lock("a")() // of another kind
}

func TestHoldEndsWithTheContext(t *testing.T) {
	d := open(t)
	defer hold(t, d, "here")()
	p := start(t, d, "hold", "there")
	for _, key := range []string{"here", "there"} {
		ctx, cancel := context.WithCancel(t.Context())
		waited := 0
		_, err := d.Hold(ctx, key, func() { waited++; cancel() })
		if !errors.Is(err, context.Canceled) || waited != 1 {
			t.Errorf("%s: %v, told %d times", key, err, waited)
		}
	}
	p.finish(t)
	hold(t, d, "there")() // who gave up does not hold it
}

// TestHoldWaitsForAProcess also kills one that holds the key.
func TestHoldWaitsForAProcess(t *testing.T) {
	d := open(t)
	for _, end := range []string{"killed", "finished"} {
		p := start(t, d, "hold", "key")
		waiting := make(chan struct{})
		got := make(chan error)
		go func() {
			release, err := d.Hold(t.Context(), "key", func() { close(waiting) })
			if err == nil {
				release()
			}
			got <- err
		}()
		<-waiting
		select {
		case err := <-got:
			t.Fatalf("did not wait: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		if end == "killed" {
			p.kill()
		} else {
			p.finish(t)
		}
		if err := <-got; err != nil {
			t.Errorf("%s: %v", end, err)
		}
	}
	if n := locks(t, d); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

func TestProcessesTakeTurns(t *testing.T) {
	d := open(t)
	var all []*exec.Cmd
	for range 4 {
		c := command(t, d, "count", "key")
		c.Stdout = os.Stdout
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for range 25 {
		if err := countUp(t.Context(), d, "key"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range all {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	text, _ := os.ReadFile(filepath.Join(d.Path(), "number"))
	if want := fmt.Sprint(5 * 25); string(text) != want {
		t.Errorf("counted to %s, not %s", text, want)
	}
}

func TestHoldInABadFolder(t *testing.T) {
	d := open(t)
	os.WriteFile(filepath.Join(d.Path(), "locks"), nil, 0o600)
	if _, err := d.Hold(t.Context(), "key", nil); !errors.Is(err, cache.ErrFolder) {
		t.Errorf("%v, want ErrFolder", err)
	}
	os.Remove(filepath.Join(d.Path(), "locks"))
	hold(t, d, "key")() // the failure holds nothing
}

func TestLocksAreCleanedUp(t *testing.T) {
	d := open(t)
	release := hold(t, d, "key")
	start(t, d, "hold", "killed").kill()
	if u, err := d.Clean(t.Context()); err != nil || u.Files != 1 {
		t.Errorf("removed %v, %v", u, err)
	}
	if list, err := d.Info(t.Context()); err != nil || len(list) != 1 || list[0] != (cache.Usage{Part: "locks", Files: 1}) {
		t.Errorf("%v, %v", list, err)
	}
	release()
	if n := locks(t, d); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}
