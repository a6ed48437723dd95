package wheelhouse

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/r-seed-1713b764/distill/internal/build"
)

// record is all that a wheel is made of: the same record, the same wheel. Its JSON is
// kept beside the wheel, so that whoever takes the wheel can compare.
type record struct {
	Recipe   string `json:"recipe"`
	Archive  string `json:"archive"` // file name
	Source   string `json:"source"`  // "sha256:..."
	Image    string `json:"image"`   // digest of the development image's manifest
	Platform string `json:"platform"`
	Python   string `json:"python"` // path in the image
	// Env is what builds are told beside what the image says, and Passed are the variables
	// of the image that they get: both come of what this program knows of packages.
	Env    []string `json:"env,omitempty"`
	Passed []string `json:"passed,omitempty"`
	// Asked is what the back end asks for beside pyproject.toml; before that is known,
	// and if it is nothing, there is none.
	Asked []string   `json:"asked,omitempty"`
	Tools []toolFile `json:"tools"` // in order of file name
}

type toolFile struct {
	File string `json:"file"`
	ID   string `json:"id"` // sha256 in hex, or the key of what is built itself
}

// recipe counts up when this package changes what a build sees; the rest of the recipe
// is the driver's.
const recipe = "1/" + build.Recipe

// text is the record as it is kept and compared, key its name.
func (r *record) text() (text []byte, key string, err error) {
	if text, err = json.Marshal(r); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(text)
	return text, hex.EncodeToString(sum[:]), nil
}
