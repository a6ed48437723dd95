package sandbox

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/files"
)

// isolating are the engines that every promise is tested with.
var isolating = []string{"namespaces", "chroot"}

// each runs a test once an engine.
func each(t *testing.T, f func(t *testing.T, e Engine)) {
	for _, name := range isolating {
		t.Run(name, func(t *testing.T) { f(t, engineFor(t, name)) })
	}
}

func TestRun(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		root := rootFor(t, e, "amd64", &files.File{Path: "home/app", Mode: os.ModeDir | 0o755, UID: 1000, GID: 1000})
		for _, c := range []struct {
			name    string
			command Command
			args    string
			want    string // "" is not compared
			err     string
		}{
			{"its words", Command{}, "print a b", "a b\n", ""},
			{"its input", Command{Stdin: strings.NewReader("some text")}, "cat", "some text", ""},
			{"no input", Command{}, "cat", "", ""},
			{"its file", Command{}, "read /etc/name", "image", ""},
			{"its folder", Command{Dir: "/etc"}, "read name", "image", ""},
			{"its exit code", Command{}, "exit 7", "", "exit code 7"},
			{"its signal", Command{}, "crash", "", "killed by SIGKILL"},
			{"a fixed environment", Command{Env: []string{"A=1", "B=2=3", "nonsense"}}, "env",
				"A=1\nB=2=3\nHOME=/tmp/home\nLANG=C.UTF-8\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", ""},
			{"an empty home", Command{}, "list /tmp/home", "", ""},
			{"what it may write", Command{ReadOnly: true}, "write /tmp/home/x", "", ""},
			{"nothing open", Command{}, "files", "", ""},
		} {
			if c.args == "files" && e.Name() == "chroot" {
				continue // it has no /proc to see them in
			}
			out, err := run(t, e, root, c.command, strings.Fields(c.args)...)
			if c.want != "" && out != c.want || c.want == "" && c.err == "" && out != "" {
				t.Errorf("%s: output %q", c.name, out)
			}
			if text := errText(err); text != c.err {
				t.Errorf("%s: %s\n%s", c.name, text, out)
			}
		}
		if err := e.Run(t.Context(), root, Command{Args: []string{"nothing"}}); err == nil || !strings.Contains(err.Error(), "starting the program nothing: no such file") {
			t.Errorf("a missing program: %v", err)
		}
	})
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestNothingOfTheCaller(t *testing.T) {
	secret := "hunter2hunter2"
	t.Setenv("TOKEN", secret)
	home := t.TempDir()
	os.WriteFile(filepath.Join(home, "netrc"), []byte(secret), 0o644)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	each(t, func(t *testing.T, e Engine) {
		root := rootFor(t, e, "amd64")
		for _, args := range [][]string{{"env"}, {"read", "/proc/1/environ"}, {"read", "/proc/self/environ"}, {"read", filepath.Join(home, "netrc")}, {"processes"}} {
			if out, _ := run(t, e, root, Command{}, args...); strings.Contains(out, secret) {
				t.Errorf("%v shows what is the caller's: %q", args, out)
			}
		}
		for _, args := range [][]string{{"dial", "tcp", l.Addr().String()}, {"dial", "tcp", "1.1.1.1:80"}, {"dial", "udp", "1.1.1.1:53"}} {
			if out, err := run(t, e, root, Command{}, args...); err == nil {
				t.Errorf("%v reaches the network: %q", args, out)
			}
		}
	})
}

