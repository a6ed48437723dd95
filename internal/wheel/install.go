package wheel

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/python"
)

// Files returns what installing the wheel would write: libraries, scripts with
// rewritten shebang, entry points, data, and dist-info with INSTALLER and a
// RECORD that fits. Byte code is neither made nor taken over. Two files for one
// path are an error, except that a script of an entry point replaces one of the
// same name in the archive, as with pip.
func (w *Wheel) Files(s Scheme) (files.Set, error) {
	set, err := w.install(s)
	if err != nil {
		return files.Set{}, describe(w.fileName, err)
	}
	return set, nil
}

// installation collects the files of one wheel.
type installation struct {
	w         *Wheel
	scheme    Scheme
	library   string                       // where dist-info goes
	files     map[string]*files.File       // by path
	hashes    map[string]recordHash        // by path, for RECORD
	launchers map[string]python.EntryPoint // by name
}

func (w *Wheel) install(s Scheme) (files.Set, error) {
	in := &installation{w: w, scheme: s, library: s.Platlib, files: map[string]*files.File{}, hashes: map[string]recordHash{}}
	if w.RootIsPurelib {
		in.library = s.Purelib
	}
	for _, dir := range []string{s.Purelib, s.Platlib, s.Scripts, s.Data, s.Headers} {
		if !fs.ValidPath(dir) {
			return files.Set{}, fmt.Errorf("installation scheme: %q is not a path inside the root", dir)
		}
	}
	if err := in.addLaunchers(); err != nil {
		return files.Set{}, err
	}
	for i := range w.archive.entries {
		if err := in.addEntry(&w.archive.entries[i]); err != nil {
			return files.Set{}, err
		}
	}
	dist := path.Join(in.library, w.DistInfo)
	if err := in.addText(path.Join(dist, "INSTALLER"), "distill\n", 0o644); err != nil {
		return files.Set{}, err
	}
	record := path.Join(dist, "RECORD")
	in.files[record] = &files.File{Path: record} // lists itself, without a digest
	listing := in.record()
	in.files[record] = &files.File{Path: record, Mode: 0o644, Size: int64(len(listing)), SHA256: sha256Hex(listing), Content: text(listing)}
	list := make([]*files.File, 0, len(in.files))
	for _, f := range in.files {
		list = append(list, f)
	}
	return files.NewSet(list), nil
}

