// Package sandbox runs one command in an image's files, which it does not trust: no
// network, nothing of the caller's environment or home, limits on time, memory,
// processes and disk, and nothing left running.
//
// The program that uses it calls [Enter] first in its main function. An image's files
// are laid into a folder with [Unpack], once; an [Engine] then runs as many commands
// in it as are needed, and each of them finds it as it was.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Command is one program to run. Its zero value but for Args runs as root of the
// image, in its top folder, with no input.
type Command struct {
	// Args holds the program, looked up in the PATH of Env if it has no slash, and its
	// arguments.
	Args []string
	// Dir is the working folder in the root; "" is "/". It is made if it is missing.
	Dir string
	// Env holds NAME=value. Nothing of the caller's environment is added; PATH, HOME
	// (an empty folder) and LANG are if they are missing.
	Env  []string
	User User
	// Platform is that of the root ("linux/arm64"); "" is this machine's.
	Platform string
	// Stdin is empty if nil. What is written to a nil Stdout or Stderr is dropped.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Mounts         []Mount
	Limits         Limits
	// ReadOnly makes the root read-only, but for /tmp, /dev/shm, HOME and what Writable
	// lists (paths in the root). Without it all of the root can be written, and what is
	// written is gone when the command ends.
	ReadOnly bool
	Writable []string
}

// User is the user and group that a command runs as, by number; both below 65536.
type User struct{ UID, GID int }

// Mount shows a file or folder of this machine inside. What is written to one that is
// not read-only stays, so it should be an empty folder made for it.
type Mount struct {
	Host, Path string
	ReadOnly   bool
}

// Limits bound a command. Zero is the default.
type Limits struct {
	Time      time.Duration // from start to end; default 10 minutes
	Memory    int64         // bytes of all processes together; default 4 GiB
	Disk      int64         // bytes written, by one file and by all together; default 2 GiB
	Processes int           // processes and threads at one time; default 512
}

// The limits that a command has if nothing is said: room for importing the largest
// packages (torch needs 2 GiB with its libraries) on the smallest hosted runner.
const (
	DefaultTime      = 10 * time.Minute
	DefaultMemory    = 4 << 30
	DefaultDisk      = 2 << 30
	DefaultProcesses = 512
)

func (l Limits) orDefault() Limits {
	if l.Time <= 0 {
		l.Time = DefaultTime
	}
	if l.Memory <= 0 {
		l.Memory = DefaultMemory
	}
	if l.Disk <= 0 {
		l.Disk = DefaultDisk
	}
	if l.Processes <= 0 {
		l.Processes = DefaultProcesses
	}
	return l
}

// inMemory bounds each of the few folders that are kept in memory (/tmp, /dev/shm ...), in
// bytes: what is written there is memory of the machine, though no process holds it.
func (l Limits) inMemory() int64 { return min(l.Disk, l.Memory/4) }

// Engine is one way to run commands. Its methods may be called by several goroutines.
type Engine interface {
	// Name is the engine as it is chosen by name, for messages.
	Name() string
	// Owners tells how [Unpack] has to set the owners of files for this engine.
	Owners() Owners
	// Run runs c in the folder root, which it does not change, and waits for the end of
	// all its processes. The error is nil if the program ended with code 0, an
	// [*ExitError] if it ran and did not, a [*StartError] if it can't be started, an
	// [*Unavailable] if this machine can't run it, and the context's if that is done.
	Run(ctx context.Context, root string, c Command) error
}

// ExitError is a program that ran and did not succeed.
type ExitError struct {
	Code   int    // exit code, or 128 and the signal
	Signal string // "SIGSEGV", "" if it ended by itself
	// Limit is which limit it came to: "time", "memory", "processes" or "disk", with
	// the bound ("" if none). For the disk it is a likely cause, and Code is the program's.
	Limit, Bound string
}