func TestRootStaysAsItIs(t *testing.T) {
	e := engineFor(t, "namespaces")
	root := rootFor(t, e, "amd64")
	before := tree(t, root)
	if out, err := run(t, e, root, Command{}, "write", "/etc/name"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := run(t, e, root, Command{}, "write", "/new"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := run(t, e, root, Command{ReadOnly: true}, "write", "/etc/name"); err == nil || !strings.Contains(out, "read-only") {
		t.Errorf("a read-only root: %v: %s", err, out)
	}
	if out, err := run(t, e, root, Command{ReadOnly: true, Writable: []string{"/var/data"}}, "write", "/var/data/x"); err != nil {
		t.Errorf("a writable folder: %v: %s", err, out)
	}
	if after := tree(t, root); after != before {
		t.Errorf("the root was\n%s\nand is\n%s", before, after)
	}
}

// tree lists a folder with the contents of its small files.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		b.WriteString(strings.TrimPrefix(p, dir) + " " + info.Mode().String())
		if info.Mode().IsRegular() && info.Size() < 1000 {
			text, _ := os.ReadFile(p)
			b.WriteString(" " + string(text))
		}
		b.WriteString("\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestWithoutOverlay has a kernel that refuses it.
func TestWithoutOverlay(t *testing.T) {
	if _, ok := engineFor(t, "namespaces").(namespaces); !ok {
		t.Fatal("another engine")
	}
	e := namespaces{parts: true}
	root := rootFor(t, e, "amd64", &files.File{Path: "lib", Mode: os.ModeSymlink | 0o777, Link: "bin"}, file("top", "text", 0o644))
	before := tree(t, root)
	out := t.TempDir()
	c := Command{Mounts: []Mount{{Host: out, Path: "/mnt/out"}}, Writable: []string{"/srv"}}
	for _, w := range []struct{ args, out, err string }{
		{"read /etc/name", "image", ""},
		{"read /top", "text", ""},
		{"write /tmp/x", "", ""},
		{"write /tmp/home/x", "", ""},
		{"write /srv/x", "", ""},
		{"write /mnt/out/x", "", ""},
		{"write /etc/name", "open /etc/name: read-only file system\n", "exit code 3"},
		{"list /lib", "program\n", ""},
	} {
		if got, err := run(t, e, root, c, strings.Fields(w.args)...); got != w.out || errText(err) != w.err {
			t.Errorf("%s: %q, %v", w.args, got, err)
		}
	}
	if after := tree(t, root); after != before {
		t.Errorf("the root was\n%s\nand is\n%s", before, after)
	}
}

func TestMounts(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		root := rootFor(t, e, "amd64")
		in, out := t.TempDir(), t.TempDir()
		os.Chmod(in, 0o755)
		os.WriteFile(filepath.Join(in, "given"), []byte("given"), 0o644)
		mounts := []Mount{{Host: in, Path: "/mnt/in", ReadOnly: true}, {Host: out, Path: "/mnt/out"}, {Host: filepath.Join(in, "given"), Path: "/mnt/file", ReadOnly: true}}
		for _, args := range [][]string{{"read", "/mnt/in/given"}, {"read", "/mnt/file"}} {
			if text, err := run(t, e, root, Command{Mounts: mounts}, args...); err != nil || text != "given" {
				t.Errorf("%v: %q, %v", args, text, err)
			}
		}
		for _, path := range []string{"/mnt/in/given", "/mnt/in/x", "/mnt/file"} {
			if _, err := run(t, e, root, Command{Mounts: mounts}, "write", path); err == nil {
				t.Errorf("%s was written", path)
			}
		}
		if text, err := run(t, e, root, Command{Mounts: mounts, ReadOnly: true}, "write", "/mnt/out/made"); err != nil {
			t.Errorf("%v: %s", err, text)
		}
		if text, err := os.ReadFile(filepath.Join(out, "made")); err != nil || string(text) != "written" {
			t.Errorf("what came out: %q, %v", text, err)
		}
	})
}

// TestLinksStayInside has an image whose folders lead out of it.
func TestLinksStayInside(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		outside := t.TempDir()
		os.Chmod(outside, 0o777)
		link := func(path, to string) *files.File {
			return &files.File{Path: path, Mode: os.ModeSymlink | 0o777, Link: to}
		}
		root := rootFor(t, e, "amd64", link("proc", outside), link("dev", outside), link("tmp", outside), link("data", "../../../.."+outside), link("mnt", outside))
		c := Command{ReadOnly: true, Writable: []string{"/data/x"}, Dir: "/data", Mounts: []Mount{{Host: t.TempDir(), Path: "/mnt/a"}}}
		out, err := run(t, e, root, c, "print", "ran")
		t.Logf("%q, %v", out, err) // that it is refused is as good
		list, _ := os.ReadDir(outside)
		if len(list) != 0 {
			t.Errorf("something was made outside: %v", list)
		}
	})
}

func TestLimits(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		root := rootFor(t, e, "amd64")
		for _, c := range []struct {
			args   []string
			limits Limits
			want   string
		}{
			{[]string{"sleep"}, Limits{Time: time.Second}, "stopped: over its limit of time (1s)"},
			{[]string{"stubborn"}, Limits{Time: time.Second}, "stopped: over its limit of time (1s)"},
			{[]string{"memory"}, Limits{Memory: 200 << 20}, "stopped: over its limit of memory (200 MiB)"},
			{[]string{"fork"}, Limits{Processes: 100, Time: 20 * time.Second}, "stopped: over its limit of processes (100)"},
			{[]string{"fill", "/tmp"}, Limits{Disk: 64 << 20}, map[bool]string{true: "exit code 3, and its disk of 64 MiB is full", false: "stopped: over its limit of disk (64 MiB)"}[e.Name() == "namespaces"]},
		} {
			start := time.Now()
			out, err := run(t, e, root, Command{Limits: c.limits}, c.args...)
			if errText(err) != c.want {
				t.Errorf("%v: %v, want %s: %.200s", c.args, err, c.want, out)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("%v took %s", c.args, d)
			}
		}
		out := t.TempDir()
		_, err := run(t, e, root, Command{Limits: Limits{Disk: 64 << 20}, Mounts: []Mount{{Host: out, Path: "/out"}}}, "fill", "/out")
		if err == nil || !strings.Contains(err.Error(), "disk") {
			t.Errorf("filling a mount: %v", err)
		}
	})
}

