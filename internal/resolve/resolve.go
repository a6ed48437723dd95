// Package resolve turns requirements, environments and offers into one version
// of each package, and one artifact of it for each platform.
//
// It is a conflict-driven solver (PubGrub) of our own for a finite list of known
// platforms. It is pure: what exists and what each version needs it asks of a
// [Source], and it never learns whether an index, a folder or an image answered.
package resolve

import (
	"context"
	"errors"
	"time"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// Target is one platform that is resolved for.
type Target struct {
	Name    string // "linux/arm64"
	Python  python.Version
	Markers python.MarkerEnv
	Tags    *python.Tags
	Libc    python.Libc // what Tags are made for; not looked at, the zero value if unknown
}

// ArtifactKind is one way to get a version.
type ArtifactKind uint8

// The kinds of artifacts.
const (
	ImageFiles ArtifactKind = iota
	Wheel
	Sdist
)

// String returns the word that the --source flag uses for the kind.
func (k ArtifactKind) String() string {
	return [...]string{"image", "wheel", "build"}[k]
}

// Artifact is one way to get one version on some platforms: the development
// image's files, a wheel, a source archive.
type Artifact struct {
	Kind           ArtifactKind
	Target         int               // index into the targets for ImageFiles, else -1
	File           string            // file name of a wheel or source archive
	URL            string            // without credentials
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
	// Binary is set for image files that were installed from a wheel with code for
	// one kind of machine, and so are what NoBinary excludes.
	Binary bool
	// Ref is the Source's own handle on the file; the solver never looks at it.
	Ref any
}

// Candidate is a version that could be chosen.
type Candidate struct {
	Name      python.Name
	Version   python.Version
	Artifacts []*Artifact
}

// Project is what exists of one package.
type Project struct {
	// Versions are in ascending order, each once.
	Versions []python.Version
	// Artifacts returns what there is of Versions[i], in any order. Only a few
	// versions of a project are looked at, so rows are best decoded here. It
	// returns the same artifacts every time and is safe for several goroutines.
	Artifacts func(i int) []*Artifact
	// Index is the URL, without credentials, of the index that answered, or "".
	Index string
	// Others are indexes that were not asked since that one answered first.
	Others []string
	// Note is shown where no version can be had: "not found in any index",
	// "quarantined", "not in the cache, and --offline is set". May be empty.
	Note string
	// Advice is what could be done where no version can be had, "" for a look at
	// the spelling and the index.
	Advice string
	// Unasked is set if nobody could be asked which versions there are: that the
	// requirements can't be met then says nothing about them.
	Unasked bool
}

// Source knows which versions of a package exist and what each one needs. Its
// methods are safe for several goroutines, and what they return is not changed
// afterwards. Errors abort the resolution, except an *[Unusable] of Requires.
type Source interface {
	// Installed returns the versions that stand in the development images, with
	// their ImageFiles artifacts only, from memory; nil if there are none.
	Installed(name python.Name) *Project
	// Project returns all versions, those of Installed among them. url is the
	// direct reference that a requirement gives (PEP 508 "name @ url"), which
	// then is the only candidate, or "". A package nobody has heard of gives a
	// Project without versions, and no error.
	Project(ctx context.Context, name python.Name, url string) (*Project, error)
	// Requires returns what c needs, read from artifact a of it: all lines with
	// their markers, those of extras too. A version whose metadata can't be had
	// or is invalid gives an *Unusable. What takes long to find out should wait
	// until the answer counts: see [Ahead].
	Requires(ctx context.Context, c *Candidate, a *Artifact) (*Needs, error)
}

// Needs is what a version says about its dependencies.
type Needs struct {
	Requires       []python.Requirement
	Extras         []python.Name
	RequiresPython python.Specifiers
}

// ErrLater is the answer of a Source that would take long to a question which is
// only asked ahead. It is asked again if the answer counts.
var ErrLater = errors.New("not before the answer counts")

// Ahead tells a Source whether a question is asked ahead, so that its answer may
// never be looked at.
func Ahead(ctx context.Context) bool { return ctx.Value(aheadKey{}) != nil }

type aheadKey struct{}

func askingAhead(ctx context.Context) context.Context {
	return context.WithValue(ctx, aheadKey{}, true)
}

// Unusable is the error of a Source for a version which exists, but whose needs
// can't be told.
type Unusable struct {
	Reason string // "its dependencies can only be told by a build"
	// Needs is the best guess there is, nil if there is none. A version with a
	// guess is taken as any other, and the pick says so (see [Pick.Guess]).
	Needs *Needs
}

func (u *Unusable) Error() string { return u.Reason }

// Prefer says which of several fitting versions is taken.
type Prefer uint8

// The orders of preference.
const (
	PreferImage  Prefer = iota // what stands in the development images, then newest first
	PreferNewest               // newest first
	PreferLowest               // oldest first
)

// Align says what is given up where the newest version has no wheel somewhere.
type Align uint8

// The ways to align platforms.
const (
	AlignVersions Align = iota // the newest version, even if it must be built somewhere
	AlignWheels                // an older version without a build before a newer one with
)

// Preference is a version that is taken if it fits: the pin of an earlier lock.
type Preference struct {
	Name    python.Name
	Version python.Version
	Target  int // index into the targets; -1 for all
}

// Options change what is chosen. The zero value is the documented default.
type Options struct {
	Prefer Prefer
	Align  Align
	// Locked are tried before everything else; yanked and pre-release versions
	// among them stay acceptable.
	Locked []Preference
	Pre    bool // admit pre-releases everywhere
	// NoBinary and OnlyBinary mean what they mean to pip. Image files stay
	// admitted, since they are neither, but for those that are Binary.
	NoBinary, OnlyBinary python.FormatControl
	NoBuild              bool
	// Sources is the order in which the ways to get a version are tried; what is
	// not named is never used. Empty means ImageFiles, Wheel, Sdist.
	Sources       []ArtifactKind
	ExcludeNewer  time.Time // zero: no limit
	RequireHashes bool
	// Complete asks the index also about picks whose image files are enough, so
	// that a lock can hold its files. It changes no pick.
	Complete bool
	// Log is told of each decision, in order, and of each way back; may be nil.
	Log      func(text string)
	MaxSteps int // decisions and conflicts; 0 means 200,000
	Prefetch int // questions to the Source under way at once; 0 means 48
}

// Request is what is to be resolved.
type Request struct {
	Targets      []Target // at most 64
	Requirements []python.Requirement
	Constraints  []python.Requirement
	Overrides    []python.Requirement
	Options      Options
}
