// Package wheel shows a wheel archive as the set of files it would install.
//
// It reads the ZIP format itself: archive/zip accepts what two readers may
// understand in two ways (SAFETY rule 5), and this package must not.
package wheel

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/python"
)

// ErrDamaged is wrapped by all errors about the archive itself.
var ErrDamaged = errors.New("damaged or unsupported wheel")

// Limits of single files, the first from SAFETY rule 3; RECORD has about 130
// bytes a file.
const (
	maxMetadata    = 16 << 20
	maxRecord      = 64 << 20
	maxWheelFile   = 1 << 20
	maxEntryPoints = 4 << 20
)

// Scheme is where an interpreter keeps each kind of file; paths relative to the
// root, and the path of the interpreter for scripts.
type Scheme struct {
	Purelib, Platlib, Scripts, Data, Headers string // Headers without the project's name
	Python                                   string // absolute, for the shebang line
}

// Wheel is a checked wheel archive.
type Wheel struct {
	Name          *python.WheelName
	Metadata      *python.Metadata
	RawMetadata   []byte
	EntryPoints   []python.EntryPoint
	RootIsPurelib bool
	DistInfo      string // name of the folder, as written in the archive

	fileName string
	archive  *archive
	hashes   map[string]recordHash // by name in the archive
}

// Open checks the archive against the rules of SAFETY (central directory and local
// headers agree, nothing outside, RECORD complete) without decompressing its
// content; content is checked against RECORD while it is read. r must stay open
// as long as the files are used. Errors about the archive wrap ErrDamaged, errors
// of r do not.
func Open(fileName string, r io.ReaderAt, size int64) (*Wheel, error) {
	w := &Wheel{fileName: fileName}
	if err := w.open(r, size); err != nil {
		return nil, describe(fileName, err)
	}
	return w, nil
}

// Metadata returns METADATA out of a wheel; only the parts of r that are needed
// are read (the end of the archive and one entry), so r may be a remote file.
func Metadata(fileName string, r io.ReaderAt, size int64) ([]byte, error) {
	b, err := metadata(fileName, r, size)
	if err != nil {
		return nil, describe(fileName, err)
	}
	return b, nil
}

// describe names the wheel, and calls it damaged unless it could not be read.
func describe(fileName string, err error) error {
	if errors.Is(err, ErrDamaged) {
		return err // by a reader of its content
	}
	var re *readError
	if errors.As(err, &re) {
		return fmt.Errorf("%s: %w", fileName, err)
	}
	return fmt.Errorf("%s: %w: %w", fileName, ErrDamaged, err)
}

func metadata(fileName string, r io.ReaderAt, size int64) ([]byte, error) {
	w := &Wheel{}
	if err := w.openDirectory(fileName, r, size); err != nil {
		return nil, err
	}
	return w.read("METADATA", maxMetadata)
}

// openDirectory reads the central directory and finds dist-info.
func (w *Wheel) openDirectory(fileName string, r io.ReaderAt, size int64) (err error) {
	if w.Name, err = python.ParseWheelName(fileName); err != nil {
		return err
	}
	if w.archive, err = openArchive(r, size); err != nil {
		return err
	}
	if err := w.archive.checkEntries(); err != nil {
		return err
	}
	return w.findDistInfo()
}

func (w *Wheel) open(r io.ReaderAt, size int64) error {
	if err := w.openDirectory(w.fileName, r, size); err != nil {
		return err
	}
	if err := w.archive.checkLocals(); err != nil {
		return err
	}
	if err := w.readRecord(); err != nil {
		return err
	}
	if err := w.readWheelFile(); err != nil {
		return err
	}
	if err := w.readMetadata(); err != nil {
		return err
	}
	return w.readEntryPoints()
}

// findDistInfo finds the one dist-info folder at the top, whose name must be that
// of the archive in any spelling.
func (w *Wheel) findDistInfo() error {
	for i := range w.archive.entries {
		top, _, _ := strings.Cut(w.archive.entries[i].name, "/")
		switch {
		case strings.HasSuffix(top, ".dist-info"):
			if w.DistInfo != "" && w.DistInfo != top {
				return fmt.Errorf("two dist-info folders, %q and %q", w.DistInfo, top)
			}
			w.DistInfo = top
		case strings.HasSuffix(top, ".data"):
			if !w.isOwn(strings.TrimSuffix(top, ".data")) {
				return fmt.Errorf("%q is the data folder of something else", top)
			}
		}
	}
	if w.DistInfo == "" {
		return errors.New("no dist-info folder")
	}
	if !w.isOwn(strings.TrimSuffix(w.DistInfo, ".dist-info")) {
		return fmt.Errorf("%q is the dist-info folder of something else", w.DistInfo)
	}
	return nil
}

// isOwn tells whether "name-version" names the project and version of the
// archive.
func (w *Wheel) isOwn(stem string) bool {
	i := strings.LastIndexByte(stem, '-')
	if i < 0 {
		return false
	}
	name, err := python.ParseName(stem[:i])
	if err != nil || name != w.Name.Name {
		return false
	}
	// In file names "_" stands for the "+" and "-" of a version.
	version, err := python.ParseVersion(stem[i+1:])
	if err != nil {
		version, err = python.ParseVersion(strings.Replace(stem[i+1:], "_", "+", 1))
	}
	return err == nil && version.Compare(w.Name.Version) == 0
}