func TestNothingIsLeft(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		root := rootFor(t, e, "amd64")
		out := t.TempDir()
		c := Command{Mounts: []Mount{{Host: out, Path: "/out"}}}
		text, err := run(t, e, root, c, "daemon", "/out/alive")
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		name := filepath.Join(out, "alive")
		first, _ := os.ReadFile(name)
		time.Sleep(100 * time.Millisecond)
		if second, _ := os.ReadFile(name); !bytes.Equal(first, second) {
			t.Errorf("a daemon is still there: %s, %s", first, second)
		}
	})
}

func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		root := rootFor(t, e, "amd64")
		out := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		start := time.Now()
		err := e.Run(ctx, root, Command{Args: []string{"program", "haunt", "/out/alive"}, Mounts: []Mount{{Host: out, Path: "/out"}}})
		if !errors.Is(err, context.Canceled) || time.Since(start) > 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		first, _ := os.ReadFile(filepath.Join(out, "alive"))
		time.Sleep(100 * time.Millisecond)
		if second, _ := os.ReadFile(filepath.Join(out, "alive")); !bytes.Equal(first, second) {
			t.Error("it is still there")
		}
	})
}

// TestKilledSupervisor ends the process that started it, as kill -9 and the kernel do.
func TestKilledSupervisor(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		root := rootFor(t, e, "amd64")
		out := t.TempDir()
		name := filepath.Join(out, "alive")
		c := exec.Command("/proc/self/exe")
		c.Args = []string{"victim", e.Name(), root, out}
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// The chroot engine shows nothing outside before the end: look where it runs.
		if e.Name() == "chroot" {
			name = filepath.Join(root, "out/alive")
		}
		for range 200 {
			if _, err := os.Stat(name); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		c.Process.Kill()
		c.Wait()
		time.Sleep(500 * time.Millisecond)
		first, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		if second, _ := os.ReadFile(name); !bytes.Equal(first, second) {
			t.Errorf("it is still there: %s, %s", first, second)
		}
	})
}

func TestPowers(t *testing.T) {
	each(t, func(t *testing.T, e Engine) {
		root := rootFor(t, e, "amd64")
		for _, u := range []User{{}, {UID: 1000, GID: 1000}} {
			out, err := run(t, e, root, Command{User: u}, "status")
			if err != nil && e.Name() != "chroot" {
				t.Fatal(err)
			}
			if e.Name() == "chroot" {
				out = "" // it has no /proc to see them in
			}
			for line := range strings.Lines(out) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
				want := map[bool]string{true: "0000000000000000", false: "1"}[strings.HasPrefix(name, "Cap")]
				if name == "Seccomp" {
					want = "2"
				}
				if strings.TrimSpace(value) != want {
					t.Errorf("user %v: %s is %s", u, name, value)
				}
			}
			out, err = run(t, e, root, Command{User: u}, "escape")
			if out != "" {
				t.Errorf("user %v: %v: %s", u, err, out)
			}
		}
	})
}

func TestUsers(t *testing.T) {
	e := engineFor(t, "namespaces")
	if !e.Owners().Keep {
		t.Skip("all files are the caller's: needs root")
	}
	root := rootFor(t, e, "amd64", &files.File{Path: "srv", Mode: os.ModeDir | 0o755, UID: 1000, GID: 1000}, file("etc/shadow", "secret", 0o600))
	app := Command{User: User{1000, 1000}, Dir: "/srv"}
	if out, err := run(t, e, root, app, "who"); out != "1000 1000 /srv sandbox true\n" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := run(t, e, root, app, "write", "/srv/x"); err != nil {
		t.Errorf("its own folder: %v: %s", err, out)
	}
	for _, args := range [][]string{{"write", "/etc/name"}, {"read", "/etc/shadow"}, {"write", "/x"}} {
		if out, err := run(t, e, root, app, args...); err == nil {
			t.Errorf("%v works for a user: %s", args, out)
		}
	}
	if out, err := run(t, e, root, Command{}, "read", "/etc/shadow"); out != "secret" {
		t.Errorf("root: %q, %v", out, err)
	}
}

