// Package build makes a wheel out of a source archive, in a sandbox of the development
// image.
//
// It knows what a build is (PEP 517 and 518, and setup.py before them); who runs it, and
// where its requirements come from, is its caller's. A build gets no network: source and
// requirements have been fetched and checked before.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/wheel"
)

// Recipe names how a wheel comes out of a source archive, environment and rewriting
// included: it differs where the same input could give another wheel. The part behind
// the hyphen is the digest of the programs that run inside.
const Recipe = "2-c0e955e7974346c7"

// Sandbox runs one command in the development image, without a network.
type Sandbox interface {
	// Run lays j.Files out below j.Place, which the command may write to, runs the
	// command, and calls j.Take with what j.Place is then if it ended with code 0. The
	// error of j.Take is returned as it is.
	Run(ctx context.Context, j Job) error
}

// Job is what a sandbox is asked to run.
type Job struct {
	Place string // absolute, in the image
	Files files.Set
	Out   string // a folder below Place: all of what Take looks at
	Dir   string // the working folder, below Place
	Args  []string
	Env   []string // all of it, but for what the image says of PATH
	User  int      // number of the user and group, the owner of Files
	Log   io.Writer
	Take  func(place *os.Root) error
}

// Request says what to build.
type Request struct {
	Source Source
	// Tools are the build requirements, as wheels, each project once.
	Tools []*wheel.Wheel
	// Asked are the requirements beside those of [ReadSystem] that Tools were chosen for:
	// what [Requires] returned (which may be nothing) or a [MoreError] named. If it is nil,
	// the back end is asked before it builds.
	Asked []string
	// Python is the image's interpreter ("/usr/bin/python3.11"), Path its PATH.
	Python, Path string
	// Env holds variables of the image ("CC=clang") that a build may see; those that this
	// package sets itself are passed over.
	Env []string
	// Jobs is how many processes a build that can use several is told to start; 0 says
	// nothing. It must not change what comes out, and stands in no key.
	Jobs  int
	Epoch int64 // seconds since 1970, for what a back end dates
	// Log gets what the build prints. It is called by one goroutine at a time, and should
	// be a [Log]: a build may print without end.
	Log io.Writer
}

// Built is a wheel that was made; its content is in the cache.
type Built struct {
	FileName string
	Digest   string // "sha256:..."
	Size     int64
}

// MoreError says that a back end asks for more than its pyproject.toml lists. Asked for
// once more with Tools that serve them, the build goes on.
type MoreError struct{ Requires []string }

// Error lists what is asked for.
func (e *MoreError) Error() string {
	return "the build asks for " + strings.Join(e.Requires, ", ")
}

// ErrResult is wrapped by errors about what a build has left: no wheel, a damaged one, or
// that of another project.
var ErrResult = errors.New("the build gives no usable wheel")

// Wheel builds the source archive and puts the wheel into the cache, written anew so that
// the same files are the same bytes. What the build prints goes to the request's log. An
// error of the sandbox is wrapped as it is.
func Wheel(ctx context.Context, sb Sandbox, store *cache.Dir, r Request) (*Built, error) {
	var built *Built
	err := r.run(ctx, sb, hookWheel, func(root *os.Root, a *answer) (err error) {
		built, err = r.takeWheel(root, a, store)
		return err
	})
	if err != nil {
		return nil, err
	}
	return built, nil
}

// Requires returns what the back end asks for beside the requirements of pyproject.toml
// (get_requires_for_build_wheel), as requirements in normal form, sorted. Nothing is built.
func Requires(ctx context.Context, sb Sandbox, r Request) ([]string, error) {
	requires := []string{}
	err := r.run(ctx, sb, hookRequires, func(_ *os.Root, a *answer) error {
		requires = append(requires, a.requires...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return requires, nil
}

// Metadata returns the METADATA of the wheel that a build would give. A back end that
// can't tell without building builds: then built is that wheel, as [Wheel] returns it.
// It returns a [MoreError] as Wheel does.
func Metadata(ctx context.Context, sb Sandbox, store *cache.Dir, r Request) (text []byte, built *Built, err error) {
	err = r.run(ctx, sb, hookMetadata, func(root *os.Root, a *answer) (err error) {
		if a.metadata {
			text, err = r.takeMetadata(root)
			return err
		}
		if built, err = r.takeWheel(root, a, store); err == nil {
			text, err = metadataOf(store, built)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return text, built, nil
}

// run lets the driver call a hook, and hands its answer and what it has left to take.
func (r *Request) run(ctx context.Context, sb Sandbox, hook string, take func(*os.Root, *answer) error) error {
	system, err := ReadSystem(r.Source)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Source.FileName, err)
	}
	set, err := r.files(system, hook)
	if err != nil {
		return fmt.Errorf("building %s: %w", r.Source.FileName, err)
	}
	err = sb.Run(ctx, Job{
		Place: place,
		Out:   "out",
		Files: set,
		Dir:   place,
		// Without site, the packages of the image are not seen: what a build may use
		// stands in its requirements.
		Args: []string{r.Python, "-S", "-B", "driver.py"},
		Env:  r.environment(),
		User: user,
		Log:  r.Log,
		Take: func(root *os.Root) error {
			a, err := readAnswer(root)
			if err != nil {
				return err
			}
			if hook != hookRequires && a.wheel == "" && !a.metadata && len(a.requires) > 0 {
				return &MoreError{a.requires}
			}
			return take(root, a)
		},
	})
	if err != nil {
		return fmt.Errorf("building %s: %w", r.Source.FileName, err)
	}
	return nil
}
