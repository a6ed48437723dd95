package distill

import (
	"bytes"
	"context"
	_ "embed" // the script
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/r-seed-1713b764/distill/internal/audit"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/sandbox"
)

// RunOptions say how verify --run runs an image.
type RunOptions struct {
	Engine string   // of the sandbox; "" is auto
	Smoke  []string // scripts of this machine
}

// RunResult is what running an image told, a platform each.
type RunResult struct {
	Platform string     `json:"platform"`
	Engine   string     `json:"engine"`
	Emulated string     `json:"emulated,omitempty"` // why, for people
	Modules  int        `json:"modules"`            // imported without a complaint
	Optional []RunNote  `json:"optional,omitempty"`
	Smoke    []RunSmoke `json:"smoke,omitempty"`
}

// RunNote is a module that can't be imported for a reason which is not the image's: it
// needs a package that its own distribution does not ask for, or to be set up first.
type RunNote struct {
	Module string `json:"module"`
	Text   string `json:"text"`
}

// RunSmoke is a script that ran.
type RunSmoke struct {
	File    string  `json:"file"`
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
}

// The codes of findings that running an image gives.
const (
	codeImport = "import-failed"
	codeSmoke  = "smoke-failed"
)

// runImages runs each platform of an image, one after the other, as if the paths of
// without were not there.
func (h *Host) runImages(ctx context.Context, all []*opened, without []string, opts RunOptions) ([]RunResult, [][]audit.Finding, error) {
	for _, file := range opts.Smoke {
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			return nil, nil, usagef("", "--smoke %s is no file", file)
		}
	}
	engine, err := sandbox.Open(ctx, opts.Engine)
	if err != nil {
		return nil, nil, sandboxFailure(err)
	}
	var results []RunResult
	var findings [][]audit.Finding
	for _, o := range all {
		r := &runner{host: h, engine: engine, opened: o, without: without, options: opts}
		if err := r.run(ctx); err != nil {
			return nil, nil, sandboxFailure(err)
		}
		results = append(results, r.result)
		findings = append(findings, r.findings)
	}
	return results, findings, nil
}

// sandboxFailure makes what this machine can't do a mistake in usage: the remedy is the
// user's.
func sandboxFailure(err error) error {
	var u *sandbox.Unavailable
	if errors.As(err, &u) {
		hint := u.Remedy
		return usagef(hint, "%v", u)
	}
	if errors.Is(err, sandbox.ErrEngine) {
		return usagef("", "--engine: %v", err)
	}
	return err
}

// runner runs one platform of an image.
type runner struct {
	host     *Host
	engine   sandbox.Engine
	opened   *opened
	without  []string
	options  RunOptions
	root     string
	command  sandbox.Command // as the image's configuration says, without arguments
	result   RunResult
	findings []audit.Finding
}