func TestEmulated(t *testing.T) {
	e := engineFor(t, "namespaces")
	root := rootFor(t, e, "arm64")
	out, err := run(t, e, root, Command{Platform: "linux/arm64/v8"}, "print", "hello")
	var u *Unavailable
	if errors.As(err, &u) {
		if !strings.Contains(u.Remedy, "qemu-user-static") {
			t.Errorf("%v has no remedy: %q", err, u.Remedy)
		}
		t.Skipf("no emulator here: %v", err)
	}
	if err != nil || out != "hello\n" {
		t.Errorf("%q, %v", out, err)
	}
	for platform, want := range map[string]string{
		"": "", "linux/amd64": "", "linux/arm64/v8": "emulated: arm64 programs run through qemu on amd64",
	} {
		if got := Emulated(platform); got != want {
			t.Errorf("Emulated(%q) is %q", platform, got)
		}
	}
}

func TestPodman(t *testing.T) {
	if os.Getenv("DISTILL_E2E") == "" {
		t.Skip("starts containers: set DISTILL_E2E=1")
	}
	e := engineFor(t, "podman")
	root := rootFor(t, e, "amd64")
	in, made := t.TempDir(), t.TempDir()
	os.WriteFile(filepath.Join(in, "given"), []byte("given"), 0o644)
	os.Chmod(in, 0o755)
	mounts := []Mount{{Host: in, Path: "/mnt/in", ReadOnly: true}, {Host: made, Path: "/mnt/out"}}
	t.Setenv("TOKEN", "hunter2hunter2")
	for _, c := range []struct{ args, out, err string }{
		{"print a", "a\n", ""},
		{"exit 7", "", "exit code 7"},
		{"read /mnt/in/given", "given", ""},
		{"write /mnt/in/x", "open /mnt/in/x: read-only file system\n", "exit code 3"},
		{"write /mnt/out/x", "", ""},
		{"write /etc/name", "", ""},
		{"dial tcp 1.1.1.1:80", "dial tcp 1.1.1.1:80: connect: network is unreachable\n", "exit code 3"},
		{"stubborn", "", "stopped: over its limit of time (5s)"},
	} {
		out, err := run(t, e, root, Command{Mounts: mounts, Limits: Limits{Time: 5 * time.Second}}, strings.Fields(c.args)...)
		if out != c.out || errText(err) != c.err {
			t.Errorf("%s: %q, %v", c.args, out, err)
		}
	}
	if out, _ := run(t, e, root, Command{Mounts: mounts}, "env"); strings.Contains(out, "hunter2") {
		t.Errorf("it sees the caller's environment: %s", out)
	}
	if text, _ := os.ReadFile(filepath.Join(root, "etc/name")); string(text) != "image" {
		t.Error("the root was changed")
	}
	if _, err := os.Stat(filepath.Join(made, "x")); err != nil {
		t.Error(err)
	}
	if out, err := run(t, e, rootFor(t, e, "arm64"), Command{Platform: "linux/arm64"}, "print", "a"); out != "a\n" {
		t.Logf("emulated: %q, %v", out, err)
	}
}

func TestRunIsSafeForSeveralGoroutines(t *testing.T) {
	e := engineFor(t, "namespaces")
	root := rootFor(t, e, "amd64")
	errs := make(chan error, 8)
	for range 8 {
		go func() {
			var b bytes.Buffer
			err := e.Run(t.Context(), root, Command{Args: []string{"program", "write", "/etc/name"}, Stderr: &b})
			if err != nil {
				err = errors.New(err.Error() + b.String())
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestHomeInMount has HOME and the working folder in a folder that is mounted.
func TestHomeInMount(t *testing.T) {
	check := func(t *testing.T, e Engine) {
		root := rootFor(t, e, "amd64")
		out := t.TempDir()
		if err := os.Mkdir(filepath.Join(out, "home"), 0o777); err != nil {
			t.Fatal(err)
		}
		os.Chmod(filepath.Join(out, "home"), 0o777)
		c := Command{Mounts: []Mount{{Host: out, Path: "/mnt/out"}}, ReadOnly: true, Env: []string{"HOME=/mnt/out/home"}, Dir: "/mnt/out"}
		if text, err := run(t, e, root, c, "write", "/mnt/out/home/made"); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if text, err := os.ReadFile(filepath.Join(out, "home", "made")); err != nil || string(text) != "written" {
			t.Errorf("what came out: %q, %v", text, err)
		}
	}
	each(t, check)
	t.Run("without overlay", func(t *testing.T) {
		e := namespaces{parts: true}
		if err := try(t.Context(), e); err != nil {
			t.Skip(err)
		}
		check(t, e)
	})
}
