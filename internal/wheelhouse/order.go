package wheelhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
)

// Order asks for the wheels of one version for some platforms.
type Order struct {
	Name    python.Name
	Version python.Version
	File    pypi.File // the source archive
	Targets []int     // platforms of the house
	// Prefer are versions of build requirements to be taken if they fit: those of a lock,
	// those that the application runs with. Their targets are positions in Targets.
	Prefer []resolve.Preference
	// Asked is what the back end asks for beside pyproject.toml, if a lock knows it.
	Asked []string
	Known bool // Asked is known

	// metadataOnly: what a build needs of the image need not be there.
	metadataOnly bool
	// Linked are the projects that the wheel is compiled against and runs with: their
	// versions in Prefer count even if they are younger than the archive.
	Linked []python.Name
}

func (o *Order) title() string { return string(o.Name) + " " + o.Version.String() }

// Ready is an order of which it is known what its builds require.
type Ready struct {
	Order
	Digest string // of the source archive
	Asked  []string
	Tools  *resolve.Resolution // its targets are those of the order
	// Builds are the build requirements that have to be built themselves.
	Builds []*BuiltTool

	outline *build.Outline
	// plain is the same before the back end was asked, askedOn the platform on which it
	// was; nil if it was not.
	plain   *Ready
	askedOn int
}

// BuiltTool is a build requirement without a wheel for some platforms.
type BuiltTool struct {
	Pick *resolve.Pick // of Ready.Tools
	*Ready
}

// maxNesting is how many build requirements may have to be built for each other.
const maxNesting = 8

// aboveKey leads to the builds that wait for the one that is being prepared.
type aboveKey struct{}

// Prepare finds out what the builds of an order require. It builds nothing but build
// requirements that have no wheel, and asks the back end what else it wants; both only
// if no cache knows the answer.
func (h *House) Prepare(ctx context.Context, o Order) (*Ready, error) {
	above, _ := ctx.Value(aboveKey{}).([]string)
	if slices.Contains(above, o.title()) || len(above) == maxNesting {
		return nil, h.failure(&o, o.Targets[0], fmt.Errorf("builds require each other: %s", strings.Join(append(above, o.title()), " > ")))
	}
	outer := ctx
	ctx = context.WithValue(ctx, aboveKey{}, append(slices.Clip(above), o.title()))
	archive, err := h.open(ctx, o.File)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	r := &Ready{Order: o, Digest: archive.digest, Asked: o.Asked}
	system, err := build.ReadSystem(archive.source)
	if err != nil {
		return nil, h.failure(&o, o.Targets[0], err)
	}
	if r.outline, err = build.ReadOutline(archive.source); err != nil {
		return nil, h.failure(&o, o.Targets[0], err)
	}
	if h.CanBuild() && !o.metadataOnly {
		for _, t := range o.Targets { // before anything is fetched or unpacked for it
			if _, err := h.check(r, t); err != nil {
				return nil, h.advised(ctx, r, t, err)
			}
		}
	}
	if err := h.equip(ctx, r, system); err != nil {
		return nil, err
	}
	if o.Known || !h.CanBuild() {
		return r, nil
	}
	plain := *r
	r.plain = &plain
	if r.Asked, r.askedOn, err = h.ask(outer, &plain); err != nil {
		return nil, err
	}
	if len(r.Asked) == 0 {
		return r, nil
	}
	return r, h.equip(ctx, r, system)
}

// equip resolves what the builds require.
func (h *House) equip(ctx context.Context, r *Ready, system *build.System) error {
	list := slices.Clone(system.Requires)
	for _, text := range r.Asked {
		q, err := python.ParseRequirement(text)
		if err != nil {
			return h.failure(&r.Order, r.Targets[0], fmt.Errorf("the back end asks for %q: %w", text, err))
		}
		list = append(list, q)
	}
	err := checkRequirements(list)
	if err != nil {
		return h.failure(&r.Order, r.Targets[0], err)
	}
	if r.Tools, err = h.tools(ctx, &r.Order, list); err != nil {
		return h.failure(&r.Order, r.Targets[0], fmt.Errorf("what its build requires can't be had: %w", err))
	}
	r.Builds = nil
	for _, p := range r.Tools.Picks {
		var on []int
		var file pypi.File
		for _, placed := range p.On {
			if placed.Artifact.Kind == resolve.Sdist {
				on = append(on, r.Targets[placed.Target])
				file = placed.Artifact.Ref.(pypi.File)
			}
		}
		if len(on) == 0 {
			continue
		}
		tool := Order{Name: p.Name, Version: p.Version, File: file, Targets: on}
		if h.o.Pinned != nil {
			tool.Prefer, tool.Asked, tool.Known = h.o.Pinned(p.Name, p.Version, on)
		}
		one, err := h.Prepare(ctx, tool)
		if err != nil {
			return fmt.Errorf("build requirement of %s: %w", r.title(), err)
		}
		r.Builds = append(r.Builds, &BuiltTool{Pick: p, Ready: one})
	}
	return nil
}

// maxRequirements is far more than builds require; wheelcache has the same bound.
const maxRequirements = 200

// checkRequirements looks at what an archive, which nobody knows, makes this machine
// fetch: neither its own files, nor what only it can reach in the open.
func checkRequirements(list []python.Requirement) error {
	if len(list) > maxRequirements {
		return fmt.Errorf("it has %d build requirements, more than %d", len(list), maxRequirements)
	}
	for _, q := range list {
		if q.URL != "" && !strings.HasPrefix(q.URL, "https://") {
			return fmt.Errorf("its build requirement %s @ %s comes neither from an index nor over https", q.Name, python.ShowURL(q.URL))
		}
	}
	return nil
}

// position is where a platform stands among the targets of the order.
func (o *Order) position(target int) int { return slices.Index(o.Targets, target) }
