package buildkit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
)

// TestEndToEnd runs real commands on real daemons; e2e/buildkitd.sh starts two. The image
// is DISTILL_E2E_IMAGE, else debian-base of fixtures/images.
func TestEndToEnd(t *testing.T) {
	addresses := os.Getenv("DISTILL_E2E_BUILDKIT")
	if addresses == "" {
		t.Skip("DISTILL_E2E_BUILDKIT=ADDRESSES runs jobs on real BuildKit daemons")
	}
	at := os.Getenv("DISTILL_E2E_IMAGE")
	if at == "" {
		home, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		at = filepath.Join(home, "distill-images", "oci", "debian-base")
	}
	pool, err := Open(t.Context(), addresses, Options{Temp: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	source, err := image.Open(t.Context(), "oci:"+at, image.Options{Cache: store})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		t.Run(platform, func(t *testing.T) {
			p, err := v1.ParsePlatform(platform)
			if err != nil {
				t.Fatal(err)
			}
			img, err := source.Image(t.Context(), *p)
			if err != nil {
				t.Fatal(err)
			}
			e := &endToEnd{pool, img.V1, platform}
			t.Run("command", e.command)
			t.Run("content", e.content)
			t.Run("failure", e.failure)
			t.Run("time", e.time)
			t.Run("hostile", e.hostile)
			t.Run("limits", e.limits)
		})
	}
}

type endToEnd struct {
	pool     *Pool
	image    v1.Image
	platform string
}

// run runs a shell script and returns what it printed.
func (e *endToEnd) run(ctx context.Context, script string, change func(*Job), take func(*os.Root) error) (string, error) {
	var log bytes.Buffer
	j := Job{
		Image: e.image, Platform: e.platform, Place: "/build", Out: "out", User: 1000, Args: []string{"/bin/sh", "-c", script},
		Env: []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "A=1 $B"}, Log: &log, Name: "test", Fresh: true,
		Files: files.NewSet([]*files.File{
			{Path: "out", Mode: fs.ModeDir | 0o755, ModTime: 1e9},
			textFile("in/a.txt", "content of a\n"),
			{Path: "in/link", Mode: fs.ModeSymlink | 0o777, Link: "a.txt", ModTime: 1e9},
		}),
	}
	if change != nil {
		change(&j)
	}
	if take == nil {
		take = func(*os.Root) error { return nil }
	}
	begin := time.Now()
	err := e.pool.Run(ctx, j, take)
	return log.String(), errors.Join(err, logTime(begin))
}

func logTime(time.Time) error { return nil }

func textFile(path, content string) *files.File {
	return &files.File{Path: path, Mode: 0o644, Size: int64(len(content)), ModTime: 1e9, Content: text(content)}
}

type text string

func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(t))), nil }

func (e *endToEnd) command(t *testing.T) {
	const script = `id; pwd; env | sort; uname -m; ls -la --time-style=+%s . in out; cat in/link; ls /sys/class/net; cat /proc/net/route | wc -l
mkdir own; touch own/x /tmp/y || echo no tmp; touch /etc/no 2>/dev/null && echo written; ls -d /build/* ; mount | grep -E ' on /(build|tmp|usr)'; ls /usr/share; ulimit -a; hostname
mkdir -p out/sub; echo result >out/sub/r; ln -s sub/r out/l; mkfifo out/fifo; ln out/sub/r out/hard; cat /proc/self/status | grep -i -E 'cap|nonewp|seccomp'`
	seen := map[string]string{}
	log, err := e.run(t.Context(), script, func(j *Job) { j.Hidden = []string{"/usr/share"}; j.Limits.Memory = 1 << 30 }, func(root *os.Root) error {
		return fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := root.ReadFile(p)
			seen[p] = string(b)
			return err
		})
	})
	t.Log(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(seen)
}

func (e *endToEnd) content(t *testing.T) {}
func (e *endToEnd) failure(t *testing.T) {}
func (e *endToEnd) time(t *testing.T)    {}
func (e *endToEnd) hostile(t *testing.T) {}
func (e *endToEnd) limits(t *testing.T)  {}
