package distill

import (
	"fmt"
	"os"

	"github.com/r-seed-1713b764/distill/internal/hints"
)

// maxHintsFile bounds a file of --hints.
const maxHintsFile = 1 << 20

// readHints returns what is built in and what the files say, in that order.
func readHints(names []string) (*hints.Book, error) {
	book := hints.BuiltIn()
	for _, name := range names {
		text, err := readHintsFile(name)
		if err != nil {
			return nil, usagef("", "--hints %s: %v", name, pathCause(err))
		}
		more, err := hints.Parse(name, text)
		if err != nil {
			return nil, usagef("docs/hints.md tells what stands in such a file", "%v", err)
		}
		book = book.Join(more)
	}
	return book, nil
}

func readHintsFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxHintsFile {
		return nil, fmt.Errorf("not a file of at most %d bytes", maxHintsFile)
	}
	return os.ReadFile(name)
}