// addLaunchers makes the scripts of entry points. Of several with one name the
// last one counts, the graphical one after the other, as with pip.
func (in *installation) addLaunchers() error {
	last := map[string]python.EntryPoint{}
	for _, group := range []string{"console_scripts", "gui_scripts"} {
		for _, p := range in.w.EntryPoints {
			if p.Group == group {
				last[p.Name] = p
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		body := string(launcher(last[name], in.scheme.Python))
		if err := in.addText(path.Join(in.scheme.Scripts, name), body, 0o755); err != nil {
			return err
		}
	}
	in.launchers = last
	return nil
}

func (in *installation) addText(at, body string, mode fs.FileMode) error {
	sum := sha256Hex([]byte(body))
	f := &files.File{Path: at, Mode: mode, Size: int64(len(body)), SHA256: sum, Content: text(body)}
	return in.add(f, recordHash{"sha256", sum})
}

// add takes a file up; a path that is taken already is an error unless both have
// the same content.
func (in *installation) add(f *files.File, h recordHash) error {
	if old, taken := in.hashes[f.Path]; taken {
		if old == h {
			return nil
		}
		return fmt.Errorf("two files would be installed as %q", f.Path)
	}
	in.files[f.Path], in.hashes[f.Path] = f, h
	return nil
}

// addEntry takes up a file of the archive.
func (in *installation) addEntry(e *entry) error {
	if e.isDir() || in.isReplaced(e.name) {
		return nil
	}
	at, isScript, err := in.place(e.name)
	if err != nil {
		return err
	}
	if isScript && in.hasLauncher(at) {
		return nil
	}
	mode := fs.FileMode(0o644)
	if isScript || e.mode&0o111 != 0 {
		mode = 0o755
	}
	c := &member{content{a: in.w.archive, e: e, hash: in.w.hashes[e.name]}, in.w.fileName}
	if isScript {
		s, err := rewriteScript(c, in.scheme.Python)
		if err != nil {
			return err
		}
		if s != nil {
			sum, err := hashContent(s)
			if err != nil {
				return err
			}
			return in.add(&files.File{Path: at, Mode: mode, Size: s.size(), SHA256: sum, Content: s}, recordHash{"sha256", sum})
		}
	}
	f := &files.File{Path: at, Mode: mode, Size: e.size, Content: c}
	if c.hash.algorithm == "sha256" {
		f.SHA256 = c.hash.digest
	}
	return in.add(f, c.hash)
}

// isReplaced tells whether a file of the archive is not installed: what only an
// installer writes, signatures of a RECORD that will be another, and byte code
// whose source has another time stamp by then.
func (in *installation) isReplaced(name string) bool {
	if in.w.isUnlisted(name) {
		return true
	}
	switch base, _ := strings.CutPrefix(name, in.w.DistInfo+"/"); base {
	case "INSTALLER", "REQUESTED", "direct_url.json":
		return base != name
	}
	return strings.HasSuffix(name, ".pyc") && path.Base(path.Dir(name)) == "__pycache__"
}

// hasLauncher tells whether a script is made for that path already.
func (in *installation) hasLauncher(at string) bool {
	_, ok := in.launchers[path.Base(at)]
	return ok && path.Dir(at) == path.Clean(in.scheme.Scripts)
}

// place returns where a file of the archive goes (PEP 427, "the .data
// directory").
func (in *installation) place(name string) (at string, isScript bool, err error) {
	top, rest, _ := strings.Cut(name, "/")
	if !strings.HasSuffix(top, ".data") {
		return path.Join(in.library, name), false, nil
	}
	key, rest, _ := strings.Cut(rest, "/")
	if rest == "" {
		return "", false, fmt.Errorf("%q stands directly in the data folder", name)
	}
	switch key {
	case "purelib":
		return path.Join(in.scheme.Purelib, rest), false, nil
	case "platlib":
		return path.Join(in.scheme.Platlib, rest), false, nil
	case "data":
		return path.Join(in.scheme.Data, rest), false, nil
	case "headers":
		return path.Join(in.scheme.Headers, string(in.w.Name.Name), rest), false, nil
	case "scripts":
		return path.Join(in.scheme.Scripts, rest), true, nil
	}
	return "", false, fmt.Errorf("%q: %q is no kind of file that an installer knows", name, key)
}

// rewriteScript returns the script with its new first line, or nil if it keeps
// the one it has.
func rewriteScript(c *member, interpreter string) (*rewritten, error) {
	r, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	n, err := pythonLine(r)
	if err != nil || n == 0 {
		return nil, err
	}
	return &rewritten{script: c, skip: n, line: shebang(interpreter)}, nil
}

func hashContent(c files.Content) (string, error) {
	r, err := c.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// record returns RECORD (PEP 376, 627): paths relative to the folder that holds
// dist-info, sorted.
func (in *installation) record() []byte {
	type line struct{ name, at string }
	lines := make([]line, 0, len(in.files))
	for at := range in.files {
		lines = append(lines, line{relative(in.library, at), at})
	}
	slices.SortFunc(lines, func(a, b line) int { return strings.Compare(a.name, b.name) })
	var b []byte
	for _, l := range lines {
		b = appendField(b, l.name)
		h, known := in.hashes[l.at]
		if !known { // RECORD itself
			b = append(b, ",,\n"...)
			continue
		}
		sum, _ := hex.DecodeString(h.digest)
		b = append(append(append(b, ','), h.algorithm...), '=')
		b = base64.RawURLEncoding.AppendEncode(b, sum)
		b = append(strconv.AppendInt(append(b, ','), in.files[l.at].Size, 10), '\n')
	}
	return b
}

// relative returns target as seen from the folder base; both are relative to the
// root.
func relative(base, target string) string {
	from, to := strings.Split(path.Clean(base), "/"), strings.Split(target, "/")
	i := 0
	for i < len(from) && i < len(to)-1 && from[i] == to[i] {
		i++
	}
	if path.Clean(base) == "." {
		return target
	}
	return strings.Repeat("../", len(from)-i) + strings.Join(to[i:], "/")
}

// appendField writes a CSV field as Python's csv module does.
func appendField(b []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\r\n") {
		return append(b, s...)
	}
	return append(append(append(b, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
}
