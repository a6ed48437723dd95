package layers

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/r-seed-1713b764/distill/internal/files"
	"github.com/r-seed-1713b764/distill/internal/plan"
)

// whiteoutPrefix marks an entry that deletes what lies below it
// (image-spec, layer.md).
const whiteoutPrefix = ".wh."

// entry is one member of a layer, as it is written.
type entry struct {
	name   string // without slash at the end
	kind   byte   // type flag of the tar header
	mode   int64
	uid    int
	gid    int
	size   int64
	link   string
	xattrs map[string]string
	// content is the identity of a regular file's content: its SHA256, or the rule that
	// makes it out of content with that.
	content string
	file    *files.File // to open, for regular files
}

// The type flags that a layer has (POSIX ustar).
const (
	kindFile    = '0'
	kindHard    = '1'
	kindSymlink = '2'
	kindDir     = '5'
)

// list returns the members of a layer in the order in which they are written:
// that of their names, so that a directory comes before what is in it and the
// first name of a hard link before the others.
func list(l *plan.Layer) ([]entry, error) {
	entries := make([]entry, 0, l.Files.Len()+len(l.Whiteouts))
	first := map[uint64]string{} // name of an inode's first entry
	for f := range l.Files.All() {
		e, err := entryOf(f)
		if err != nil {
			return nil, err
		}
		if f.Inode != 0 && e.kind == kindFile {
			if name, ok := first[f.Inode]; ok {
				e = entry{name: e.name, kind: kindHard, mode: e.mode, uid: e.uid, gid: e.gid, link: name}
			} else {
				first[f.Inode] = e.name
			}
		}
		entries = append(entries, e)
	}
	for _, p := range l.Whiteouts {
		if err := checkName(p); err != nil {
			return nil, err
		}
		name := path.Join(path.Dir(p), whiteoutPrefix+path.Base(p))
		// The mode is never seen; 0644 is what others write.
		entries = append(entries, entry{name: name, kind: kindFile, mode: 0o644, content: emptySHA256})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	for i := 1; i < len(entries); i++ {
		if entries[i].name == entries[i-1].name {
			return nil, fmt.Errorf("%q is there twice", entries[i].name)
		}
	}
	return entries, nil
}

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func entryOf(f *files.File) (entry, error) {
	if err := checkName(f.Path); err != nil {
		return entry{}, err
	}
	e := entry{name: f.Path, mode: tarMode(f.Mode), uid: f.UID, gid: f.GID, xattrs: f.Xattrs}
	switch {
	case f.IsRegular():
		if f.Size < 0 {
			return entry{}, fmt.Errorf("%q has a size of %d bytes", f.Path, f.Size)
		}
		e.kind, e.size, e.content, e.file = kindFile, f.Size, f.Identity(), f
		if f.Size == 0 {
			e.content = emptySHA256
		}
	case f.Mode.IsDir():
		e.kind = kindDir
	case f.IsSymlink():
		if f.Link == "" || strings.IndexByte(f.Link, 0) >= 0 {
			return entry{}, fmt.Errorf("%q is a link to %q", f.Path, f.Link)
		}
		e.kind, e.link = kindSymlink, f.Link
		e.mode = 0o777 // what the kernel shows of any link
	default:
		return entry{}, fmt.Errorf("%q is neither file, directory nor link (%s)", f.Path, f.Mode.Type())
	}
	for k := range e.xattrs {
		if k == "" || strings.ContainsAny(k, "=\x00\n") {
			return entry{}, fmt.Errorf("%q has an extended attribute named %q", f.Path, k)
		}
	}
	if e.uid < 0 || e.gid < 0 {
		return entry{}, fmt.Errorf("%q belongs to %d:%d", f.Path, e.uid, e.gid)
	}
	return e, nil
}

// checkName admits what names one place below the root and nothing else. Names
// that are not UTF-8 exist in images and are written as they are.
func checkName(name string) error {
	if name == "" || name[0] == '/' || path.Clean(name) != name || name == "." || name == ".." ||
		strings.HasPrefix(name, "../") || strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("%q is no path of an image", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, whiteoutPrefix) {
			return fmt.Errorf("%q: a name in a layer can't begin with %s", name, whiteoutPrefix)
		}
	}
	return nil
}

func tarMode(m fs.FileMode) int64 {
	bits := int64(m.Perm())
	if m&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}

// identifyAll reads the content that nobody knows yet.
func identifyAll(entries []entry) error {
	for i := range entries {
		e := &entries[i]
		if e.kind != kindFile || e.content != "" {
			continue
		}
		h := sha256.New()
		if err := copyContent(h, e); err != nil {
			return err
		}
		e.content = hex.EncodeToString(h.Sum(nil))
	}
	return nil
}

// copyContent writes exactly the content of e to w.
func copyContent(w io.Writer, e *entry) error {
	r, err := e.file.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	defer r.Close()
	n, err := io.Copy(w, io.LimitReader(r, e.size))
	if err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	if n != e.size {
		return fmt.Errorf("%s ends after %d of %d bytes", e.name, n, e.size)
	}
	// A reader may check its digest only at the end of what it reads.
	if n, err := io.CopyN(io.Discard, r, 1); n != 0 || err != io.EOF {
		if err == nil {
			return fmt.Errorf("%s is longer than %d bytes", e.name, e.size)
		}
		return fmt.Errorf("%s: %w", e.name, err)
	}
	return nil
}

// Key names what a layer is made of: two layers with the same key have the same
// bytes. It is "" if the content of some file is not known yet ([files.File.Identity]),
// or if the layer can't be written at all.
func Key(l *plan.Layer, opts Options) string {
	entries, err := list(l)
	if err != nil {
		return ""
	}
	for i := range entries {
		if entries[i].kind == kindFile && entries[i].content == "" {
			return ""
		}
	}
	return keyOf(entries, opts)
}

func keyOf(entries []entry, opts Options) string {
	k := keyHash{sha256.New()}
	k.text(format)
	k.text(encoderOf(opts.Compression).name)
	k.number(opts.Epoch.Unix())
	for i := range entries {
		e := &entries[i]
		k.text(e.name)
		k.number(int64(e.kind))
		k.number(e.mode)
		k.number(int64(e.uid))
		k.number(int64(e.gid))
		k.number(e.size)
		k.text(e.link)
		k.text(e.content)
		k.number(int64(len(e.xattrs)))
		for _, name := range slices.Sorted(maps.Keys(e.xattrs)) {
			k.text(name)
			k.text(e.xattrs[name])
		}
	}
	return hex.EncodeToString(k.h.Sum(nil))
}

// format changes whenever the same members would give other bytes.
const format = "distill layer 1"

// keyHash hashes fields so that no two lists of fields give the same bytes.
type keyHash struct{ h hash.Hash }

func (k keyHash) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	k.h.Write(b[:])
}

func (k keyHash) text(s string) {
	k.number(int64(len(s)))
	k.h.Write([]byte(s))
}
