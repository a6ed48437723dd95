package inspect

import (
	"bytes"
	"encoding/json"
	"io"
	"path"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/pysource"
)

// Source returns what was noted of a Python module while the image was read with
// [Probe]: what it imports and loads. A module that does neither gives empty facts;
// nil means that no regular .py file is there, or none that was read.
func (e *Environment) Source(name string) *pysource.Facts {
	f, ok := e.Files.Get(name)
	if !ok {
		return nil
	}
	return Source(f)
}

// Source is [Environment.Source] for a file.
func Source(f *files.File) *pysource.Facts {
	if !f.IsRegular() || !isModule(f.Path) || f.Size > maxSource {
		return nil
	}
	n := f.Note
	switch {
	case len(n) == 0:
		return &pysource.Facts{}
	case n[0] == notePython:
		n = n[1:]
	case n[0] == noteSite && len(n) > 1:
		n = n[2:]
	default:
		return nil
	}
	facts, err := pysource.Decode(n)
	if err != nil {
		return nil
	}
	return facts
}

// noteSource scans a module. That of the standard library's site.py says as well
// whether it is Debian's, which looks into dist-packages.
func noteSource(name string, r io.ReaderAt, size int64) ([]byte, error) {
	text, err := content(r, size)
	if err != nil {
		return nil, err
	}
	base := path.Base(name)
	scan := pysource.Scan
	if base == "__init__.py" {
		scan = pysource.ScanPackage
	}
	facts := scan(text)
	switch {
	case base == "site.py" && isStdlib(path.Dir(name)):
		kind := byte('-')
		if bytes.Contains(text, []byte(`"dist-packages"`)) {
			kind = 'd'
		}
		return append([]byte{noteSite, kind}, facts.Encode()...), nil
	case facts.IsEmpty():
		return nil, nil
	}
	return append([]byte{notePython}, facts.Encode()...), nil
}

// content returns all of r, without a copy if r is in memory. It must not be kept.
func content(r io.ReaderAt, size int64) ([]byte, error) {
	if w, ok := r.(io.WriterTo); ok {
		var whole wholeContent
		if n, err := w.WriteTo(&whole); err == nil && n == size && int64(len(whole.b)) == size {
			return whole.b, nil
		}
	}
	return readHead(r, size, size)
}

// wholeContent remembers what was written last: all that a bytes.Reader has.
type wholeContent struct{ b []byte }

func (w *wholeContent) Write(p []byte) (int, error) {
	w.b = p
	return len(p), nil
}

// FirstLine returns what stands behind "#!" in the first line of a script, as the probe
// noted it or as its content says if that is at hand. ok is false for all else.
func FirstLine(f *files.File) (line string, ok bool) {
	text := f.Note
	if len(text) == 0 && f.Size > 0 && f.Size <= maxScript && f.IsRegular() {
		text, _ = f.ReadAll(maxScript)
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	rest, ok := bytes.CutPrefix(first, []byte("#!"))
	return string(bytes.TrimSpace(rest)), ok
}

// ArchivedModules are the top-level modules of the zipped eggs on sys.path, by the path
// of the egg; an archive that is not known is not in it.
func (e *Environment) ArchivedModules() map[string][]string {
	if e.Python == nil {
		return nil
	}
	out := map[string][]string{}
	for _, p := range e.Python.SysPath {
		f, _, ok := e.Files.Lookup(p)
		if !ok || len(f.Note) == 0 || f.Note[0] != noteEgg {
			continue
		}
		var n eggNote
		if json.Unmarshal(f.Note[1:], &n) == nil && n["top_level.txt"] != "" {
			out[p] = strings.Fields(n["top_level.txt"])
		}
	}
	return out
}