// Error says what ended the program.
func (e *ExitError) Error() string {
	switch {
	case e.Limit == "disk" && e.Signal == "":
		return fmt.Sprintf("exit code %d, and its disk of %s is full", e.Code, e.Bound)
	case e.Limit != "":
		return fmt.Sprintf("stopped: over its limit of %s (%s)", e.Limit, e.Bound)
	case e.Signal != "":
		return "killed by " + e.Signal
	default:
		return fmt.Sprintf("exit code %d", e.Code)
	}
}

// StartError is a program that could not be started: it is not there, or its loader is
// not, or it is none.
type StartError struct {
	Program string
	Err     error
}

// Error names the program.
func (e *StartError) Error() string {
	return "starting the program " + e.Program + ": " + e.Err.Error()
}

// Unwrap returns the kernel's answer.
func (e *StartError) Unwrap() error { return e.Err }

// Unavailable is something that this machine does not let an engine do.
type Unavailable struct {
	Engine string
	Text   string // what, and the kernel's answer
	Remedy string // one line, may be empty
}

// Error names the engine and what is missing.
func (e *Unavailable) Error() string { return "sandbox engine " + e.Engine + ": " + e.Text }

// Hints says what to do about it.
func (e *Unavailable) Hints() []string {
	if e.Remedy == "" {
		return nil
	}
	return []string{e.Remedy}
}

// ErrEngine is wrapped by the error about an engine of an unknown name.
var ErrEngine = errors.New("unknown sandbox engine")

// Engines are the names of the engines that there are.
func Engines() []string { return []string{"namespaces", "chroot", "podman"} }

// Open returns the engine of a name: "namespaces", "chroot", "podman", or for "auto" (and
// "") the first of namespaces and chroot that works here. It tries the engine with an
// empty command; the error names each that was tried, why it does not work, and what
// to do.
func Open(ctx context.Context, name string) (Engine, error) {
	switch name {
	case "namespaces", "chroot", "podman":
		e := engineOf(name)
		return e, try(ctx, e)
	case "auto", "":
	default:
		return nil, fmt.Errorf("%w %q: there are auto, namespaces, chroot and podman", ErrEngine, name)
	}
	none := &Unavailable{Engine: "auto"}
	var why []string
	for _, name := range []string{"namespaces", "chroot"} {
		e := engineOf(name)
		err := try(ctx, e)
		if err == nil {
			return e, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		text := err.Error()
		var u *Unavailable
		if errors.As(err, &u) {
			text = u.Engine + ": " + u.Text
			if none.Remedy == "" {
				none.Remedy = u.Remedy
			}
		}
		why = append(why, text)
	}
	none.Text = strings.Join(why, "; ")
	return nil, none
}

// The names of limits in an ExitError.
const (
	limitTime      = "time"
	limitMemory    = "memory"
	limitProcesses = "processes"
	limitDisk      = "disk"
)

func (l Limits) bound(limit string) string {
	switch limit {
	case limitTime:
		return l.Time.String()
	case limitMemory:
		return sizeText(l.Memory)
	case limitDisk:
		return sizeText(l.Disk)
	case limitProcesses:
		return fmt.Sprint(l.Processes)
	default:
		return ""
	}
}

func sizeText(n int64) string {
	const mib = 1 << 20
	return fmt.Sprintf("%d MiB", (n+mib-1)/mib)
}

// onlyWriter hides what a writer is: a program that got a terminal could write input to it.
func onlyWriter(w io.Writer) io.Writer {
	if w == nil {
		return nil
	}
	return struct{ io.Writer }{w}
}

// sandboxHome is an empty folder inside.
const sandboxHome = "/tmp/home"

// withDefaults adds the variables that every program may count on.
func withDefaults(env []string) []string {
	out := []string{}
	has := map[string]bool{}
	for _, v := range env {
		name, _, ok := strings.Cut(v, "=")
		if ok && name != "" && !strings.Contains(v, "\x00") {
			out = append(out, v)
			has[name] = true
		}
	}
	for _, d := range [][2]string{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"HOME", sandboxHome}, {"LANG", "C.UTF-8"}} {
		if !has[d[0]] {
			out = append(out, d[0]+"="+d[1])
		}
	}
	return out
}
