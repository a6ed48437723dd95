package python

// MarkerEnv holds the values of the environment markers of one target.
type MarkerEnv struct {
	OSName, SysPlatform, PlatformMachine, PlatformPythonImplementation string
	PlatformRelease, PlatformSystem, PlatformVersion                   string
	PythonVersion, PythonFullVersion                                   string
	ImplementationName, ImplementationVersion                          string
}

// Marker is an environment marker of PEP 508; nil is always true.
type Marker struct{ s string }

func ParseMarker(s string) (*Marker, error) { panic("contract") }
func (m *Marker) String() string            { panic("contract") }

// Eval tells whether the marker holds in env when the given extras are wanted.
func (m *Marker) Eval(env *MarkerEnv, extras ...Name) (bool, error) { panic("contract") }

// MentionsExtra tells whether the marker asks for an extra.
func (m *Marker) MentionsExtra() bool { panic("contract") }

// Requirement is a dependency as written, with its place.
type Requirement struct {
	Name       Name
	Extras     []Name
	Specifiers Specifiers
	URL        string // direct reference, PEP 508 "name @ url"
	Marker     *Marker
	Pos        Pos
	// Hashes are those of --hash options, algorithm -> lower-case hex digests.
	Hashes map[string][]string
}

func ParseRequirement(s string) (Requirement, error)        { panic("contract") } // strict
func ParseRequirementLenient(s string) (Requirement, error) { panic("contract") } // published metadata
func (r Requirement) String() string                        { panic("contract") }

// RequirementsFile is what pip's requirements format says, with -r and -c
// files read in.
type RequirementsFile struct {
	Requirements []Requirement
	Constraints  []Requirement
	Options      RequirementsOptions
}

// RequirementsOptions are the options inside requirements files.
type RequirementsOptions struct {
	IndexURL       string
	ExtraIndexURLs []string
	NoIndex        bool
	FindLinks      []string
	NoBinary       FormatControl
	OnlyBinary     FormatControl
	Pre            bool
	RequireHashes  bool
	PreferBinary   bool
	TrustedHosts   []string
}

// FormatControl is the value of --no-binary or --only-binary.
type FormatControl struct {
	All   bool
	Names []Name // sorted
}

// Opener returns the bytes of a file that a requirements file names; relative
// names are already joined to the folder of the file that names them.
type Opener func(name string) ([]byte, error)

// ParseRequirements reads the requirements file called name (pip's format), and
// the files it includes, through open. Editable and VCS lines are errors that
// say what to do instead.
func ParseRequirements(name string, open Opener, environ func(string) (string, bool)) (*RequirementsFile, error) {
	panic("contract")
}

// Tag is one compatibility tag of PEP 425, such as cp311-abi3-manylinux_2_17_x86_64.
type Tag struct{ Python, ABI, Platform string }

// Tags is the ordered list of tags that one interpreter accepts, best first.
type Tags struct{ list []Tag }

// Libc is a C library with its version.
type Libc struct {
	Family       string // "glibc" or "musl"
	Major, Minor int
}

// TagTarget is what decides which tags an interpreter accepts.
type TagTarget struct {
	Implementation string   // "cp"
	Major, Minor   int      // of Python
	ABIs           []string // "cp311", "cp313t", "cp37m"; empty means the default of the version
	Arch           string   // "x86_64", "aarch64"
	Libc           Libc
}

func TagsFor(t TagTarget) *Tags { panic("contract") }

// Rank returns the place of the best of a wheel's tags in the list, 0 being the
// best, or ok false if none is accepted.
func (t *Tags) Rank(w *WheelName) (rank int, ok bool) { panic("contract") }

// WheelName is the parsed file name of a wheel (PEP 427, 425).
type WheelName struct {
	Name                  Name
	Version               Version
	Build                 string
	Python, ABI, Platform []string // compressed tag sets
}

func ParseWheelName(file string) (*WheelName, error) { panic("contract") }

// ParseSdistName splits the file name of a source archive; project is the
// project whose page lists it, since "a-b-1.0" is ambiguous without.
func ParseSdistName(file string, project Name) (Version, error) { panic("contract") }

// Metadata is what a METADATA or PKG-INFO file says (core metadata).
type Metadata struct {
	MetadataVersion                     string
	Name                                Name
	RawName                             string
	Version                             Version
	Summary, License, LicenseExpression string
	LicenseFiles                        []string
	RequiresPython                      Specifiers
	RequiresDist                        []Requirement
	ProvidesExtra                       []Name
	Dynamic                             []string // lower case
}

// ParseMetadata reads core metadata leniently, as pip does: a broken
// requires-dist line is an error, a broken requires-python is ignored.
func ParseMetadata(b []byte) (*Metadata, error) { panic("contract") }

// ParseRequiresTxt reads requires.txt of an egg-info folder.
func ParseRequiresTxt(b []byte) ([]Requirement, []Name, error) { panic("contract") }

// RecordEntry is a line of RECORD (PEP 376, 427, 627).
type RecordEntry struct {
	Path              string // as written
	Algorithm, Digest string // "sha256" and lower-case hex, or both ""
	Size              int64  // -1 if not given
}

func ParseRecord(b []byte) ([]RecordEntry, error) { panic("contract") }

// EntryPoint is a line of entry_points.txt.
type EntryPoint struct {
	Group, Name, Module, Attr string
	Extras                    []Name
}

func ParseEntryPoints(b []byte) ([]EntryPoint, error) { panic("contract") }
