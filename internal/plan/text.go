package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/inspect"
)

// text is the content of a small file that was made here.
type text []byte

func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t)), nil }

func newText(path string, mode fs.FileMode, content []byte) *files.File {
	return withText(&files.File{Path: path, Mode: mode}, content)
}

// withText returns f with another content.
func withText(f *files.File, content []byte) *files.File {
	c := *f
	sum := sha256.Sum256(content)
	c.Size, c.SHA256, c.Content = int64(len(content)), hex.EncodeToString(sum[:]), text(content)
	c.Inode, c.Note = 0, nil
	return &c
}

// shebang corrects the first line of scripts that name an interpreter which
// the base has elsewhere.
type shebang struct {
	dir  string   // of scripts in the new image, "" if nothing has to change
	from []string // absolute names of the interpreter that the base lacks
	to   string
}

// maxScript bounds what is read as a script: those of installers have some
// hundred bytes, hand-written ones (awscli) some ten thousand.
const maxScript = 1 << 20

func (p *planner) newShebang() shebang {
	dev, base := p.in.Dev.Python, p.in.Base.Python
	s := shebang{to: "/" + base.Path}
	have := namesOf(base)
	for _, name := range namesOf(dev) {
		if !slices.Contains(have, name) {
			s.from = append(s.from, name)
		}
	}
	if len(s.from) > 0 {
		s.dir = base.Scripts
	}
	return s
}

func namesOf(i *inspect.Interpreter) []string {
	names := []string{"/" + i.Path}
	for _, n := range i.Names {
		names = append(names, "/"+n)
	}
	return names
}

// fix returns f, or a copy with another first line if that names an interpreter
// which is not there.
func (s shebang) fix(f *files.File) (*files.File, error) {
	if s.dir == "" || dirOf(f.Path) != s.dir || !f.IsRegular() || f.Size > maxScript || !s.concerns(f) {
		return f, nil
	}
	b, err := f.ReadAll(maxScript)
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	for _, from := range s.from {
		if fixed, ok := s.replace(string(b), from); ok {
			return withText(f, []byte(fixed)), nil
		}
	}
	return f, nil
}

// concerns tells from the first lines, which the probe noted, whether f has to
// be read at all: that costs a pass over a layer.
func (s shebang) concerns(f *files.File) bool {
	return slices.ContainsFunc(s.from, func(from string) bool {
		_, ok := s.replace(string(f.Note), from)
		return ok
	})
}

// longStart begins a script whose interpreter is too long for a first line, or
// has spaces in it (distlib).
const longStart = "#!/bin/sh\n'''exec' "

func (s shebang) replace(script, from string) (string, bool) {
	for _, start := range []string{"#!", "#! ", longStart, longStart + `"`} {
		rest, ok := strings.CutPrefix(script, start+from)
		if ok && rest != "" && strings.ContainsRune(" \t\r\n\"", rune(rest[0])) {
			return start + s.to + rest, true
		}
	}
	return "", false
}
