package wheelcache

import (
	"errors"
	"net/http"

	"github.com/r-seed-1713b764/distill/internal/registry"
)

// What went wrong, for errors.Is. What the registry did wrong is an error of
// package registry, in an [*Error].
var (
	// ErrReference: the text names no repository of a registry. A mistake in usage.
	ErrReference = errors.New("not usable as a wheel cache")
	// ErrAbsent: there is no entry of that key.
	ErrAbsent = errors.New("not in the wheel cache")
	// ErrEntry: what stands under the key is not what this package puts there.
	ErrEntry = errors.New("no entry of a wheel cache")
	// ErrDiffers: somebody stored another wheel for the same key. Theirs stays.
	ErrDiffers = errors.New("another wheel was built from the same")
)

// Error is a failure of the cache, which is a reason to build oneself, or to keep
// what was built to oneself, but not to fail.
type Error struct {
	Name    string // of the repository
	Writing bool
	Err     error
}

// Error names the repository.
func (e *Error) Error() string {
	if e.Writing {
		return "writing to the wheel cache " + e.Name + ": " + e.Err.Error()
	}
	return "reading from the wheel cache " + e.Name + ": " + e.Err.Error()
}

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// lasting tells whether an error is about the registry as a whole.
func lasting(err error) bool {
	var a *registry.AnswerError
	return errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrAuth) ||
		errors.As(err, &a) && a.Status == http.StatusMethodNotAllowed // a registry that is read-only
}
