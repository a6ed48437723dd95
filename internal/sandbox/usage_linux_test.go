package sandbox

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDiskUse(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(dir+"/a", make([]byte, 1<<20), 0o644)
	os.Symlink("/", dir+"/link")
	if n := diskUse([]string{dir, dir + "/nothing"}, 1<<30); n < 1<<20 || n > 1<<21 {
		t.Errorf("%d bytes", n)
	}
	if n := diskUse([]string{dir}, 10); n <= 10 {
		t.Errorf("%d bytes are not more than 10", n)
	}
}

// TestDiskUseSeesWhatIsDeep makes a file whose path is longer than the kernel takes, and
// folders that never end.
func TestDiskUseSeesWhatIsDeep(t *testing.T) {
	top := t.TempDir()
	deep := func(levels int, name string) {
		at, err := os.OpenRoot(top)
		if err != nil {
			t.Fatal(err)
		}
		for range levels {
			if err := at.Mkdir(name, 0o755); err != nil {
				t.Fatal(err)
			}
			next, err := at.OpenRoot(name)
			at.Close()
			if err != nil {
				t.Fatal(err)
			}
			at = next
		}
		if err := at.WriteFile("file", make([]byte, 1<<20), 0o644); err != nil {
			t.Fatal(err)
		}
		at.Close()
	}
	deep(60, strings.Repeat("d", 100))
	if n := diskUse([]string{top}, 1<<30); n < 1<<20 || n > 1<<21 {
		t.Errorf("%d bytes", n)
	}
	deep(maxDepth+10, "e")
	if n := diskUse([]string{top}, 1<<30); n <= 1<<30 {
		t.Errorf("%d bytes in folders without end", n)
	}
}

func TestHiddenUse(t *testing.T) {
	dir := t.TempDir()
	deleted, err := os.Create(dir + "/deleted")
	if err != nil {
		t.Fatal(err)
	}
	defer deleted.Close()
	deleted.Write(make([]byte, 1<<20))
	os.Remove(deleted.Name())
	fd, err := unix.MemfdCreate("hidden", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	memory := os.NewFile(uintptr(fd), "memory")
	defer memory.Close()
	memory.Write(make([]byte, 2<<20))
	self := []process{{pid: os.Getpid()}, {pid: os.Getpid()}}
	h := hiddenUse(self, devicesOf([]string{dir}))
	if h.disk < 1<<20 || h.disk > 1<<21 || h.memory < 2<<20 || h.memory > 3<<20 {
		t.Errorf("%+v", h)
	}
}

func TestSharedUse(t *testing.T) {
	self := []process{{pid: os.Getpid()}}
	before := sharedUse(self)
	m, err := unix.Mmap(-1, 0, 8<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	for i := range m {
		m[i] = 1
	}
	after := sharedUse(self)
	if after == 0 {
		t.Skip("no Pss_Shmem before Linux 5.1")
	}
	if n := after - before; n < 7<<20 || n > 9<<20 {
		t.Errorf("%d bytes", n)
	}
}

func TestSysvUse(t *testing.T) {
	const head = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n"
	const line = "         0          1  1600              10485760    10    10      1     0     0     0     0 1700000000          0 1700000000               8388608                     0\n"
	for text, want := range map[string]int64{"": 0, head: 0, head + line + line: 16 << 20, "x\n" + line: 0, head + "1 2\n": 0} {
		if got := sysvUse(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}
