package distill

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile replaces a file in one step: what fails leaves the old one. The
// name "-" and devices such as /dev/stdout are not special.
func WriteFile(name string, text []byte) error {
	dir := filepath.Dir(name)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*")
	if err != nil {
		return usagef("", "%s: %v", name, pathCause(err))
	}
	defer os.Remove(tmp.Name()) // gone already after the rename
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, pathCause(err))
	}
	return nil
}
