package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// layout is the new root while it is put together. The image decides what its paths
// are, symbolic links included, so every path in it is opened once, kept inside by the
// kernel, and from then on only known by its descriptor.
type layout struct {
	job     *job
	root    string // where the new root is mounted
	overlay bool   // the root can be written; else only where something is mounted
}

// layOut makes the namespaces what the job asks for, and enters the new root.
func layOut(j *job) {
	_ = unix.Sethostname([]byte("sandbox")) // some containers filter this, and nothing hangs on it
	must("bringing up the loopback network", loopbackUp())
	must("making mounts private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must("mounting a tmpfs", unix.Mount("tmpfs", j.Base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=0755,size=%d", j.Limits.inMemory())))
	l := &layout{job: j, root: path.Join(j.Base, "root")}
	lower := j.Root
	if lower == "" {
		lower = path.Join(j.Base, "lower")
		must("making a folder", os.Mkdir(lower, 0o755))
	}
	must("making a folder", os.Mkdir(l.root, 0o755))
	if !j.Parts {
		l.overlay = l.mountOverlay(lower) == nil
	}
	if !l.overlay {
		must("mounting the root", l.mountParts(lower))
	}
	l.mountProc()
	l.mountDev()
	l.writable()
	for _, m := range j.Mounts {
		l.bind(m)
	}
	if j.ReadOnly && l.overlay {
		must("making the root read-only", unix.Mount("", l.root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""))
	}
	must("entering the root", os.Chdir(l.root))
	must("changing the root", unix.PivotRoot(".", "."))
	must("leaving the old root", unix.Unmount(".", unix.MNT_DETACH))
	must("entering the root", os.Chdir("/"))
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
}

