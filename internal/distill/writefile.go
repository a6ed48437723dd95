package distill

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile replaces a file in one step: what fails leaves the old one. Of a
// symbolic link, the file that it leads to is replaced.
func WriteFile(name string, text []byte) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	f, err := createSibling(name)
	if err != nil {
		return err
	}
	return finishSibling(f, name, text)
}

// temporary begins the names of files and folders that are not finished, here and
// where images are written.
const temporary = ".distill-tmp-"

// createSibling opens a temporary file beside the one called name.
func createSibling(name string) (*os.File, error) {
	tmp, err := os.CreateTemp(filepath.Dir(name), temporary+filepath.Base(name)+".*")
	if err != nil {
		return nil, unsupportedf("", "%s can't be written: %v", name, pathCause(err))
	}
	return tmp, nil
}

// finishSibling fills a temporary file and renames it to name.
func finishSibling(tmp *os.File, name string, text []byte) error {
	defer os.Remove(tmp.Name()) // gone already after the rename
	_, err := tmp.Write(text)
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
