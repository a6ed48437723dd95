// Command program does one thing, as its arguments say, some of them hostile.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	act, ok := acts[os.Args[1]]
	if !ok {
		fail(fmt.Errorf("no such act: %s", os.Args[1]))
	}
	if err := act(os.Args[2:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(3)
}

var acts = map[string]func([]string) error{
	"print": func(a []string) error { fmt.Println(strings.Join(a, " ")); return nil },
	"exit":  func(a []string) error { n, _ := strconv.Atoi(a[0]); os.Exit(n); return nil },
	"cat":   func([]string) error { _, err := io.Copy(os.Stdout, os.Stdin); return err },
	"env": func([]string) error {
		list := os.Environ()
		sort.Strings(list)
		fmt.Println(strings.Join(list, "\n"))
		return nil
	},
	"read": func(a []string) error {
		b, err := os.ReadFile(a[0])
		fmt.Print(string(b))
		return err
	},
	"write": func(a []string) error { return os.WriteFile(a[0], []byte("written"), 0o644) },
	"list": func(a []string) error {
		list, err := os.ReadDir(a[0])
		for _, e := range list {
			fmt.Println(e.Name())
		}
		return err
	},
	"who": func([]string) error {
		dir, err := os.Getwd()
		host, _ := os.Hostname()
		fmt.Println(os.Getuid(), os.Getgid(), dir, host, os.Getpid() != 1)
		return err
	},
	"status": func([]string) error {
		b, err := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "Cap") || strings.HasPrefix(line, "NoNewPrivs") || strings.HasPrefix(line, "Seccomp:") {
				fmt.Print(line)
			}
		}
		return err
	},
	"files": func([]string) error { // what is open that nobody gave us
		list, err := os.ReadDir("/proc/self/fd")
		for _, e := range list {
			if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && e.Name() > "2" {
				fmt.Println(e.Name(), to)
			}
		}
		return err
	},
	"processes": func([]string) error {
		list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, name := range list {
			b, _ := os.ReadFile(name)
			fmt.Println(strings.ReplaceAll(string(b), "\x00", " "))
		}
		return nil
	},
	"dial": func(a []string) error {
		c, err := net.DialTimeout(a[0], a[1], 3*time.Second)
		if err == nil {
			c.Close()
		}
		return err
	},
	"loopback": func([]string) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			c.Close()
		}
		return err
	},
	"sleep": func([]string) error { time.Sleep(time.Hour); return nil },
	"stubborn": func([]string) error {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		time.Sleep(time.Hour)
		return nil
	},
	"crash": func([]string) error {
		signal.Reset(syscall.SIGSEGV)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Second)
		return nil
	},
	"fork": func([]string) error { // without end
		for {
			c := exec.Command("/bin/program", "fork")
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if c.Start() != nil {
				time.Sleep(time.Millisecond)
			}
		}
	},
	"daemon": func(a []string) error { // leaves a process that outlives its parent
		c := exec.Command("/bin/program", "haunt", a[0])
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		return c.Start()
	},
	"haunt": func(a []string) error {
		for {
			os.WriteFile(a[0], []byte(time.Now().String()), 0o644)
			time.Sleep(10 * time.Millisecond)
		}
	},
	"memory": func([]string) error {
		var all [][]byte
		for {
			b := make([]byte, 16<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
			_ = all
		}
	},
	"fill": func(a []string) error { // writes to files until it can't
		b := make([]byte, 1<<20)
		for i := 0; ; i++ {
			f, err := os.Create(filepath.Join(a[0], strconv.Itoa(i)))
			if err != nil {
				return err
			}
			for range 8 {
				if _, err := f.Write(b); err != nil {
					return err
				}
			}
			f.Close()
		}
	},
	"escape": func(a []string) error { // out of the root, in the ways that are known
		for range 20 {
			os.Chdir("..")
		}
		os.WriteFile("escaped", []byte("x"), 0o644)
		syscall.Mount("none", "/", "", syscall.MS_REMOUNT, "")
		syscall.Unmount("/", syscall.MNT_DETACH)
		syscall.Mknod("/disk", syscall.S_IFBLK|0o666, 0xfe00)
		if _, err := os.Open("/disk"); err == nil {
			fmt.Println("opened a disk")
		}
		if syscall.Chroot("/tmp") == nil {
			fmt.Println("changed the root")
		}
		if syscall.Sethostname([]byte("x")) == nil {
			fmt.Println("changed the host name")
		}
		if syscall.Setuid(0) == nil && os.Getuid() == 0 && len(a) > 0 {
			fmt.Println("became root")
		}
		if syscall.Unshare(syscall.CLONE_NEWUSER) == nil {
			fmt.Println("made a user namespace")
		}
		for _, name := range []string{"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/1/mem", "/proc/1/environ", "/proc/sys/kernel/hostname"} {
			if f, err := os.OpenFile(name, os.O_WRONLY, 0); err == nil {
				fmt.Println("may write", name)
				f.Close()
			}
		}
		if b, err := os.ReadFile("/proc/1/environ"); err == nil {
			fmt.Println("reads the supervisor's environment", len(b))
		}
		syscall.Kill(1, syscall.SIGKILL)
		syscall.Kill(-1, syscall.SIGSTOP)
		if err := syscall.PtraceAttach(1); err == nil {
			fmt.Println("traces the supervisor")
		}
		return nil
	},
}
