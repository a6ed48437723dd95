package build

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/tomltext"
)

// System is the build system of a source archive: the table of PEP 518, or what it stands
// for if there is none.
type System struct {
	Requires    []python.Requirement
	Backend     string // "module" or "module:object"
	BackendPath []string
}

// The back end of PEP 517 for archives that name none, and what it needs.
const (
	legacyBackend = "setuptools.build_meta:__legacy__"
	legacyNeeds   = "setuptools>=40.8.0"
)

// ErrSource is wrapped by errors about the archive and its pyproject.toml.
var ErrSource = errors.New("damaged or unsupported source archive")

// ReadSystem reads the build system of an archive, and runs nothing of it.
func ReadSystem(s Source) (*System, error) {
	text, err := pyproject(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	sys, err := parseSystem(text)
	if err != nil {
		return nil, fmt.Errorf("%w: pyproject.toml: %w", ErrSource, err)
	}
	return sys, nil
}

func parseSystem(text []byte) (*System, error) {
	var doc struct {
		System *struct {
			Requires    []string `toml:"requires"`
			Backend     string   `toml:"build-backend"`
			BackendPath []string `toml:"backend-path"`
		} `toml:"build-system"`
	}
	if err := tomltext.Decode("", text, &doc); err != nil {
		return nil, err
	}
	sys := &System{Backend: legacyBackend}
	list := []string{legacyNeeds}
	if doc.System != nil {
		list = doc.System.Requires
		if doc.System.Backend != "" {
			sys.Backend, sys.BackendPath = doc.System.Backend, doc.System.BackendPath
		}
	}
	for _, text := range list {
		r, err := python.ParseRequirement(text)
		if err != nil {
			return nil, err
		}
		sys.Requires = append(sys.Requires, r)
	}
	return sys, sys.check()
}

func (s *System) check() error {
	for part := range strings.FieldsFuncSeq(s.Backend, func(r rune) bool { return r == ':' || r == '.' }) {
		for i, r := range part {
			if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
				return fmt.Errorf("%q is no build-backend", s.Backend)
			}
		}
	}
	for _, p := range s.BackendPath {
		if p == "" || strings.HasPrefix(p, "/") || strings.Contains(p, "..") || strings.Contains(p, `\`) {
			return fmt.Errorf("backend-path %q leads out of the archive", p)
		}
	}
	return nil
}

const maxPyproject = 1 << 20

// pyproject returns pyproject.toml of the archive's top folder, nil if there is none. A file
// of that name beside folders is the one that counts, too: such an archive has no top
// folder, and is built as it lies.
func pyproject(s Source) ([]byte, error) {
	var text []byte
	err := s.walk(func(name string, r io.Reader) error {
		if belowTop(name) != "pyproject.toml" && strings.TrimPrefix(name, "./") != "pyproject.toml" {
			return nil
		}
		var err error
		if text, err = readPyproject(r); err != nil {
			return err
		}
		return errEnough
	})
	return text, err
}

func readPyproject(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPyproject+1))
	if err == nil && len(text) > maxPyproject {
		err = fmt.Errorf("pyproject.toml has more than %d bytes", maxPyproject)
	}
	return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), err
}