// find returns the file of that name.
func (w *Wheel) find(name string) *entry {
	for i := range w.archive.entries {
		if w.archive.entries[i].name == name {
			return &w.archive.entries[i]
		}
	}
	return nil
}

// errAbsent says that dist-info lacks a file.
var errAbsent = errors.New("absent")

// read returns a file of dist-info, checked against RECORD as soon as that is
// known.
func (w *Wheel) read(base string, limit int64) ([]byte, error) {
	name := w.DistInfo + "/" + base
	e := w.find(name)
	if e == nil || e.isDir() {
		return nil, fmt.Errorf("%q: %w", name, errAbsent)
	}
	c := &content{a: w.archive, e: e, hash: w.hashes[name]}
	return c.readAll(limit)
}

// isUnlisted tells whether a file of dist-info cannot have its own digest in
// RECORD (PEP 427).
func (w *Wheel) isUnlisted(name string) bool {
	base, ok := strings.CutPrefix(name, w.DistInfo+"/")
	return ok && (base == "RECORD" || base == "RECORD.jws" || base == "RECORD.p7s")
}

// readRecord reads RECORD and compares it with the archive in both directions.
func (w *Wheel) readRecord() error {
	b, err := w.read("RECORD", maxRecord)
	if err != nil {
		return err
	}
	lines, err := python.ParseRecord(b)
	if err != nil {
		return err
	}
	if len(lines) > 2*len(w.archive.entries)+16 { // before it costs memory
		return errors.New("RECORD lists more files than there are")
	}
	sizes := make(map[string]int64, len(lines))
	hashes := make(map[string]recordHash, len(lines))
	for _, l := range lines {
		if old, twice := hashes[l.Path]; twice && (old != recordHash{l.Algorithm, l.Digest}) {
			return fmt.Errorf("RECORD lists %q twice", l.Path)
		}
		hashes[l.Path], sizes[l.Path] = recordHash{l.Algorithm, l.Digest}, l.Size
	}
	files := make(map[string]bool, len(w.archive.entries))
	for i := range w.archive.entries {
		e := &w.archive.entries[i]
		if e.isDir() {
			continue
		}
		files[e.name] = true
		if w.isUnlisted(e.name) {
			continue
		}
		h, listed := hashes[e.name]
		switch {
		case !listed:
			return fmt.Errorf("%q is not listed in RECORD", e.name)
		case newHash(h.algorithm) == nil:
			return fmt.Errorf("%q has no digest of sha256 or better in RECORD", e.name)
		case sizes[e.name] >= 0 && sizes[e.name] != e.size:
			return fmt.Errorf("%q has %d bytes, but RECORD says %d", e.name, e.size, sizes[e.name])
		}
	}
	for _, l := range lines {
		if !files[l.Path] && !w.isUnlisted(l.Path) {
			return fmt.Errorf("RECORD lists %q, which is not there", l.Path)
		}
	}
	for _, base := range []string{"RECORD", "RECORD.jws", "RECORD.p7s"} {
		delete(hashes, w.DistInfo+"/"+base)
	}
	w.hashes = hashes
	return nil
}

// readWheelFile reads WHEEL, which says for what kind of installer the archive is
// made.
func (w *Wheel) readWheelFile() error {
	b, err := w.read("WHEEL", maxWheelFile)
	if err != nil {
		return err
	}
	var version, purelib string
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "wheel-version":
			version = strings.TrimSpace(value)
		case "root-is-purelib":
			purelib = strings.ToLower(strings.TrimSpace(value))
		}
	}
	if major, _, _ := strings.Cut(version, "."); major != "1" {
		return fmt.Errorf("Wheel-Version %q is not supported, only 1.x is", version)
	}
	if purelib != "true" && purelib != "false" {
		return fmt.Errorf("Root-Is-Purelib is %q", purelib)
	}
	w.RootIsPurelib = purelib == "true"
	return nil
}

// readMetadata reads METADATA and compares it with the name of the archive.
func (w *Wheel) readMetadata() (err error) {
	if w.RawMetadata, err = w.read("METADATA", maxMetadata); err != nil {
		return err
	}
	if w.Metadata, err = python.ParseMetadata(w.RawMetadata); err != nil {
		return fmt.Errorf("METADATA: %w", err)
	}
	if w.Metadata.Name != w.Name.Name || w.Metadata.Version.Compare(w.Name.Version) != 0 {
		return fmt.Errorf("METADATA is that of %s %s", w.Metadata.Name, w.Metadata.Version)
	}
	return nil
}

// readEntryPoints reads entry_points.txt, if there is one, and refuses scripts
// that would not be one file in the folder of scripts, or would not be Python.
func (w *Wheel) readEntryPoints() error {
	b, err := w.read("entry_points.txt", maxEntryPoints)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	if w.EntryPoints, err = python.ParseEntryPoints(b); err != nil {
		return err
	}
	for _, p := range w.EntryPoints {
		if !p.IsScript() {
			continue
		}
		if err := checkScript(p); err != nil {
			return fmt.Errorf("entry_points.txt: script %q: %w", p.Name, err)
		}
	}
	return nil
}
