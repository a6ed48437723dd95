package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/registry"
)

// Every error of this package wraps one of these, [cache.ErrFolder], or the
// context's.
var (
	// ErrReference: the text is no reference. A mistake in usage.
	ErrReference = errors.New("not an image reference")
	// ErrMissing: the folder, file, or the tag in it is not there. A mistake
	// in usage.
	ErrMissing = errors.New("no such image")
	// ErrNoPlatform: the image is there, but not for this platform.
	ErrNoPlatform = errors.New("no such platform")
	// ErrProgram: the program that owns the image (docker, skopeo, podman) is
	// not installed or fails.
	ErrProgram = errors.New("image program failed")
	// ErrNotFound: the registry has no such repository, tag or digest.
	ErrNotFound = errors.New("not in the registry")
	// ErrNetwork: the registry can't be reached, refuses access, or breaks off.
	ErrNetwork = errors.New("registry not usable")
	// ErrDamaged: content is not what its digest, size or format says, or is
	// over a limit.
	ErrDamaged = errors.New("damaged image")
	// ErrUnsupported: a format that distill does not read.
	ErrUnsupported = errors.New("unsupported image")
)

// marked gives an error one of the sentinels without changing its text.
type marked struct {
	error
	mark error
}

func (m marked) Unwrap() []error { return []error{m.error, m.mark} }

func damaged(format string, args ...any) error {
	return marked{fmt.Errorf(format, args...), ErrDamaged}
}

func unsupported(format string, args ...any) error {
	return marked{fmt.Errorf(format, args...), ErrUnsupported}
}

func missing(format string, args ...any) error {
	return marked{fmt.Errorf(format, args...), ErrMissing}
}

func badReference(ref, format string, args ...any) error {
	return marked{fmt.Errorf("%q: "+format, append([]any{ref}, args...)...), ErrReference}
}

// blame marks the error of reading a blob whose cause is not known yet: bytes that
// decode to nothing are damage unless the source of the bytes says otherwise.
func blame(err error) error {
	if err == nil || isKnown(err) {
		return err
	}
	return marked{err, ErrDamaged}
}

// isKnown tells whether err already says what kind it is.
func isKnown(err error) bool {
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, cache.ErrFolder, ErrReference, ErrMissing, ErrNoPlatform,
		ErrProgram, ErrNotFound, ErrNetwork, ErrDamaged, ErrUnsupported,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// blameRegistry marks an error of the registry client.
func blameRegistry(err error) error {
	switch {
	case err == nil, isKnown(err):
		return err
	case errors.Is(err, registry.ErrDigest):
		return marked{err, ErrDamaged}
	case errors.Is(err, registry.ErrNotFound):
		return marked{err, ErrNotFound}
	}
	return marked{err, ErrNetwork}
}
