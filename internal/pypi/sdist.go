package pypi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
	"github.com/r-seed-1713b764/distill/internal/tomltext"
)

// sdistMetadata reads what a source archive says about itself without running
// it. The archive is needed whole, since only then its digest is known.
func (c *Client) sdistMetadata(ctx context.Context, f File) (Metadata, error) {
	digest, err := c.fetch(ctx, f, nil)
	if err != nil {
		return Metadata{}, fmt.Errorf("metadata of %w", err)
	}
	b, err := c.Cache.OpenBlob("sha256:" + digest)
	if err != nil {
		return Metadata{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	defer b.Close()
	m, err := readSdist(f.Name, b, b.Size)
	if err != nil {
		return Metadata{}, fmt.Errorf("%s: %w: %w", f.Name, ErrDamaged, err)
	}
	if m.Origin == originDynamic {
		return m, nil
	}
	return m, checkIdentity(f, m.Core)
}

// readSdist finds metadata in a source archive; the zero Metadata means that only
// a build can tell.
func readSdist(name string, r io.ReaderAt, size int64) (Metadata, error) {
	s := &sdist{}
	if err := walkSdist(name, r, size, s.visit); err != nil {
		return Metadata{}, err
	}
	return s.metadata(name), nil
}

// sdist is the files of a source archive that say something about requirements.
type sdist struct {
	root      string // the folder that holds everything
	pkgInfo   []byte // condensed
	pyproject []byte
	requires  []byte // requires.txt
	hasEgg    bool   // there is an egg-info folder, made by setuptools
}

// visit takes up what it needs; done means that nothing else can matter.
func (s *sdist) visit(path string, size int64, read func(limit int64) ([]byte, error)) (done bool, err error) {
	root, rest, ok := strings.Cut(strings.TrimPrefix(path, "./"), "/")
	if !ok || s.root != "" && root != s.root {
		return false, nil
	}
	s.root = root
	folder, base := "", rest
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		folder, base = rest[:i], rest[i+1:]
	}
	inEgg := strings.HasSuffix(folder, ".egg-info") && strings.Count(strings.TrimPrefix(folder, "src/"), "/") == 0
	s.hasEgg = s.hasEgg || inEgg
	switch {
	case rest == "PKG-INFO":
		b, err := read(maxMetadata)
		s.pkgInfo = condense(b)
		return isStatic(s.pkgInfo), err
	case rest == "pyproject.toml" && size <= maxPyproject:
		s.pyproject, err = read(maxPyproject)
	case inEgg && base == "requires.txt":
		s.requires, err = read(maxMetadata)
	}
	return false, err
}

// maxPyproject bounds pyproject.toml; larger ones are passed over.
const maxPyproject = 256 << 10

// metadata chooses the best of what was found. What a standard promises to be
// the same after a build comes first: PKG-INFO since metadata 2.2 (PEP 643), then
// the [project] table (PEP 621). Older archives promise nothing; what setuptools
// wrote into egg-info when the archive was made is right for nearly all of them,
// and marked as not guaranteed.
func (s *sdist) metadata(name string) Metadata {
	if isStatic(s.pkgInfo) {
		return Metadata{Core: s.pkgInfo, Guaranteed: true, Origin: originPkgInfo}
	}
	if core, ok := projectTable(s.pyproject, name); ok {
		return Metadata{Core: core, Guaranteed: true, Origin: originPyproject}
	}
	if s.pkgInfo == nil {
		return Metadata{}
	}
	if s.requires != nil {
		core, ok := withRequires(s.pkgInfo, s.requires)
		if !ok {
			return Metadata{}
		}
		return Metadata{Core: core, Origin: originRequires}
	}
	// Since 2.2, silence about dynamic requirements says nothing at all; before,
	// silence is what archives without requirements look like.
	if header(s.pkgInfo, "Requires-Dist") == "" && metadataVersion(s.pkgInfo) >= 202 && !s.hasEgg {
		return Metadata{}
	}
	return Metadata{Core: s.pkgInfo, Origin: originPkgInfo}
}

// metadataVersion returns 202 for "2.2", 0 if there is none.
func metadataVersion(core []byte) int {
	major, minor, _ := strings.Cut(header(core, "Metadata-Version"), ".")
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil || a < 0 || b < 0 || a > 99 || b > 99 {
		return 0
	}
	return a*100 + b
}

// isStatic tells whether PKG-INFO promises that a build says the same.
func isStatic(core []byte) bool {
	if metadataVersion(core) < 202 {
		return false
	}
	for line := range bytes.Lines(core) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		if !strings.EqualFold(string(key), "Dynamic") {
			continue
		}
		switch strings.ToLower(string(bytes.TrimSpace(value))) {
		case "requires-dist", "requires-python", "provides-extra":
			return false
		}
	}
	return true
}

