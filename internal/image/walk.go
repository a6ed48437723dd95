package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/cache"
	"github.com/r-seed-1713b764/distill/internal/files"
)

const (
	// maxPath and maxName are what Linux takes.
	maxPath = 4096
	maxName = 255
	// maxHeld is the largest file that is held in memory while it is looked at;
	// a larger one goes through a file without a name.
	maxHeld = 8 << 20
	// headSize is what a Probe sees of a file before it decides.
	headSize = 64

	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
	whiteoutMeta   = ".wh..wh." // aufs' own bookkeeping
)

// walker reads the tar archive of a layer once, from front to back.
type walker struct {
	s     *stream
	tr    *tar.Reader
	probe files.Probe
	cache *cache.Dir
	out   factsBuilder

	next   int64 // where the next header starts, if inRow is 0
	inRow  int   // sparse files directly before, the first of which starts at next
	kept   int64
	hold   *[]byte
	spool  *os.File
	budget *budget
}

// walk returns the facts of a layer. The content of the stream is checked when it
// returns without an error.
func walk(s *stream, probe files.Probe, c *cache.Dir, hold *[]byte) (*facts, error) {
	w := &walker{s: s, tr: tar.NewReader(s), probe: probe, cache: c, hold: hold, budget: s.budget}
	defer w.close()
	for {
		h, err := w.tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, tarError(err)
		}
		if err := w.entry(h); err != nil {
			return nil, err
		}
	}
	if err := s.finish(); err != nil {
		return nil, blame(err)
	}
	return w.out.finish(s.pos), nil
}

// tarError names the format if nothing else is known about the error.
func tarError(err error) error {
	if isKnown(err) {
		return err
	}
	return damaged("tar archive of the layer: %w", noEOF(err))
}

func (w *walker) close() {
	if w.spool != nil {
		w.spool.Close()
	}
}

func (w *walker) entry(h *tar.Header) error {
	if err := w.budget.addEntries(1); err != nil {
		return err
	}
	start, nth, content := w.next, w.inRow, w.s.pos
	w.advance(h)
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	e, err := newEntry(h)
	if err != nil || e == nil {
		return err
	}
	if e.kind == kindFile {
		if err := w.budget.addFile(h.Size); err != nil {
			return err
		}
		e.size, e.offset = h.Size, content
		if isSparse(h) {
			e.sparse, e.offset, e.sparseNth = true, start, nth
		}
		if err := w.content(e); err != nil {
			return err
		}
	}
	return w.budget.addFacts(w.out.add(e))
}

// advance notes where the next header starts.
func (w *walker) advance(h *tar.Header) {
	if isSparse(h) {
		w.inRow++
		return
	}
	w.inRow, w.next = 0, w.s.pos
	switch h.Typeflag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		// archive/tar takes no content for these, whatever their size says.
	default:
		w.next = roundUp(w.next + h.Size)
	}
}

func roundUp(n int64) int64 { return (n + 511) &^ 511 }

func isSparse(h *tar.Header) bool {
	return h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" ||
		h.PAXRecords["GNU.sparse.size"] != "" || h.PAXRecords["GNU.sparse.realsize"] != ""
}

// newEntry turns a header into an entry; nil means that it says nothing about the tree.
func newEntry(h *tar.Header) (*entry, error) {
	if len(h.Name) > maxPath || len(h.Linkname) > maxPath {
		return nil, damaged("layer entry %s: name of more than %d bytes", quote(h.Name), maxPath)
	}
	e := &entry{path: files.Clean(h.Name), modTime: h.ModTime.Unix(), uid: h.Uid, gid: h.Gid, mode: fileMode(h.Mode)}
	if e.uid < 0 || e.gid < 0 || int64(e.uid) > 1<<32 || int64(e.gid) > 1<<32 {
		return nil, damaged("layer entry %s: owner %d:%d", quote(h.Name), h.Uid, h.Gid)
	}
	if err := checkPath(e.path); err != nil {
		return nil, err
	}
	if hidden, err := e.whiteout(); hidden || err != nil {
		if err != nil || e.path == "" && e.kind != kindOpaque {
			return nil, err
		}
		return e, nil
	}
	if e.path == "" {
		if h.Typeflag != tar.TypeDir {
			return nil, damaged("layer entry %s stands for the root and is no directory", quote(h.Name))
		}
		return nil, nil
	}
	if err := e.setKind(h); err != nil {
		return nil, err
	}
	e.xattrs = xattrs(h)
	return e, nil
}

func (e *entry) setKind(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeRegA, tar.TypeCont, tar.TypeGNUSparse: //nolint:staticcheck // old archives have TypeRegA
		e.kind = kindFile
	case tar.TypeDir:
		e.kind = kindDir
	case tar.TypeSymlink:
		e.kind, e.link = kindSymlink, h.Linkname
		if e.link == "" {
			return damaged("layer entry %s: symbolic link to nothing", quote(h.Name))
		}
	case tar.TypeLink:
		e.kind, e.link = kindHardLink, files.Clean(h.Linkname)
	case tar.TypeChar:
		e.kind = kindCharDevice
	case tar.TypeBlock:
		e.kind = kindBlockDevice
	case tar.TypeFifo:
		e.kind = kindPipe
	default:
		return unsupported("layer entry %s: type %q of tar entries", quote(h.Name), h.Typeflag)
	}
	return nil
}

