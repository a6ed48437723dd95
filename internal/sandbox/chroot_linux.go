package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// chroot is the engine for root in a container that allows no namespaces. The command
// runs as a user of its own, whom nothing in the root belongs to, and can make no
// sockets; what it may write is copied in before and out after, and whatever else it
// has written is removed. It sees no /proc, and the image's users all are that user.
// One command runs at a time.
type chroot struct{ mu sync.Mutex }

func (*chroot) Name() string { return "chroot" }

// Owners are us, so that the command owns nothing.
func (*chroot) Owners() Owners { return Owners{} }

// Run implements [Engine].
func (e *chroot) Run(ctx context.Context, root string, c Command) error {
	if os.Geteuid() != 0 || !hasCap(unix.CAP_SYS_CHROOT) || !hasCap(unix.CAP_SETUID) || !hasCap(unix.CAP_SETGID) {
		return &Unavailable{Engine: e.Name(), Text: "needs root", Remedy: "run distill as root"}
	}
	if root != "" {
		if err := runnable(e.Name(), c.Platform); err != nil {
			return err
		}
	}
	j, err := newJob(root, c)
	if err != nil {
		return err
	}
	j.Chroot, j.Measured = true, nil
	e.mu.Lock()
	defer e.mu.Unlock()
	if root != "" {
		// Counted by user, and nobody else is this one.
		j.CountsInside = true
		j.User = loneUser()
		p := &prepared{user: j.User.UID}
		if p.root, err = os.OpenRoot(j.Root); err != nil {
			return err
		}
		defer p.root.Close()
		defer p.clean()
		if err := p.prepare(j); err != nil {
			return fmt.Errorf("sandbox engine chroot: preparing the root: %w", err)
		}
		err = supervise(ctx, e.Name(), j, c, &syscall.SysProcAttr{Setsid: true})
		if e := p.bringBack(j.Mounts); err == nil {
			err = e
		}
		return err
	}
	return supervise(ctx, e.Name(), j, c, &syscall.SysProcAttr{Setsid: true})
}

// loneUser is a user that exists nowhere else, of those that we have.
func loneUser() User {
	if mapsUsers("/proc/self/uid_map") {
		return User{keptBase + ids + os.Getpid()%ids, keptBase + ids}
	}
	return User{60000 + os.Getpid()%5000, 60000}
}

// prepared is a root that is made ready for one command, and put back after it.
type prepared struct {
	root *os.Root
	user int
	made []string // what was made, outermost first
}

// openFolders are those that everybody may write to, in most images.
var openFolders = []string{"/tmp", "/var/tmp", "/dev/shm", "/run/lock"}

func (p *prepared) prepare(j *job) error {
	for _, d := range []string{"/tmp", "/dev", "/dev/shm"} {
		if err := p.folder(d); err != nil {
			return err
		}
	}
	if err := errors.Join(p.root.Chmod("tmp", 0o777|fs.ModeSticky), p.root.Chmod("dev/shm", 0o777|fs.ModeSticky)); err != nil {
		return err
	}
	p.devices()
	own := append([]string{}, j.Writable...)
	for _, v := range j.Env {
		if h, ok := strings.CutPrefix(v, "HOME="); ok && path.IsAbs(h) && h != "/" && h != "/root" {
			own = append(own, h)
		}
	}
	for _, d := range own {
		if err := p.owned(d); err != nil {
			return err
		}
	}
	if j.Dir != "" {
		if err := p.folder(j.Dir); err != nil {
			return err
		}
	}
	for _, m := range j.Mounts {
		if err := p.bringIn(m); err != nil {
			return err
		}
		if !m.ReadOnly {
			j.Measured = append(j.Measured, filepath.Join(p.root.Name(), inRoot(m.Path)))
		}
	}
	for _, d := range openFolders {
		j.Measured = append(j.Measured, filepath.Join(p.root.Name(), inRoot(d)))
	}
	return nil
}

