// Package wheelhouse gets the wheel of a source archive for a platform: out of its
// caches, or by a build in the development image.
//
// It is the workshop between the line, which knows what is wanted, and the edges, which
// know how to build and to fetch. What a build requires is resolved by its caller's
// resolver, fetched by its caller's index client, and checked by digest like all else.
package wheelhouse

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/inspect"
	"github.com/r-seed-1713b764/distill/internal/needs"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/wheelcache"
)

// Platform is one target: what is built for, and the development image that it is built
// in, nil if there is none; then nothing can be built, but what builds require is known.
type Platform struct {
	Name  string // "linux/arm64"
	Image *image.Image
	Env   *inspect.Environment
}

// Question asks for build requirements.
type Question struct {
	Requirements []python.Requirement
	Targets      []int // platforms of the house; targets of the answer in this order
	// Prefer are versions to be taken if they fit; their targets are those of the answer.
	Prefer []resolve.Preference
	// Before leaves out what was uploaded then or later, or nobody knows when, unless it is
	// zero.
	Before time.Time
}

// Options are what a house needs of the world.
type Options struct {
	Cache     *cache.Dir
	Platforms []Platform
	Needs     func() *needs.Book // read when it is needed
	// Engine is the name of a local engine ("auto", "namespaces" ...) or an address of
	// BuildKit.
	Engine string
	// Remote is the cache of wheels that others share, nil for none.
	Remote *wheelcache.Cache
	// Fetch returns a file of the index, its digest checked and known.
	Fetch func(context.Context, pypi.File) (r pypi.ReadAtCloser, size int64, digest string, err error)
	// Resolve answers with wheels, and source archives where there are none.
	Resolve func(context.Context, Question) (*resolve.Resolution, error)
	// Examine tells what speaks against a wheel that was built for a platform: its
	// error, and what is only worth a warning. A wheel that is shipped runs on the base
	// image, any other one is a build requirement, and runs in the development image. The
	// error wraps fs.ErrNotExist if the cache does not have the wheel any more.
	Examine func(target int, b *build.Built, shipped bool) (warnings []string, err error)
	// Alternative names a version that needs no build there, "" if none is known.
	Alternative func(context.Context, python.Name, int) string
	// Native tells whether a wheel holds code for one kind of machine, whatever its name
	// says; nil if none does.
	Native func(*build.Built) (bool, error)
	// Pinned is what a lock says about the build of a build requirement; may be nil.
	Pinned func(name python.Name, v python.Version, targets []int) (prefer []resolve.Preference, asked []string, known bool)
	// Unchecked builds also where the image is known to lack what is needed.
	Unchecked bool
	Teller    Teller
	Log       func(text string) // may be nil
	Time      time.Duration     // of one build, 0 for an hour
	Memory    int64             // bytes of one build, 0 for 8 GiB
}

// Teller is told how far builds are. Safe for several goroutines.
type Teller interface {
	// Begin says that a step has begun beside others of its platform.
	Begin(platform, step string) (end func())
	// Output is one line that the program of a step has printed.
	Output(platform, step, line string)
	Warn(text string)
}

// House makes wheels. It may be used by several goroutines; its zero value is of no use.
type House struct {
	o     Options
	slots chan struct{} // builds that run

	opening sync.Mutex // of what follows
	engine  engine
	failed  error // of opening it

	mu      sync.Mutex
	warned  map[string]bool
	usables []*files.Set
	looked  map[lookKey]needs.Report
}

// lookKey is what a report of needs is about.
type lookKey struct {
	archive string // its digest
	target  int
}

// New returns a house. Nothing is opened before it is needed.
func New(o Options) *House {
	slots := max(2, runtime.NumCPU()/2)
	if isAddress(o.Engine) {
		slots = nodesAtOnce
	}
	return &House{o: o, slots: make(chan struct{}, slots), warned: map[string]bool{}, looked: map[lookKey]needs.Report{}}
}

// Close ends the engine.
func (h *House) Close() {
	h.opening.Lock()
	defer h.opening.Unlock()
	if h.engine != nil {
		h.engine.close()
		h.engine = nil
	}
}

// CanBuild tells whether there is an image to build in.
func (h *House) CanBuild() bool {
	for _, p := range h.o.Platforms {
		if p.Image == nil {
			return false
		}
	}
	return len(h.o.Platforms) > 0
}

// warnOnce warns of what holds for several builds.
func (h *House) warnOnce(text string) {
	h.mu.Lock()
	known := h.warned[text]
	h.warned[text] = true
	h.mu.Unlock()
	if !known {
		h.o.Teller.Warn(text)
	}
}

func (h *House) log(text string) {
	if h.o.Log != nil {
		h.o.Log(text)
	}
}

// nearest orders targets by how fast a build is there: those that this machine runs
// itself come first.
func nearest(targets []int, emulated func(int) bool) []int {
	out := make([]int, 0, len(targets))
	for _, slow := range []bool{false, true} {
		for _, t := range targets {
			if emulated(t) == slow {
				out = append(out, t)
			}
		}
	}
	return out
}
