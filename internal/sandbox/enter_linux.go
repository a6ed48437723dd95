package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// The descriptors of the process inside: the job comes on one, which closes when the
// supervisor is gone, and reports go out on the other.
const (
	jobFD    = 3
	reportFD = 4
)

// programName is argv[0] of the process that becomes the program.
const programName = "distill-program"

// setUpCaps is what laying out the namespaces takes: all of it is dropped before the
// program starts.
var setUpCaps = []uintptr{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP,
	unix.CAP_NET_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_SYS_ADMIN, unix.CAP_SYS_RESOURCE, unix.CAP_SYS_PTRACE,
}

// Enter must be the first call of main: in a process that an engine started, which is
// the program's own file under another name, it does its part and never returns; in
// every other process it returns at once.
func Enter() {
	switch os.Args[0] {
	case insideName:
		inside()
	case programName:
		becomeProgram()
	}
}

// inside is process 1 of the namespaces.
func inside() {
	runtime.LockOSThread()
	// Nothing that we were started with but the standard streams goes further, and no
	// program inside may look into this process.
	must("closing files", closeOnExec())
	must("hiding", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
	in := os.NewFile(jobFD, "job")
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		stop(report{Step: "reading the job", Text: err.Error()})
	}
	pid, program, err := startProgram()
	must("starting a process", err)
	go func() { // the supervisor is gone
		_, _ = io.Copy(io.Discard, in)
		killAll(&j)
		os.Exit(1)
	}()
	if j.Chroot {
		must("becoming the parent of orphans", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	} else {
		layOut(&j)
	}
	if j.Root == "" {
		stop(report{})
	}
	must("starting a process", json.NewEncoder(program).Encode(&j))
	program.Close()
	watch(&j, pid)
}

// closeOnExec keeps what we were started with from every program that we start.
func closeOnExec() error {
	err := unix.CloseRange(jobFD, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	list, err := os.ReadDir("/proc/self/fd") // Linux before 5.11
	for _, e := range list {
		if n, err := strconv.Atoi(e.Name()); err == nil && n >= jobFD {
			unix.CloseOnExec(n)
		}
	}
	return err
}

func must(step string, err error) {
	if err == nil {
		return
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		stop(report{Step: step, Errno: int(errno)})
	}
	stop(report{Step: step, Text: err.Error()})
}

// stop sends the last report and ends the process.
func stop(r report) {
	send(r)
	os.Exit(0)
}

func send(r report) {
	if b, err := json.Marshal(r); err == nil {
		_, _ = unix.Write(reportFD, append(b, '\n'))
	}
}
