// Package ospkg reads the databases of dpkg and apk: which packages are
// installed and which path belongs to which.
package ospkg

// Tree is what the databases are read from; paths have no leading slash.
type Tree interface {
	// ReadFile returns the content of the regular file at path, links followed.
	// ok is false if there is none or it is larger than limit bytes.
	ReadFile(path string, limit int64) (content []byte, ok bool)
	// List returns the names in the directory at path, sorted.
	List(path string) []string
	// Real follows all links and returns the final path; ok is false if
	// nothing is there.
	Real(path string) (real string, ok bool)
}

// Format says which database a package stands in.
type Format string

// The known formats.
const (
	Dpkg       Format = "dpkg"
	Distroless Format = "dpkg status.d" // one file a package in var/lib/dpkg/status.d
	Apk        Format = "apk"
)

// Package is one installed package of the operating system.
type Package struct {
	Format        Format
	Name          string
	Version       string
	Arch          string
	Source        string // source package (dpkg) or origin (apk), Name if not said
	SourceVersion string // Version if not said
	Depends       []string
	Provides      []string
	License       string   // as written, apk only
	LicenseFiles  []string // paths of those that are in the tree
	// Stanza is the record as it stands in the database, without the blank line
	// behind it (and for apk with the lists of files).
	Stanza []byte
	// Files are the paths of Package that are in the tree, as the tree has them
	// (usr/lib/x for a listed /lib/x of a merged root), sorted; no directories.
	Files []string
}

// Database is what all databases of a tree say.
type Database struct {
	Packages []*Package // in order of name, then arch
	Warnings []string   // damaged records that were passed over
}

// Read reads all databases in t. A tree without any gives an empty Database.
func Read(t Tree) *Database { panic("contract") }

// Owner returns the package that owns path, nil if none does.
func (d *Database) Owner(path string) *Package { panic("contract") }
