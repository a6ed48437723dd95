package distill

import "time"

// RequirementOptions say what is asked for.
type RequirementOptions struct {
	Files         []string
	Constraints   []string
	Overrides     []string
	RequireHashes bool
}

// IndexOptions say where packages come from. What stands in requirements files
// is joined to it as pip does.
type IndexOptions struct {
	IndexURL       string
	ExtraIndexURLs []string
	FindLinks      []string
	NoIndex        bool
	Strategy       string // "first-index" (default) or "unsafe-best-match"
	ExcludeNewer   string // a date, or RFC 3339
	Offline        bool
	TrustedHosts   []string
	// SoftFindLinks are folders of the environment: one that is not there is no
	// error.
	SoftFindLinks []string
}

// ChoiceOptions decide between versions and artifacts.
type ChoiceOptions struct {
	Platforms     []string // "linux/amd64"; empty means all that the images have
	PythonVersion string   // for lock without an image
	Libc          string   // "glibc-2.36", "musl-1.2"; for lock without an image
	Prefer        string   // "image" (default), "newest", "lowest"
	Align         string   // "versions" (default), "wheels"
	Pre           bool
	OnlyBinary    []string
	NoBinary      []string
	NoBuild       bool
	Sources       []string // order of preference; empty means image, wheel, build
	// WholeLock asks the index also about packages that stand in the image, so
	// that a lock lists files for other tools.
	WholeLock bool
}

// ImageOptions are what shows in the image.
type ImageOptions struct {
	Entrypoint, Cmd     *[]string // nil keeps the base's
	Env                 []string
	User, Workdir       *string
	App                 []string // SRC:DST, local folders and files that are laid above all else
	Labels, Annotations map[string]string
	Trim                string // "none", "safe"
	ByteCode            ByteCode
	Compression         string // "gzip", "zstd"
	MaxLayers           int
	Include, Exclude    []string
	Hints               []string // files of hints, after those that are built in
	Epoch               time.Time
	NoVerify            bool // do not prove that the image can run
}

// ByteCode says what byte code the image gets.
type ByteCode string

// What there is; the zero value keeps that of the development image.
const (
	KeepByteCode ByteCode = ""
	CompileAll   ByteCode = "compile" // and compiles what has none
	NoByteCode   ByteCode = "none"
)

// BuildingOptions say how source archives are built.
type BuildingOptions struct {
	// Engine is a local engine of [LocalEngines], the address of a BuildKit, or "auto"
	// (also ""): that of this machine.
	Engine string
	// Constraints are files with constraints of build requirements.
	Constraints []string
	WheelCache  string        // repository of a registry where built wheels are kept, "" for none
	Timeout     time.Duration // of one build; 0 is an hour
	Memory      int64         // bytes of one build; 0 is 8 GiB
	NoCheck     bool          // build also where the image is known to lack what is needed
}

// PublishOptions say where the result goes.
type PublishOptions struct {
	To            []string
	TagAliases    bool
	ArchTags      bool
	ArchTagsGiven bool // ArchTags was asked for, so it holds for folders too
	Insecure      bool
}

// BuildOptions are the options of Build.
type BuildOptions struct {
	From, Onto   string
	Requirements RequirementOptions
	Index        IndexOptions
	Choice       ChoiceOptions
	Image        ImageOptions
	Building     BuildingOptions
	Publish      PublishOptions
	Pins         PinOptions // the lock is written anew after a build
	ImageRefs    string     // file for the digest references, "" for none
	MetadataFile string     // file for the result as JSON, "" for none
}

// LockOptions are the options of Lock.
type LockOptions struct {
	From, Onto   string // Onto may be "": the development image alone counts
	Pins         PinOptions
	Requirements RequirementOptions
	Index        IndexOptions
	Choice       ChoiceOptions
	Building     BuildingOptions
	Output       string // file, "-" for none
}
