// Package resolve turns requirements, environments and offers into one version
// of each package, and one artifact of it for each platform.
package resolve

import (
	"context"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Target is one platform that is resolved for.
type Target struct {
	Name    string // "linux/arm64"
	Python  python.Version
	Markers python.MarkerEnv
	Tags    *python.Tags
}

// ArtifactKind is one way to get a version.
type ArtifactKind uint8

// The kinds of artifacts.
const (
	ImageFiles ArtifactKind = iota
	Wheel
	Sdist
)

// Artifact is one way to get one version on some platforms: the development
// image's files, a wheel, a source archive.
type Artifact struct {
	Kind           ArtifactKind
	Target         int    // index into the targets for ImageFiles, else -1
	File           string // file name of a wheel or source archive
	URL            string
	Hashes         map[string]string // algorithm -> hex
	Size           int64             // 0 if unknown
	Uploaded       time.Time         // zero if unknown
	WheelName      *python.WheelName
	RequiresPython python.Specifiers
	Yanked         bool
	YankedReason   string
	// Unfit is why the development image's files can't be used on the base, ""
	// if they can.
	Unfit string
}

// Candidate is a version that could be chosen.
type Candidate struct {
	Name      python.Name
	Version   python.Version
	Artifacts []*Artifact
}

// Source knows which versions of a package exist and what each one needs. Its
// methods are safe for several goroutines.
type Source interface {
	// Candidates returns all versions of a package in any order. A package nobody has
	// heard of gives an empty list and no error.
	Candidates(ctx context.Context, name python.Name) ([]Candidate, error)
	// Requires returns what artifact a of candidate c needs, with all extras'
	// lines (markers unevaluated) and the extras it provides.
	Requires(ctx context.Context, c *Candidate, a *Artifact) (*Needs, error)
}

// Needs is what a version says about its dependencies.
type Needs struct {
	Requires       []python.Requirement
	Extras         []python.Name
	RequiresPython python.Specifiers
}
