package sandbox

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxDepth is how many folders may stand in each other; a path of the kernel's longest
// (PATH_MAX) has so many only if their names are short.
const maxDepth = 256

// diskUse adds up what stands in folders, until it is more than enough. Folders within
// each other without end are more than enough: they would hide what is in them.
func diskUse(dirs []string, enough int64) int64 {
	w := diskWalk{enough: enough}
	for _, dir := range dirs {
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil {
			w.folder(fd, 0)
		}
	}
	return w.size
}

// diskWalk goes by descriptors, since a path can be longer than the kernel takes.
type diskWalk struct{ size, enough int64 }

// folder adds what stands in an open folder, which it closes.
func (w *diskWalk) folder(fd, depth int) {
	dir := os.NewFile(uintptr(fd), "folder")
	defer dir.Close()
	if depth > maxDepth {
		w.size = w.enough + 1
	}
	for w.size <= w.enough {
		names, err := dir.Readdirnames(1000)
		for _, name := range names {
			w.entry(fd, name, depth)
		}
		if err != nil {
			return
		}
	}
}

func (w *diskWalk) entry(fd int, name string, depth int) {
	var st unix.Stat_t
	if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return
	}
	w.size += st.Blocks*512 + 512 // an empty file costs too
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || w.size > w.enough {
		return
	}
	if sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
		w.folder(sub, depth+1)
	}
}

// devicesOf returns the file systems of folders.
func devicesOf(dirs []string) map[uint64]bool {
	out := map[uint64]bool{}
	for _, dir := range dirs {
		var st unix.Stat_t
		if unix.Stat(dir, &st) == nil {
			out[uint64(st.Dev)] = true //nolint:unconvert // 32 bits wide on some architectures
		}
	}
	return out
}

// hidden is what processes hold that stands in no folder.
type hidden struct{ disk, memory int64 }

// maxDescriptors bounds how many open files are looked at.
const maxDescriptors = 100_000

// hiddenUse adds up the open files without a name: those deleted on the given file
// systems, and those of memfd_create. Each counts once, whoever has it open.
func hiddenUse(list []process, devices map[uint64]bool) (h hidden) {
	type file struct{ device, inode uint64 }
	seen := map[file]bool{}
	left := maxDescriptors
	for _, p := range list {
		at := "/proc/" + strconv.Itoa(p.pid) + "/fd"
		dir, err := os.Open(at)
		if err != nil {
			continue
		}
		names, _ := dir.Readdirnames(left)
		dir.Close()
		for _, name := range names {
			var st unix.Stat_t
			if unix.Stat(at+"/"+name, &st) != nil || st.Nlink != 0 || st.Mode&unix.S_IFMT != unix.S_IFREG {
				continue
			}
			f := file{uint64(st.Dev), st.Ino} //nolint:unconvert // 32 bits wide on some architectures
			if seen[f] {
				continue
			}
			seen[f] = true
			if devices[f.device] {
				h.disk += st.Blocks * 512
			} else if to, err := os.Readlink(at + "/" + name); err == nil && strings.HasPrefix(to, "/memfd:") {
				h.memory += st.Blocks * 512
			}
		}
		if left -= len(names); left <= 0 {
			break
		}
	}
	return h
}

// sysvUse reads /proc/sysvipc/shm: the bytes resident of all segments of shmget(2).
func sysvUse(text string) (size int64) {
	column := -1
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if column < 0 {
			for i, name := range fields {
				if name == "rss" {
					column = i
				}
			}
			if column < 0 {
				return 0
			}
			continue
		}
		if column < len(fields) {
			n, _ := strconv.ParseInt(fields[column], 10, 64)
			size += max(n, 0)
		}
	}
	return size
}

// sharedUse adds up the shared memory of processes, each page for all that have it
// together (Pss_Shmem of smaps_rollup, since Linux 5.1; 0 before).
func sharedUse(list []process) (size int64) {
	for _, p := range list {
		f, err := os.Open("/proc/" + strconv.Itoa(p.pid) + "/smaps_rollup")
		if err != nil {
			continue
		}
		s := bufio.NewScanner(f)
		for s.Scan() {
			if rest, ok := strings.CutPrefix(s.Text(), "Pss_Shmem:"); ok {
				n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
				size += max(n, 0) << 10
			}
		}
		f.Close()
	}
	return size
}
