package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// podman is the engine that asks the program of that name, if it is chosen by name. It
// isolates as podman does: what is written to mounts is not measured, and only the limit
// of time is told in an ExitError. The program is process 1 of its container.
type podman struct{}

func (podman) Name() string { return "podman" }

// Owners are those of the image where podman runs as root; else it maps us to root.
func (podman) Owners() Owners { return Owners{Keep: os.Geteuid() == 0} }

// check finds out whether there is a podman.
func (p podman) check(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "podman", "version", "--format", "{{.Client.Version}}").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return &Unavailable{Engine: p.Name(), Text: "podman is not installed", Remedy: "install podman, or use --engine namespaces"}
	}
	if err != nil {
		return &Unavailable{Engine: p.Name(), Text: fmt.Sprintf("podman version: %v: %s", err, lastLine(out))}
	}
	return ctx.Err()
}

func lastLine(text []byte) string {
	text = bytes.TrimSpace(text)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

// The exit codes of podman run that are not the program's (podman-run(1)).
const (
	podmanFailed   = 125
	podmanCantRun  = 126
	podmanNotFound = 127
)

// Run implements [Engine].
func (p podman) Run(ctx context.Context, root string, c Command) error {
	l := c.Limits.orDefault()
	name := "distill-" + strings.ToLower(rand.Text())
	args, err := p.arguments(name, root, c, l)
	if err != nil {
		return err
	}
	inner, cancel := context.WithTimeout(ctx, l.Time)
	defer cancel()
	cmd := exec.CommandContext(inner, "podman", args...)
	var said bytes.Buffer
	cmd.Stdout = onlyWriter(c.Stdout)
	cmd.Stderr = &said
	if c.Stderr != nil {
		cmd.Stderr = io.MultiWriter(onlyWriter(c.Stderr), &lastBytes{&said})
	}
	if c.Stdin != nil {
		cmd.Stdin = struct{ io.Reader }{c.Stdin}
	}
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	if inner.Err() != nil {
		remove := exec.Command("podman", "rm", "--force", "--ignore", "--time", "0", name)
		_ = remove.Run()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &ExitError{Code: 128 + int(syscall.SIGKILL), Signal: "SIGKILL", Limit: limitTime, Bound: l.bound(limitTime)}
	}
	return p.result(err, lastLine(said.Bytes()), c)
}

func (p podman) result(err error, said string, c Command) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	switch code := exit.ExitCode(); {
	case code == podmanFailed:
		return &Unavailable{Engine: p.Name(), Text: said}
	case (code == podmanCantRun || code == podmanNotFound) && strings.Contains(said, "exec"):
		return &StartError{Program: c.Args[0], Err: errors.New(said)}
	case code > 128 && code < 128+65:
		return &ExitError{Code: code, Signal: signalName(syscall.Signal(code - 128))}
	default:
		return &ExitError{Code: code}
	}
}

func (p podman) arguments(name, root string, c Command, l Limits) ([]string, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("no program to run")
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	args := []string{
		"run", "--rm", "--name", name, "--network=none", "--cap-drop=all", "--security-opt=no-new-privileges", "--log-driver=none",
		"--ulimit=core=0:0", "--ulimit=nofile=1024:4096", "--ulimit=fsize=" + strconv.FormatInt(l.Disk, 10),
		"--user=" + fmt.Sprintf("%d:%d", c.User.UID, c.User.GID), "--workdir=" + "/" + strings.TrimPrefix(c.Dir, "/"),
		"--tmpfs=/tmp:rw,mode=1777,exec,size=" + strconv.FormatInt(l.inMemory(), 10),
		"--tmpfs=" + sandboxHome + ":rw,mode=0777",
		"--memory=" + strconv.FormatInt(l.Memory, 10), "--pids-limit=" + strconv.Itoa(l.Processes),
	}
	if c.Stdin != nil {
		args = append(args, "--interactive")
	}
	if c.ReadOnly {
		args = append(args, "--read-only")
		for _, w := range c.Writable {
			args = append(args, "--tmpfs="+w)
		}
	}
	if arch := archOf(c.Platform); Emulated(c.Platform) != "" {
		args = append(args, "--arch="+arch)
	}
	for _, v := range withDefaults(c.Env) {
		args = append(args, "--env="+v)
	}
	for _, m := range c.Mounts {
		host, err := filepath.Abs(m.Host)
		if err != nil {
			return nil, err
		}
		if strings.ContainsAny(host+m.Path, ",\"") {
			return nil, fmt.Errorf("podman can't mount %q", host)
		}
		mount := "type=bind,source=" + host + ",destination=" + m.Path
		if m.ReadOnly {
			mount += ",ro"
		} else if err := os.Chmod(host, 0o777); err != nil {
			return nil, err
		}
		args = append(args, "--mount="+mount)
	}
	return append(append(args, "--rootfs", root+":O"), c.Args...), nil
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct{ *bytes.Buffer }

func (l *lastBytes) Write(p []byte) (int, error) {
	const kept = 4 << 10
	if l.Len() > kept {
		l.Next(l.Len() - kept)
	}
	return l.Buffer.Write(p[max(0, len(p)-kept):])
}
