package buildkit

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	gcr "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/r-seed-1713b764/distill/internal/files"
)

type text string

func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(t))), nil }

func textFile(path, content string) *files.File {
	return &files.File{Path: path, Mode: 0o644, Size: int64(len(content)), ModTime: 1e9, Content: text(content)}
}

// testImage has one layer of n bytes.
func testImage(t *testing.T, n int) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(bytes.Repeat([]byte("layer "), n/6+1)[:n], gcr.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func testJob(t *testing.T, log io.Writer) Job {
	return Job{
		Image: testImage(t, 100_000), Platform: "linux/arm64", Place: "/build", Out: "out", Dir: "/build/in", User: 1000,
		Args: []string{"/bin/do", "it all"}, Env: []string{"PATH=/bin", "A=b=$c"}, Log: log, Name: "pkg 1.0",
		Files: files.NewSet([]*files.File{
			{Path: "out", Mode: fs.ModeDir | 0o755, ModTime: 1e9},
			textFile("in/a.txt", "content of a\n"), textFile("in-b", "b"),
			{Path: "in/link", Mode: fs.ModeSymlink | 0o777, Link: "a.txt", ModTime: 1e9},
			textFile("out/before", "x"),
		}),
	}
}

func open(t *testing.T, addresses ...string) *Pool {
	t.Helper()
	p, err := Open(t.Context(), strings.Join(addresses, ","), Options{Temp: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// tree lists what is below a folder: "path", "path = content" or "path -> link".
func tree(t *testing.T, root fs.FS) []string {
	t.Helper()
	var out []string
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || p == ".":
			return err
		case d.IsDir():
			out = append(out, p+"/")
		case d.Type() == fs.ModeSymlink:
			to, err := fs.ReadLink(root, p)
			out = append(out, p+" -> "+to)
			return err
		default:
			b, err := fs.ReadFile(root, p)
			out = append(out, p+" = "+strings.TrimSpace(string(b)))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRun(t *testing.T) {
	var got fakeRun
	var sent []string
	var layer []byte
	d := startFake(t, []string{"linux/arm64"}, func(r *fakeRun) (err error) {
		got, sent = *r, tree(t, os.DirFS(r.files))
		manifest, err := r.image(digest.Digest(r.ref[strings.Index(r.ref, "@")+1:]))
		if err != nil {
			return err
		}
		m, err := v1.ParseManifest(bytes.NewReader(manifest))
		if err != nil {
			return err
		}
		if _, err := r.image(digest.Digest(m.Config.Digest.String())); err != nil {
			return err
		}
		if layer, err = r.image(digest.Digest(m.Layers[0].Digest.String())); err != nil {
			return err
		}
		r.print(r.step, "one\n")
		r.print("sha256:other", "of another step\n")
		r.print(r.step, "two")
		r.result = func(w *tar.Writer) {
			w.WriteHeader(&tar.Header{Name: "out/", Typeflag: tar.TypeDir, Mode: 0o777})
			w.WriteHeader(&tar.Header{Name: "out/a.whl", Typeflag: tar.TypeReg, Size: 5, Mode: 0o4777})
			io.WriteString(w, "wheel")
		}
		return nil
	})
	d.left = 2 // a node that lets go late is asked again
	var log bytes.Buffer
	p := open(t, d.address)
	var result []string
	at := ""
	err := p.Run(t.Context(), testJob(t, &log), func(root *os.Root) error {
		result, at = tree(t, root.FS()), root.Name()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"out/", "out/a.whl = wheel"}; !slices.Equal(result, want) {
		t.Errorf("result %q, want %q", result, want)
	}
	if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of the result is still there: %v", err)
	}
	want := []string{
		"distill-place/", "distill-place/place/", "distill-place/place/in/", "distill-place/place/in/a.txt = content of a",
		"distill-place/place/in/link -> a.txt", "distill-place/place/in-b = b", "distill-place/place/out/",
		"distill-result/", "distill-result/out/", "distill-result/out/before = x",
	}
	slices.Sort(want)
	slices.Sort(sent)
	if !slices.Equal(sent, want) {
		t.Errorf("sent %q\nwant %q", sent, want)
	}
	if len(layer) != 100_000 {
		t.Errorf("the layer has %d bytes", len(layer))
	}
	if log.String() != "one\ntwo" {
		t.Errorf("log %q", log.String())
	}
	if d.left != 0 {
		t.Error("the node is not asked what is left")
	}
	forgotten := []string{
		`description=="local source for distill-place"`, `description=="local source for distill-result"`,
		`description=="mount /build from exec /bin/do it all"`, `description=="mount /build/out from exec /bin/do it all"`,
	}
	if !slices.Equal(d.pruned, forgotten) {
		t.Errorf("the node is asked to forget %q", d.pruned)
	}
	checkExec(t, &got)
}

// checkExec looks at what a node is asked to run.
func checkExec(t *testing.T, r *fakeRun) {
	t.Helper()
	m := r.exec.Meta
	if !slices.Equal(m.Args, []string{"/bin/do", "it all"}) || m.Cwd != "/build/in" || m.User != "1000:1000" {
		t.Errorf("runs %q in %s as %s", m.Args, m.Cwd, m.User)
	}
	if want := []string{"PATH=/bin", "A=b=$c", "HOME=/tmp/home"}; !slices.Equal(m.Env, want) {
		t.Errorf("environment %q, want %q", m.Env, want)
	}
	if r.exec.Network != pb.NetMode_NONE || r.exec.Security != pb.SecurityMode_SANDBOX {
		t.Errorf("network %s, security %s", r.exec.Network, r.exec.Security)
	}
	if m.ProxyEnv != nil || len(r.exec.Secretenv) > 0 || len(r.exec.CdiDevices) > 0 {
		t.Errorf("a proxy, a secret or a device is handed over: %v", r.exec)
	}
	var mounts, limits []string
	for _, x := range r.exec.Mounts {
		mounts = append(mounts, fmt.Sprintf("%s %s readonly=%t output=%d", x.MountType, x.Dest, x.Readonly, x.Output))
	}
	want := []string{
		"BIND / readonly=true output=-1", "BIND /build readonly=false output=-1", "BIND /build/out readonly=false output=0",
		"TMPFS /tmp readonly=false output=-1", "TMPFS /tmp/home readonly=false output=-1",
	}
	if !slices.Equal(mounts, want) {
		t.Errorf("mounts %q\nwant %q", mounts, want)
	}
	for _, u := range m.Ulimit {
		limits = append(limits, fmt.Sprint(u.Name, " ", u.Soft, " ", u.Hard))
	}
	if want := []string{"nproc 2048 2048", "fsize 2147483648 2147483648", "core 0 0"}; !slices.Equal(limits, want) {
		t.Errorf("limits %q, want %q", limits, want)
	}
	for _, op := range r.ops {
		if e := op.GetExec(); e != nil && (op.Platform.OS != "linux" || op.Platform.Architecture != "arm64") {
			t.Errorf("platform %v", op.Platform)
		}
	}
}

func TestRunFails(t *testing.T) {
	take := errors.New("take fails")
	broken := textFile("in/c", "short")
	broken.Size = 100
	gone := textFile("in/c", "x")
	gone.Content = failing{}
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	cases := []struct {
		name    string
		change  func(*Job)
		program func(r *fakeRun) error
		want    string
		kind    func(error) bool
	}{
		{name: "exit code", program: func(*fakeRun) error { return exits(3) }, want: "exit code 3", kind: isExit},
		{name: "killed with a limit on memory", change: func(j *Job) { j.Limits.Memory = 1 << 30 }, program: func(*fakeRun) error { return exits(137) }, want: "stopped: over its limit of memory (1024 MiB)", kind: isExit},
		{name: "file", program: func(*fakeRun) error { return exits(153) }, want: "stopped: over its limit of disk (2048 MiB)", kind: isExit},
		{name: "killed without one", program: func(*fakeRun) error { return exits(137) }, want: "exit code 137", kind: isExit},
		{
			name: "time", change: func(j *Job) { j.Limits.Time = 200 * time.Millisecond }, kind: isExit,
			program: func(r *fakeRun) error {
				select {
				case <-r.ctx.Done():
					return r.ctx.Err()
				case <-stop:
					return errors.New("not stopped")
				}
			}, want: "stopped: over its limit of time (200ms)",
		},
		{name: "node's own error", program: func(*fakeRun) error { return errors.New("no space\nleft") }, want: "BuildKit node ADDRESS: no space left", kind: isNode},
		{name: "no such platform", change: func(j *Job) { j.Platform = "linux/riscv64" }, want: "no BuildKit node for linux/riscv64 (ADDRESS has linux/arm64)", kind: isPlatform},
		{name: "take", want: "take fails", kind: func(err error) bool { return err == take }},
		{name: "file that is too short", change: func(j *Job) { j.Files = files.NewSet([]*files.File{broken}) }, want: `job file "place/in/c": has another size than 100 bytes`},
		{name: "file that is gone", change: func(j *Job) { j.Files = files.NewSet([]*files.File{gone}) }, want: `job file "place/in/c": disk on fire`},
		{name: "device", change: func(j *Job) { j.Files = files.NewSet([]*files.File{{Path: "d", Mode: fs.ModeDevice}}) }, want: `job file "d": is no file, folder or link`},
		{name: "result that is too large", change: func(j *Job) { j.Limits.Result = 10 }, want: "the result of the job can't be taken: more than 10 bytes", program: func(r *fakeRun) error {
			r.result = func(w *tar.Writer) {
				w.WriteHeader(&tar.Header{Name: "out/a", Typeflag: tar.TypeReg, Size: 11})
				io.WriteString(w, "12345678901")
			}
			return nil
		}},
		{name: "result that is none", program: func(r *fakeRun) error { r.raw = bytes.Repeat([]byte("x"), 2000); return nil }, want: "the result of the job can't be taken: archive/tar: invalid tar header"},
		{name: "no program", change: func(j *Job) { j.Args = nil }, want: "a job needs an image and a program"},
		{name: "place", change: func(j *Job) { j.Place = "/build/../etc" }, want: `"/build/../etc" is no folder for a job`},
		{name: "out", change: func(j *Job) { j.Out = "../out" }, want: `"../out" is no folder for results`},
		{name: "variable", change: func(j *Job) { j.Env = []string{"=x"} }, want: `"=x" is no variable`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.program == nil {
				c.program = func(*fakeRun) error { return nil }
			}
			d := startFake(t, []string{"linux/arm64"}, c.program)
			temp := t.TempDir()
			p, err := Open(t.Context(), d.address, Options{Temp: temp})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			j := testJob(t, nil)
			if c.change != nil {
				c.change(&j)
			}
			err = p.Run(t.Context(), j, func(*os.Root) error {
				if c.name == "take" {
					return take
				}
				t.Error("a result is taken")
				return nil
			})
			if err == nil || err.Error() != strings.ReplaceAll(c.want, "ADDRESS", d.address) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if c.kind != nil && !c.kind(err) {
				t.Errorf("error of the wrong kind: %#v", err)
			}
			if left, _ := os.ReadDir(temp); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if p.nodes[0].busy != 0 {
				t.Errorf("%d jobs are counted after the end", p.nodes[0].busy)
			}
		})
	}
}

func isExit(err error) bool     { return errors.As(err, new(*ExitError)) }
func isNode(err error) bool     { return errors.As(err, new(*NodeError)) }
func isPlatform(err error) bool { return errors.As(err, new(*PlatformError)) }

type failing struct{}

func (failing) Open() (io.ReadCloser, error) { return nil, errors.New("disk on fire") }

// A node before BuildKit 0.31 builds without a limit on memory, and says so.
func TestNodeWithoutMemoryLimit(t *testing.T) {
	d := startFake(t, []string{"linux/arm64"}, func(*fakeRun) error { return nil })
	d.old = true
	p := open(t, d.address)
	for want := 2; want <= 3; want++ { // the second job knows
		var log bytes.Buffer
		j := testJob(t, &log)
		j.Limits.Memory = 1 << 30
		if err := p.Run(t.Context(), j, func(*os.Root) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if log.String() != "BuildKit node "+d.address+" is too old to limit memory\n" || d.runs != want-1 || d.asked != want {
			t.Errorf("log %q, %d runs of %d", log.String(), d.runs, d.asked)
		}
	}
}

func TestRunIsCanceled(t *testing.T) {
	running := make(chan struct{})
	ended := make(chan struct{})
	d := startFake(t, []string{"linux/arm64"}, func(r *fakeRun) error {
		close(running)
		<-r.ctx.Done()
		close(ended)
		return r.ctx.Err()
	})
	p := open(t, d.address)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-running; cancel() }()
	err := p.Run(ctx, testJob(t, nil), func(*os.Root) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	<-ended
}

func TestNodeThatGoesAway(t *testing.T) {
	var d *fakeDaemon
	d = startFake(t, []string{"linux/arm64"}, func(r *fakeRun) error {
		go d.server.Stop()
		<-r.ctx.Done()
		return r.ctx.Err()
	})
	p := open(t, d.address)
	err := p.Run(t.Context(), testJob(t, nil), func(*os.Root) error { return nil })
	var node *NodeError
	if !errors.As(err, &node) || !strings.Contains(err.Error(), d.address+": went away while the job ran") || len(node.Hints()) != 1 {
		t.Errorf("error %v", err)
	}
}

// A layer that is not what its digest says never becomes part of an image.
func TestDamagedLayer(t *testing.T) {
	d := startFake(t, []string{"linux/arm64"}, func(r *fakeRun) error {
		manifest, err := r.image(digest.Digest(r.ref[strings.Index(r.ref, "@")+1:]))
		if err != nil {
			return err
		}
		m, err := v1.ParseManifest(bytes.NewReader(manifest))
		if err != nil {
			return err
		}
		_, err = r.image(digest.Digest(m.Layers[0].Digest.String()))
		return err
	})
	j := testJob(t, nil)
	j.Image = damaged{j.Image}
	err := open(t, d.address).Run(t.Context(), j, func(*os.Root) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "image for linux/arm64: layer sha256:") || !strings.Contains(err.Error(), "has other content than its digest says") {
		t.Errorf("error %v", err)
	}
}

type damaged struct{ v1.Image }

func (d damaged) Layers() ([]v1.Layer, error) {
	list, err := d.Image.Layers()
	for i := range list {
		list[i] = damagedLayer{list[i]}
	}
	return list, err
}

type damagedLayer struct{ v1.Layer }

func (d damagedLayer) Compressed() (io.ReadCloser, error) {
	r, err := d.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	b[len(b)/2]++
	return io.NopCloser(bytes.NewReader(b)), err
}

// Several jobs run at once, on the nodes that have least to do.
func TestJobsAreSpread(t *testing.T) {
	const jobs = 6
	var mu sync.Mutex
	waiting, release := 0, make(chan struct{})
	program := func(r *fakeRun) error {
		mu.Lock()
		if waiting++; waiting == jobs {
			close(release)
		}
		mu.Unlock()
		<-release
		return nil
	}
	slow := startFake(t, []string{"linux/amd64", "linux/arm64"}, program)
	a, b := startFake(t, []string{"linux/arm64/v8"}, program), startFake(t, []string{"linux/arm64"}, program)
	p := open(t, slow.address, a.address, b.address)
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			if err := p.Run(t.Context(), testJob(t, nil), func(*os.Root) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if slow.runs != 0 || a.runs != jobs/2 || b.runs != jobs/2 {
		t.Errorf("%d, %d and %d jobs", slow.runs, a.runs, b.runs)
	}
}

func TestOffers(t *testing.T) {
	none := func(*fakeRun) error { return nil }
	amd := startFake(t, []string{"linux/amd64", "linux/amd64/v2", "linux/386", "linux/arm64", "linux/arm/v7"}, none)
	arm := startFake(t, []string{"linux/arm64", "linux/arm/v7", "linux/arm/v6"}, none)
	cases := []struct {
		nodes    []*fakeDaemon
		platform string
		node     *fakeDaemon
		emulated bool
	}{
		{[]*fakeDaemon{amd, arm}, "linux/amd64", amd, false},
		{[]*fakeDaemon{amd, arm}, "linux/arm64", arm, false},
		{[]*fakeDaemon{amd, arm}, "linux/arm64/v8", arm, false},
		{[]*fakeDaemon{amd, arm}, "linux/arm/v7", arm, false},
		{[]*fakeDaemon{amd, arm}, "linux/386", amd, false},
		{[]*fakeDaemon{amd}, "linux/arm64", amd, true},
		{[]*fakeDaemon{amd}, "linux/arm/v6", nil, false},
		{[]*fakeDaemon{arm}, "linux/amd64", nil, false},
		{[]*fakeDaemon{arm, amd}, "linux/s390x", nil, false},
	}
	for _, c := range cases {
		var addresses []string
		for _, n := range c.nodes {
			addresses = append(addresses, n.address)
		}
		node, emulated, ok := open(t, addresses...).Offers(c.platform)
		want := ""
		if c.node != nil {
			want = c.node.address
		}
		if node != want || emulated != c.emulated || ok != (c.node != nil) {
			t.Errorf("%s of %d nodes: %q, %t, %t", c.platform, len(c.nodes), node, emulated, ok)
		}
	}
}

func TestNothingIsPrinted(t *testing.T) {
	stderr, out := os.Stderr, filepath.Join(t.TempDir(), "err")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = f
	defer func() { os.Stderr = stderr }()
	Open(t.Context(), "unix:///nowhere/at/all.sock", Options{Timeout: time.Second})
	f.Close()
	if b, _ := os.ReadFile(out); len(b) > 0 {
		t.Errorf("printed: %s", b)
	}
}