// projectTable makes metadata of the [project] table, if that says all.
func projectTable(b []byte, fileName string) (core []byte, ok bool) {
	if len(b) == 0 {
		return nil, false
	}
	var doc struct {
		Project *struct {
			Name           string              `toml:"name"`
			Version        string              `toml:"version"`
			RequiresPython string              `toml:"requires-python"`
			Dependencies   []string            `toml:"dependencies"`
			Optional       map[string][]string `toml:"optional-dependencies"`
			Dynamic        []string            `toml:"dynamic"`
		} `toml:"project"`
	}
	if err := tomltext.Decode("", b, &doc); err != nil || doc.Project == nil {
		return nil, false
	}
	p := doc.Project
	for _, d := range p.Dynamic {
		switch strings.ToLower(d) {
		case "dependencies", "optional-dependencies", "requires-python":
			return nil, false
		}
	}
	name, err := python.ParseName(p.Name)
	if err != nil {
		return nil, false
	}
	version, ok := versionOf(fileName, name)
	if p.Version != "" {
		version, err = python.ParseVersion(p.Version)
		ok = err == nil
	}
	if !ok || strings.ContainsAny(p.RequiresPython, "\r\n") {
		return nil, false
	}
	w := coreWriter{}
	w.line("Metadata-Version", "2.2")
	w.line("Name", string(name))
	w.line("Version", version.String())
	if p.RequiresPython != "" {
		w.line("Requires-Python", p.RequiresPython)
	}
	w.requirements(p.Dependencies, "")
	for _, extra := range sortedKeys(p.Optional) {
		w.line("Provides-Extra", string(python.NormalizeName(extra)))
		w.requirements(p.Optional[extra], python.NormalizeName(extra))
	}
	return w.b, w.err == nil
}

// coreWriter writes condensed metadata.
type coreWriter struct {
	b   []byte
	err error
}

func (w *coreWriter) line(key, value string) {
	w.b = append(append(append(append(w.b, key...), ": "...), value...), '\n')
}

// requirements writes those of one extra, or of the project itself.
func (w *coreWriter) requirements(list []string, extra python.Name) {
	for _, text := range list {
		r, err := python.ParseRequirement(text)
		if err == nil && extra != "" {
			marker := "extra == '" + string(extra) + "'"
			if r.Marker != nil {
				marker = "(" + r.Marker.String() + ") and " + marker
			}
			r.Marker, err = python.ParseMarker(marker)
		}
		if err != nil {
			w.err = err
			return
		}
		w.line("Requires-Dist", r.String())
	}
}

// withRequires puts the requirements of requires.txt in the place of those in
// PKG-INFO.
func withRequires(core, requires []byte) ([]byte, bool) {
	list, extras, err := python.ParseRequiresTxt(requires)
	if err != nil {
		return nil, false
	}
	w := coreWriter{}
	for line := range bytes.Lines(core) {
		key, _, _ := bytes.Cut(line, []byte(":"))
		if k := string(key); !strings.EqualFold(k, "Requires-Dist") && !strings.EqualFold(k, "Provides-Extra") {
			w.b = append(w.b, line...)
		}
	}
	for _, extra := range extras {
		w.line("Provides-Extra", string(extra))
	}
	for _, r := range list {
		w.line("Requires-Dist", r.String())
	}
	return w.b, true
}
