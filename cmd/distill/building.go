package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/r-seed-1713b764/distill/internal/distill"
)

// registerBuilding adds how source archives are built.
func registerBuilding(f *pflag.FlagSet, o *distill.BuildingOptions) {
	o.Memory = 8 << 30
	f.StringVar(&o.Engine, "build-engine", "auto", "`ENGINE` that builds from source: "+strings.Join(distill.LocalEngines(), ", ")+", or the address of a BuildKit")
	f.StringArrayVar(&o.Constraints, "build-constraint", nil, "`FILE` with constraints of build requirements (repeatable)")
	f.StringVar(&o.WheelCache, "wheel-cache", "", "repository `REF` of a registry where built wheels are kept for others")
	f.DurationVar(&o.Timeout, "build-timeout", time.Hour, "the longest `TIME` that one build may take")
	f.BoolVar(&o.NoCheck, "no-build-check", false, "start builds even if the development image is known to lack what they need")
	f.Var((*size)(&o.Memory), "build-memory", "the most `SIZE` of memory that one build may take")
}

// settleBuilding adds what the environment says, once the flags are settled.
func (a *app) settleBuilding(o *distill.BuildingOptions) error {
	if o.Timeout < time.Second { // 0 would mean the default to those below
		return usagef("write it as 90m or 2h30m", "--build-timeout %s is no time for a build", o.Timeout)
	}
	return distill.BuildingFromEnviron(o, a.environ)
}

var errSize = errors.New("it is no size: write it as 8GiB or 512MiB")

// size is a number of bytes as docker run --memory takes it: 8GiB, 8g, 512MiB.
type size int64

// Type implements [pflag.Value].
func (s *size) Type() string { return "size" }

// String returns the largest unit of which s is a multiple: "8GiB".
func (s *size) String() string {
	n := int64(*s)
	for _, u := range []struct {
		bytes int64
		name  string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// Set reads a number and a unit, of any case. All units are powers of 1024, as to docker,
// kubernetes' Ki to Ti as well.
func (s *size) Set(text string) error {
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(text)
	}
	unit := strings.ToLower(strings.TrimSpace(text[end:]))
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	shift, known := map[string]int{"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[unit]
	n, err := strconv.ParseFloat(text[:end], 64)
	n *= float64(int64(1) << shift)
	if err != nil || !known || n < 1 || n >= 1<<62 {
		return errSize
	}
	*s = size(n)
	return nil
}
