package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/files"
)

func TestMain(m *testing.M) {
	Enter()
	if os.Args[0] == "victim" {
		victim()
		return
	}
	os.Exit(m.Run())
}

// victim is a process that runs a command until it is killed: its arguments are the
// engine, the root and a folder to mount on /out.
func victim() {
	e := engineOf(os.Args[1])
	err := e.Run(context.Background(), os.Args[2], Command{
		Args: []string{"program", "haunt", "/out/alive"}, Mounts: []Mount{{Host: os.Args[3], Path: "/out"}},
	})
	fmt.Fprintln(os.Stderr, err)
}

// program builds testdata/program for an architecture, once.
func program(t *testing.T, arch string) []byte {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if b, ok := built.by[arch]; ok {
		return b
	}
	out := filepath.Join(t.TempDir(), "program")
	c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./testdata/program")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	built.by[arch] = b
	return b
}

var built = struct {
	sync.Mutex
	by map[string][]byte
}{by: map[string][]byte{}}

type content []byte

func (c content) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }

func file(path, text string, mode fs.FileMode) *files.File {
	return &files.File{Path: path, Mode: mode, Size: int64(len(text)), ModTime: 1_700_000_000, Content: content(text)}
}

// engineFor opens an engine, or skips the test with the reason.
func engineFor(t *testing.T, name string) Engine {
	t.Helper()
	e, err := Open(t.Context(), name)
	var u *Unavailable
	if errors.As(err, &u) {
		t.Skipf("not possible here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// rootFor unpacks a root that holds the program and more.
func rootFor(t *testing.T, e Engine, arch string, more ...*files.File) string {
	t.Helper()
	list := []*files.File{
		{Path: "bin", Mode: fs.ModeDir | 0o755},
		{Path: "bin/program", Mode: 0o755, Size: int64(len(program(t, arch))), Content: content(program(t, arch))},
		{Path: "etc", Mode: fs.ModeDir | 0o755},
		file("etc/name", "image", 0o644),
	}
	root := filepath.Join(t.TempDir(), "root")
	if err := Unpack(t.Context(), root, files.NewSet(append(list, more...)), e.Owners()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Remove(root) })
	return root
}

// run runs the program, and returns what it wrote.
func run(t *testing.T, e Engine, root string, c Command, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	c.Args = append([]string{"program"}, args...)
	c.Stdout, c.Stderr = &b, &b
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = e.Run(ctx, root, c)
	if ctx.Err() != nil {
		t.Fatalf("program %v did not end", args)
	}
	return b.String(), err
}
