package sandbox

import (
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watchEvery is how often memory and processes are counted: a program fills about
// 100 MiB in that time.
const watchEvery = 25 * time.Millisecond

// watch runs the program, reaps all processes, and ends them when a limit is reached.
func watch(j *job, pid int) {
	var limit atomic.Pointer[string]
	done := make(chan struct{})
	go func() {
		w := watcher{job: j, deadline: time.Now().Add(j.Limits.Time)}
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				if name := w.over(now); name != "" {
					limit.CompareAndSwap(nil, &name)
				}
				if limit.Load() != nil {
					killAll(j)
				}
			}
		}
	}()
	var status syscall.WaitStatus
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || got == pid {
			status = ws
			break
		}
	}
	close(done)
	r := report{Status: int(status)}
	if name := limit.Load(); name != nil {
		r.Limit = *name
	} else if status != 0 && !j.Chroot && diskFull() {
		r.Limit = limitDisk
	}
	killAll(j)
	stop(r)
}

// diskFull tells whether nothing more can be written to the root.
func diskFull() bool {
	for _, at := range []string{"/tmp", "/"} {
		var st unix.Statfs_t
		if unix.Statfs(at, &st) == nil && st.Blocks > 0 && st.Bavail < 8 {
			return true
		}
	}
	return false
}

// watcher tells when a job is over a limit.
type watcher struct {
	job      *job
	deadline time.Time
	measure  time.Time // when to look at the disk again
}

// over returns the name of a limit that is passed, or "".
func (w *watcher) over(now time.Time) string {
	list := below(processTable(), selfPID())
	u := usageOf(list)
	switch l := w.job.Limits; {
	case now.After(w.deadline):
		return limitTime
	case u.memory > l.Memory:
		return limitMemory
	case u.threads > l.Processes:
		return limitProcesses
	case now.After(w.measure):
		name := w.overMeasured(list, u)
		// A tree of many files is measured less often.
		w.measure = now.Add(max(4*watchEvery, 10*time.Since(now)))
		return name
	}
	return ""
}

// overMeasured is the part of over that takes longer: what is not in /proc/PID/stat.
func (w *watcher) overMeasured(list []process, u usage) string {
	l := w.job.Limits
	h := hiddenUse(list, devicesOf(w.job.Measured))
	if size := h.disk + diskUse(w.job.Measured, l.Disk-h.disk); size > l.Disk {
		return limitDisk
	}
	if !w.job.Chroot { // else others use them, too
		h.memory += sysvUse(readInto(make([]byte, 64<<10), "/proc/sysvipc/shm"))
	}
	if u.memory+h.memory > l.Memory {
		return limitMemory
	}
	if u.memory+u.shared > l.Memory && u.memory+sharedUse(list) > l.Memory {
		return limitMemory
	}
	return ""
}

// killAll ends every process inside but this one.
func killAll(j *job) {
	if !j.Chroot {
		_ = syscall.Kill(-1, syscall.SIGKILL)
		return
	}
	// Processes that are stopped make no new ones while the others are looked for.
	for range 100 {
		list := below(processTable(), selfPID())
		if len(list) == 0 {
			return
		}
		for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
			for _, p := range list {
				_ = syscall.Kill(p.pid, sig)
			}
		}
	}
}

// process is what /proc tells of one.
type process struct {
	pid, parent, threads int
	memory               int64 // bytes that it does not share
	shared               int64 // bytes of files and shared memory
	dead                 bool
}

// selfPID is our number as /proc counts, which may be that of other namespaces.
func selfPID() int {
	name, err := os.Readlink("/proc/self")
	if err != nil {
		return os.Getpid()
	}
	n, _ := strconv.Atoi(name)
	return n
}

// maxProcesses bounds one look at /proc.
const maxProcesses = 100_000

func processTable() []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	var out []process
	buf := make([]byte, 1024)
	for len(out) < maxProcesses {
		names, err := dir.Readdirnames(1000)
		for _, name := range names {
			if pid, err := strconv.Atoi(name); err == nil {
				if p, ok := parseStat(readInto(buf, "/proc/"+name+"/stat")); ok {
					p.pid = pid
					p.memory, p.shared = parseMemory(readInto(buf, "/proc/"+name+"/statm"))
					out = append(out, p)
				}
			}
		}
		if err != nil {
			break
		}
	}
	return out
}

func readInto(buf []byte, name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	n, err := io.ReadFull(f, buf)
	if err != nil && err != io.ErrUnexpectedEOF {
		return ""
	}
	return string(buf[:n])
}

// parseStat reads /proc/PID/stat (proc_pid_stat(5)), in which a program has chosen the
// second field.
func parseStat(text string) (p process, ok bool) {
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return process{}, false
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) < 18 {
		return process{}, false
	}
	p.dead = fields[0] == "Z" || fields[0] == "X"
	p.parent, _ = strconv.Atoi(fields[1])
	p.threads, _ = strconv.Atoi(fields[17])
	return p, true
}

// parseMemory reads /proc/PID/statm: the bytes resident without those of files and
// shared memory, and these.
func parseMemory(text string) (own, shared int64) {
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return 0, 0
	}
	page := int64(os.Getpagesize())
	resident, _ := strconv.ParseInt(fields[1], 10, 64)
	shared, _ = strconv.ParseInt(fields[2], 10, 64)
	return max(resident-shared, 0) * page, max(shared, 0) * page
}

// below returns the living processes that descend from one.
func below(table []process, ancestor int) []process {
	children := map[int][]process{}
	for _, p := range table {
		children[p.parent] = append(children[p.parent], p)
	}
	var out []process
	queue := []int{ancestor}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for _, p := range children[next] {
			if p.pid == ancestor || p.pid == next {
				continue
			}
			queue = append(queue, p.pid)
			if !p.dead {
				out = append(out, p)
			}
		}
	}
	return out
}

// usage is what processes use together; what they share is counted for each of them.
type usage struct {
	memory, shared int64
	threads        int
}

func usageOf(list []process) (u usage) {
	for _, p := range list {
		u.memory += p.memory
		u.shared += p.shared
		u.threads += p.threads
	}
	return u
}
