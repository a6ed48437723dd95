package inspect

import "github.com/r-seed-1713b764/distill/internal/files"

// Read finds out what is installed in an image whose files were read with
// [Probe]. An error means that the image is damaged or hostile as a whole; what is
// wrong with a single distribution stands in its Refused.
func Read(img files.Set, opts Options) (*Environment, error) { panic("contract") }
