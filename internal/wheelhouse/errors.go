package wheelhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// ErrBuild is wrapped by all errors about a wheel that can't be made.
var ErrBuild = errors.New("source build failed")

// BuildError is a wheel that can't be made.
type BuildError struct {
	Project  string // "h5py 3.11.0"
	Platform string
	Cause    error
	// Tried is set if the build ran, and failed by itself.
	Tried bool
	// Lines are what compiler or back end say about it.
	Lines []string
	// Advice is what could be done, best first.
	Advice []string
}

// Error says which wheel, for what, and why not, with the compiler's own lines.
func (e *BuildError) Error() string {
	text := fmt.Sprintf("%s for %s: %v", e.Project, e.Platform, e.Cause)
	for _, l := range e.Lines {
		text += "\n  " + l
	}
	return text
}

// Unwrap returns ErrBuild and the cause.
func (e *BuildError) Unwrap() []error { return []error{ErrBuild, e.Cause} }

// Hints says what to do now: what the cause knows first.
func (e *BuildError) Hints() []string {
	var out []string
	var h interface{ Hints() []string }
	if errors.As(e.Cause, &h) {
		out = append(out, h.Hints()...)
	}
	for _, a := range e.Advice {
		if a = strings.TrimSpace(a); a != "" && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// differsError says that a back end asks for more on one platform than on the one where
// it was asked.
type differsError struct {
	*Ready // whose back end it is
	target int
	more   []string
}

func (e *differsError) Error() string {
	return fmt.Sprintf("the back end of %s asks for more than is known: %s", e.title(), strings.Join(e.more, ", "))
}

// failure is a BuildError, but for what is no matter of the build: an interrupt, a cache
// that can't be written to, and what is a BuildError already.
func (h *House) failure(o *Order, target int, cause error) error {
	var done *BuildError
	var differs *differsError
	switch {
	case errors.Is(cause, context.Canceled), errors.Is(cause, cache.ErrFolder), errors.As(cause, &done), errors.As(cause, &differs):
		return cause
	}
	return &BuildError{Project: o.title(), Platform: h.o.Platforms[target].Name, Cause: cause}
}
