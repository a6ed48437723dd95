package inspect

import (
	"bytes"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/elfdeps"
	"github.com/r-seed-1713b764/distill/internal/elfstrip"
	"github.com/r-seed-1713b764/distill/internal/files"
)

// probeVersion names the rules below; it changes whenever one of them does.
const probeVersion = "inspect-13"

// Kinds of notes, by their first byte. noteELF is the first byte of what
// elfdeps encodes, so that an ELF note is that and nothing more.
const (
	noteELF     = 1
	noteHeaders = 'M' // then the header block of METADATA or PKG-INFO
	noteScript  = '#' // the first lines of a script, which begin with '#' themselves
	noteSite    = 'S' // of site.py: "d" if it is Debian's, else "-", and what follows notePython
	notePython  = 'P' // what pysource says of a module (source.go)
	noteConda   = 'C' // a conda-meta record, condensed (conda.go)
	noteEgg     = 'Z' // the EGG-INFO of a zipped egg (egginfo.go)
	noteCode    = 'B' // the header of byte code (bytecode.go)
)

// Bounds on what is kept in memory of one file; SAFETY.md names 16 MiB for
// METADATA. The largest RECORD seen has 1.2 MB.
const (
	maxMetadata = 16 << 20
	maxRecord   = 16 << 20 // lists and conda records; the largest of Anaconda has 5 MB
	maxDatabase = 64 << 20
	maxSmall    = 1 << 20
	maxScript   = 512
	maxEgg      = 256 << 20
	maxSource   = 8 << 20 // of Python; the longest seen are tables of 3 MB
)

// Probe returns the rules by which an image has to be read for [Read]. It keeps lists and
// databases whole, and of METADATA, conda records, zipped eggs, scripts and ELF
// files only what [Read] needs. It asks for digests of what a RECORD can vouch for:
// files below *-packages and what the schemes have for scripts, headers and data; of the
// standard library, which may come along with the interpreter; and of
// shared libraries, which may come along with a package.
func Probe() files.Probe { return probe{} }

type probe struct{}

// Version implements [files.Probe].
func (probe) Version() string { return probeVersion }

// Wants implements [files.Probe].
func (probe) Wants(name string, size int64, head []byte) files.Want {
	var w files.Want
	if wantsDigest(name) {
		w |= files.WantSHA256
	}
	base := path.Base(name)
	if isELF(head) {
		if strings.Contains(base, ".so") { // it may come along, and then its layer wants a key
			w |= files.WantSHA256
		}
		return w | files.WantNote
	}
	if strings.HasSuffix(base, ".pyc") {
		return wantsCode(name, base, head)
	}
	switch kind := contentKind(name, base); {
	case kind.limit > 0 && size <= kind.limit:
		w |= kind.want
	case bytes.HasPrefix(head, []byte("#!")) && isBin(name):
		w |= files.WantNote
	}
	return w
}

// isELF leaves out object files and core dumps, which no loader takes.
func isELF(head []byte) bool {
	return len(head) >= 18 && string(head[:4]) == "\x7fELF" && (head[16] == 2 || head[16] == 3 || head[17] == 2 || head[17] == 3)
}

// wantsDigest tells whether a RECORD may list the file with a digest. What the OS
// keeps in usr/share, usr/include and etc is in no RECORD.
func wantsDigest(name string) bool {
	if strings.Contains(name, "-packages/") || strings.Contains(name, "include/python") || isBin(name) {
		return true
	}
	// The standard library and Debian's settings of it may come along as one layer.
	if strings.Contains(name, "lib/python3") || strings.Contains(name, "lib64/python3") || strings.HasPrefix(name, "etc/python3") {
		return true
	}
	rest := name
	if r, ok := strings.CutPrefix(name, "usr/"); ok {
		if rest, ok = strings.CutPrefix(r, "local/"); !ok {
			return false
		}
	} else if strings.HasPrefix(name, "etc/") || strings.HasPrefix(name, "var/") {
		return false
	}
	for _, d := range [...]string{"share/", "etc/", "include/", "man/"} {
		if strings.HasPrefix(rest, d) || strings.Contains(rest, "/"+d) {
			return true
		}
	}
	return strings.HasPrefix(name, "usr/local/") // data of wheels may lie anywhere below the prefix
}

func isBin(name string) bool {
	dir := path.Dir(name)
	return path.Base(dir) == "bin"
}

// kind says what is wanted of a file up to a size.
type kind struct {
	want  files.Want
	limit int64
}

