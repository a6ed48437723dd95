package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// insideName is argv[0] of the processes that Enter takes over.
const insideName = "distill-sandbox"

// ids is the number of users and groups of an image's files that are told apart, and
// the first number that is none of theirs.
const ids = 1 << 16

// keptBase is where the users of an image start on a machine whose root runs us: above
// what systemd gives to containers and users, and below what is signed.
const keptBase = 0x70000000

// namespaces is the default engine: a process tree of its own in new namespaces.
type namespaces struct {
	parts bool // do as where the kernel refuses the overlay
}

func (namespaces) Name() string { return "namespaces" }

// Owners are kept if we are root of all users, else squashed.
func (namespaces) Owners() Owners {
	if os.Geteuid() == 0 && mapsUsers("/proc/self/uid_map") && mapsUsers("/proc/self/gid_map") && hasCap(unix.CAP_SETUID) && hasCap(unix.CAP_CHOWN) {
		return Owners{Keep: true, Base: keptBase}
	}
	return Owners{}
}

// mapsUsers tells whether the users from keptBase on are ours to give.
func mapsUsers(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		var inside, outside, count int64
		if n, _ := fmt.Sscan(line, &inside, &outside, &count); n == 3 && inside <= keptBase && inside+count >= keptBase+ids {
			return true
		}
	}
	return false
}

func hasCap(n int) bool {
	var data [2]unix.CapUserData
	if unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]) != nil {
		return false
	}
	return data[n/32].Effective&(1<<(n%32)) != 0
}

// Run implements [Engine].
func (e namespaces) Run(ctx context.Context, root string, c Command) error {
	if root != "" {
		if err := runnable(e.Name(), c.Platform); err != nil {
			return err
		}
	}
	j, err := newJob(root, c)
	if err != nil {
		return err
	}
	j.Parts = e.parts
	if j.Base, err = os.MkdirTemp("", "distill-sandbox-"); err != nil {
		return err
	}
	defer os.Remove(j.Base)
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Setsid:      true,
		AmbientCaps: setUpCaps,
	}
	if o := e.Owners(); o.Keep {
		// Nobody inside is root outside: only the process that sets up is, as user "ids".
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: o.Base, Size: ids}, {ContainerID: ids, HostID: 0, Size: 1}}
		attr.GidMappings = attr.UidMappings
		attr.GidMappingsEnableSetgroups = true
		attr.Credential = &syscall.Credential{Uid: ids, Gid: ids}
		for _, m := range j.Mounts {
			if m.ReadOnly {
				continue
			}
			if err := os.Lchown(m.Host, o.Base+c.User.UID, o.Base+c.User.GID); err != nil {
				return err
			}
		}
	} else {
		j.Owner = j.User
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: j.User.UID, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: j.User.GID, HostID: os.Getegid(), Size: 1}}
	}
	return supervise(ctx, e.Name(), j, c, attr)
}

func newJob(root string, c Command) (*job, error) {
	j := &job{
		Root: root, Platform: c.Platform, Args: c.Args, Dir: c.Dir, Env: withDefaults(c.Env), User: c.User, Mounts: c.Mounts,
		Limits: c.Limits.orDefault(), Foreign: archOf(c.Platform) != runtime.GOARCH && Emulated(c.Platform) == "", ReadOnly: c.ReadOnly, Writable: c.Writable, CountsInside: kernelAtLeast(5, 14),
	}
	if u := c.User; u.UID < 0 || u.UID >= ids || u.GID < 0 || u.GID >= ids {
		return nil, fmt.Errorf("user %d:%d is out of range", u.UID, u.GID)
	}
	if root == "" {
		return j, nil
	}
	if len(c.Args) == 0 {
		return nil, errors.New("no program to run")
	}
	var err error
	if j.Root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	j.Mounts = make([]Mount, len(c.Mounts))
	for i, m := range c.Mounts {
		if m.Host, err = filepath.Abs(m.Host); err != nil {
			return nil, err
		}
		j.Mounts[i] = m
		if !m.ReadOnly {
			j.Measured = append(j.Measured, m.Path)
		}
	}
	return j, nil
}

func kernelAtLeast(major, minor int) bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var a, b int
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a > major || a == major && b >= minor
}

// graceTime is how long the process inside may take to end what it supervises before
// it is ended itself.
const graceTime = 5 * time.Second

// supervise starts the process inside, hands it the job, and returns when all of its
// processes are gone. Should we end, it notices that the pipe of the job does.
func supervise(ctx context.Context, engine string, j *job, c Command, attr *syscall.SysProcAttr) error {
	inner, cancel := context.WithTimeout(ctx, j.Limits.Time+graceTime)
	defer cancel()
	jobR, jobW, err := os.Pipe()
	if err != nil {
		return err
	}
	defer jobW.Close()
	outR, outW, err := os.Pipe()
	if err != nil {
		jobR.Close()
		return err
	}
	defer outR.Close()
	cmd := ourselves(inner, c)
	cmd.ExtraFiles = []*os.File{jobR, outW}
	cmd.SysProcAttr = attr
	if j.Chroot { // no namespace ends with its first process
		cmd.Cancel = jobW.Close
	}
	err = cmd.Start()
	jobR.Close()
	outW.Close()
	if err == nil {
		err = json.NewEncoder(jobW).Encode(j)
		last := lastReport(outR)
		waitErr := cmd.Wait()
		switch {
		case last != nil && ctx.Err() == nil:
			return last.result(engine, j)
		case err == nil:
			err = waitErr
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case inner.Err() != nil:
		return report{Status: int(syscall.SIGKILL), Limit: limitTime}.result(engine, j)
	}
	return refused(engine, "starting a process", err)
}

// ourselves is this program, to be started once more as what Enter knows.
func ourselves(ctx context.Context, c Command) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{insideName}
	cmd.Env = []string{"GOMAXPROCS=2", "GOTRACEBACK=none"}
	cmd.Dir = "/"
	cmd.WaitDelay = graceTime
	// A file given as it is could be a terminal, to which a program may write input.
	cmd.Stdout, cmd.Stderr = onlyWriter(c.Stdout), onlyWriter(c.Stderr)
	if c.Stdin != nil {
		cmd.Stdin = struct{ io.Reader }{c.Stdin}
	}
	return cmd
}

// lastReport reads until the process inside is gone. What could not be done is not
// overwritten by what came of it.
func lastReport(from io.Reader) *report {
	var last *report
	dec := json.NewDecoder(io.LimitReader(from, 1<<20))
	for {
		var r report
		if dec.Decode(&r) != nil {
			return last
		}
		if last == nil || last.Step == "" {
			last = &r
		}
	}
}

// result is what a report means for the caller.
func (r report) result(engine string, j *job) error {
	if r.Step != "" {
		var err error
		if r.Errno != 0 {
			err = syscall.Errno(r.Errno)
		}
		return failed(engine, j.Platform, r, err)
	}
	s := syscall.WaitStatus(r.Status)
	if s.ExitStatus() == 0 && r.Limit != limitTime && r.Limit != limitMemory && r.Limit != limitProcesses {
		return nil
	}
	e := &ExitError{Code: s.ExitStatus(), Limit: r.Limit, Bound: j.Limits.bound(r.Limit)}
	if s.Signaled() {
		e.Code = 128 + int(s.Signal())
		e.Signal = signalName(s.Signal())
	}
	return e
}
