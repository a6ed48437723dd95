package sandbox

// job is what the process inside is told: all that is decided outside.
type job struct {
	Root     string // "" tells of no root: only try
	Base     string // an empty folder to mount on
	Parts    bool   // no overlay
	Chroot   bool   // no namespaces: Root is entered as it is
	Platform string
	Args     []string
	Dir      string
	Env      []string
	User     User
	Owner    User // owner of the root's top folder
	Foreign  bool // the processor runs the root's programs though they are not of its architecture
	Mounts   []Mount
	Limits   Limits
	ReadOnly bool
	Writable []string
	Measured []string // folders on disk that count for the limit, as the process inside sees them
	// CountsInside is set if the kernel counts processes by user namespace, so that
	// RLIMIT_NPROC is about the command alone.
	CountsInside bool
}

// report is a line that the process inside sends, the last one before it ends.
type report struct {
	// Step and Errno say what could not be done; Step is "" if the program ran.
	Step  string `json:",omitempty"`
	Text  string `json:",omitempty"`
	Errno int    `json:",omitempty"`
	// Status is the wait status of the program, Limit what stopped it.
	Status int    `json:",omitempty"`
	Limit  string `json:",omitempty"`
}

// The steps that fail for reasons which a user can change.
const (
	stepProc    = "mounting /proc"
	stepProgram = "starting the program"
)
