package distill

import (
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/hints"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/plan"
)

// runtime is the interpreter that comes along for one platform, and what the
// configuration of the new image has to say for it.
type runtime struct {
	*plan.Runtime
	env []string
}

// files is what the plan lays; nothing of a nil one.
func (r *runtime) files() *plan.Runtime {
	if r == nil {
		return nil
	}
	return r.Runtime
}

// environment is what the configuration gets before what the user sets.
func (r *runtime) environment() []string {
	if r == nil {
		return nil
	}
	return r.env
}

// bringPython makes a base without Python one that has the development image's: from
// here on resolving and planning see it as if the interpreter stood there.
func (h *Host) bringPython(in *inputs, o ImageOptions) error {
	in.runtimes = make([]*runtime, len(in.platforms))
	for i, p := range in.platforms {
		dev, base := in.dev[i], in.base[i]
		if base.env.Python != nil || dev.env.Python == nil {
			continue
		}
		name := platformName(p)
		h.Teller.Step(name, "finding the interpreter's files")
		rt, err := plan.NewRuntime(planInput(name, dev, base, in.hints, o))
		if err != nil {
			return &Failure{Kind: KindOf(err), Text: in.onto.Ref + " for " + name + " has no Python, and that of " + in.from.Ref + " can't come along", Cause: err}
		}
		env := interpreterEnv(dev.image.Config.Config.Env, base.image.Config.Config.Env, dev.env.Python)
		set := base.env.Files.Merge(rt.Files)
		made, err := inspect.Read(set, inspect.Options{Platform: name, Env: slices.Concat(base.image.Config.Config.Env, env, o.Env)})
		if err != nil {
			return &Failure{Kind: Damaged, Text: in.onto.Ref + " for " + name, Cause: err}
		}
		in.base[i] = &opened{image: base.image, env: made}
		in.runtimes[i] = &runtime{rt, env}
	}
	return nil
}

// planInput is what planning of one platform knows of the images.
func planInput(name string, dev, base *opened, known *hints.Book, o ImageOptions) plan.Input {
	return plan.Input{
		Platform: name,
		Dev:      dev.env,
		Base:     base.env,
		Hints:    known,
		Options: plan.Options{
			Include: o.Include, Exclude: o.Exclude, Trim: o.Trim, NoByteCode: o.ByteCode == NoByteCode,
			MaxLayers: o.MaxLayers, BaseLayers: len(base.image.Manifest.Layers),
		},
		LibraryPath:    envValue(append(slices.Clone(o.Env), base.image.Config.Config.Env...), "LD_LIBRARY_PATH"),
		DevLibraryPath: envValue(dev.image.Config.Config.Env, "LD_LIBRARY_PATH"),
	}
}

// standardPath is what container runtimes take for an image that has no PATH.
const standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// interpreterEnv is PATH with the folders of the interpreter and of its scripts, if the
// base's lacks one: before all others if the development image has it so.
func interpreterEnv(dev, base []string, py *inspect.Interpreter) []string {
	old := envValue(base, "PATH")
	have := strings.Split(orStandard(old), ":")
	want := []string{"/" + path.Dir(py.Path), "/" + py.Scripts}
	for _, n := range py.Names {
		want = append(want, "/"+path.Dir(n))
	}
	devPath := strings.Split(orStandard(envValue(dev, "PATH")), ":")
	var first, last []string
	shared := false
	for _, dir := range devPath {
		switch {
		case slices.Contains(have, dir):
			shared = true
		case !slices.Contains(want, dir):
		case shared:
			last = append(last, dir)
		default:
			first = append(first, dir)
		}
	}
	if !slices.ContainsFunc(want, func(dir string) bool { return slices.Contains(devPath, dir) || slices.Contains(have, dir) }) {
		last = append(last, want[0]) // the development image starts it by its whole name
	}
	now := strings.Join(slices.Concat(first, have, last), ":")
	if now == old {
		return nil
	}
	return []string{"PATH=" + now}
}

func orStandard(path string) string {
	if path == "" {
		return standardPath
	}
	return path
}