// checkPath refuses what no Linux file system can hold.
func checkPath(p string) error {
	for part := range strings.SplitSeq(p, "/") {
		if len(part) > maxName {
			return damaged("layer entry %s: a part of the name has more than %d bytes", quote(p), maxName)
		}
	}
	if strings.IndexByte(p, 0) >= 0 {
		return damaged("layer entry %s: zero byte in the name", quote(p))
	}
	return nil
}

// whiteout recognises what hides files of lower layers (image-spec, layer.md), and
// aufs' bookkeeping, for which it clears the path.
func (e *entry) whiteout() (hidden bool, err error) {
	dir, base := "", e.path
	if i := strings.LastIndexByte(base, '/'); i >= 0 {
		dir, base = base[:i], base[i+1:]
	}
	for part := range strings.SplitSeq(dir, "/") {
		if strings.HasPrefix(part, whiteoutMeta) {
			e.path = ""
			return true, nil
		}
		if strings.HasPrefix(part, whiteoutPrefix) {
			return true, damaged("layer entry %s lies in a whiteout", quote(e.path))
		}
	}
	switch {
	case base == whiteoutOpaque:
		e.kind, e.path = kindOpaque, dir
	case strings.HasPrefix(base, whiteoutMeta):
		e.path = ""
	case strings.HasPrefix(base, whiteoutPrefix):
		name := base[len(whiteoutPrefix):]
		if name == "" || name == "." || name == ".." {
			return true, damaged("layer entry %s is a whiteout of nothing", quote(e.path))
		}
		e.kind, e.path = kindWhiteout, strings.TrimPrefix(dir+"/"+name, "/")
	default:
		return false, nil
	}
	return true, nil
}

func fileMode(m int64) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	for _, b := range []struct {
		bit  int64
		mode fs.FileMode
	}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
		if m&b.bit != 0 {
			mode |= b.mode
		}
	}
	return mode
}

func xattrs(h *tar.Header) map[string]string {
	var m map[string]string
	for k, v := range h.PAXRecords {
		if name, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok {
			if m == nil {
				m = map[string]string{}
			}
			m[name] = v
		}
	}
	return m
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// content asks the probe about a file and does what it wants.
func (w *walker) content(e *entry) error {
	// Nobody packs code as a sparse file; what is large may be all holes.
	if w.probe == nil || e.sparse && e.size > maxHeld {
		return nil
	}
	var first [headSize]byte
	head := first[:min(e.size, headSize)]
	if _, err := io.ReadFull(w.tr, head); err != nil {
		return tarError(err)
	}
	want := w.probe.Wants(e.path, e.size, head)
	switch {
	case want == 0:
		return nil
	case e.size > maxHeld:
		return w.large(e, want, head)
	}
	if int64(cap(*w.hold)) < e.size {
		*w.hold = make([]byte, max(e.size, min(int64(2*cap(*w.hold)), maxHeld)))
	}
	data := (*w.hold)[:e.size]
	copy(data, head)
	if _, err := io.ReadFull(w.tr, data[len(head):]); err != nil {
		return tarError(err)
	}
	if want&files.WantSHA256 != 0 {
		sum := sha256.Sum256(data)
		e.sha256 = hex.EncodeToString(sum[:])
	}
	if want&files.WantContent != 0 && w.kept+e.size <= maxKept && w.budget.keep(e.size) {
		w.kept += e.size
		e.kept, e.hasKept = string(data), true
	}
	if want&files.WantNote != 0 {
		return w.note(e, bytes.NewReader(data))
	}
	return nil
}

// large is content for a file that is not held in memory; so it is not kept either.
func (w *walker) large(e *entry, want files.Want, head []byte) error {
	var to []io.Writer
	h := sha256.New()
	if want&files.WantSHA256 != 0 {
		to = append(to, h)
	}
	var spool *spool
	if want&files.WantNote != 0 {
		var err error
		if spool, err = w.openSpool(); err != nil {
			return err
		}
		to = append(to, spool)
	}
	if len(to) == 0 {
		return nil
	}
	out := io.MultiWriter(to...)
	if len(*w.hold) < chunkSize {
		*w.hold = make([]byte, chunkSize)
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{out}, io.MultiReader(bytes.NewReader(head), w.tr), (*w.hold)[:chunkSize])
	if err != nil {
		return tarError(err)
	}
	if want&files.WantSHA256 != 0 {
		e.sha256 = hex.EncodeToString(h.Sum(nil))
	}
	if spool != nil {
		return w.note(e, io.NewSectionReader(w.spool, 0, e.size))
	}
	return nil
}

func (w *walker) note(e *entry, r io.ReaderAt) error {
	note, err := w.probe.Note(e.path, e.size, r)
	if err != nil {
		if isDiskError(err) {
			return spoolError(err)
		}
		return damaged("layer entry %s: %w", quote(e.path), err)
	}
	if note != nil {
		e.note, e.hasNote = string(note), true
	}
	return nil
}

// spool writes to a file without a name, from its start.
type spool struct {
	f *os.File
	n int64
}

func (w *walker) openSpool() (*spool, error) {
	if w.spool == nil {
		var err error
		if w.spool, err = w.cache.Temp(); err != nil {
			return nil, err
		}
	}
	return &spool{f: w.spool}, nil
}

func (s *spool) Write(p []byte) (int, error) {
	n, err := s.f.WriteAt(p, s.n)
	s.n += int64(n)
	if err != nil {
		return n, spoolError(err)
	}
	return n, nil
}
