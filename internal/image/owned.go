package image

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// export runs the program that owns an image and returns what it writes: a docker
// archive in a file without a name in the cache.
func export(ctx context.Context, ref reference, c *cache.Dir) (*archive, error) {
	name := ref.scheme + ":" + ref.path
	commands := map[string][][]string{
		schemeDaemon: {{"docker", "save", "--", ref.path}},
		schemeStorage: {
			{"podman", "save", "--format", "docker-archive", "--", ref.path},
			{"skopeo", "copy", "-q", "--", ref.scheme + ":" + ref.path, "docker-archive:/dev/stdout"},
		},
	}[ref.scheme]
	var wanted []string
	for _, argv := range commands {
		program, err := exec.LookPath(argv[0])
		if err != nil {
			wanted = append(wanted, argv[0])
			continue
		}
		return run(ctx, name, program, argv, c)
	}
	return nil, marked{errors.New(name + " needs the program " + strings.Join(wanted, " or ") + ", which is not installed"), ErrProgram}
}

func run(ctx context.Context, name, program string, argv []string, c *cache.Dir) (*archive, error) {
	out, err := c.Temp()
	if err != nil {
		return nil, err
	}
	var said tail
	cmd := exec.CommandContext(ctx, program, argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = out, &said, os.Environ()
	if err := cmd.Run(); err != nil {
		out.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, marked{errors.New(name + ": " + argv[0] + " " + argv[1] + ": " + said.last(err.Error())), ErrProgram}
	}
	if _, err := out.Seek(0, 0); err != nil {
		out.Close()
		return nil, spoolError(err)
	}
	return newArchive(name, out, c)
}

// tail keeps the end of what a program says.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 4 << 10
	t.b = append(t.b, p...)
	if len(t.b) > most {
		t.b = append(t.b[:0], t.b[len(t.b)-most:]...)
	}
	return len(p), nil
}

// last returns the last line that is not empty, or other.
func (t *tail) last(other string) string {
	b := bytes.TrimSpace(t.b)
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		b = b[i+1:]
	}
	if len(b) == 0 {
		return other
	}
	return strings.ToValidUTF8(string(b), "?")
}
