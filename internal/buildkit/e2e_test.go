package buildkit

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	pool := open(t, strings.Split(addresses, ",")...)
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
			begin := time.Now()
			if _, err := e.run(t, "true", nil, nil); err != nil {
				t.Fatal(err)
			}
			t.Logf("hand-over of the image and first job: %s", time.Since(begin).Round(10*time.Millisecond))
			begin = time.Now()
			if _, err := e.run(t, "true", nil, nil); err != nil {
				t.Fatal(err)
			}
			t.Logf("second job: %s", time.Since(begin).Round(10*time.Millisecond))
			t.Run("command", e.command)
			t.Run("result", e.result)
			t.Run("content", e.content)
			t.Run("failure", e.failure)
			t.Run("time", e.time)
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
func (e *endToEnd) run(t *testing.T, script string, change func(*Job), take func(*os.Root) error) (string, error) {
	t.Helper()
	var log bytes.Buffer
	j := Job{
		Image: e.image, Platform: e.platform, Place: "/build", Out: "out", User: 1000, Args: []string{"/bin/sh", "-c", script},
		Env: []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "A=1 $B"}, Log: &log, Name: "test",
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
	err := e.pool.Run(t.Context(), j, take)
	return log.String(), err
}

// command looks at what a program finds.
func (e *endToEnd) command(t *testing.T) {
	const script = `
echo "user $(id -u) $(id -g) $(id -G)"
echo "folder $(pwd)"
echo "machine $(uname -m)"
env | sort | grep -v -e ^OTEL_ -e ^TRACEPARENT= -e ^PWD= | sed 's/^/env /'
stat -c 'file %n %u %g %a %Y' in/a.txt out
echo "text $(cat in/link)"
for i in /sys/class/net/*; do echo "net ${i##*/}"; done
echo "routes $(($(wc -l </proc/net/route) - 1))"
touch /tmp/x && echo "write /tmp"
touch /tmp/home/x && echo "write home"
touch own && echo "write place"
touch /etc/x 2>/dev/null && echo "write /etc"
touch /x 2>/dev/null && echo "write /"
(exec 3<>/dev/tcp/127.0.0.1/22) 2>/dev/null && echo "socket"
echo "hidden $(ls /usr/share | wc -l)"
echo "capabilities $(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"
[ "$(ls /proc | grep -c '^[0-9]')" -lt 10 ] && echo "few processes"
`
	machine := map[string]string{"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[e.platform]
	log, err := e.run(t, script, func(j *Job) { j.Hidden = []string{"/usr/share"} }, nil)
	if err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	want := []string{
		"user 1000 1000 1000", "folder /build", "machine " + machine, "env A=1 $B", "env HOME=/tmp/home", "env LC_ALL=C.UTF-8", "env PATH=/usr/bin:/bin",
		"file in/a.txt 1000 1000 644 1000000000", "file out 1000 1000 755 1000000000", "text content of a", "net lo", "routes 0",
		"write /tmp", "write home", "write place", "hidden 0", "capabilities 0000000000000000", "few processes",
	}
	if got := strings.Split(strings.TrimSpace(log), "\n"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// result looks at what is taken of what a program leaves.
func (e *endToEnd) result(t *testing.T) {
	const script = `mkdir -p out/sub; echo result >out/sub/r; ln out/sub/r out/hard; ln -s /etc/passwd out/link; mkfifo out/fifo; echo no >other
chmod 4777 out/sub/r; mkdir -m 0 out/closed; printf 'x' >'out/a b'`
	var got []string
	log, err := e.run(t, script, nil, func(root *os.Root) error {
		got = tree(t, root.FS())
		return nil
	})
	if err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	want := []string{"out/", "out/a b = x", "out/closed/", "out/hard = result", "out/sub/", "out/sub/r = result"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// content: each job runs, with its own files, though they are of the path, size and time of
// another's; and nothing of it stays on the node.
func (e *endToEnd) content(t *testing.T) {
	seen := map[string]bool{}
	for _, text := range []string{"one ", "one ", "two ", "six "} {
		log, err := e.run(t, "cat in/same >out/r; cat /proc/sys/kernel/random/uuid >>out/r", func(j *Job) {
			j.Files = files.NewSet([]*files.File{textFile("in/same", text)})
		}, func(root *os.Root) error {
			b, err := root.ReadFile("out/r")
			if !strings.HasPrefix(string(b), text) || seen[string(b)] {
				t.Errorf("job with %q gives %q", text, b)
			}
			seen[string(b)] = true
			return err
		})
		if err != nil {
			t.Fatalf("%v: %s", err, log)
		}
	}
	for _, n := range e.pool.nodes {
		if left := e.left(t, n); len(left) > 0 {
			t.Errorf("%s keeps %q", n.name, left)
		}
	}
}

// left lists what a node keeps that is no layer of an image.
func (e *endToEnd) left(t *testing.T, n *node) []string {
	t.Helper()
	list, err := n.client.DiskUsage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, u := range list {
		if !strings.HasPrefix(u.Description, "pulled from ") {
			out = append(out, string(u.RecordType)+" "+u.Description)
		}
	}
	return out
}

func (e *endToEnd) failure(t *testing.T) {
	var exit *ExitError
	log, err := e.run(t, "echo last words; exit 7", nil, nil)
	if !errors.As(err, &exit) || exit.Code != 7 || exit.Limit != "" {
		t.Errorf("error %v", err)
	}
	if strings.TrimSpace(log) != "last words" {
		t.Errorf("log %q", log)
	}
	_, err = e.run(t, "", func(j *Job) { j.Args = []string{"/no/such/program"} }, nil)
	if err == nil {
		t.Error("a program that is not there ran")
	}
	t.Logf("no such program: %v", err)
	// More than a node's log holds: the end has to be there.
	log, err = e.run(t, "i=0; while [ $i -lt 400 ]; do printf '%10000d\\n' $i; i=$((i+1)); done; echo the error; exit 1", nil, nil)
	if !errors.As(err, &exit) || !strings.HasSuffix(strings.TrimSpace(log), "the error") {
		t.Errorf("error %v, log ends with %q", err, log[max(0, len(log)-100):])
	}
}

// time: what runs too long is ended, and is gone.
func (e *endToEnd) time(t *testing.T) {
	begin := time.Now()
	_, err := e.run(t, "sleep 31415 & sleep 31415", func(j *Job) { j.Limits.Time = 3 * time.Second }, nil)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Limit != "time" {
		t.Errorf("error %v", err)
	}
	if d := time.Since(begin); d > 20*time.Second {
		t.Errorf("ended after %s", d)
	}
	for range 100 {
		if exec.CommandContext(context.Background(), "pgrep", "-f", "sleep 31415").Run() != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the program still runs")
}

// limits: what a hostile program comes to.
func (e *endToEnd) limits(t *testing.T) {
	_, err := e.run(t, "dd if=/dev/zero of=big bs=1M count=20", func(j *Job) { j.Limits.FileSize = 10 << 20 }, nil)
	t.Logf("a large file: %v", err)
	if err == nil {
		t.Error("a file may be larger than the limit")
	}
	_, err = e.run(t, "dd if=/dev/zero of=out/big bs=1M count=20", func(j *Job) { j.Limits.Result = 10 << 20 }, nil)
	if !errors.Is(err, ErrResult) {
		t.Errorf("a large result: %v", err)
	}
	_, err = e.run(t, "i=0; while [ $i -lt 11000 ]; do : >out/$i; i=$((i+1)); done", nil, nil)
	if !errors.Is(err, ErrResult) {
		t.Errorf("many results: %v", err)
	}
	_, err = e.run(t, "i=0; while [ $i -lt 100 ]; do sleep 5 & i=$((i+1)); done; wait", func(j *Job) { j.Limits.Processes = 50 }, nil)
	t.Logf("many processes: %v", err)
	if err == nil {
		t.Error("there may be more processes than the limit")
	}
	log, err := e.run(t, "dd if=/dev/zero of=/dev/null bs=600M count=1", func(j *Job) { j.Limits.Memory = 300 << 20 }, nil)
	t.Logf("much memory: %v %s", err, log)
	var exit *ExitError
	if !errors.As(err, &exit) {
		t.Errorf("much memory: %v", err)
	}
}
