package resolve

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// world is a Source in memory. Its zero hooks answer at once.
type world struct {
	projects  map[python.Name]*worldProject
	installed map[python.Name]*worldProject
	direct    map[string]*worldProject // by URL
	delay     func()                   // before each answer
	pages     atomic.Int32             // how often Project was called
	asked     atomic.Int32             // how often Requires was called for what is not in an image
}

type worldProject struct{ list []*worldRelease }

// worldRelease is one version of a package.
type worldRelease struct {
	candidate Candidate
	needs     *Needs
	unusable  *Unusable
}

func (p *worldProject) project() *Project {
	out := &Project{}
	for _, r := range p.list {
		out.Versions = append(out.Versions, r.candidate.Version)
	}
	out.Artifacts = func(i int) []*Artifact { return p.list[i].candidate.Artifacts }
	return out
}

func (p *worldProject) find(v python.Version) *worldRelease {
	if i, ok := p.search(v); ok {
		return p.list[i]
	}
	return nil
}

func (p *worldProject) search(v python.Version) (int, bool) {
	return slices.BinarySearchFunc(p.list, v, func(r *worldRelease, v python.Version) int { return r.candidate.Version.Compare(v) })
}

// add returns the release, making it at its place if it is new.
func (p *worldProject) add(name python.Name, v python.Version) *worldRelease {
	i, ok := p.search(v)
	if !ok {
		p.list = slices.Insert(p.list, i, &worldRelease{candidate: Candidate{Name: name, Version: v}, needs: &Needs{}})
	}
	return p.list[i]
}

func (w *world) Installed(name python.Name) *Project {
	if p := w.installed[name]; p != nil {
		return p.project()
	}
	return nil
}

func (w *world) Project(_ context.Context, name python.Name, url string) (*Project, error) {
	w.pages.Add(1)
	if w.delay != nil {
		w.delay()
	}
	if url != "" {
		if p := w.direct[url]; p != nil {
			return p.project(), nil
		}
		return nil, fmt.Errorf("%s: no such file", url)
	}
	all := &worldProject{}
	for _, m := range []map[python.Name]*worldProject{w.projects, w.installed} {
		if p := m[name]; p != nil {
			for _, r := range p.list {
				to := all.add(name, r.candidate.Version)
				to.candidate.Artifacts = append(slices.Clip(to.candidate.Artifacts), r.candidate.Artifacts...)
			}
		}
	}
	if len(all.list) == 0 {
		return &Project{Note: "not found in the index"}, nil
	}
	return all.project(), nil
}

func (w *world) Requires(_ context.Context, c *Candidate, a *Artifact) (*Needs, error) {
	from := w.projects[c.Name]
	if a.Kind == ImageFiles {
		from = w.installed[c.Name]
	} else {
		w.asked.Add(1)
		if w.delay != nil {
			w.delay()
		}
		if p := w.direct[a.URL]; p != nil {
			from = p
		}
	}
	r := from.find(c.Version)
	if r.unusable != nil {
		return nil, r.unusable
	}
	return r.needs, nil
}

func testTarget(name, version string, libc python.Libc) Target {
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[strings.TrimPrefix(name, "linux/")]
	v := mustVersion(version)
	release := append(v.Release(), 0, 0)[:3]
	return Target{
		Libc:   libc,
		Name:   name,
		Python: v,
		Markers: python.MarkerEnv{
			OSName: "posix", SysPlatform: "linux", PlatformMachine: machine, PlatformSystem: "Linux",
			PlatformPythonImplementation: "CPython", ImplementationName: "cpython",
			PythonVersion:         fmt.Sprintf("%d.%d", release[0], release[1]),
			PythonFullVersion:     fmt.Sprintf("%d.%d.%d", release[0], release[1], release[2]),
			ImplementationVersion: fmt.Sprintf("%d.%d.%d", release[0], release[1], release[2]),
		},
		Tags: python.TagsFor(python.TagTarget{
			Implementation: "cp", Major: int(release[0]), Minor: int(release[1]), Arch: machine, Libc: libc,
		}),
	}
}

func mustVersion(s string) python.Version {
	v, err := python.ParseVersion(s)
	if err != nil {
		panic(err)
	}
	return v
}

func mustRequirement(s string) python.Requirement {
	r, err := python.ParseRequirement(s)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", s, err))
	}
	return r
}

func glibc(minor int) python.Libc { return python.Libc{Family: "glibc", Major: 2, Minor: minor} }

// worldCase is one case of a text file: a world, a request and what is expected.
type worldCase struct {
	name  string
	world *world
	req   Request
	want  []string // "numpy 1.26" or "numpy 1.26 on linux/amd64"
	fails bool
	warns []string // what each warning begins with
	from  []string // as want, with where it comes from on each target
	quiet bool     // the index must not be asked
}

