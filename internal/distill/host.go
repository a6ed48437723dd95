// Package distill is the line: the steps of each command, in order, and nothing
// else. It is the only package that knows all others.
package distill

import (
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/r-seed-1713b764/distill/internal/cache"
)

// Host is everything that a command uses of the machine it runs on.
type Host struct {
	Cache     *cache.Dir
	Keychain  authn.Keychain
	Transport http.RoundTripper
	Netrc     func(host string) (user, password string, ok bool)
	Environ   func(string) (string, bool)
	Teller    Teller
	Log       func(text string) // what was asked of the index, and each decision; may be nil
	Version   string            // of distill
	Insecure  bool              // registries may be plain HTTP
}

// Teller is told how far a command is. Safe for several goroutines.
type Teller interface {
	// Step says that a platform ("" for all) has come to a step.
	Step(platform, step string)
	// Bytes says how many bytes of that step are done; total is 0 if unknown.
	Bytes(platform, step string, done, total int64)
	// Begin says that something long begins on a platform, beside its step and
	// beside others of its kind: one build of several. Steps that follow do not
	// end it, end does; end may be called more than once.
	Begin(platform, step string) (end func())
	// Output shows one line that a program of that step printed, without its line
	// break: of the step (or what has begun) of that name that began last. It is
	// cheap, and may be called for every line of gigabytes: what is too much to
	// look at is left out.
	Output(platform, step, line string)
	// Warn shows something that the user should know and that stops nothing.
	Warn(text string)
}

// bytesOf returns a progress callback for one step.
func (h *Host) bytesOf(step string) func(platform string, done, total int64) {
	return func(platform string, done, total int64) { h.Teller.Bytes(platform, step, done, total) }
}

func (h *Host) logf(format string, args ...any) { h.Log(fmt.Sprintf(format, args...)) }