func contentKind(name, base string) kind {
	small := kind{files.WantContent, maxSmall}
	dir := path.Dir(name)
	switch {
	case strings.HasSuffix(dir, ".dist-info"), strings.HasSuffix(dir, ".egg-info"), path.Base(dir) == "EGG-INFO":
		switch base {
		case "METADATA", "PKG-INFO":
			return kind{files.WantNote, maxMetadata}
		case "RECORD", "installed-files.txt":
			return kind{files.WantContent, maxRecord}
		case "INSTALLER", "WHEEL", "direct_url.json", "entry_points.txt", "top_level.txt", "requires.txt":
			return small
		}
	case strings.HasSuffix(base, ".egg-info"):
		return kind{files.WantNote, maxMetadata}
	case strings.HasSuffix(base, ".egg"):
		return kind{files.WantNote, maxEgg}
	case strings.HasSuffix(base, ".egg-link"), strings.HasSuffix(base, ".pth"), base == "pyvenv.cfg":
		return small
	case strings.HasSuffix(base, ".json") && path.Base(dir) == "conda-meta":
		return kind{files.WantNote, maxRecord}
	case strings.HasPrefix(base, "__editable__") && strings.HasSuffix(base, ".py"):
		return kind{files.WantContent | files.WantNote, maxSmall}
	case isModule(name):
		return kind{files.WantNote, maxSource}
	case base == "patchlevel.h":
		return small
	}
	return databaseKind(name, base, dir)
}

// databaseKind is contentKind for what belongs to the operating system.
func databaseKind(name, base, dir string) kind {
	whole := kind{files.WantContent, maxDatabase}
	switch {
	case name == "var/lib/dpkg/status", name == "var/lib/dpkg/diversions", dir == "var/lib/dpkg/status.d":
		return whole
	case dir == "var/lib/dpkg/info" && strings.HasSuffix(base, ".list"):
		return whole
	case strings.HasSuffix(name, "lib/apk/db/installed"):
		return whole
	case base == "ld.so.cache", strings.HasPrefix(base, "ld-musl-") && strings.HasSuffix(base, ".path"), base == "os-release":
		return kind{files.WantContent, maxSmall}
	}
	return kind{}
}

// isModule tells a module from a script that somebody called x.py.
func isModule(name string) bool { return strings.HasSuffix(name, ".py") && !isBin(name) }

// isStdlib tells whether dir looks like the standard library: lib/python3.11.
func isStdlib(dir string) bool {
	return strings.HasPrefix(path.Base(dir), "python") && strings.HasPrefix(path.Base(path.Dir(dir)), "lib")
}

// Note implements [files.Probe].
func (probe) Note(name string, size int64, r io.ReaderAt) ([]byte, error) {
	head, err := readHead(r, size, maxScript)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".pyc") {
		return noteHeader(head), nil
	}
	if isELF(head) {
		i, err := elfdeps.Parse(r, size)
		if errors.Is(err, elfdeps.ErrDamaged) || i == nil && err == nil {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		strip, err := elfstrip.Find(r, size)
		if err != nil {
			return nil, err
		}
		if strip != nil {
			i.Strip = strip.Encode()
		}
		return i.Encode(), nil
	}
	base := path.Base(name)
	switch {
	case base == "METADATA", base == "PKG-INFO", strings.HasSuffix(base, ".egg-info"):
		return noteMetadata(r, size)
	case strings.HasSuffix(base, ".egg"):
		return noteZippedEgg(r, size)
	case strings.HasSuffix(base, ".json"):
		return noteCondaRecord(r, size)
	case isModule(name):
		return noteSource(name, r, size)
	case bytes.HasPrefix(head, []byte("#!")):
		if i := bytes.IndexByte(head, 0); i >= 0 {
			head = head[:i]
		}
		return head, nil
	}
	return nil, nil
}

// readHead returns up to n first bytes.
func readHead(r io.ReaderAt, size, n int64) ([]byte, error) {
	b := make([]byte, min(n, size))
	m, err := r.ReadAt(b, 0)
	if err != nil && !(errors.Is(err, io.EOF) && m == len(b)) {
		return nil, err
	}
	return b, nil
}

// noteMetadata keeps the headers and leaves the long description out.
func noteMetadata(r io.ReaderAt, size int64) ([]byte, error) {
	b, err := readHead(r, size, maxMetadata)
	if err != nil {
		return nil, err
	}
	return append([]byte{noteHeaders}, headerBlock(b)...), nil
}

// headerBlock returns what stands before the first empty line, and of a description
// among the headers nothing.
func headerBlock(b []byte) []byte {
	var out []byte
	skip := false
	for line := range bytes.Lines(b) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			key, _, _ := bytes.Cut(line, []byte(":"))
			skip = bytes.EqualFold(bytes.TrimSpace(key), []byte("description"))
		}
		if !skip {
			out = append(out, line...)
		}
	}
	return out
}