// mountOverlay shows lower with all writing going to memory.
func (l *layout) mountOverlay(lower string) error {
	upper, work := path.Join(l.job.Base, "upper"), path.Join(l.job.Base, "work")
	for _, d := range []string{upper, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.Lchown(upper, l.job.Owner.UID, l.job.Owner.GID); err != nil {
		return err
	}
	// A relative name needs no escapes for what overlayfs takes for separators.
	if err := os.Chdir(lower); err != nil {
		return err
	}
	return unix.Mount("overlay", l.root, "overlay", unix.MS_NOSUID|unix.MS_NODEV, "lowerdir=.,upperdir="+upper+",workdir="+work+",userxattr")
}

// mountParts is for kernels that refuse the overlay (before 5.11 for users, some file
// systems): a folder in memory, in which each entry of lower is mounted read-only.
func (l *layout) mountParts(lower string) error {
	list, err := os.ReadDir(lower)
	if err == nil {
		err = unix.Mount(l.root, l.root, "", unix.MS_BIND, "") // only a mount can become the root
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		from, to := path.Join(lower, e.Name()), path.Join(l.root, e.Name())
		switch {
		case e.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(from)
			if err == nil {
				err = os.Symlink(target, to)
			}
			if err != nil {
				return err
			}
			continue
		case e.IsDir():
			err = os.Mkdir(to, 0o755)
		default:
			err = os.WriteFile(to, nil, 0o644)
		}
		if err == nil {
			err = bindReadOnly(from, to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func bindReadOnly(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return restrict(to, unix.MOUNT_ATTR_RDONLY)
}

// restrict forbids things in all mounts at a path.
func restrict(at string, attr uint64) error {
	attr |= unix.MOUNT_ATTR_NOSUID
	err := unix.MountSetattr(unix.AT_FDCWD, at, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attr})
	if !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// Linux before 5.12: what the mount forbids already has to be said again.
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		return err
	}
	flags := uintptr(st.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME)
	if attr&unix.MOUNT_ATTR_RDONLY != 0 {
		flags |= unix.MS_RDONLY
	}
	return unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|flags, "")
}

// open opens a path of the new root, in which links lead nowhere else.
func (l *layout) open(name string, flags uint64) int {
	fd, err := l.tryOpen(name, flags)
	must("opening "+name+" in the root", err)
	return fd
}

func (l *layout) tryOpen(name string, flags uint64) (int, error) {
	root, err := unix.Open(l.root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	return unix.Openat2(root, name, &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
}

// folder opens a folder of the new root, and makes it and those above it if they are
// missing, for the given user.
func (l *layout) folder(name string, perm uint32, u User) int {
	name = path.Clean("/" + name)
	fd, err := l.tryOpen(name, unix.O_PATH|unix.O_DIRECTORY)
	if err == nil {
		return fd
	}
	if !errors.Is(err, unix.ENOENT) || name == "/" {
		must("opening "+name+" in the root", err)
	}
	parent := l.folder(path.Dir(name), 0o755, l.job.Owner)
	defer unix.Close(parent)
	must("making "+name+" in the root", unix.Mkdirat(parent, path.Base(name), 0o700))
	fd = l.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	must("making "+name+" in the root", unix.Fchown(fd, u.UID, u.GID))
	must("making "+name+" in the root", unix.Fchmod(fd, perm))
	return fd
}

// fdPath is a path for an open file that no link can change.
func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func (l *layout) mountProc() {
	fd := l.folder("/proc", 0o555, l.job.Owner)
	defer unix.Close(fd)
	err := unix.Mount("proc", fdPath(fd), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if errors.Is(err, unix.EPERM) {
		// A container that hides parts of its /proc: the kernel gives no fresh one in it,
		// so programs see the container's processes, and may not look into them.
		err = unix.Mount("/proc", fdPath(fd), "", unix.MS_BIND|unix.MS_REC, "")
		if err == nil {
			at := l.open("/proc", unix.O_PATH|unix.O_DIRECTORY)
			err = restrict(fdPath(at), unix.MOUNT_ATTR_RDONLY)
			unix.Close(at)
		}
		must(stepProc, err)
		return
	}
	must(stepProc, err)
	// No program inside gets powers by making namespaces of its own.
	if max, err := l.tryOpen("/proc/sys/user/max_user_namespaces", unix.O_WRONLY); err == nil {
		_, _ = unix.Write(max, []byte("0"))
		unix.Close(max)
	}
	sys, err := l.tryOpen("/proc/sys", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	defer unix.Close(sys)
	must(stepProc, unix.Mount(fdPath(sys), fdPath(sys), "", unix.MS_BIND, ""))
	at := l.open("/proc/sys", unix.O_PATH|unix.O_DIRECTORY)
	defer unix.Close(at)
	must(stepProc, restrict(fdPath(at), unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC))
}

// mountTmpfs mounts an empty folder in memory on a folder of the new root.
func (l *layout) mountTmpfs(name string, perm uint32, u User) {
	fd := l.folder(name, perm, u)
	defer unix.Close(fd)
	opts := fmt.Sprintf("mode=%o,uid=%d,gid=%d,size=%d", perm, u.UID, u.GID, l.job.Limits.inMemory())
	must("mounting a tmpfs on "+name, unix.Mount("tmpfs", fdPath(fd), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, opts))
}

// devices are bound from this machine: nobody but root may make them.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

func (l *layout) mountDev() {
	l.mountTmpfs("/dev", 0o755, l.job.Owner)
	for _, name := range devices {
		if _, err := os.Stat("/dev/" + name); err != nil {
			continue
		}
		fd := l.open("/dev/"+name, unix.O_RDONLY|unix.O_CREAT|unix.O_EXCL)
		must("making /dev/"+name, unix.Mount("/dev/"+name, fdPath(fd), "", unix.MS_BIND, ""))
		unix.Close(fd)
	}
	dev := l.open("/dev", unix.O_PATH|unix.O_DIRECTORY)
	defer unix.Close(dev)
	for _, link := range [][2]string{{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}} {
		must("making /dev/"+link[1], unix.Symlinkat(link[0], dev, link[1]))
	}
	unix.Close(l.folder("/dev/shm", 0o1777, l.job.Owner))
}

// writable makes the folders that the command may count on.
func (l *layout) writable() {
	j := l.job
	home := ""
	for _, v := range j.Env {
		if h, ok := strings.CutPrefix(v, "HOME="); ok && path.IsAbs(h) {
			home = path.Clean(h)
		}
	}
	type place struct {
		path string
		perm uint32
		user User
	}
	places := []place{{"/tmp", 0o1777, j.Owner}}
	if home != "" {
		places = append(places, place{home, 0o755, j.User})
	}
	if j.Dir != "" {
		places = append(places, place{j.Dir, 0o755, j.User})
	}
	for _, w := range j.Writable {
		places = append(places, place{w, 0o755, j.User})
	}
	for _, p := range places {
		inDir := p.path == j.Dir && p.path != home
		switch {
		case p.path == "/":
		case inDir:
			if l.overlay {
				unix.Close(l.folder(p.path, p.perm, p.user))
			}
		case !l.overlay && !strings.HasPrefix(p.path, "/tmp/"):
			l.mountTmpfs(p.path, p.perm, p.user)
		default:
			fd := l.folder(p.path, p.perm, p.user)
			if j.ReadOnly && l.overlay {
				must("making "+p.path+" writable", unix.Mount(fdPath(fd), fdPath(fd), "", unix.MS_BIND, ""))
			}
			unix.Close(fd)
		}
	}
}

// bind shows a file or folder of this machine.
func (l *layout) bind(m Mount) {
	var st unix.Stat_t
	must("looking at "+m.Host, unix.Stat(m.Host, &st))
	var fd int
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		fd = l.folder(m.Path, 0o755, l.job.Owner)
	} else {
		unix.Close(l.folder(path.Dir(path.Clean("/"+m.Path)), 0o755, l.job.Owner))
		fd = l.open(m.Path, unix.O_RDONLY|unix.O_CREAT)
	}
	must("mounting "+m.Path, unix.Mount(m.Host, fdPath(fd), "", unix.MS_BIND|unix.MS_REC, ""))
	unix.Close(fd)
	at := l.open(m.Path, unix.O_PATH)
	defer unix.Close(at)
	attr := uint64(unix.MOUNT_ATTR_NODEV)
	if m.ReadOnly {
		attr |= unix.MOUNT_ATTR_RDONLY
	}
	must("mounting "+m.Path, restrict(fdPath(at), attr))
}
