package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

func engineOf(name string) Engine {
	switch name {
	case "chroot":
		return &chroot{}
	case "podman":
		return podman{}
	default:
		return namespaces{}
	}
}

// try finds out whether an engine works on this machine.
func try(ctx context.Context, e Engine) error {
	if p, ok := e.(podman); ok {
		return p.check(ctx)
	}
	return e.Run(ctx, "", Command{})
}

// refused explains what the kernel did not do for us, and the remedy if a known switch
// is the cause.
func refused(engine, what string, err error) error {
	u := &Unavailable{Engine: engine, Text: what}
	if err != nil {
		u.Text += ": " + err.Error()
	}
	root := os.Geteuid() == 0
	switch {
	case !root && switchIs("kernel/apparmor_restrict_unprivileged_userns", "1"):
		u.Text += "; AppArmor keeps users from making namespaces (kernel.apparmor_restrict_unprivileged_userns is 1)"
		u.Remedy = "allow it: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run distill as root"
	case !root && switchIs("kernel/unprivileged_userns_clone", "0"):
		u.Text += "; only root may make user namespaces (kernel.unprivileged_userns_clone is 0)"
		u.Remedy = "allow it: sudo sysctl -w kernel.unprivileged_userns_clone=1, or run distill as root"
	case switchIs("user/max_user_namespaces", "0"):
		u.Text += "; this machine allows no user namespaces (user.max_user_namespaces is 0)"
		u.Remedy = "allow them: sudo sysctl -w user.max_user_namespaces=10000"
	case inContainer():
		u.Text += "; this container does not allow namespaces"
		u.Remedy = "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined, or with --privileged"
	case !root:
		u.Remedy = "run distill as root, or use --engine podman"
	}
	return u
}

// switchIs reads a setting of the kernel.
func switchIs(name, value string) bool {
	text, err := os.ReadFile("/proc/sys/" + name)
	return err == nil && strings.TrimSpace(string(text)) == value
}

func inContainer() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

// failed is the error for a step that could not be done inside.
func failed(engine, platform string, r report, err error) error {
	if r.Step == stepProgram {
		if err == nil {
			err = errors.New("the kernel refuses it")
		}
		if errors.Is(err, syscall.ENOEXEC) && Emulated(platform) != "" {
			return &Unavailable{Engine: engine, Text: fmt.Sprintf("%s can't run on %s: %s: %v", platform, runtime.GOARCH, r.Text, err), Remedy: binfmtRemedy}
		}
		return &StartError{Program: r.Text, Err: err}
	}
	what := r.Step
	if r.Text != "" {
		what += ": " + r.Text
	}
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.ENOSYS) {
		return refused(engine, what, err)
	}
	if err == nil {
		return fmt.Errorf("sandbox engine %s: %s", engine, what)
	}
	return fmt.Errorf("sandbox engine %s: %s: %w", engine, what, err)
}

const binfmtRemedy = "programs of other architectures need qemu: install qemu-user-static and binfmt-support, or run: docker run --privileged --rm tonistiigi/binfmt --install all"

// binfmtFolder lists how programs of other machines are started.
const binfmtFolder = "/proc/sys/fs/binfmt_misc"

// qemuNames are the names under which the packages of qemu register a Go architecture.
var qemuNames = map[string]string{
	"amd64": "qemu-x86_64", "arm64": "qemu-aarch64", "arm": "qemu-arm", "386": "qemu-i386", "ppc64le": "qemu-ppc64le",
	"s390x": "qemu-s390x", "riscv64": "qemu-riscv64", "loong64": "qemu-loongarch64",
}

// Emulated tells how this machine runs programs of a platform ("linux/arm64", a variant
// may follow): "" if it is its own, else a text for people. It can't always know whether
// the emulator is there: a container does not see what its host has.
func Emulated(platform string) string {
	arch := archOf(platform)
	if arch == runtime.GOARCH || arch == "386" && runtime.GOARCH == "amd64" {
		return ""
	}
	return fmt.Sprintf("emulated: %s programs run through qemu on %s", arch, runtime.GOARCH)
}

func archOf(platform string) string {
	if platform == "" {
		return runtime.GOARCH
	}
	_, rest, _ := strings.Cut(platform, "/")
	arch, _, _ := strings.Cut(rest, "/")
	return arch
}

// runnable finds out whether programs of a platform can be started, as far as the
// kernel tells.
func runnable(engine, platform string) error {
	arch := archOf(platform)
	name := qemuNames[arch]
	if Emulated(platform) == "" {
		return nil
	}
	if _, err := os.Stat(binfmtFolder + "/register"); err != nil {
		return nil // not shown here: the kernel says when it comes to it
	}
	text, err := os.ReadFile(binfmtFolder + "/" + name)
	var what string
	switch {
	case err != nil:
		what = "is not registered with binfmt_misc"
	case !strings.HasPrefix(string(text), "enabled"):
		what = "is registered with binfmt_misc but not enabled"
	case !fixedInterpreter(string(text)):
		what = "is registered with binfmt_misc without the flag F, so that it can't be found inside an image"
	default:
		return nil
	}
	return &Unavailable{
		Engine: engine, Text: fmt.Sprintf("%s can't run on %s: %s %s", platform, runtime.GOARCH, name, what), Remedy: binfmtRemedy,
	}
}

func fixedInterpreter(text string) bool {
	for line := range strings.Lines(text) {
		if flags, ok := strings.CutPrefix(line, "flags:"); ok {
			return strings.Contains(flags, "F")
		}
	}
	return false
}
