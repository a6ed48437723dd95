package distill

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/layers"
)

// commandFiles are those of the new image; a path that ends in ! is no program.
func commandFiles(list ...string) files.Set {
	var out []*files.File
	for _, name := range list {
		f := &files.File{Path: name, Mode: 0o755}
		if n, ok := strings.CutSuffix(name, "!"); ok {
			f.Path, f.Mode = n, 0o644
		}
		if n, to, ok := strings.Cut(name, "="); ok {
			f.Path, f.Mode, f.Link = n, fs.ModeSymlink|0o777, to
		}
		out = append(out, f)
	}
	return files.NewSet(out)
}

func TestCheckCommand(t *testing.T) {
	set := commandFiles("usr/bin/python3.11", "usr/bin/python3=python3.11", "app/app.py!", "app/run.sh", "usr/bin/gone=nowhere",
		"opt/bin/tool", "usr/local/bin/both!", "usr/bin/both", "usr/bin/flat!")
	dev := &opened{image: &image.Image{Config: &v1.ConfigFile{}}, env: &inspect.Environment{Files: commandFiles("usr/bin/gunicorn")}}
	list := func(s string) *[]string {
		if s == "" {
			return nil
		}
		words := strings.Fields(s)
		return &words
	}
	at := "/app"
	for _, c := range []struct{ name, entrypoint, cmd, baseEntrypoint, baseCmd, env, want string }{
		{name: "nothing"},
		{name: "through a link", entrypoint: "python3 app.py"},
		{name: "options of Python", entrypoint: "python3 -uB app.py"},
		{name: "typo", entrypoint: "gunicron app:app", want: `error: --entrypoint for linux/amd64: "gunicron" is not in the new image, on its PATH (` + standardPath + `)`},
		{name: "not required", entrypoint: "gunicorn app:app", want: `error: --entrypoint for linux/amd64: "gunicorn" is not in the new image, on its PATH (` + standardPath + `) [the development image has it`},
		{name: "no shell", entrypoint: "sh -c x", want: `error: --entrypoint for linux/amd64: "sh" is not in the new image`},
		{name: "not executable", entrypoint: "/app/app.py", want: `error: --entrypoint for linux/amd64: "/app/app.py" is not executable (its mode is 0644)`},
		{name: "not executable on PATH", entrypoint: "flat", want: `error: --entrypoint for linux/amd64: "/usr/bin/flat" is not executable (its mode is 0644)`},
		{name: "the second one is", entrypoint: "both"},
		{name: "relative", entrypoint: "./run.sh"},
		{name: "relative, missing", entrypoint: "./walk.sh", want: `error: --entrypoint for linux/amd64: "./walk.sh" is not in the new image`},
		{name: "broken link", entrypoint: "gone", want: `error: --entrypoint for linux/amd64: "gone" is not in the new image`},
		{name: "PATH of the options", entrypoint: "tool", env: "PATH=/opt/bin"},
		{name: "not the base's PATH", entrypoint: "tool", want: `error: --entrypoint for linux/amd64: "tool" is not in the new image`},
		{name: "cmd", cmd: "gunicron x", want: `error: --cmd for linux/amd64: "gunicron" is not in the new image`},
		{name: "cmd are arguments", cmd: "nosuch", baseEntrypoint: "/app/run.sh"},
		{name: "the base's", baseCmd: "bash", want: `warning: the base's command can't run: "bash" is not in the new image`},
		{name: "the base's is dropped", entrypoint: "python3 app.py", baseCmd: "bash"},
		{name: "no script", entrypoint: "python3 nosuch.py", want: `warning: "/app/nosuch.py", which python3 is to run, is not in the new image`},
		{name: "no script of cmd", baseEntrypoint: "/usr/bin/python3.11", cmd: "/srv/x.py", want: `warning: "/srv/x.py", which /usr/bin/python3.11 is to run, is not in the new image`},
		{name: "module", entrypoint: "python3 -m nosuch"},
		{name: "option with a word", entrypoint: "python3 -X dev nosuch.py"},
	} {
		base := &v1.Config{}
		if l := list(c.baseEntrypoint); l != nil {
			base.Entrypoint = *l
		}
		if l := list(c.baseCmd); l != nil {
			base.Cmd = *l
		}
		change := layers.ConfigChange{Entrypoint: list(c.entrypoint), Cmd: list(c.cmd), Workdir: &at}
		if c.env != "" {
			change.Env = []string{"PATH=/bin", c.env}
		}
		warnings, err := checkCommand("linux/amd64", newCommand(base, change), set, dev, false)
		got := ""
		var failure *Failure
		if errors.As(err, &failure) {
			got = "error: " + err.Error() + " [" + strings.Join(failure.Hints(), "; ")
			if KindOf(err) != Usage {
				t.Errorf("%s: kind %v", c.name, KindOf(err))
			}
		} else if len(warnings) > 0 {
			got = "warning: " + strings.Join(warnings, "; ")
		}
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if err == nil {
			continue
		}
		if warnings, err := checkCommand("linux/amd64", newCommand(base, change), set, dev, true); err != nil || len(warnings) == 0 {
			t.Errorf("%s, unverified: %q, %v", c.name, warnings, err)
		}
	}
}
