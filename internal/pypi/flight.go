package pypi

import (
	"context"
	"errors"
	"sync"
)

// flights remembers the answers of a function, and has it run once for all who
// ask for the same key at the same time. The zero value is ready.
type flights[T any] struct {
	mu sync.Mutex
	m  map[string]*flight[T]
}

type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// do returns f's answer for the key. Answers that keep tells to keep are given
// again without asking f. A caller who only waited is not hurt if the context
// of the one who asked ended.
func (g *flights[T]) do(ctx context.Context, key string, keep func(error) bool, f func() (T, error)) (T, error) {
	for {
		g.mu.Lock()
		if g.m == nil {
			g.m = map[string]*flight[T]{}
		}
		fl, waiting := g.m[key]
		if !waiting {
			fl = &flight[T]{done: make(chan struct{})}
			g.m[key] = fl
		}
		g.mu.Unlock()
		if !waiting {
			g.run(key, fl, keep, f)
			return fl.value, fl.err
		}
		select {
		case <-fl.done:
		case <-ctx.Done():
			var zero T
			return zero, ctx.Err()
		}
		cancelled := errors.Is(fl.err, context.Canceled) || errors.Is(fl.err, context.DeadlineExceeded)
		if !cancelled || ctx.Err() != nil {
			return fl.value, fl.err
		}
	}
}

func (g *flights[T]) run(key string, fl *flight[T], keep func(error) bool, f func() (T, error)) {
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !keep(fl.err) {
			delete(g.m, key)
		}
		close(fl.done)
	}()
	fl.err = errors.New("interrupted") // what waiters see if f panics
	fl.value, fl.err = f()
}

func keepGood(err error) bool { return err == nil }

func keepNothing(error) bool { return false }
