package sandbox

import (
	"encoding/json"
	"errors"
	"os"
	"path"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// readyFD is where the process that becomes the program says that it is loaded.
const readyFD = 5

// startProgram starts the process that becomes the program once it has read the job,
// and waits until it is loaded: where the program runs there may be none of the
// libraries that we need.
func startProgram() (pid int, job *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	ready, loaded, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	defer ready.Close()
	pid, err = syscall.ForkExec("/proc/self/exe", []string{programName}, &syscall.ProcAttr{
		Env:   []string{"GOMAXPROCS=1", "GOTRACEBACK=none"},
		Files: []uintptr{0, 1, 2, r.Fd(), reportFD, loaded.Fd()},
	})
	loaded.Close()
	if err == nil {
		_, err = ready.Read(make([]byte, 1))
	}
	return pid, w, err
}

// becomeProgram gives up every power and turns into the program.
func becomeProgram() {
	runtime.LockOSThread()
	must("closing files", closeOnExec())
	_, _ = unix.Write(readyFD, []byte{1})
	unix.Close(readyFD)
	var j job
	if err := json.NewDecoder(os.NewFile(jobFD, "job")).Decode(&j); err != nil {
		os.Exit(1) // there is no program to run: process 1 has said why
	}
	// When memory runs out the kernel ends this and nothing else.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	setLimits(&j)
	if j.Chroot {
		must("changing the root", unix.Chroot(j.Root))
	}
	must("entering the root", os.Chdir("/"))
	dropPowers(&j)
	unix.Umask(0o022)
	if j.Dir != "" {
		must("entering "+j.Dir, os.Chdir(j.Dir))
	}
	program, err := lookUp(&j)
	if err == nil {
		err = syscall.Exec(program, j.Args, j.Env)
	}
	var errno syscall.Errno
	errors.As(err, &errno)
	stop(report{Step: stepProgram, Text: program, Errno: int(errno)})
}

// setLimits sets what the kernel itself looks after; the rest is watched.
func setLimits(j *job) {
	limit := func(what int, n uint64) {
		var old unix.Rlimit
		if unix.Getrlimit(what, &old) == nil && old.Max < n {
			n = old.Max
		}
		must("setting limits", unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n}))
	}
	limit(unix.RLIMIT_CORE, 0)
	limit(unix.RLIMIT_FSIZE, uint64(j.Limits.Disk))
	limit(unix.RLIMIT_NOFILE, 4096)
	limit(unix.RLIMIT_MEMLOCK, 1<<20)
	limit(unix.RLIMIT_MSGQUEUE, 1<<20)
	limit(unix.RLIMIT_CPU, uint64(j.Limits.Time.Seconds())*8+60)
	if j.CountsInside {
		// Some more than allowed, so that the watch sees it and can say why.
		limit(unix.RLIMIT_NPROC, uint64(j.Limits.Processes)*5/4+16)
	}
}

// dropPowers takes the user of the command, and every capability for good.
func dropPowers(j *job) {
	for c := uintptr(0); c <= 63; c++ {
		if unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0) != nil {
			break // behind the last one, or not ours to drop
		}
	}
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	if os.Getuid() != j.User.UID || os.Getgid() != j.User.GID || j.Chroot {
		must("leaving groups", syscall.Setgroups(nil))
		must("changing the group", syscall.Setresgid(j.User.GID, j.User.GID, j.User.GID))
		must("changing the user", syscall.Setresuid(j.User.UID, j.User.UID, j.User.UID))
	}
	must("forbidding new privileges", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	var none [2]unix.CapUserData
	must("dropping capabilities", unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]))
	must("filtering system calls", filterCalls(j))
}

// lookUp finds the program as a shell would.
func lookUp(j *job) (string, error) {
	name := j.Args[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	var found error = unix.ENOENT
	for _, v := range j.Env {
		list, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range strings.Split(list, ":") {
			at := path.Join("/", j.Dir, name)
			if dir != "" {
				at = path.Join(dir, name)
			}
			switch err := unix.Access(at, unix.X_OK); err {
			case nil:
				if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
					return at, nil
				}
			case unix.EACCES:
				found = err
			}
		}
	}
	return name, found
}
