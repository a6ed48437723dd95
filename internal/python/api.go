package python

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
