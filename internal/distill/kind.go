package distill

import (
	"context"
	"errors"

	"github.com/r-seed-1713b764/distill/internal/build"
	"github.com/r-seed-1713b764/distill/internal/image"
	"github.com/r-seed-1713b764/distill/internal/publish"
	"github.com/r-seed-1713b764/distill/internal/pypi"
	"github.com/r-seed-1713b764/distill/internal/registry"
	"github.com/r-seed-1713b764/distill/internal/resolve"
	"github.com/r-seed-1713b764/distill/internal/transport"
	"github.com/r-seed-1713b764/distill/internal/wheelcache"
	"github.com/r-seed-1713b764/distill/internal/wheelhouse"
)

// KindOf tells what sort of failure an error of this package is.
func KindOf(err error) Kind {
	var f *Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	var none *resolve.NoSolution
	if errors.Is(err, wheelhouse.ErrBuild) {
		if errors.Is(err, build.ErrSource) {
			return Damaged
		}
		if errors.As(err, &none) && none.Unasked {
			return Network
		}
		for _, k := range sentinels { // what could not be fetched is no failed build
			if k.kind == Network && errors.Is(err, k.err) {
				return Network
			}
		}
		return NeedsBuild
	}
	if errors.As(err, &none) {
		if none.Unasked {
			return Network
		}
		return NoSolution
	}
	for _, k := range sentinels {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return Damaged
}

// sentinels are the errors of lower packages that say what went wrong, the more
// telling ones first.
var sentinels = []struct {
	err  error
	kind Kind
}{
	{publish.ErrUsage, Usage},
	{wheelcache.ErrReference, Usage},
	{image.ErrReference, Usage},
	{image.ErrMissing, Usage},
	{image.ErrNoPlatform, Usage},
	{image.ErrProgram, Usage},
	{image.ErrDamaged, Damaged},
	{image.ErrUnsupported, Damaged},
	{image.ErrNotFound, Network},
	{image.ErrNetwork, Network},
	{registry.ErrDigest, Damaged},
	{registry.ErrProtocol, Network},
	{registry.ErrNotFound, Network},
	{registry.ErrAuth, Network},
	{registry.ErrUnavailable, Network},
	{pypi.ErrURL, Usage},
	{pypi.ErrHash, Damaged},
	{pypi.ErrDamaged, Damaged},
	{pypi.ErrOffline, Network},
	{pypi.ErrNotFound, Network},
	{transport.ErrNetwork, Network},
	{transport.ErrAuth, Network},
	{transport.ErrNotFound, Network},
	{transport.ErrServer, Network},
	{transport.ErrPolicy, Network},
	{transport.ErrOffline, Network},
	{context.DeadlineExceeded, Network},
}