func (r *runner) run(ctx context.Context) error {
	env := r.opened.env
	r.result = RunResult{Platform: env.Platform, Engine: r.engine.Name(), Emulated: sandbox.Emulated(env.Platform)}
	if env.Python == nil {
		r.complain(codeImport, nil, "", "there is no Python to run", "build on a base image that has one")
		return nil
	}
	set := env.Files.Filter(func(f *files.File) bool {
		return !slices.ContainsFunc(r.without, func(w string) bool {
			w = files.Clean(w)
			return f.Path == w || strings.HasPrefix(f.Path, w+"/")
		})
	})
	root, remove, err := r.host.unpack(ctx, r.opened, set, r.engine)
	if err != nil {
		return err
	}
	defer remove()
	r.root = root
	if r.command, err = r.asConfigured(); err != nil {
		return err
	}
	err = r.importAll(ctx)
	var start *sandbox.StartError
	if errors.As(err, &start) {
		r.complain(codeImport, nil, env.Python.Path, "Python can't be started: "+start.Error(), "keep its loader and libraries, or take a base image that has Python")
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range r.options.Smoke {
		if err := r.smoke(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// emulatedTimes is how much longer a program may take when it is emulated; builds take
// 6 to 10 times as long.
const emulatedTimes = 10

// The time that modules and scripts get on a machine of their own kind.
const (
	moduleTime = time.Minute
	importTime = 15 * time.Minute
	smokeTime  = 5 * time.Minute
)

func (r *runner) timeFor(d time.Duration) time.Duration {
	if r.result.Emulated != "" {
		return d * emulatedTimes
	}
	return d
}

// asConfigured is a command with the environment, folder and user of the image.
func (r *runner) asConfigured() (sandbox.Command, error) {
	config := r.opened.image.Config.Config
	root, err := os.OpenRoot(r.root)
	if err != nil {
		return sandbox.Command{}, err
	}
	defer root.Close()
	user, home, err := accountOf(root, config.User)
	if err != nil {
		return sandbox.Command{}, &Failure{Kind: Damaged, Text: "the image's user " + config.User, Cause: err}
	}
	vars := slices.Clone(config.Env)
	if _, err := root.Stat(strings.TrimPrefix(path.Clean(home), "/")); home != "" && home != "/" && err == nil {
		if !slices.ContainsFunc(vars, func(v string) bool { return strings.HasPrefix(v, "HOME=") }) {
			vars = append(vars, "HOME="+home)
		}
	}
	return sandbox.Command{Dir: config.WorkingDir, Env: vars, User: user, Platform: r.opened.env.Platform}, nil
}

// interpreter is how the image's Python is started: as PATH says, so that it finds a
// virtual environment around itself.
func (r *runner) interpreter() string {
	py := r.opened.env.Python
	for _, v := range r.command.Env {
		list, ok := strings.CutPrefix(v, "PATH=")
		for _, dir := range strings.Split(list, ":") {
			at := path.Join(dir, "python3")
			if _, real, found := r.opened.env.Files.Lookup(at); ok && found && real == py.Path {
				return at
			}
		}
	}
	return "/" + py.Path
}

//go:embed verifyrun.py
var importScript string

// importJob and imported are what the script reads and writes.
type importJob struct {
	Modules []string `json:"modules"`
	Seconds int      `json:"seconds"` // for one module
	Log     string   `json:"log"`     // a file for what modules print
}

type imported struct {
	Module   string   `json:"module"`
	OK       bool     `json:"ok"`
	Kinds    []string `json:"kinds"`   // classes of the exception, the most special one first
	Missing  string   `json:"missing"` // the module that was not found
	Standard bool     `json:"standard"`
	Custom   bool     `json:"custom"` // the exception's class is not Python's own
	Text     string   `json:"text"`
	Signal   int      `json:"signal"`
	Code     int      `json:"code"`
}

// maxOutput bounds what is kept of a program's output, in bytes.
const maxOutput = 16 << 20

func (r *runner) importAll(ctx context.Context) error {
	env := r.opened.env
	owner := map[string]*inspect.Distribution{}
	job := importJob{Seconds: int(r.timeFor(moduleTime).Seconds()), Log: "/tmp/.distill-import.log"}
	for _, d := range env.Distributions {
		if d.Shadowed {
			continue
		}
		for _, m := range topModules(env, d) {
			if owner[m] == nil {
				owner[m] = d
				job.Modules = append(job.Modules, m)
			}
		}
	}
	if len(job.Modules) == 0 {
		return nil
	}
	step := fmt.Sprintf("importing %d modules", len(job.Modules))
	if r.result.Emulated != "" {
		step += ", emulated"
	}
	r.host.Teller.Step(env.Platform, step)
	input, err := json.Marshal(job)
	if err != nil {
		return err
	}
	var out limited
	var log tailOf
	c := r.command
	c.Args = []string{r.interpreter(), "-c", importScript}
	c.Dir, c.Stdin, c.Stdout, c.Stderr = "", bytes.NewReader(input), &out, &log
	c.Limits = sandbox.Limits{Time: r.timeFor(importTime), Memory: 8 << 30}
	err = r.engine.Run(ctx, r.root, c)
	var exit *sandbox.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	seen := map[string]bool{}
	dec := json.NewDecoder(&out.Buffer)
	for {
		var m imported
		if dec.Decode(&m) != nil {
			break
		}
		if d := owner[m.Module]; d != nil && !seen[m.Module] {
			seen[m.Module] = true
			r.judge(d, m)
		}
	}
	if exit != nil {
		r.complain(codeImport, nil, env.Python.Path, "Python does not get through importing: "+exit.Error()+"\n"+log.String(), fixImport)
	}
	return nil
}

const fixImport = "keep what it needs (--include), or use --trim none"

// judge makes a finding, or a note, of a module that was not imported.
func (r *runner) judge(d *inspect.Distribution, m imported) {
	switch {
	case m.OK:
		r.result.Modules++
	case m.Signal == int(syscall.SIGALRM):
		r.complain(codeImport, d, m.Module, fmt.Sprintf("import %s takes longer than %s", m.Module, r.timeFor(moduleTime)), fixImport)
	case m.Signal != 0:
		r.complain(codeImport, d, m.Module, strings.TrimSpace(fmt.Sprintf("import %s crashes: %s\n%s", m.Module, signalName(m.Signal), m.Text)), fixImport)
	case len(m.Kinds) == 0:
		r.complain(codeImport, d, m.Module, strings.TrimSpace(fmt.Sprintf("import %s ends the process, exit code %d\n%s", m.Module, m.Code, m.Text)), fixImport)
	case r.isOptional(d, m):
		r.result.Optional = append(r.result.Optional, RunNote{m.Module, m.Kinds[0] + ": " + m.Text})
	default:
		r.complain(codeImport, d, m.Module, fmt.Sprintf("import %s: %s: %s", m.Module, m.Kinds[0], m.Text), fixImport)
	}
}

// signalName names those that a module's machine code ends with.
func signalName(n int) string {
	switch syscall.Signal(n) {
	case syscall.SIGSEGV:
		return "SIGSEGV"
	case syscall.SIGILL:
		return "SIGILL, an instruction that this processor does not have"
	case syscall.SIGBUS:
		return "SIGBUS"
	case syscall.SIGABRT:
		return "SIGABRT"
	case syscall.SIGKILL:
		return "SIGKILL"
	}
	return fmt.Sprintf("signal %d", n)
}

// isOptional tells a module that asks for more than its distribution does from one that
// is broken. A module of the standard library or of the distribution itself is never
// optional, nor is one as long as a requirement of the distribution is not there.
func (r *runner) isOptional(d *inspect.Distribution, m imported) bool {
	if m.Missing == "" {
		// It wants to be set up, or is a program: SystemExit, ImproperlyConfigured.
		return slices.Contains(m.Kinds, "SystemExit") || m.Custom && !slices.Contains(m.Kinds, "ImportError") && !slices.Contains(m.Kinds, "OSError")
	}
	top, _, _ := strings.Cut(m.Missing, ".")
	own, _, _ := strings.Cut(m.Module, ".")
	if m.Standard || top == own {
		return false
	}
	for _, have := range r.opened.env.Distributions {
		if have.Shadowed {
			continue
		}
		for _, file := range topModules(r.opened.env, have) {
			if t, _, _ := strings.Cut(file, "."); t == top {
				return false // a part of what is there is missing
			}
		}
	}
	return !r.lacksRequirement(d)
}

// lacksRequirement tells whether something that a distribution asks for is not in the image.
func (r *runner) lacksRequirement(d *inspect.Distribution) bool {
	env := r.opened.env
	if d.Metadata == nil {
		return false
	}
	for i := range d.Metadata.RequiresDist {
		q := &d.Metadata.RequiresDist[i]
		if q.Marker.MentionsExtra() {
			continue
		}
		if holds, err := q.Marker.Eval(&env.Python.Markers); err != nil || !holds {
			continue
		}
		if !slices.ContainsFunc(env.Distributions, func(x *inspect.Distribution) bool { return x.Name == q.Name }) {
			return true
		}
	}
	return false
}

// smokeFolder is where scripts are inside.
const smokeFolder = "/mnt/distill-smoke"

// smoke runs a script as the image would run the application.
func (r *runner) smoke(ctx context.Context, file string) error {
	dir, err := os.MkdirTemp("", "distill-smoke-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	name := filepath.Base(file)
	text, err := os.ReadFile(file)
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, name), text, 0o644), os.Chmod(dir, 0o755))
	}
	if err != nil {
		return err
	}
	step := "running " + name
	if r.result.Emulated != "" {
		step += ", emulated"
	}
	r.host.Teller.Step(r.opened.env.Platform, step)
	var log tailOf
	c := r.command
	c.Args = []string{r.interpreter(), smokeFolder + "/" + name}
	c.Env = withModulesOf(c.Env, c.Dir)
	c.Stdout, c.Stderr = &log, &log
	c.Mounts = []sandbox.Mount{{Host: dir, Path: smokeFolder, ReadOnly: true}}
	c.Limits = sandbox.Limits{Time: r.timeFor(smokeTime), Memory: 8 << 30}
	start := time.Now()
	err = r.engine.Run(ctx, r.root, c)
	var exit *sandbox.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	r.result.Smoke = append(r.result.Smoke, RunSmoke{File: file, OK: err == nil, Seconds: time.Since(start).Seconds()})
	if exit != nil {
		r.complain(codeSmoke, nil, file, strings.TrimSpace(fmt.Sprintf("%s: %v\n%s", name, exit, log.String())), "make the script's last words true: what it misses is not in the image")
	}
	return nil
}

// withModulesOf lets Python import what is in a folder, as if the script were there.
func withModulesOf(env []string, dir string) []string {
	if dir == "" || dir == "/" {
		return env
	}
	out := slices.Clone(env)
	for i, v := range out {
		if strings.HasPrefix(v, "PYTHONPATH=") {
			out[i] = v + ":" + dir
			return out
		}
	}
	return append(out, "PYTHONPATH="+dir)
}

func (r *runner) complain(code string, d *inspect.Distribution, place, message, fix string) {
	f := audit.Finding{
		Code: code, ID: code, Severity: audit.High, Platforms: []string{r.result.Platform}, Place: audit.Place{File: place}, Message: message, Fix: fix,
	}
	if d != nil {
		f.Package, f.Version = d.Name, d.Version.String()
		f.ID = code + "/" + string(d.Name)
	}
	r.findings = append(r.findings, f)
}

// limited keeps what is written to it up to a bound, and takes the rest without a word.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if n := maxOutput - l.Len(); n > 0 {
		l.Buffer.Write(p[:min(n, len(p))])
	}
	return len(p), nil
}

// shownTail is how much of a program's last words is shown, in bytes.
const shownTail = 4 << 10

// tailOf keeps the end of what is written to it. The sandbox's streams may share one.
type tailOf struct {
	mu   sync.Mutex
	text []byte
}

// Write implements [io.Writer].
func (t *tailOf) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p[max(0, len(p)-shownTail):]...)
	t.text = t.text[max(0, len(t.text)-shownTail):]
	return len(p), nil
}

// String returns whole lines, if there are several.
func (t *tailOf) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.text
	if len(text) == shownTail {
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			text = text[i+1:]
		}
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(text)), "?")
}
