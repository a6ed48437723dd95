package wheel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// checkScript refuses names that are no single path component, and references
// that are no "MODULE:ATTR" (they are written into Python source).
func checkScript(p python.EntryPoint) error {
	bad := p.Name == "" || p.Name == "." || p.Name == ".." || len(p.Name) > 255 ||
		strings.ContainsFunc(p.Name, func(r rune) bool {
			return r == '/' || r == '\\' || unicode.IsControl(r) || r == unicode.ReplacementChar
		})
	if bad {
		return errors.New("not a file name")
	}
	if !isDotted(p.Module) || !isDotted(p.Attr) {
		return fmt.Errorf("%q is not MODULE:ATTR", p.Module+":"+p.Attr)
	}
	return nil
}

// isDotted tells whether s is identifiers joined by dots.
func isDotted(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		for i, r := range part {
			if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
				return false
			}
		}
		if part == "" {
			return false
		}
	}
	return true
}

// launcher returns the text of the script for an entry point, as pip writes it
// in effect.
func launcher(p python.EntryPoint, interpreter string) []byte {
	first, _, _ := strings.Cut(p.Attr, ".")
	var b bytes.Buffer
	b.WriteString(shebang(interpreter))
	fmt.Fprintf(&b, "# -*- coding: utf-8 -*-\nimport sys\nfrom %s import %s\n\nif __name__ == \"__main__\":\n", p.Module, first)
	fmt.Fprintf(&b, "    sys.argv[0] = sys.argv[0].removesuffix(\".exe\")\n    sys.exit(%s())\n", p.Attr)
	return b.Bytes()
}

// maxShebang is what old kernels read of a first line (BINPRM_BUF_SIZE - 1
// before Linux 5.1), and what pip goes by.
const maxShebang = 127

// shebang returns the line, or lines, that make a script run under interpreter.
// A kernel splits the line at blanks and cuts it; then the shell starts the
// interpreter, from lines that are a string to Python.
func shebang(interpreter string) string {
	line := "#!" + interpreter + "\n"
	if len(line) <= maxShebang && !strings.ContainsAny(interpreter, " \t") {
		return line
	}
	if strings.ContainsAny(interpreter, " \t") {
		interpreter = `"` + interpreter + `"`
	}
	return "#!/bin/sh\n'''exec' " + interpreter + " \"$0\" \"$@\"\n' '''\n"
}

// maxFirstLine bounds the search for the end of a first line.
const maxFirstLine = 4 << 10

// pythonLine returns the length of the first line if it is the "#!python" that
// PEP 427 wants replaced, else 0.
func pythonLine(r io.Reader) (int, error) {
	head := make([]byte, maxFirstLine)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	if head = head[:n]; !bytes.HasPrefix(head, []byte("#!python")) {
		return 0, nil
	}
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		return i + 1, nil
	}
	if n < maxFirstLine {
		return n, nil
	}
	return 0, nil
}

// rewritten is a script with another first line; it implements files.Content.
type rewritten struct {
	script *member
	skip   int // bytes of the old first line
	line   string
}

// Open implements files.Content.
func (s *rewritten) Open() (io.ReadCloser, error) {
	r, err := s.script.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, int64(s.skip)); err != nil {
		r.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(s.line), r), r}, nil
}

// size returns the number of bytes of the rewritten script.
func (s *rewritten) size() int64 { return s.script.e.size - int64(s.skip) + int64(len(s.line)) }

// text is content that is made here; it implements files.Content.
type text []byte

// Open implements files.Content.
func (t text) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(t)), nil }
