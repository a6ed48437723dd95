package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// lock is a mutex that is forgotten when nobody holds or awaits it.
type lock struct {
	held  chan struct{} // holds one element while somebody has the lock
	users int
}

// Lock waits until no other goroutine of this process holds key, and returns the
// function that lets the next one in. Whoever makes an expensive entry holds it
// from Get to Put, so that the entry is made once.
func (d *Dir) Lock(key string) (unlock func()) {
	l := d.await(key)
	l.held <- struct{}{}
	return func() { d.leave(key, l, true) }
}

// await notes that one more goroutine wants the lock of key.
func (d *Dir) await(key string) *lock {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.locks[key]
	if l == nil {
		l = &lock{held: make(chan struct{}, 1)}
		d.locks[key] = l
	}
	l.users++
	return l
}

// leave undoes await; held tells that the goroutine has the lock.
func (d *Dir) leave(key string, l *lock, held bool) {
	if held {
		<-l.held
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(d.locks, key)
	}
}

// Hold is [Dir.Lock] across processes: it waits until no other goroutine or
// process holds key, so that an expensive thing is made once by all runs on a
// machine. Waiting (may be nil) is called once if somebody else holds it. The
// error is the context's, or wraps [ErrFolder]. Release may be called more than
// once. The kernel releases what a killed process held.
//
// Where the file system has no locks, it is [Dir.Lock].
func (d *Dir) Hold(ctx context.Context, key string, waiting func()) (release func(), err error) {
	if waiting == nil {
		waiting = func() {}
	}
	tell := sync.OnceFunc(waiting)
	inner := "hold " + key
	l := d.await(inner)
	select {
	case l.held <- struct{}{}:
	default:
		tell()
		select {
		case l.held <- struct{}{}:
		case <-ctx.Done():
			d.leave(inner, l, false)
			return nil, ctx.Err()
		}
	}
	f, err := d.holdFile(ctx, d.lockName(key), tell)
	if err != nil {
		d.leave(inner, l, true)
		return nil, err
	}
	return sync.OnceFunc(func() {
		// Nobody else can have a lock on what has this name now.
		os.Remove(f.Name())
		unlock(f)
		d.leave(inner, l, true)
	}), nil
}

// tryHold is Hold for who does something else if somebody holds key.
func (d *Dir) tryHold(key string) (release func(), ok bool) {
	ctx, cancel := context.WithCancel(context.Background())
	release, err := d.Hold(ctx, key, cancel)
	cancel()
	return release, err == nil
}

func (d *Dir) lockName(key string) string {
	return filepath.Join(d.path, lockFolder, keyName(key))
}

// Another process is asked for its lock at growing distances: a blocking flock
// could not be cancelled.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 200 * time.Millisecond
)

// holdFile makes and locks the file.
func (d *Dir) holdFile(ctx context.Context, name string, waiting func()) (*os.File, error) {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		f, err := d.lockedFile(name)
		if err != nil || f != nil {
			return f, err
		}
		waiting()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// lockedFile opens a file, which is made if it is missing, and takes the lock on
// it, alone. It returns nil if somebody else's lock is in the way.
func (d *Dir) lockedFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return nil, d.fail(err)
		}
		f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err != nil {
		return nil, d.fail(err)
	}
	if !tryLock(f, true) {
		f.Close()
		return nil, nil
	}
	// Whoever had the lock before may have removed the file.
	now, err := os.Lstat(name)
	if info, e := f.Stat(); err != nil || e != nil || !os.SameFile(now, info) {
		unlock(f)
		return nil, nil
	}
	return f, nil
}

// locksWork tells whether the file system of the cache keeps locks: some of
// network file systems do not.
func (d *Dir) locksWork() bool {
	a, err := d.createTemp()
	if err != nil {
		return false
	}
	defer abandon(a)
	b, err := os.OpenFile(a.Name(), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer b.Close()
	return tryLock(a, true) && !tryLock(b, true)
}
