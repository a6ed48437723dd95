package build

import (
	"context"
	_ "embed"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

//go:embed testdata/evil.py
var evil string

// attacks are functions of evil.py, each with what the error says of it, behind "|" with
// an engine that limits in another way; "" is a build that comes to its end, having reached
// nothing.
var attacks = []struct{ name, err string }{
	{"writes_outside", ""},
	{"opens_sockets", ""},
	{"reads_around", ""},
	{"forks", "over its limit of "}, // processes or memory,
	{"starts_threads", "over its limit of processes (64)"},
	{"fills_disk", "over its limit of disk (200 MiB)"},
	{"fills_tmp", "disk"},
	{"fills_shm", "exit code 1|over its limit of disk (200 MiB)"},
	{"fills_one_file", "exit code 1|over its limit of disk (200 MiB)"},
	{"fills_deep", "over its limit of disk (200 MiB)"},
	{"fills_unseen", "over its limit of disk (200 MiB)"},
	{"fills_locked", "over its limit of disk (200 MiB)"},
	{"fills_memory", "over its limit of memory (400 MiB)"},
	{"fills_memory_shared", "over its limit of memory (400 MiB)"},
	{"fills_memory_unmapped", "over its limit of memory (400 MiB)"},
	{"fills_memory_segments", "over its limit of memory (400 MiB)|exit code 1"},
	{"sleeps", "over its limit of time (8s)"},
	{"spins", "over its limit of time (8s)"},
	{"kills", "killed by SIGKILL"},
	{"kills_all", "killed by SIGKILL"},
	{"stops_parent", "over its limit of time (8s)"},
	{"leaves_a_daemon", ""},
	{"holds_output", ""},
	{"ends_early", "exit code 1"},
	{"prints", ""},
	{"leaves_link", "out/demo-1.0-py3-none-any.whl is no file|no such file"},
	{"leaves_fifo", "out/demo-1.0-py3-none-any.whl is no file|no such file"},
	{"leaves_socket", "out/demo-1.0-py3-none-any.whl is no file|exit code 1"},
	{"leaves_folder", "out/demo-1.0-py3-none-any.whl is no file"},
	{"leaves_huge", "damaged or unsupported wheel"},
	{"leaves_bomb", "damaged or unsupported wheel"},
	{"leaves_other", "it gives other 1.0"},
	{"leaves_newer", "it gives demo 2.0"},
	{"leaves_disguised", `"other-1.0.dist-info" is the dist-info folder of something else`},
	{"leaves_nothing", "no such file"},
	{"leaves_path", "no usable wheel"},
	{"leaves_number", "exit code 1"},
	{"lies", "no usable wheel"},
	{"links_result", "out/result.json is no file|no such file"},
	{"moves_out", "exit code 1"},
	{"locks", ""},
}

// surroundings are what a build must not reach: a listener, sockets and a file of this
// machine.
func surroundings(t *testing.T) []string {
	t.Helper()
	t.Setenv("TOKEN", "distill-secret")
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("distill-secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	abstract := "distill-evil-" + filepath.Base(filepath.Dir(dir))
	env := []string{"EVIL_FILE=" + file, "EVIL_ABSTRACT=" + abstract, "EVIL_PATH=" + filepath.Join(dir, "socket")}
	for _, at := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", "@" + abstract}, {"unix", filepath.Join(dir, "socket")}} {
		l, err := net.Listen(at[0], at[1])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if at[0] == "tcp" {
			env = append(env, "EVIL_TCP="+l.Addr().String())
		}
	}
	return env
}

func TestHostileBuilds(t *testing.T) {
	sb := openImage(t, "amd64")
	env := surroundings(t)
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			limited := *sb
			limited.limits = sandbox.Limits{Time: 8 * time.Second, Memory: 400 << 20, Disk: 200 << 20, Processes: 64}
			if a.err == "" {
				limited.limits.Time = time.Minute
			}
			watched := &watchedSandbox{Sandbox: &limited}
			kept := &strings.Builder{}
			log := NewLog(kept)
			start := time.Now()
			built, err := Wheel(t.Context(), watched, store, Request{
				Source: archive(t, "demo-1.0.tar.gz", map[string]string{
					"demo-1.0/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'evil'\nbackend-path = ['.']", "demo-1.0/evil.py": evil, "demo-1.0/attack": a.name,
				}),
				Python: "/usr/bin/python3.11", Path: "/usr/bin:/bin", Env: env, Epoch: 1_700_000_000, Log: log,
			})
			t.Logf("%s: %v", time.Since(start).Round(time.Millisecond), err)
			switch {
			case a.err == "" && (err != nil || built == nil), a.err != "" && !says(err, a.err), strings.Contains(string(log.Tail()), "reached: "):
				t.Errorf("%v, %v\n%.3000s", built, err, log.Tail())
			case watched.alive:
				t.Error("a process is alive after the end")
			}
			if kept.Len() > MaxLog+100 || strings.ContainsAny(kept.String(), "\x1b\r\u202e\u009b") {
				t.Errorf("the log has %d bytes", kept.Len())
			}
			for _, p := range []string{"distill-evil", "etc/distill-evil", "usr/lib/distill-evil"} {
				if _, err := os.Lstat(filepath.Join(limited.root, p)); err == nil {
					t.Errorf("%s is in the image", p)
				}
			}
		})
	}
}

// says tells whether an error has one of the texts that "|" separates.
func says(err error, texts string) bool {
	return err != nil && slices.ContainsFunc(strings.Split(texts, "|"), func(s string) bool { return strings.Contains(err.Error(), s) })
}

// watchedSandbox tells whether something still writes when a command has ended.
type watchedSandbox struct {
	Sandbox
	alive bool
}

func (s *watchedSandbox) Run(ctx context.Context, j Job) error {
	take := j.Take
	j.Take = func(root *os.Root) error {
		before, err := root.Stat("alive")
		if err == nil {
			time.Sleep(200 * time.Millisecond)
			after, err := root.Stat("alive")
			s.alive = err != nil || after.Size() != before.Size()
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return take(root)
	}
	return s.Sandbox.Run(ctx, j)
}