// inRoot is a path of the root as os.Root has it.
func inRoot(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// folder makes a folder, and those above it, if it is missing.
func (p *prepared) folder(name string) error {
	at := ""
	if inRoot(name) == "" {
		return nil
	}
	for part := range strings.SplitSeq(inRoot(name), "/") {
		at = path.Join(at, part)
		err := p.root.Mkdir(at, 0o755)
		switch {
		case err == nil:
			p.made = append(p.made, at)
		case !errors.Is(err, fs.ErrExist):
			return err
		}
	}
	return nil
}

// owned makes a folder for the command alone, or gives one that is there to it.
func (p *prepared) owned(name string) error {
	if err := p.folder(name); err != nil || inRoot(name) == "" {
		return err
	}
	return p.root.Chown(inRoot(name), p.user, p.user)
}

// devices makes those that a container lets us make; a program can do without.
func (p *prepared) devices() {
	for i, name := range []string{"null", "zero", "random", "urandom"} {
		at := "dev/" + name
		if _, err := p.root.Lstat(at); err == nil {
			continue
		}
		dir, err := p.root.OpenRoot("dev")
		if err != nil {
			return
		}
		f, err := dir.Open(".")
		dir.Close()
		if err != nil {
			return
		}
		minor := []uint32{3, 5, 8, 9}[i]
		if unix.Mknodat(int(f.Fd()), name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))) == nil {
			_ = p.root.Chmod(at, 0o666)
			p.made = append(p.made, at)
		}
		f.Close()
	}
}

// bringIn copies what a mount shows.
func (p *prepared) bringIn(m Mount) error {
	to := inRoot(m.Path)
	info, err := os.Stat(m.Host)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if err := p.folder(path.Dir("/" + to)); err != nil {
			return err
		}
		p.made = append(p.made, to)
		return p.copyFile(os.DirFS(filepath.Dir(m.Host)), filepath.Base(m.Host), to, info)
	}
	if err := p.folder(m.Path); err != nil {
		return err
	}
	from := os.DirFS(m.Host)
	err = fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		at := path.Join(to, name)
		switch {
		case d.IsDir():
			err = p.folder("/" + at)
		case info.Mode().IsRegular():
			p.made = append(p.made, at)
			err = p.copyFile(from, name, at, info)
		}
		if err == nil && !m.ReadOnly {
			err = p.root.Lchown(at, p.user, p.user)
		}
		return err
	})
	if err == nil && !m.ReadOnly {
		err = p.owned(m.Path)
	}
	return err
}

func (p *prepared) copyFile(from fs.FS, name, to string, info fs.FileInfo) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := p.root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// bringBack copies what was written to mounts out, regular files and folders only.
func (p *prepared) bringBack(mounts []Mount) error {
	for _, m := range mounts {
		if m.ReadOnly {
			continue
		}
		to, err := os.OpenRoot(m.Host)
		if err != nil {
			return err
		}
		back := &prepared{root: to}
		from, err := p.root.OpenRoot(inRoot(m.Path))
		if err == nil {
			err = fs.WalkDir(from.FS(), ".", func(name string, d fs.DirEntry, err error) error {
				if err != nil || name == "." {
					return err
				}
				info, err := d.Info()
				switch {
				case err != nil:
					return err
				case d.IsDir():
					return back.folder(name)
				case info.Mode().IsRegular():
					_ = to.Remove(name)
					return back.copyFile(from.FS(), name, name, info)
				}
				return nil
			})
			from.Close()
		}
		to.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// clean removes what was made, and what the command has left where all may write.
func (p *prepared) clean() {
	for i := len(p.made) - 1; i >= 0; i-- {
		_ = p.root.RemoveAll(p.made[i])
	}
	for _, d := range openFolders {
		_ = fs.WalkDir(p.root.FS(), inRoot(d), func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if info, err := d.Info(); err == nil {
				if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == p.user {
					_ = p.root.RemoveAll(name)
				}
			}
			return nil
		})
	}
}