// parseWorlds reads cases:
//
//	== name
//	target linux/amd64          default: linux/amd64 and linux/arm64
//	index
//	  pandas 2.2 | needs numpy==1.26 | wheel cp311-cp311-manylinux_2_17_x86_64 | sdist
//	image linux/amd64
//	  numpy 1.26
//	option pre
//	constrain numpy<2
//	override numpy==1.26
//	want pandas
//	  numpy 1.26                what is picked, on all targets
//	  pandas 2.2 on linux/amd64
//	  fails                     or nothing fits
//	  numpy 1.26 on linux/amd64 from image
//	  warns pandas 2.2          and a warning begins so
//	  quiet                     and the index was not asked
func parseWorlds(t *testing.T, file, text string) []*worldCase {
	t.Helper()
	var out []*worldCase
	var c *worldCase
	section := ""
	for n, line := range strings.Split(text, "\n") {
		if i := strings.Index(line, "# "); i >= 0 {
			line = line[:i]
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		if name, ok := strings.CutPrefix(line, "== "); ok {
			c = &worldCase{name: name, world: newWorld()}
			out = append(out, c)
			continue
		}
		if !strings.HasPrefix(line, " ") {
			section = c.directive(n+1, word, rest)
			continue
		}
		c.entry(section, strings.TrimSpace(line))
	}
	for _, c := range out {
		if len(c.req.Targets) == 0 {
			c.req.Targets = []Target{testTarget("linux/amd64", "3.11.2", glibc(36)), testTarget("linux/arm64", "3.11.2", glibc(36))}
		}
		c.placeImages()
	}
	return out
}

func newWorld() *world {
	return &world{
		projects: make(map[python.Name]*worldProject), installed: make(map[python.Name]*worldProject),
		direct: make(map[string]*worldProject),
	}
}

func (c *worldCase) directive(line int, word, rest string) (section string) {
	switch word {
	case "target":
		name, version, _ := strings.Cut(rest, " ")
		if version == "" {
			version = "3.11.2"
		}
		c.req.Targets = append(c.req.Targets, testTarget(name, version, glibc(36)))
	case "option":
		c.option(rest)
	case "constrain", "override", "want":
		r := mustRequirement(strings.Split(rest, " --hash=")[0])
		r.Pos = python.Pos{File: "requirements.txt", Line: len(c.req.Requirements) + 1}
		for _, h := range strings.Split(rest, " --hash=")[1:] {
			algorithm, digest, _ := strings.Cut(h, ":")
			if r.Hashes == nil {
				r.Hashes = make(map[string][]string)
			}
			r.Hashes[algorithm] = append(r.Hashes[algorithm], digest)
		}
		switch word {
		case "constrain":
			r.Pos = python.Pos{File: "constraints.txt", Line: len(c.req.Constraints) + 1}
			c.req.Constraints = append(c.req.Constraints, r)
		case "override":
			r.Pos = python.Pos{File: "overrides.txt", Line: len(c.req.Overrides) + 1}
			c.req.Overrides = append(c.req.Overrides, r)
		default:
			c.req.Requirements = append(c.req.Requirements, r)
		}
	case "index":
	case "image":
		return "image " + rest
	default:
		panic(fmt.Sprintf("line %d: %q", line, word))
	}
	return word
}

func (c *worldCase) option(rest string) {
	o := &c.req.Options
	word, arg, _ := strings.Cut(rest, " ")
	control := func() (f python.FormatControl) {
		if arg == ":all:" {
			f.All = true
		} else {
			f.Names = []python.Name{python.Name(arg)}
		}
		return f
	}
	switch word {
	case "pre":
		o.Pre = true
	case "lowest":
		o.Prefer = PreferLowest
	case "newest":
		o.Prefer = PreferNewest
	case "align-wheels":
		o.Align = AlignWheels
	case "only-binary":
		o.OnlyBinary = control()
	case "no-binary":
		o.NoBinary = control()
	case "no-build":
		o.NoBuild = true
	case "require-hashes":
		o.RequireHashes = true
	case "exclude-newer":
		o.ExcludeNewer, _ = time.Parse("2006-01-02", arg)
	case "sources":
		for _, s := range strings.Split(arg, ",") {
			o.Sources = append(o.Sources, map[string]ArtifactKind{"image": ImageFiles, "wheel": Wheel, "build": Sdist}[s])
		}
	case "locked":
		name, version, _ := strings.Cut(arg, " ")
		o.Locked = append(o.Locked, Preference{python.Name(name), mustVersion(version), -1})
	default:
		panic("option " + rest)
	}
}

func (c *worldCase) entry(section, line string) {
	switch {
	case section == "index":
		c.world.release(line, "")
	case strings.HasPrefix(section, "image "):
		c.world.release(line, strings.TrimPrefix(section, "image "))
	case line == "fails":
		c.fails = true
	case strings.HasPrefix(line, "warns "):
		c.warns = append(c.warns, strings.TrimPrefix(line, "warns "))
	case strings.Contains(line, " from "):
		c.from = append(c.from, line)
	case line == "quiet":
		c.quiet = true
	default:
		c.want = append(c.want, line)
	}
}

// release adds a version to the index, or to the image of a target.
func (w *world) release(line, image string) {
	fields := strings.Split(line, " | ")
	head := strings.Fields(fields[0])
	name, version := python.Name(head[0]), mustVersion(head[1])
	m := w.projects
	if image != "" {
		m = w.installed
	}
	if m[name] == nil {
		m[name] = &worldProject{}
	}
	r := m[name].add(name, version)
	file := &Artifact{Kind: Wheel, Target: -1}
	unfit, binary := "", false
	for _, f := range fields[1:] {
		word, rest, _ := strings.Cut(strings.TrimSpace(f), " ")
		switch word {
		case "needs":
			r.needs.Requires = append(r.needs.Requires, mustRequirement(rest))
		case "extra":
			extra, req, _ := strings.Cut(rest, " ")
			r.needs.Extras = append(r.needs.Extras, python.Name(extra))
			if req != "" {
				req, marker, _ := strings.Cut(req, ";")
				if marker = fmt.Sprintf("extra == %q", extra) + strings.TrimSuffix(" and ("+marker+")", " and ()"); true {
					r.needs.Requires = append(r.needs.Requires, mustRequirement(req+" ; "+marker))
				}
			}
		case "wheel":
			w.file(r, fmt.Sprintf("%s-%s-%s.whl", strings.ReplaceAll(string(name), "-", "_"), version, rest))
		case "sdist":
			w.file(r, fmt.Sprintf("%s-%s.tar.gz", name, version))
		case "url":
			r.candidate.Artifacts = nil
			w.direct[rest] = &worldProject{list: []*worldRelease{r}}
			w.file(r, fmt.Sprintf("%s-%s-py3-none-any.whl", strings.ReplaceAll(string(name), "-", "_"), version)).URL = rest
			delete(m, name)
		case "python":
			s, err := python.ParseSpecifiers(rest)
			if err != nil {
				panic(err)
			}
			file.RequiresPython = s
		case "yanked":
			file.Yanked, file.YankedReason = true, rest
		case "uploaded":
			file.Uploaded, _ = time.Parse("2006-01-02", rest)
		case "sha256":
			file.Hashes = map[string]string{"sha256": rest}
		case "unfit":
			unfit = rest
		case "binary":
			binary = true
		case "dynamic":
			r.unusable = &Unusable{Reason: "its dependencies can only be told by a build"}
		case "guess":
			r.unusable = &Unusable{Reason: "its dependencies can only be told by a build", Needs: &Needs{Requires: []python.Requirement{mustRequirement(rest)}}}
		default:
			panic(line)
		}
	}
	if image != "" {
		r.candidate.Artifacts = append(r.candidate.Artifacts, &Artifact{Kind: ImageFiles, File: image, Unfit: unfit, Binary: binary})
		return
	}
	if len(r.candidate.Artifacts) == 0 {
		w.file(r, fmt.Sprintf("%s-%s-py3-none-any.whl", strings.ReplaceAll(string(name), "-", "_"), version))
	}
	for _, a := range r.candidate.Artifacts {
		a.RequiresPython, a.Yanked, a.YankedReason, a.Uploaded, a.Hashes = file.RequiresPython, file.Yanked, file.YankedReason, file.Uploaded, file.Hashes
	}
}

func (w *world) file(r *worldRelease, name string) *Artifact {
	a := &Artifact{Kind: Sdist, Target: -1, File: name, URL: "https://files.example.org/" + name, Size: 1000}
	if strings.HasSuffix(name, ".whl") {
		a.Kind = Wheel
		var err error
		if a.WheelName, err = python.ParseWheelName(name); err != nil {
			panic(err)
		}
	}
	r.candidate.Artifacts = append(r.candidate.Artifacts, a)
	return a
}

// placeImages gives image files the number of their target.
func (c *worldCase) placeImages() {
	for _, p := range c.world.installed {
		for _, r := range p.list {
			for _, a := range r.candidate.Artifacts {
				a.Target = slices.IndexFunc(c.req.Targets, func(t Target) bool { return t.Name == a.File })
			}
		}
	}
}

// lines writes what was picked in the form of a case.
func lines(r *Resolution) []string {
	var out []string
	for _, p := range r.Picks {
		line := fmt.Sprintf("%s %s", p.Name, p.Version)
		if len(p.On) < len(r.Targets) {
			for _, on := range p.On {
				out = append(out, line+" on "+r.Targets[on.Target].Name)
			}
			continue
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// sources writes where each pick comes from on each target.
func sources(r *Resolution) []string {
	var out []string
	for _, p := range r.Picks {
		for _, on := range p.On {
			from := on.Artifact.File
			if on.Artifact.Kind == ImageFiles {
				from = "image"
			}
			out = append(out, fmt.Sprintf("%s %s on %s from %s", p.Name, p.Version, r.Targets[on.Target].Name, from))
		}
	}
	return out
}
